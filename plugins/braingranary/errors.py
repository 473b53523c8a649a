"""Errors with stable codes: what a caller, a log line and a `reject` row can rely on.

Codes are part of the public contract: they are stored in the catalogue and answered by the API, so a code is never
renamed or reused. Messages are for people and never carry header values, because those can identify a patient.
"""

from __future__ import annotations

from enum import StrEnum


class Code(StrEnum):
    """Every stable code there is, grouped by the step that raises it."""

    # reading one DICOM file
    NOT_DICOM = "not_dicom"
    DICOM_CORRUPT = "dicom_corrupt"
    DICOM_TRUNCATED = "dicom_truncated"
    DICOM_TOO_LARGE = "dicom_too_large"
    DICOM_TOO_DEEP = "dicom_too_deep"
    DICOM_DEFLATE_REFUSED = "dicom_deflate_refused"
    TRANSFER_SYNTAX_UNSUPPORTED = "transfer_syntax_unsupported"
    PIXEL_DATA_MISSING = "pixel_data_missing"
    PIXEL_DATA_MISMATCH = "pixel_data_mismatch"
    PIXEL_DECODE_FAILED = "pixel_decode_failed"
    PIXEL_FORMAT_UNSUPPORTED = "pixel_format_unsupported"
    MODALITY_UNSUPPORTED = "modality_unsupported"
    UID_INVALID = "uid_invalid"
    # putting a series together
    SERIES_EMPTY = "series_empty"
    SERIES_MIXED = "series_mixed"
    SERIES_TOO_LARGE = "series_too_large"
    GEOMETRY_MISSING = "geometry_missing"
    GEOMETRY_INVALID = "geometry_invalid"
    LOCALIZER = "localizer"
    SLICES_CONFLICT = "slices_conflict"
    VOLUME_BLANK = "volume_blank"
    # zips
    ZIP_INVALID = "zip_invalid"
    ZIP_UNSAFE_NAME = "zip_unsafe_name"
    ZIP_TOO_LARGE = "zip_too_large"
    ZIP_TOO_MANY_ENTRIES = "zip_too_many_entries"
    # fetching from an archive
    ARCHIVE_REFUSED = "archive_refused"
    ARCHIVE_UNAVAILABLE = "archive_unavailable"
    ARCHIVE_ANSWER_INVALID = "archive_answer_invalid"
    ADDRESS_FORBIDDEN = "address_forbidden"
    DOWNLOAD_SHORT = "download_short"
    DOWNLOAD_STALLED = "download_stalled"
    CHECKSUM_MISMATCH = "checksum_mismatch"
    LISTING_INCOMPLETE = "listing_incomplete"
    SERIES_CONTENT_CONFLICT = "series_content_conflict"
    MANIFEST_INVALID = "manifest_invalid"
    # object store
    OBJECT_MISSING = "object_missing"
    OBJECT_STORE_UNAVAILABLE = "object_store_unavailable"
    KEY_INVALID = "key_invalid"
    # this machine
    DISK_FULL = "disk_full"
    # catalogue
    CATALOG_CHECK_FAILED = "catalog_check_failed"
    CATALOG_GATE_FAILED = "catalog_gate_failed"
    CATALOG_UNAVAILABLE = "catalog_unavailable"
    CATALOG_CHANGED = "catalog_changed"
    SEARCH_NOT_READY = "search_not_ready"
    # the detector
    IMAGE_INVALID = "image_invalid"
    IMAGE_TOO_LARGE = "image_too_large"
    IMAGE_COLOURED = "image_coloured"
    IMAGE_IS_MASK = "image_is_mask"
    NOT_BRAIN_MR = "not_brain_mr"
    MODEL_INVALID = "model_invalid"
    MODEL_UNSUPPORTED = "model_unsupported"
    MODEL_UNAVAILABLE = "model_unavailable"
    DETECTION_FAILED = "detection_failed"
    TRAINING_DATA_INVALID = "training_data_invalid"
    TRAINING_DATA_CONFOUNDED = "training_data_confounded"
    # accounts
    EMAIL_INVALID = "email_invalid"
    PASSWORD_INVALID = "password_invalid"  # noqa: S105 - the name of a fault
    CREDENTIALS_INVALID = "credentials_invalid"
    TOKEN_INVALID = "token_invalid"  # noqa: S105 - as above
    ACCOUNT_REQUIRED = "account_required"
    ACCOUNT_EXISTS = "account_exists"
    ROLE_INSUFFICIENT = "role_insufficient"
    TERMS_NOT_ACCEPTED = "terms_not_accepted"
    OWN_ACCOUNT = "own_account"
    RATE_LIMITED = "rate_limited"
    ACCOUNTS_UNAVAILABLE = "accounts_unavailable"
    # configuration and requests
    CONFIGURATION_INVALID = "configuration_invalid"
    REQUEST_INVALID = "request_invalid"
    NOT_FOUND = "not_found"
    RUN_FAILED = "run_failed"
    VOLUME_NOT_MADE = "volume_not_made"
    REQUEST_TOO_LARGE = "request_too_large"
    SERVER_BUSY = "server_busy"
    CATALOG_TIMEOUT = "catalog_timeout"
    INTERNAL = "internal"


class GranaryError(Exception):
    """Base of every error raised on purpose; carries a stable `code`."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(f"[{code}] {message}")
        self.code = code
        self.message = message

    def __reduce__(self) -> tuple[type[GranaryError], tuple[Code, str]]:
        # Spark and multiprocessing send exceptions between processes; the default would lose the code.
        return type(self), (self.code, self.message)


class RejectedInput(GranaryError):
    """The input itself is at fault: trying again cannot help, so it is quarantined with its code."""


class TransientFailure(GranaryError):
    """Something outside failed for now: the same call may pass later, so callers retry."""


class ConfigurationError(GranaryError):
    """Settings, connections or parameters are missing or contradict each other; an operator must act."""
