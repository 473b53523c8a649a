"""What a failed S3 request means: botocore's errors turned into the three kinds that callers act on.

Goes in: any exception of botocore. Comes out: TransientFailure (try again), RejectedInput (this object or key cannot
work) or ConfigurationError (an operator must act). Messages name the S3 error code and the key, never a credential.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointProviderError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
)

from braingranary.errors import Code, ConfigurationError, GranaryError, RejectedInput, TransientFailure

MISSING_CODES: Final = frozenset({"NoSuchKey", "404", "NotFound", "NoSuchVersion"})
PRECONDITION_CODES: Final = frozenset({"PreconditionFailed", "412"})
CONFLICT_CODES: Final = frozenset({"ConditionalRequestConflict", "OperationAborted", "409"})
_FORBIDDEN_CODES: Final = frozenset(
    {
        "NoSuchBucket",
        "AccessDenied",
        "AllAccessDisabled",
        "InvalidAccessKeyId",
        "SignatureDoesNotMatch",
        "AuthorizationHeaderMalformed",
        "ExpiredToken",
        "InvalidToken",
        "PermanentRedirect",
        "RequestTimeTooSkewed",
        "403",
        "301",
    }
)
_TRANSIENT_CODES: Final = frozenset(
    # NoSuchUpload: another run took our upload for stale; the three on bytes: they were damaged on the way.
    {
        "RequestTimeout",
        "SlowDown",
        "Throttling",
        "RequestLimitExceeded",
        "BadDigest",
        "XAmzContentSHA256Mismatch",
        "IncompleteBody",
        "NoSuchUpload",
    }
)
_CONFIGURATION_ERRORS: Final = (
    NoCredentialsError,
    PartialCredentialsError,
    NoRegionError,
    ProfileNotFound,
    EndpointProviderError,
)


def s3_code(error: ClientError) -> str:
    """The S3 error code (`NoSuchKey`, `SlowDown`, or the bare status of a HEAD) of `error`."""
    return str(error.response.get("Error", {}).get("Code", ""))


def s3_status(error: ClientError) -> int:
    """The HTTP status that came with `error`, 0 where there was none."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def is_missing(error: ClientError) -> bool:
    """Whether `error` says that the object does not exist."""
    return s3_code(error) in MISSING_CODES


def is_precondition(error: ClientError) -> bool:
    """Whether `error` says that If-None-Match found an object."""
    return s3_code(error) in PRECONDITION_CODES or s3_status(error) == 412


def is_conflict(error: ClientError) -> bool:
    """Whether `error` says that another conditional write was under way at the same moment."""
    return s3_code(error) in CONFLICT_CODES or s3_status(error) == 409


def translated(error: Exception, what: str) -> GranaryError:
    """The GranaryError that `error` of botocore stands for; `what` names the operation and its key."""
    if isinstance(error, ClientError):
        return _translated_answer(error, what)
    if isinstance(error, _CONFIGURATION_ERRORS):
        return ConfigurationError(Code.CONFIGURATION_INVALID, f"{what}: {type(error).__name__}")
    if isinstance(error, ParamValidationError):
        return RejectedInput(Code.KEY_INVALID, f"{what}: a parameter is not valid")
    return TransientFailure(Code.OBJECT_STORE_UNAVAILABLE, f"{what}: {type(error).__name__}")


def _translated_answer(error: ClientError, what: str) -> GranaryError:
    code, status = s3_code(error), s3_status(error)
    told = f"{what}: {code or 'no code'} (status {status})"
    if code in MISSING_CODES:
        return RejectedInput(Code.OBJECT_MISSING, told)
    if status == 416:
        return RejectedInput(Code.REQUEST_INVALID, told)
    if code in _TRANSIENT_CODES or status >= 500 or status in {0, 408, 409, 429}:
        return TransientFailure(Code.OBJECT_STORE_UNAVAILABLE, told)
    if code in _FORBIDDEN_CODES or status in {301, 307, 401, 403}:
        return ConfigurationError(Code.CONFIGURATION_INVALID, told)
    return RejectedInput(Code.KEY_INVALID, told)


@contextmanager
def mapped(what: str) -> Iterator[None]:
    """Run S3 calls with botocore's errors translated; `what` names the operation and its key."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise translated(error, what) from error
