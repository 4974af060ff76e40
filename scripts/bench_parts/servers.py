"""Servers in processes of their own: a contender under uvicorn, or `trading-api serve` itself.

Run as `python -m scripts.bench_parts.servers CONTENDER` it serves that contender.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import uvicorn

from handlers import logs
from handlers.server import UVICORN_OPTIONS
from scripts.bench_parts.contenders import CONTENDERS

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def serving(*arguments: str, **environment: str) -> Iterator[int]:
    """The port on which `python ARGUMENTS` listens; the process ends with the block."""
    with tempfile.NamedTemporaryFile("r") as log, Path(log.name).open("w") as sink:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
            stderr=sink,
        )
        try:
            yield _port(process, log)
        finally:
            process.terminate()
            process.wait(timeout=30)


def _port(process: subprocess.Popen[bytes], log: IO[str]) -> int:
    """Reads the log until it names the port."""
    seen = ""
    while process.poll() is None:
        seen += log.read()
        found = re.search(r"running on http://127\.0\.0\.1:(\d+)", seen)
        if found:
            return int(found.group(1))
        time.sleep(0.02)
    raise RuntimeError(f"The server did not start:\n{seen}{log.read()}")


@contextmanager
def contender(name: str) -> Iterator[int]:
    with serving("-m", "scripts.bench_parts.servers", name) as port:
        yield port


def main(name: str) -> None:
    """Serves one contender; its requests are not logged, only where it listens is."""
    logs.configure("info", "text")
    uvicorn.run(CONTENDERS[name](), port=0, **{**UVICORN_OPTIONS, "lifespan": "auto"})


if __name__ == "__main__":
    main(sys.argv[1])
