"""What all tests share: property tests that run the same way every time, on any machine."""

from __future__ import annotations

from hypothesis import settings

# A slow machine is no failure, and a failure must come again: no deadline, no random seed.
settings.register_profile("repeatable", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("repeatable")
