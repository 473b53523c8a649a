"""The line that every request leaves in the log: JSON of the form of any other event, whatever a visitor called it."""

from __future__ import annotations

import io
import json
import logging
from datetime import UTC, datetime

from serving.logs import RequestLines


def written(*, lowest: int = logging.INFO, slow: bool = False, method: str = "GET", ms: float = 12.34) -> str:
    lines = RequestLines()
    lines.lowest, lines.stream = lowest, io.BytesIO()
    lines.write(slow=slow, method=method, route="/api/v1/series/<uid>", status=200, ms=ms, request_id="a.b-1")
    return lines.stream.getvalue().decode()


def test_line_of_a_request_holds_what_the_runbook_promises_and_nothing_else() -> None:
    line = written()
    assert line.endswith("}\n")
    told = json.loads(line)
    assert abs(datetime.now(UTC) - datetime.fromisoformat(told.pop("timestamp"))).total_seconds() < 60
    assert told == {
        "event": "request", "level": "info", "logger": "serving.access", "method": "GET",
        "route": "/api/v1/series/<uid>", "status": 200, "ms": 12.3, "request_id": "a.b-1",
    }  # fmt: skip


def test_line_of_a_slow_request_is_a_warning() -> None:
    told = json.loads(written(slow=True, ms=1234.5678))
    assert (told["event"], told["level"], told["ms"]) == ("slow_request", "warning", 1234.6)


def test_method_that_a_visitor_invents_ends_no_line() -> None:
    line = written(method='X"\n{é')
    assert (line.count("\n"), json.loads(line)["method"]) == (1, 'X"\n{é')


def test_lines_below_the_level_of_the_log_are_left_out() -> None:
    assert written(lowest=logging.WARNING) == ""
    assert written(lowest=logging.WARNING, slow=True)
    assert written(lowest=logging.ERROR, slow=True) == ""
