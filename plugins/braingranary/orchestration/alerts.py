"""Alerts: one message to the Connection `granary_alerts` whenever a task has failed on its last try.

The Connection's type says how it goes out: `smtp` by mail (extra `to`, and `from_email` where the type asks for it),
anything else as JSON `{"text": ...}` to a webhook, which Slack, Mattermost and others take: host is its address, for
type `slackwebhook` the password is its last part. Without the Connection nothing is sent, which the log tells once a
process. An alert that cannot be sent is an error in the log, never the end of a task.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from html import escape
from typing import TYPE_CHECKING, Any, Final

import structlog
from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

if TYPE_CHECKING:
    from airflow.sdk import Connection

ALERTS_CONNECTION: Final = "granary_alerts"
_ATTEMPTS: Final = 4
_TIMEOUT_S: Final = 10.0
_TEXT_MAX: Final = 2000

_log = structlog.get_logger(__name__)


def alert_failed_task(context: Mapping[str, Any]) -> None:
    """Tell of a task that failed; the `on_failure_callback` of every task.

    One of many mapped tasks says nothing: the task that fails the run for them does.
    """
    instance = context["ti"]
    if getattr(instance, "map_index", -1) >= 0:
        return
    error = context.get("exception")
    lines = [
        f"{instance.dag_id}: task {instance.task_id} failed",
        f"run {context['run_id']}" if context.get("run_id") else f"run {instance.run_id}",
        str(error)[:_TEXT_MAX] if error else "",
        str(getattr(instance, "log_url", "")),
    ]
    send("\n".join(line for line in lines if line))


def send(text: str) -> bool:
    """Send `text`; whether it went out."""
    try:
        connection = BaseHook.get_connection(ALERTS_CONNECTION)
    except AirflowNotFoundException:
        _tell_once()
        return False
    try:
        if connection.conn_type == "smtp":
            _mail(connection, text)
        else:
            _post(connection, text)
    except Exception as error:  # noqa: BLE001 - whatever keeps an alert from going out must not hide what it tells
        _log.error("alert_not_sent", error=type(error).__name__)  # its text may hold the webhook's address, a secret
        return False
    _log.info("alert_sent", kind=connection.conn_type)
    return True


@cache
def _tell_once() -> None:
    _log.info("alerts_off", reason=f"there is no Connection {ALERTS_CONNECTION}")


def _mail(connection: Connection, text: str) -> None:
    from airflow.providers.smtp.notifications.smtp import SmtpNotifier  # noqa: PLC0415 - parsing a DAG needs none

    extra = connection.extra_dejson
    notifier = SmtpNotifier(
        smtp_conn_id=ALERTS_CONNECTION,
        to=extra["to"],
        from_email=extra.get("from_email") or connection.login,
        subject=f"BrainGranary: {text.splitlines()[0]}",
        html_content=f"<pre>{escape(text)}</pre>",
    )
    notifier.notify({})


def _post(connection: Connection, text: str) -> None:
    import httpx  # noqa: PLC0415 - as above
    import tenacity  # noqa: PLC0415 - as above

    for attempt in tenacity.Retrying(
        retry=tenacity.retry_if_exception(_may_pass),
        wait=tenacity.wait_exponential_jitter(multiplier=0.5, max=5),
        stop=tenacity.stop_after_attempt(_ATTEMPTS),
        reraise=True,
    ):
        with attempt:
            httpx.post(_address(connection), json={"text": text}, timeout=_TIMEOUT_S).raise_for_status()


def _may_pass(error: BaseException) -> bool:
    import httpx  # noqa: PLC0415 - as above

    if isinstance(error, httpx.HTTPStatusError):
        return error.response.is_server_error or error.response.status_code == httpx.codes.TOO_MANY_REQUESTS
    return isinstance(error, httpx.TransportError)


def _address(connection: Connection) -> str:
    host = connection.host or ""
    base = host if "://" in host else f"{connection.schema or 'https'}://{host}"
    address = f"{base}:{connection.port}" if connection.port else base
    secret = connection.password if connection.conn_type == "slackwebhook" else None
    return f"{address.rstrip('/')}/{secret.lstrip('/')}" if secret else address
