"""Generated requests: Schemathesis, kept harmless to the account and judged by our requirements."""
