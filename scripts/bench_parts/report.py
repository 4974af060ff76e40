"""Figures for people: medians, and ratios with the range they had over the rounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

TARGETS: Mapping[str, float] = {"starlette": 0.75, "fastapi": 1.5, "connexion": 5.0}
"""How many times as fast as each ours must be on POST /orders."""

Rounds = Sequence[Mapping[str, float]]


def compare(rounds: Rounds, *, faster_is: str) -> dict[str, Any]:
    """Medians, and how many times as fast ours was, round by round.

    `faster_is` tells what the figures are: `less` for times, `more` for rates.
    """
    result: dict[str, Any] = {}
    for name in rounds[0]:
        figures = [figures[name] for figures in rounds]
        times = [_times_as_fast(figures, name, faster_is) for figures in rounds]
        result[name] = {
            "median": round(median(figures), 2),
            "range": [round(min(figures), 2), round(max(figures), 2)],
            "ours_is_times_as_fast": round(median(times), 2),
            "times_range": [round(min(times), 2), round(max(times), 2)],
        }
    return result


def _times_as_fast(figures: Mapping[str, float], name: str, faster_is: str) -> float:
    ours, other = figures["ours"], figures[name]
    return other / ours if faster_is == "less" else ours / other


def table(title: str, unit: str, comparison: Mapping[str, Any]) -> str:
    lines = [title, f"  {'':10} {unit:>10}   {'range':>19}   ours is times as fast (range)"]
    for name, row in comparison.items():
        low, high = row["range"]
        less, more = row["times_range"]
        lines.append(
            f"  {name:10} {row['median']:10.1f}   {low:8.1f} .. {high:7.1f}"
            f"   {row['ours_is_times_as_fast']:.2f} ({less:.2f} .. {more:.2f})"
        )
    return "\n".join(lines)


def judge(comparison: Mapping[str, Any]) -> list[str]:
    """One line per target: whether POST /orders met it."""
    return [
        f"  {'met   ' if row['ours_is_times_as_fast'] >= TARGETS[name] else 'MISSED'}"
        f" {TARGETS[name]}x {name}: {row['ours_is_times_as_fast']}x"
        for name, row in comparison.items()
        if name in TARGETS
    ]
