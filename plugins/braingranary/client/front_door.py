"""A small client of the front door's REST API: what every caller without an account may ask about the pipeline.

In: the address. Out: frozen records. Fails with TransientFailure when the front door does not answer or is busy, and
with RejectedInput and the answer's own code when it refuses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Any, Final, Self

import httpx
import tenacity
from pydantic import TypeAdapter, ValidationError

from braingranary.errors import Code, RejectedInput, TransientFailure

_ATTEMPTS: Final = 4
_TIMEOUT_S: Final = 30.0


@dataclass(frozen=True, kw_only=True)
class RejectReason:
    """How many series of one collection one step could not use, by one reason."""

    code: str
    step: str
    archive: str
    collection: str
    series_count: int
    lost_count: int
    """Those that are not in the catalogue at all."""
    newest_at: datetime


class FrontDoorApi:
    """The API of one front door. Use it as a context manager; it holds one connection."""

    def __init__(self, base_url: str) -> None:
        self._http = httpx.Client(base_url=base_url, timeout=_TIMEOUT_S, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def freshness(self) -> dict[str, datetime | None]:
        """When each step (ingest, normalize, score) last published what was loaded; None where it never did."""
        return _FRESH.validate_python(self._get("/api/v1/runs", {"limit": 1})["fresh"])

    def rejects(self, limit: int = 200) -> list[RejectReason]:
        """What could not be used, by reason, the most frequent first."""
        return _REJECTS.validate_python(self._get("/api/v1/rejects", {"limit": limit})["rejects"])

    @tenacity.retry(
        retry=tenacity.retry_if_exception_type(TransientFailure),
        wait=tenacity.wait_exponential_jitter(multiplier=0.3, max=3),
        stop=tenacity.stop_after_attempt(_ATTEMPTS),
        reraise=True,
    )
    def _get(self, path: str, query: Mapping[str, int]) -> Any:
        try:
            answer = self._http.get(path, params=dict(query))
        except httpx.TransportError as error:
            raise TransientFailure(Code.INTERNAL, f"the front door does not answer ({type(error).__name__})") from error
        if answer.status_code == httpx.codes.TOO_MANY_REQUESTS or answer.is_server_error:
            raise TransientFailure(_code(answer), f"the front door, {path}: {answer.status_code}")
        if not answer.is_success:
            raise RejectedInput(_code(answer), f"the front door, {path}: {answer.status_code}")
        return answer.json()


_FRESH: Final = TypeAdapter(dict[str, datetime | None])
_REJECTS: Final = TypeAdapter(list[RejectReason])
_PROBLEM: Final = TypeAdapter(dict[str, Any])


def _code(answer: httpx.Response) -> Code:
    """The stable code of a refusal; `internal` where it tells none."""
    try:
        return Code(str(_PROBLEM.validate_json(answer.content).get("code")))
    except (ValidationError, ValueError):
        return Code.INTERNAL
