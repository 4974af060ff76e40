"""Binance spot: orders over REST, news of them over the WebSocket API, prices over its streams."""
