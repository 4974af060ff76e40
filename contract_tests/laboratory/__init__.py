"""Servers of our own to judge and to kill, and small false ones. Not part of the suite's wheel."""
