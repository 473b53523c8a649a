"""Policies: what every DAG of this house has in common, said once.

Tasks are transactions, so trying again is always safe: transient failures are tried again with growing pauses, while
an input or a setting at fault fails at once, because waiting cannot mend it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule

from braingranary.errors import ConfigurationError, RejectedInput
from braingranary.orchestration.alerts import alert_failed_task

OWNER: Final = "braingranary"
TAG: Final = "braingranary"

START: Final = datetime(2024, 1, 1, tzinfo=UTC)
"""The first night a backfill may ask for."""

POOL_ARCHIVE: Final = "granary_archive"
POOL_SPARK: Final = "granary_spark"
POOL_CATALOG: Final = "granary_catalog"

RETRY_DELAY: Final = timedelta(seconds=10)
RETRY_DELAY_MAX: Final = timedelta(minutes=15)
BACKOFF_FACTOR: Final = 2.0

SMALL_TASK_TIMEOUT: Final = timedelta(minutes=30)
"""For tasks that only read and write small objects or ask an archive for its records."""
TRANSFER_TIMEOUT: Final = timedelta(hours=6)
"""For one batch of downloads: 16 series of 200 MB at 200 kB/s take under five hours."""
JOB_TIMEOUT: Final = timedelta(hours=12)
"""For one Spark job."""

RETRY_POLICY: Final = ExceptionRetryPolicy(
    rules=[
        RetryRule(exception=RejectedInput, action=RetryAction.FAIL, reason="the input is at fault"),
        RetryRule(exception=ConfigurationError, action=RetryAction.FAIL, reason="a setting is at fault"),
    ]
)

DEFAULT_ARGS: Final[dict[str, Any]] = {
    "owner": OWNER,
    "retries": 4,
    "retry_delay": RETRY_DELAY,
    "retry_exponential_backoff": BACKOFF_FACTOR,
    "max_retry_delay": RETRY_DELAY_MAX,
    "retry_policy": RETRY_POLICY,
    "execution_timeout": SMALL_TASK_TIMEOUT,
    "on_failure_callback": alert_failed_task,
}
"""Arguments of every task; a DAG overrides single ones where a task differs."""


def tags(*stages: str) -> list[str]:
    """The tags of a DAG: the project's and its stages'."""
    return [TAG, *stages]
