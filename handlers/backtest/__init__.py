"""The command `trading-api backtest`: a run over history, or one for each point of a grid.

The composition root of a backtest, as `app` is that of a server. `command` says what can be asked
for, and `arguments` what was; `single` and `many` carry it out and tell of it (`screen`). `run` is
one run, a server with a `strategy` beside it. A `grid` is many of them, in processes of this
machine (`local`, each a `child`) or on a `cluster`, and `grid_folder` keeps what came of them.
"""
