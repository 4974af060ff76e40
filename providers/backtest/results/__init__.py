"""What a run leaves behind.

`record` is all that is known of it; from that come `round_trips`, `curves`, the figures
(`performance`) and the reasons to mistrust them (`doubts`). `writing` puts them into a folder: the
tables as JSON and `parquet`, and the page (`tearsheet`, with `charts` and `templates`).
"""
