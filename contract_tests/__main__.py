"""What `trading-conformance` and `python -m contract_tests` start."""

from __future__ import annotations

import sys
from typing import Final, NoReturn

_UNUSABLE: Final = 2
"""A command that cannot begin must not end with 1, which says that the server is not conformant."""


def main() -> NoReturn:
    """Run the command, or say what is missing where the package is installed without its extra."""
    try:
        from contract_tests.main import main as command
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "contract_tests":
            raise
        sys.stderr.write(
            f"trading-conformance needs {error.name}: pip install 'trading-api[conformance]',"
            " or `make install` in a clone\n"
        )
        sys.exit(_UNUSABLE)
    command()


if __name__ == "__main__":
    main()
