"""What of an archive's failures may pass is never taken for a verdict about a series."""

from __future__ import annotations

import pytest

from braingranary.archives.failures import FINAL_STATUSES, Unavailable, failure_of_status, may_pass
from braingranary.errors import Code, ConfigurationError, RejectedInput, TransientFailure


@pytest.mark.parametrize("status", [401, 403, 407, 408, 409, 418, 423, 425, 429, 500, 501, 502, 503, 504, 507, 599])
def test_status_that_may_pass_is_tried_again(status: int) -> None:
    failure = failure_of_status(status, 17.0)
    assert isinstance(failure, Unavailable)
    assert (failure.code, failure.retry_after_s) == (Code.ARCHIVE_UNAVAILABLE, 17.0)
    assert may_pass(failure)


@pytest.mark.parametrize("status", FINAL_STATUSES)
def test_status_that_is_final_is_refused_at_once(status: int) -> None:
    failure = failure_of_status(status)
    assert isinstance(failure, RejectedInput)
    assert failure.code is Code.ARCHIVE_REFUSED
    assert not may_pass(failure)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_status_of_a_redirect_is_refused_and_leaves_the_series_wanted(status: int) -> None:
    failure = failure_of_status(status)
    assert (type(failure), failure.code) == (RejectedInput, Code.ADDRESS_FORBIDDEN)
    assert may_pass(failure)


@pytest.mark.parametrize("code", [Code.CHECKSUM_MISMATCH, Code.ZIP_INVALID, Code.IMAGE_INVALID])
def test_bytes_that_are_wrong_in_every_attempt_are_final(code: Code) -> None:
    assert not may_pass(TransientFailure(code, "x"))


def test_settings_and_the_object_store_are_never_a_verdict() -> None:
    assert may_pass(ConfigurationError(Code.CONFIGURATION_INVALID, "x"))
    assert may_pass(TransientFailure(Code.OBJECT_STORE_UNAVAILABLE, "x"))
