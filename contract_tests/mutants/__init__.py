"""Servers that are wrong in exactly one way, to learn what the suite would find out.

messages.py, proxy.py   a proxy in front of a running server, and what goes through it
relay.py                what a WebSocket through the proxy goes through
kit.py, streams.py      pieces of which wrongs are made
mutant.py               one wrong server: its name, the requirement it breaks, how
table_*.py              all of them, by area
stage.py                the servers behind proxies, as a Lab for the checks
matrix.py, walk.py      which checks notice which mutant
stock.py                whether a stock Schemathesis does
nulls.py                servers that answer nothing useful

The suite does not know any of this: it sees a URL.
"""
