"""The commands of `trading-conformance`, one module each."""
