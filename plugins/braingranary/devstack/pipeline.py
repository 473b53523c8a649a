"""Driving the DAGs from outside: trigger an ingest and follow it over its assets into the catalogue and its scores.

Why: the demo has to show where the data is, and to find a chain that a kill broke anywhere and finish it. Nothing is
taken from this process's memory: which run woke which is read from Airflow's asset events.

In: Airflow's API and a request. Out: the finished runs, and progress told to the view. Fails with ConfigurationError
when a run fails; the message says where its log is.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from braingranary.client.airflow import AirflowApi, DagRun, TaskInstance
from braingranary.devstack.progress import Progress
from braingranary.devstack.source import Request
from braingranary.errors import Code, ConfigurationError

INGEST, NORMALIZE, LOAD, SCORE = "tcia_ingest", "normalize", "catalog_load", "tumor_scoring"
MANIFEST_STAGE, STAGING_STAGE, NORMALIZE_STAGE, LOAD_STAGE = "manifest", "staging", "normalize", "load"
SCORE_STAGE: Final = "score"
STAGES: Final = (MANIFEST_STAGE, STAGING_STAGE, NORMALIZE_STAGE, LOAD_STAGE, SCORE_STAGE)
_POLL_S: Final = 0.5
_WAKE_TIMEOUT_S: Final = 120.0  # the scheduler turns an asset event into a run within a second or two
_DAG_TIMEOUT_S: Final = 600.0
_DONE_STATES: Final = frozenset({"success", "skipped", "failed", "upstream_failed", "removed"})


@dataclass(frozen=True, kw_only=True)
class Counts:
    """How many series the object store holds at each step now."""

    staged: int
    normalized: int


class Pipeline:
    """One chain tcia_ingest -> normalize -> catalog_load -> tumor_scoring, followed to its end.

    Without weights to score by (`scores` False) the chain ends in the catalogue.
    """

    def __init__(
        self, *, api: AirflowApi, progress: Progress, counts: Callable[[], Counts], timeout_s: float, scores: bool
    ) -> None:
        self._api = api
        self._dags = (SCORE, LOAD, NORMALIZE, INGEST) if scores else (LOAD, NORMALIZE, INGEST)
        self._progress = progress
        self._counts = counts
        self._deadline_s = time.monotonic() + timeout_s
        self._normalized_before = counts().normalized

    def run(self, request: Request) -> list[DagRun]:
        """Trigger, or find what an earlier command triggered, and follow it; returns every run of the chain."""
        self._await_dags()
        self._progress.begin(MANIFEST_STAGE)
        if not self._api.trigger(INGEST, request.run_id, request.conf):
            self._repair(self._api.run(INGEST, request.run_id))
        ingest = self._follow_ingest(request)
        normalized = self._woken(ingest, NORMALIZE)
        self._progress.begin(NORMALIZE_STAGE)
        normalized = [self._follow(run, self._tell_normalize) for run in normalized]
        self._progress.end(NORMALIZE_STAGE, "" if normalized else "nothing new")
        self._progress.begin(LOAD_STAGE)
        loads = [load for run in normalized for load in self._woken(run, LOAD)]
        loads = [self._follow(run, self._tell_load) for run in loads]
        self._progress.end(LOAD_STAGE, "" if loads else "nothing new")
        return [ingest, *normalized, *loads, *self._follow_scores(loads)]

    def _await_dags(self) -> None:
        deadline = time.monotonic() + _DAG_TIMEOUT_S
        missing = list(self._dags)
        while missing := [dag_id for dag_id in missing if not self._api.dag_known(dag_id)]:
            if time.monotonic() > deadline:
                trouble = "; ".join(self._api.import_errors()) or "see the log of Airflow"
                raise ConfigurationError(Code.INTERNAL, f"DAGs {', '.join(missing)} are not there: {trouble}")
            time.sleep(_POLL_S)
        for dag_id in self._dags:
            self._api.unpause(dag_id)

    def _repair(self, run: DagRun) -> None:
        """Let the failed tasks of an earlier command's run be tried again; a run that is under way is left alone."""
        if run.state == "failed":
            self._api.rerun(run.dag_id, run.run_id, only_failed=True)

    def _follow_ingest(self, request: Request) -> DagRun:
        def tell(tasks: Sequence[TaskInstance]) -> None:
            states = {task.task_id: task.state for task in tasks}
            if states.get("write_manifest") in _DONE_STATES:
                self._progress.end(MANIFEST_STAGE)
                self._progress.begin(STAGING_STAGE)
                of = f" of {request.series_count}" if request.series_count else ""
                self._progress.tell(STAGING_STAGE, f"{self._counts().staged}{of} series; {_told(tasks, 'stage')}")

        run = self._follow(self._api.run(INGEST, request.run_id), tell)
        self._progress.end(MANIFEST_STAGE)
        self._progress.end(STAGING_STAGE)
        return run

    def _follow_scores(self, loads: Sequence[DagRun]) -> list[DagRun]:
        self._progress.begin(SCORE_STAGE)
        if SCORE not in self._dags:
            self._progress.end(SCORE_STAGE, "no weights come with the library")
            return []
        scored = [run for load in loads for run in self._woken(load, SCORE)]
        scored = [self._follow(run, self._tell_score) for run in scored]
        self._progress.end(SCORE_STAGE, "" if scored else "nothing new")
        return scored

    def _tell_normalize(self, tasks: Sequence[TaskInstance]) -> None:
        new = self._counts().normalized - self._normalized_before
        self._progress.tell(NORMALIZE_STAGE, f"{new} more series normalized; {_running(tasks)}")

    def _tell_score(self, tasks: Sequence[TaskInstance]) -> None:
        self._progress.tell(SCORE_STAGE, _running(tasks))

    def _tell_load(self, tasks: Sequence[TaskInstance]) -> None:
        self._progress.tell(LOAD_STAGE, _running(tasks))

    def _follow(self, run: DagRun, tell: Callable[[Sequence[TaskInstance]], None]) -> DagRun:
        """Wait for the end of a run, telling its tasks; a run that failed is the end of the command."""
        self._repair(run)
        while not (run := self._api.run(run.dag_id, run.run_id)).finished:
            tell(self._api.tasks(run))
            if time.monotonic() > self._deadline_s:
                raise ConfigurationError(Code.INTERNAL, f"{run.dag_id} {run.run_id} still works: giving up waiting")
            time.sleep(_POLL_S)
        tell(self._api.tasks(run))
        if run.state == "failed":
            failed = sorted({task.task_id for task in self._api.tasks(run) if task.state == "failed"})
            where = f"tasks {', '.join(failed)} of {run.dag_id} {run.run_id}: their logs are in Airflow's pages"
            raise ConfigurationError(Code.INTERNAL, f"the pipeline failed at {where}")
        return run

    def _woken(self, run: DagRun, dag_id: str) -> list[DagRun]:
        """The runs that this one woke; empty when it had nothing to wake them for."""
        deadline = time.monotonic() + _WAKE_TIMEOUT_S
        while (woken := self._api.awakened(run, dag_id)) == []:
            if time.monotonic() > deadline:
                # The event is there and its run is not: a kill fell between the two. The steps find work by themselves.
                run_id = f"after-{run.run_id}"
                if not self._api.trigger(dag_id, run_id, {}):
                    self._repair(self._api.run(dag_id, run_id))
                return [self._api.run(dag_id, run_id)]
            time.sleep(_POLL_S)
        return woken or []


def _told(tasks: Sequence[TaskInstance], task_id: str) -> str:
    states = [task.state for task in tasks if task.task_id == task_id]
    return f"batch {sum(state in _DONE_STATES for state in states)} of {len(states)}"


def _running(tasks: Sequence[TaskInstance]) -> str:
    states = Counter(task.task_id for task in tasks if task.state not in _DONE_STATES and task.state is not None)
    return ", ".join(sorted(states)) or "done"
