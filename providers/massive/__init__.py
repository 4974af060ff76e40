"""Massive, formerly Polygon.io, as a source of market data: stocks, forex and crypto.

`parse` turns its messages into ours, `client` speaks with its REST API, `sockets` with its streams,
and `provider` puts them behind the port of a feed.
"""
