"""Where quotes and bars come from.

- `synthetic.SyntheticMarketData`: the seeded market of the paper exchange. It continues a small
  real history, needs no network and gives every process on every machine the same prices.
- `fixed.FixedMarketData`: quotes and bars set by hand, for tests.

Modules, from the numbers up: `draws` (hashed integers), `aggregate` (raw bars and timeframes),
`split` (one bar into finer ones), `walk` (days after the end of history), `history` (the shipped
files), `instruments` (what is listed), `feed` (one symbol), `synthetic` (the port).
"""
