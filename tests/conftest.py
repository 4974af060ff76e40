"""What all tests share: repeatable property tests, and logging as the test before found it."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from hypothesis import settings

# A slow machine is no failure, and a failure must come again: no deadline, no random seed.
settings.register_profile("repeatable", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("repeatable")


@pytest.fixture(autouse=True)
def restored_logging() -> Iterator[None]:
    """A test that configures logging as the server does leaves no trace of it."""
    names = (None, "connexion", "trading_api.access")
    before = [(log := logging.getLogger(name), log.level, log.propagate) for name in names]
    yield
    for log, level, propagate in before:
        log.setLevel(level)
        log.propagate = propagate
