"""History as the bars of a backtest: checked, in order, of one timeframe.

`history.open_history` chooses between `shipped`, the package's own, and `duck_history`, the user's
files. Those go through `files` (which, and what their columns mean), `rows` (one table of typed
rows, each judged by the rules in `checks`), `series` (one per symbol, without gaps) and are read
back by `pages`; `instruments` says what they trade. `workshop` is the database in which it happens.
"""
