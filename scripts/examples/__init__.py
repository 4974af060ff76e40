"""Strategies to start from; they run unchanged in a backtest, on the paper exchange and live."""
