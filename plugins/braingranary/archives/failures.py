"""Which failures of an archive may pass and which are final: the one place that tells them apart.

A failure that may pass says nothing about a series: it stays wanted and is asked for again. Only a final one becomes a
reject.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from braingranary.errors import Code, GranaryError, RejectedInput, TransientFailure

FINAL_STATUSES: Final[Mapping[int, str]] = {
    400: "does not know the series, or the question is wrong",
    404: "has no such series or endpoint",
    405: "does not take this method",
    410: "has withdrawn it",
    414: "finds the question too long",
    422: "finds a parameter wrong",
}
"""HTTP statuses that asking again does not change. All others may pass: 401 and 403 too, which firewalls send when they
are overloaded or when credentials are being renewed, and every 5xx."""

MAY_PASS: Final[Mapping[Code, bool]] = {
    # the archive is away, slow, or answers for something else
    Code.ARCHIVE_UNAVAILABLE: True,
    Code.ARCHIVE_ANSWER_INVALID: True,
    Code.DOWNLOAD_STALLED: True,
    # the archive ended early: its own storage failed, not the series
    Code.DOWNLOAD_SHORT: True,
    # it redirects, to a page that says so during maintenance
    Code.ADDRESS_FORBIDDEN: True,
    # it knows the series and says no
    Code.ARCHIVE_REFUSED: False,
    # all bytes arrived and are wrong, attempt after attempt
    Code.CHECKSUM_MISMATCH: False,
    Code.ZIP_INVALID: False,
    Code.ZIP_UNSAFE_NAME: False,
    Code.ZIP_TOO_LARGE: False,
    Code.ZIP_TOO_MANY_ENTRIES: False,
    Code.IMAGE_INVALID: False,
}
"""Whether a series whose every attempt ended with this code may still be had later."""


class Unavailable(TransientFailure):
    """An archive that cannot answer now; `retry_after_s` is how long it asked to be left alone, if it did."""

    retry_after_s: float | None = None


def may_pass(error: GranaryError) -> bool:
    """Whether the series that `error` was met with may still be had; unknown codes are final in a RejectedInput."""
    return MAY_PASS.get(error.code, not isinstance(error, RejectedInput))


def failure_of_status(status: int, retry_after_s: float | None = None) -> GranaryError:
    """The error that an HTTP answer with `status` (any but 200) stands for."""
    if 300 <= status < 400:
        return RejectedInput(Code.ADDRESS_FORBIDDEN, f"the archive redirects ({status}), which is not followed")
    if status in FINAL_STATUSES:
        return RejectedInput(Code.ARCHIVE_REFUSED, f"the archive answered {status}: it {FINAL_STATUSES[status]}")
    failure = Unavailable(Code.ARCHIVE_UNAVAILABLE, f"the archive answered {status}")
    failure.retry_after_s = retry_after_s
    return failure
