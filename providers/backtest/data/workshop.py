"""The database in which history files become bars.

It lies in a file of its own, in a temporary folder, so that neither a table nor sorting it needs
memory.
"""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Sequence
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

from providers.backtest.data.checks import PLACES
from providers.backtest.extras import extra

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

UNITS = 10**PLACES
"""Tables hold prices and volumes as whole numbers of this fraction: exact, and quick to fetch."""


class Workshop:
    """A DuckDB database in a temporary folder, which goes when it is closed or forgotten."""

    def __init__(self) -> None:
        duckdb = extra("duckdb", "history files")
        folder = tempfile.mkdtemp(prefix="trading-api-history-")
        self._remove = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self.connection: DuckDBPyConnection = duckdb.connect(
            str(Path(folder, "history.duckdb")),
            config={"TimeZone": "UTC", "autoinstall_known_extensions": "false"},
        )

    def close(self) -> None:
        """Give the disk space back; nothing can be read any more."""
        self.connection.close()
        self._remove()

    def run(self, sql: str, values: Sequence[Any] = (), **parts: object) -> list[Any]:
        """All rows of a statement. `parts` are for what SQL takes no parameter for: our own names
        and numbers.
        """
        return self.connection.execute(Template(sql).substitute(parts), list(values)).fetchall()
