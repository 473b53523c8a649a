"""A small client of Airflow's REST API v2: log in, trigger, backfill, rerun, follow runs and the assets between them.

Why REST and not the `airflow` program: it is what an operator's own scripts use, it answers in milliseconds, and it
works from another machine.

In: the address, a user and a password. Out: frozen records of runs and task instances. Fails with TransientFailure when
Airflow does not answer, RejectedInput (NOT_FOUND, REQUEST_INVALID) when it refuses a request and ConfigurationError
when it refuses the login; a run that is there already is no failure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final, Literal, Self, TypeAlias

import httpx
import tenacity

from braingranary.errors import Code, ConfigurationError, GranaryError, RejectedInput, TransientFailure

Reprocess: TypeAlias = Literal["none", "failed", "completed"]
FINISHED_STATES: Final = frozenset({"success", "failed"})
PATIENCE_S: Final = 300.0
"""How long a request is tried again while Airflow does not answer, unless told otherwise."""
_PROBE_TIMEOUT_S: Final = 15.0
_AT_FAULT: Final = frozenset({400, 403, 409, 422})  # the request itself is refused, now and later
_PAGE: Final = 100  # the most that Airflow answers at once without another setting


@dataclass(frozen=True, kw_only=True)
class DagRun:
    """One run of a DAG; times are UTC."""

    dag_id: str
    run_id: str
    state: str
    queued_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None

    @property
    def finished(self) -> bool:
        """Whether it will not change any more by itself."""
        return self.state in FINISHED_STATES


@dataclass(frozen=True, kw_only=True)
class Backfill:
    """A request for one run a data interval between two dates, both included."""

    dag_id: str
    first: datetime
    last: datetime
    reprocess: Reprocess = "none"
    """Which runs that are there already are run again: `none`, `failed` (the failed ones) or `completed` (all)."""
    max_active_runs: int = 2
    conf: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class TaskInstance:
    """One task of a run; a task that is mapped and not yet expanded has `map_index` -1 and no state."""

    task_id: str
    map_index: int
    state: str | None
    try_number: int
    started_at: datetime | None
    ended_at: datetime | None


class AirflowApi:
    """The API of one Airflow. Use it as a context manager; it holds one connection."""

    def __init__(self, *, base_url: str, user: str, password: str, patience_s: float = PATIENCE_S) -> None:
        self._user = user
        self._retry = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(TransientFailure),
            wait=tenacity.wait_exponential(multiplier=0.5, max=5),
            stop=tenacity.stop_after_delay(patience_s),
            reraise=True,
        )
        self._password = password
        # A proxy of the environment has no business between two processes of one machine.
        self._http = httpx.Client(base_url=base_url, timeout=30, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def healthy(self) -> bool:
        """Whether API, database, scheduler, triggerer and DAG processor are all alive."""
        try:
            answer = self._http.get("/api/v2/monitor/health", timeout=_PROBE_TIMEOUT_S)
            parts = answer.json() if answer.is_success else {}
        except (httpx.HTTPError, ValueError):
            return False
        needed = ("metadatabase", "scheduler", "triggerer", "dag_processor")
        return all((parts.get(name) or {}).get("status") == "healthy" for name in needed)

    def dag_known(self, dag_id: str) -> bool:
        """Whether the DAG processor has brought this DAG in."""
        return self._call("GET", f"/api/v2/dags/{dag_id}", accepted=(200, 404)).status_code == httpx.codes.OK

    def paused(self, dag_id: str) -> bool:
        """Whether the scheduler starts no run of this DAG; raises RejectedInput(NOT_FOUND) without it."""
        return bool(self._call("GET", f"/api/v2/dags/{dag_id}").json()["is_paused"])

    def import_errors(self) -> list[str]:
        """The files that do not import, with the last line of why."""
        found = self._call("GET", "/api/v2/importErrors").json()["import_errors"]
        return [f"{item['filename']}: {item['stack_trace'].strip().splitlines()[-1]}" for item in found]

    def unpause(self, dag_id: str) -> None:
        """Let the scheduler run this DAG."""
        self._call("PATCH", f"/api/v2/dags/{dag_id}", body={"is_paused": False})

    def trigger(
        self, dag_id: str, run_id: str, conf: Mapping[str, object], interval: tuple[datetime, datetime] | None = None
    ) -> bool:
        """Create the run; False when a run of this id is there already, which is then left as it is.

        Args:
            dag_id: the DAG.
            run_id: of the run.
            conf: its Params, as far as they are not the DAG's own.
            interval: its data interval, start and end in UTC; None: no interval at all.

        """
        body: dict[str, object] = {"dag_run_id": run_id, "logical_date": None, "conf": dict(conf)}
        if interval is not None:
            start, end = (moment.isoformat() for moment in interval)
            # Airflow takes an interval with a logical date alone, and each logical date only once.
            now = datetime.now(UTC).isoformat()
            body |= {"logical_date": now, "data_interval_start": start, "data_interval_end": end}
        answer = self._call("POST", f"/api/v2/dags/{dag_id}/dagRuns", body=body, accepted=(200, 409))
        return answer.status_code == httpx.codes.OK

    def backfill(self, wanted: Backfill) -> int:
        """Begin a backfill; returns its id."""
        body = {
            "dag_id": wanted.dag_id,
            "from_date": wanted.first.isoformat(),
            "to_date": wanted.last.isoformat(),
            "reprocess_behavior": wanted.reprocess,
            "max_active_runs": wanted.max_active_runs,
            "dag_run_conf": dict(wanted.conf),
        }
        return int(self._call("POST", "/api/v2/backfills", body=body).json()["id"])

    def backfill_runs(self, dag_id: str, first: datetime, last: datetime) -> list[DagRun]:
        """The runs of a DAG whose logical date is in [first, last], the oldest first; at most 100."""
        query: dict[str, str | int] = {
            "logical_date_gte": first.isoformat(),
            "logical_date_lte": last.isoformat(),
            "order_by": "logical_date",
            "limit": _PAGE,
        }
        return [_run(item) for item in self._call("GET", f"/api/v2/dags/{dag_id}/dagRuns", query).json()["dag_runs"]]

    def backfill_completed(self, backfill_id: int) -> bool:
        """Whether all runs of a backfill have ended."""
        return self._call("GET", f"/api/v2/backfills/{backfill_id}").json()["completed_at"] is not None

    def returned(self, run: DagRun, task_id: str) -> Any:
        """What a task of the run returned; None where it returned nothing."""
        path = f"/api/v2/dags/{run.dag_id}/dagRuns/{run.run_id}/taskInstances/{task_id}/xcomEntries/return_value"
        answer = self._call("GET", path, {"deserialize": "false", "stringify": "false"}, accepted=(200, 404))
        return answer.json()["value"] if answer.status_code == httpx.codes.OK else None

    def rerun(self, dag_id: str, run_id: str, *, only_failed: bool) -> None:
        """Clear the run's tasks, so that the scheduler runs them again under the same run id."""
        body = {"dry_run": False, "only_failed": only_failed}
        self._call("POST", f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/clear", body=body)

    def run(self, dag_id: str, run_id: str) -> DagRun:
        """The run as it is now."""
        return _run(self._call("GET", f"/api/v2/dags/{dag_id}/dagRuns/{run_id}").json())

    def runs(self, dag_id: str) -> list[DagRun]:
        """The latest runs of a DAG, the newest first."""
        query: dict[str, str | int] = {"order_by": "-run_after", "limit": _PAGE}
        return [_run(item) for item in self._call("GET", f"/api/v2/dags/{dag_id}/dagRuns", query).json()["dag_runs"]]

    def tasks(self, run: DagRun) -> list[TaskInstance]:
        """Every task instance of a run."""
        path = f"/api/v2/dags/{run.dag_id}/dagRuns/{run.run_id}/taskInstances"
        found: list[TaskInstance] = []
        while True:
            page = self._call("GET", path, {"limit": _PAGE, "offset": len(found)}).json()
            found.extend(_task(item) for item in page["task_instances"])
            if not page["task_instances"] or len(found) >= page["total_entries"]:
                return found

    def awakened(self, run: DagRun, dag_id: str) -> list[DagRun] | None:
        """The runs of `dag_id` that asset events of `run` started; None when it sent no event at all."""
        query = {"source_dag_id": run.dag_id, "source_run_id": run.run_id, "limit": str(_PAGE)}
        events = self._call("GET", "/api/v2/assets/events", query).json()["asset_events"]
        if not events:
            return None
        ids = {item["run_id"] for event in events for item in event["created_dagruns"] if item["dag_id"] == dag_id}
        return [self.run(dag_id, run_id) for run_id in sorted(ids)]

    def _call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str | int] | None = None,
        *,
        body: object = None,
        accepted: tuple[int, ...] = (200, 201, 204),
    ) -> httpx.Response:
        answer = self._request(method, path, query, body)
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            del self._http.headers["Authorization"]  # the token's time was over
            answer = self._request(method, path, query, body)
        if answer.status_code not in accepted:
            raise _refused(method, path, answer)
        return answer

    def _request(self, method: str, path: str, query: Mapping[str, str | int] | None, body: object) -> httpx.Response:
        """One request, tried again while a busy machine lets it wait: each that is made here may be made twice."""
        return self._retry(self._request_once, method, path, query, body)

    def _request_once(
        self, method: str, path: str, query: Mapping[str, str | int] | None, body: object
    ) -> httpx.Response:
        if "Authorization" not in self._http.headers:
            self._log_in()
        try:
            answer = self._http.request(method, path, params=query, json=body)
        except httpx.TransportError as error:
            raise TransientFailure(Code.INTERNAL, f"Airflow does not answer ({type(error).__name__})") from error
        if answer.is_server_error:
            raise TransientFailure(Code.INTERNAL, f"{method} {path}: {answer.status_code} {answer.text[:300]}")
        return answer

    def _log_in(self) -> None:
        body = {"username": self._user, "password": self._password}
        try:
            answer = self._http.post("/auth/token", json=body)
        except httpx.HTTPError as error:
            raise TransientFailure(Code.INTERNAL, f"Airflow gives no token ({type(error).__name__})") from error
        if answer.status_code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
            raise ConfigurationError(Code.CREDENTIALS_INVALID, "Airflow refuses the user or the password")
        if not answer.is_success:
            raise TransientFailure(Code.INTERNAL, f"Airflow gives no token ({answer.status_code})")
        self._http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"


def _refused(method: str, path: str, answer: httpx.Response) -> GranaryError:
    """The error that an answer of an unexpected status is."""
    message = f"Airflow, {method} {path}: {answer.status_code} {answer.text[:300]}"
    if answer.status_code == httpx.codes.NOT_FOUND:
        return RejectedInput(Code.NOT_FOUND, message)
    if answer.status_code in _AT_FAULT:
        return RejectedInput(Code.REQUEST_INVALID, message)
    return TransientFailure(Code.INTERNAL, message)


def _run(item: Mapping[str, Any]) -> DagRun:
    return DagRun(
        dag_id=item["dag_id"],
        run_id=item["dag_run_id"],
        state=item["state"],
        queued_at=_time(item["queued_at"]),
        started_at=_time(item["start_date"]),
        ended_at=_time(item["end_date"]),
    )


def _task(item: Mapping[str, Any]) -> TaskInstance:
    return TaskInstance(
        task_id=item["task_id"],
        map_index=item["map_index"],
        state=item["state"],
        try_number=item["try_number"],
        started_at=_time(item["start_date"]),
        ended_at=_time(item["end_date"]),
    )


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
