"""A planned zip as an HTTP answer: 200, 206, 304, 412 or 416, with its length and ETag before the first byte.

Goes in: a query that finds packs, and what the caller wants besides. Comes out: the response, or the plan alone. A
place among the downloads of this process is held from the planning to the last byte; who finds none is told to come
back. Of those that have one, a few at a time compute and ask; the others wait for that or for their readers, and hold
no connection meanwhile: fifty downloads leave the interpreter and the pool to everybody else. Fails with
RejectedInput(TERMS_NOT_ACCEPTED) and TransientFailure(SERVER_BUSY).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeAlias

from flask import Response, stream_with_context

from braingranary.catalog.db import Connection
from braingranary.catalog.read import terms as restrictions
from braingranary.catalog.read.downloads import PackRow
from braingranary.catalog.read.terms import Restriction
from serving.auth import terms
from serving.auth.policies import audit
from serving.downloads.plan import Plan
from serving.downloads.stream import Download
from serving.extensions import services
from serving.http import metrics
from serving.http.ranges import file_response

# Together fewer than a process has connections to the catalogue. Apart, so that large plans hold up no download.
PLANNING_TURNS: Final = 2
SENDING_TURNS: Final = 4
PATIENCE_S: Final = 30.0  # an answer that has begun waits for a connection rather than end early
PackQuery: TypeAlias = Callable[[Connection], Generator[PackRow]]
"""Finds the packs of a download."""
_planning = threading.Semaphore(PLANNING_TURNS)
_sending = threading.Semaphore(SENDING_TURNS)


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A plan, and what the terms of use have to do with it."""

    plan: Plan
    restricted: bool
    """Whether anything in it is restricted: no cache may keep it."""
    missing: list[Restriction]
    """What is in it and not accepted by the caller."""
    omitted: list[Restriction]
    """What was left out, because the caller has not accepted it."""


def planned(query: PackQuery, *, omit: bool, timeout_ms: int) -> Planned:
    """The plan of what `query` finds; with `omit` without what the caller has not accepted."""
    service = services()
    with service.catalog() as connection:
        known = restrictions.restrictions(connection)
    barred = terms.barred(known)
    without = frozenset(item.collection_id for item in barred) if omit else frozenset()
    with (
        _planning,
        service.catalog(statement_timeout_ms=timeout_ms) as connection,
        closing(query(connection)) as packs,
    ):
        # Packs that were not all read would hold the connection, and the end of its transaction wait for them.
        plan = Plan(packs, without=without)
    inside = set(plan.collection_ids)
    return Planned(
        plan=plan,
        restricted=any(item.collection_id in inside for item in known),
        missing=[item for item in barred if item.collection_id in inside],
        omitted=[item for item in barred if item.collection_id in plan.left_out],
    )


def send(query: PackQuery, *, omit: bool, name: str, description: str) -> Response:
    """The zip of what `query` finds, offered to be saved as `name`; `description` stands in the audit trail."""
    service = services()
    with ExitStack() as held:
        held.enter_context(service.downloads.hold())
        found = planned(query, omit=omit, timeout_ms=service.serving.download_timeout_ms)
        plan = found.plan
        terms.refuse(found.missing)

        def body(start: int, stop: int) -> Iterator[bytes]:
            download = Download(plan, service.store, partial(service.catalog, wait_s=PATIENCE_S))
            held.callback(download.close)
            return stream_with_context(_sent(download, start, stop, description))

        response = file_response(
            plan.etag,
            plan.length,
            content_type="application/zip",
            name=name,
            cache_control="private, no-store" if found.restricted else "private, no-cache",
            body=body,
        )
        response.call_on_close(held.pop_all().close)
    return response


def _sent(download: Download, start: int, stop: int, description: str) -> Iterator[bytes]:
    """The bytes of one answer, counted and audited however it ends."""
    try:
        with metrics.DOWNLOADS_IN_FLIGHT.track_inprogress():
            chunks = download.stream(start, stop)
            while chunk := _next(chunks):
                yield chunk
    finally:
        metrics.DOWNLOADED_BYTES.inc(download.sent)
        plan = download.plan
        audit(
            "download", query=description, etag=plan.etag, slices=plan.total.members, bytes=plan.length, start=start,
            bytes_sent=download.sent,
        )  # fmt: skip


def _next(chunks: Iterator[bytes]) -> bytes:
    """The next bytes, made in turn with the other downloads of this process; empty at the end."""
    with _sending:
        return next(chunks, b"")
