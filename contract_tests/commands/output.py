"""What the commands print: plain lines, and complaints beside them."""

from __future__ import annotations

import io
import sys
from typing import Final

CONFORMANT: Final = 0
NOT_CONFORMANT: Final = 1
USAGE: Final = 2
UNREACHABLE: Final = 3
BROKEN: Final = 4
"""The exit codes. What does not judge a server ends with 0 or 1 as it found all well or not."""


class Unusable(Exception):
    """What the command was given cannot be used; the message says why. Exit code 2."""


def write_whatever_the_console_takes() -> None:
    """Let a sign that the console's encoding lacks be written as an escape rather than fail."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def say(text: str = "") -> None:
    """Print to the standard output."""
    sys.stdout.write(f"{text}\n")


def complain(text: str) -> None:
    """Print beside it."""
    sys.stderr.write(f"{text}\n")


def indented(text: str) -> str:
    """The text moved to the right."""
    return "\n".join(f"    {line}" for line in text.splitlines())
