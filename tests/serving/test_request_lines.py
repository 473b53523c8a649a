"""The line that every request leaves in the log: JSON of the form of any other event, whatever a visitor called it."""

from __future__ import annotations

import io
import json
import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from serving.http.logs import RequestLines
from tests.fixtures.patience import until


def written(*, lowest: int = logging.INFO, slow: bool = False, method: str = "GET", ms: float = 12.34) -> str:
    lines = RequestLines()
    lines.lowest, lines.stream = lowest, io.BytesIO()
    told(lines, slow=slow, method=method, ms=ms)
    return lines.stream.getvalue().decode()


def told(
    lines: RequestLines, *, slow: bool = False, method: str = "GET", ms: float = 1.0, request_id: str = "a.b-1"
) -> None:
    route = "/api/v1/series/<uid>"
    lines.write(slow=slow, method=method, route=route, status=200, ms=ms, request_id=request_id)


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


def test_lines_that_wait_for_their_thread_are_all_written_in_order_when_it_stops() -> None:
    lines, stream = RequestLines(), io.BytesIO()
    lines.stream = stream
    lines.start()
    with ThreadPoolExecutor(4) as pool:
        for future in [pool.submit(told, lines, request_id=f"{number:03}") for number in range(200)]:
            future.result()
    told(lines, request_id="200")
    lines.stop()
    written_ids = [json.loads(line)["request_id"] for line in stream.getvalue().splitlines()]
    assert (sorted(written_ids), written_ids[-1]) == ([f"{number:03}" for number in range(201)], "200")
    told(lines, request_id="201")
    assert json.loads(stream.getvalue().splitlines()[-1])["request_id"] == "201"


def test_lines_are_written_while_their_thread_runs() -> None:
    lines, stream = RequestLines(), io.BytesIO()
    lines.stream = stream
    lines.start()
    try:
        told(lines)
        until(lambda: stream.getvalue().endswith(b"\n"), "no line is written")
    finally:
        lines.stop()
