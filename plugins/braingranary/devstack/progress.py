"""A live view of the stages of a long command, with the seconds that each one took.

Why: the first thing a newcomer sees takes more than a minute, and has to show that it moves and where. On a terminal
it is a table that is drawn again and again; elsewhere (a log, CI) plain lines, one when a stage begins, ends or tells
something new at most every few seconds.

In: stages in their order. Out: what is shown, and the seconds a stage. It never fails the command it shows.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from rich.console import Console
from rich.live import Live
from rich.table import Table

_LINE_INTERVAL_S: Final = 5.0
_MARKS: Final = {"waiting": "[dim]·[/]", "running": "[yellow]▶[/]", "done": "[green]✔[/]", "failed": "[red]✘[/]"}


@dataclass(slots=True)
class Stage:
    """One line of the view. Times are of the monotonic clock, seconds."""

    name: str
    state: str = "waiting"
    detail: str = ""
    started_s: float | None = None
    ended_s: float | None = None
    told_s: float = 0.0

    @property
    def seconds(self) -> float:
        """How long it took, or has taken until now."""
        if self.started_s is None:
            return 0.0
        return (self.ended_s or time.monotonic()) - self.started_s


class Progress:
    """The view; a context manager. Its methods may be called from any thread."""

    def __init__(self, console: Console, stages: list[str]) -> None:
        self._console = console
        self._stages = {name: Stage(name) for name in stages}
        self._lock = threading.RLock()
        self._began_s = time.monotonic()
        self._live = Live(get_renderable=self._table, console=console, refresh_per_second=4, transient=True)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._console.is_terminal:
            self._live.stop()
            self._console.print(self._table())

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Show `name` as running inside the block, as done after it and as failed when the block raises."""
        self.begin(name)
        try:
            yield
        except BaseException:
            self._end(name, "failed")
            raise
        self._end(name, "done")

    def begin(self, name: str) -> None:
        """Mark a stage as running; does nothing when it is already."""
        with self._lock:
            stage = self._stages[name]
            if stage.state == "waiting":
                stage.state, stage.started_s = "running", time.monotonic()
                self._tell(stage, "...")

    def tell(self, name: str, detail: str) -> None:
        """Replace what is said beside a stage."""
        with self._lock:
            stage = self._stages[name]
            changed, stage.detail = detail != stage.detail, detail
            if changed and stage.state == "running" and time.monotonic() - stage.told_s > _LINE_INTERVAL_S:
                self._tell(stage, detail)

    def end(self, name: str, detail: str = "") -> None:
        """Mark a stage as done; one that never began takes no time."""
        with self._lock:
            self.begin(name)
            if detail:
                self._stages[name].detail = detail
        self._end(name, "done")

    def seconds(self) -> dict[str, float]:
        """Seconds of every stage that began, in their order."""
        with self._lock:
            return {name: stage.seconds for name, stage in self._stages.items() if stage.started_s is not None}

    def _end(self, name: str, state: str) -> None:
        with self._lock:
            stage = self._stages[name]
            if stage.ended_s is None:
                stage.state, stage.ended_s = state, time.monotonic()
                self._tell(stage, f"{state} in {stage.seconds:.1f} s {stage.detail}".rstrip())

    def _tell(self, stage: Stage, text: str) -> None:
        stage.told_s = time.monotonic()
        if not self._console.is_terminal:
            since = time.monotonic() - self._began_s
            self._console.print(f"{since:6.1f} s  {stage.name}: {text}", markup=False, highlight=False, soft_wrap=True)

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 2))
        with self._lock:
            for stage in self._stages.values():
                seconds = f"{stage.seconds:.1f} s" if stage.started_s is not None else ""
                table.add_row(_MARKS[stage.state], stage.name, f"[cyan]{seconds}[/]", stage.detail)
        return table
