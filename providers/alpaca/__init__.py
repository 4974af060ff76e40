"""Alpaca: stocks of the United States and crypto pairs, on paper and for real money."""
