"""The client of the front door's REST API against a real server."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from braingranary.client.front_door import FrontDoorApi, RejectReason
from braingranary.errors import Code, RejectedInput, TransientFailure
from tests.fixtures.small_server import small_server

REASON = {
    "code": "localizer", "step": "normalize", "archive": "tcia", "collection": "A", "series_count": 2, "lost_count": 1,
    "newest_at": "2026-01-02T00:00:00Z",
}  # fmt: skip


def test_freshness_and_rejects_are_read_as_records() -> None:
    with small_server() as server, FrontDoorApi(server.url) as api:
        server.answer("GET /api/v1/runs", {"fresh": {"ingest": "2026-01-02T00:00:00Z", "normalize": None}, "runs": []})
        server.answer("GET /api/v1/rejects", {"rejects": [REASON]})
        at = datetime(2026, 1, 2, tzinfo=UTC)
        assert api.freshness() == {"ingest": at, "normalize": None}
        assert api.rejects() == [RejectReason(**{**REASON, "newest_at": at})]  # type: ignore[arg-type]


def test_busy_front_door_is_asked_again_and_then_told() -> None:
    with small_server() as server, FrontDoorApi(server.url) as api:
        server.answer("GET /api/v1/rejects", (503, {"code": "server_busy"}), (200, {"rejects": []}))
        assert api.rejects() == []
        server.answer("GET /api/v1/rejects", (503, {"code": "server_busy"}))
        with pytest.raises(TransientFailure) as caught:
            api.rejects()
        assert caught.value.code is Code.SERVER_BUSY
        assert len(server.asked) == 6


def test_refusal_carries_the_answers_own_code() -> None:
    with small_server() as server, FrontDoorApi(server.url) as api:
        server.answer("GET /api/v1/rejects", {"code": "request_invalid"}, status=400)
        with pytest.raises(RejectedInput) as caught:
            api.rejects()
        assert caught.value.code is Code.REQUEST_INVALID
        assert len(server.asked) == 1
