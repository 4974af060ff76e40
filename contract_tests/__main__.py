"""What `trading-conformance` and `python -m contract_tests` start."""

from __future__ import annotations

import sys
from typing import NoReturn

from contract_tests.commands.output import USAGE, complain


def main() -> NoReturn:
    """Run the command, or say what is missing where the package is installed without its extra.

    It must not end with 1 then, which says that the server is not conformant.
    """
    try:
        from contract_tests.main import main as command
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "contract_tests":
            raise
        complain(
            f"trading-conformance needs {error.name}: pip install 'trading-api[conformance]',"
            " or `make install` in a clone"
        )
        sys.exit(USAGE)
    command()


if __name__ == "__main__":
    main()
