"""A run, from its options to its report and its verdict, and the same run played back."""
