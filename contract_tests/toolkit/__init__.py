"""What checks are written with: an account to act on, ways to fill, words to judge by."""
