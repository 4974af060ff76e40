"""What the tests of the backtest share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write(text: str, name: str = "AAPL.csv") -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return write
