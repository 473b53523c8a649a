"""Writes docs/benchmarks.md from the comparisons and levels that the benchmarks left under artifacts/bench/."""

from __future__ import annotations

import json
from pathlib import Path

from tests.bench.harness import ARTIFACTS, Comparison
from tests.bench.levels import LEVELS, Figure, Level

PAGE = Path(__file__).resolve().parents[2] / "docs" / "benchmarks.md"
HEAD = """# Benchmarks

Made by `make bench`; never edited by hand. Each figure is a ratio peer time / our time (above 1: ours is faster),
measured next to each other in one run (A B B A), median with minimum and maximum over the rounds. Equal output is
asserted before anything is timed.

| what | peer | ratio (min to max) | target | ours | peer | peak RSS ours / peer |
|---|---|---|---|---|---|---|
"""

LEVELS_HEAD = """
## Levels

Figures that have no peer: each is the value that was measured and the limit that it has to keep.

| scenario | figures | limits |
|---|---|---|
"""


def row(result: Comparison) -> str:
    """One line of the table."""
    memory = "-"
    if result.ours_peak_rss_mb is not None and result.peer_peak_rss_mb is not None:
        memory = f"{result.ours_peak_rss_mb:.0f} / {result.peer_peak_rss_mb:.0f} MB"
    reached = "" if result.reached else " (missed)"
    return (
        f"| {result.name} | {result.peer} | **{result.ratio_median:.2f}x** ({result.ratio_min:.2f} to "
        f"{result.ratio_max:.2f}) | {result.target}x{reached} | {result.ours_seconds_median:.3f} s a {result.unit} | "
        f"{result.peer_seconds_median:.3f} s | {memory} |\n"
    )


def level_row(level: Level) -> str:
    """One line of the second table."""
    values = ", ".join(f"{figure.name} **{figure.value:.4g} {figure.unit}**" for figure in level.figures)
    return f"| {level.name} | {values} | {', '.join(_limit(figure) for figure in level.figures if figure.limit)} |\n"


def _limit(figure: Figure) -> str:
    side = "<=" if figure.at_most else ">="
    return f"{figure.name} {side} {figure.limit:.4g} {figure.unit}{'' if figure.kept else ' (missed)'}"


def main() -> None:
    """Render the page."""
    results = [Comparison(**json.loads(path.read_text())) for path in sorted(ARTIFACTS.glob("*.json"))]
    levels = [Level.from_json(path.read_text()) for path in sorted(LEVELS.glob("*.json"))]
    notes = "".join(f"* **{result.name} vs {result.peer}**: {result.note}\n" for result in results if result.note)
    notes += "".join(f"* **{level.name}**: {level.note}\n" for level in levels if level.note)
    machines = "; ".join(sorted({one.machine for one in results} | {one.machine for one in levels}))
    table = "".join(row(result) for result in results)
    if levels:
        table += f"{LEVELS_HEAD}{''.join(level_row(level) for level in levels)}"
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(f"{HEAD}{table}\nMachine: {machines}.\n\n{notes}")


if __name__ == "__main__":
    main()
