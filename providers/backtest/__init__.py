"""History replayed through the simulated exchange, driven by a strategy's acknowledgements.

`runs` makes a run of `settings` and its results at the end. In between `source` is where the bars
come from (`data`), `replay` moves the price along its `path` through them, `market`, `clock` and
`exchange` are what a strategy meets, `log` is what it is told, and `provider` holds the parts
together. `results` is what is left of a run.
"""
