"""Tests of the suite: that it notices, blames, hides secrets, and tells the same twice."""
