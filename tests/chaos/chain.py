"""The steps from an archive to scores, each in a process of its own that can be killed before any of its effects.

An effect is a request that changes the object store, or a statement that changes the catalogue. Steps are what the DAGs
call; only Spark is left out: its batches are done one after the other.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import re
import signal
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import psycopg
import psycopg.sql
import torch
from botocore.awsrequest import AWSPreparedRequest

from braingranary.archives import ingest, runs
from braingranary.archives.addresses import AddressPolicy
from braingranary.archives.base import Query
from braingranary.archives.tcia.client import TciaArchive, TciaSettings
from braingranary.catalog.load.normalize_run import load_ingests, load_run, pending_runs
from braingranary.catalog.load.score_run import load_scores, pending_score_runs
from braingranary.detector.contracts.score_run import ScoreJob
from braingranary.detector.contracts.score_run import write_run_json as write_score_json
from braingranary.normalization.batch import normalize_batch
from braingranary.normalization.job import NormalizeJob, run_json_key, write_run_json
from braingranary.normalization.plan import batches, pending
from braingranary.normalization.profile import DEFAULT_PROFILE
from braingranary.normalization.publish import publish
from braingranary.orchestration.model_files import register_weights
from braingranary.orchestration.score_plan import score_job
from braingranary.settings import StoreSettings
from braingranary.storage import keys
from braingranary.storage.location import StoreLocation
from braingranary.storage.store import ObjectStore
from tests.fixtures import score_set
from tests.fixtures.archive import QUICK

SERIES_A_BATCH: Final = 2
MASKED: Final = frozenset(
    {
        # when
        "changed_at", "published_at", "registered_at", "staged_at",
        # how many of a run's series were staged before, after how many attempts, and the hash of a file that tells it
        "already", "attempts", "counts", "published_sha256", "wasted_bytes",
    }
)  # fmt: skip
"""Fields that may differ between a clean run and one that was killed: times, and records of attempts."""
OF_RUNS: Final = frozenset({"run", "run_id", "published_key", "version"})
"""Fields that tell which run made a row or how many loads there were: they differ where the next run took over."""
_CHANGES: Final = re.compile(r"\b(INSERT|UPDATE|DELETE|MERGE|TRUNCATE|CREATE TEMP)\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Where the steps work."""

    settings: StoreSettings
    dsn: str
    archive_url: str
    weights: tuple[bytes, str]


Step = Callable[[World, ObjectStore, str], None]


def _archive(world: World) -> TciaArchive:
    policy = AddressPolicy.trusting(world.archive_url)
    # One connection: effects come in the same order each time.
    return TciaArchive(TciaSettings(base_url=world.archive_url, policy=policy, politeness=QUICK, connections=1))


def _manifest(world: World, store: ObjectStore, run: str) -> None:
    with _archive(world) as archive:
        ingest.write_manifest(store, run, archive, Query(), SERIES_A_BATCH)


def _stage(world: World, store: ObjectStore, run: str) -> None:
    with _archive(world) as archive:
        for index in range(len(runs.read_manifest(store, run).batches)):
            ingest.stage_batch(store, run, index, archive)


def _publish(_world: World, store: ObjectStore, run: str) -> None:
    ingest.publish(store, run)


def _plan_normalize(world: World, store: ObjectStore, run: str) -> None:
    series = pending(store, DEFAULT_PROFILE)
    write_run_json(store, NormalizeJob(run=run, store=StoreLocation.of(world.settings), series=series))


def _normalize(_world: World, store: ObjectStore, run: str) -> None:
    job = NormalizeJob.from_json(store.get(run_json_key(run)))
    parts = [normalize_batch(store, batch, job.profile, run) for batch in batches(job.series, batches_min=2)]
    publish(store, run, job.profile, parts)


def _load(world: World, store: ObjectStore, _run: str) -> None:
    with psycopg.connect(world.dsn, autocommit=True) as connection:
        load_ingests(connection, store)
        for waiting in pending_runs(connection, store):
            load_run(connection, store, waiting)


def _plan_scores(world: World, store: ObjectStore, run: str) -> None:
    with psycopg.connect(world.dsn, autocommit=True) as connection:
        model = register_weights(connection, store, *world.weights)
        write_score_json(store, score_job(connection, StoreLocation.of(world.settings), run, model))


def _score(_world: World, store: ObjectStore, run: str) -> None:
    torch.set_num_threads(1)
    score_set.score_here(store, ScoreJob.from_json(store.get(keys.run_json("score", run))))


def _load_scores(world: World, store: ObjectStore, _run: str) -> None:
    with psycopg.connect(world.dsn, autocommit=True) as connection:
        for waiting in pending_score_runs(connection, store):
            load_scores(connection, store, waiting)


STEPS: Final[Mapping[str, Step]] = {
    "write_manifest": _manifest,
    "stage": _stage,
    "publish": _publish,
    "plan_normalize": _plan_normalize,
    "normalize": _normalize,
    "load": _load,
    "plan_scores": _plan_scores,
    "score": _score,
    "load_scores": _load_scores,
}


def in_child(world: World, step: str, run: str, crash_at: int = 0) -> int | None:
    """Run a step in a child process that is killed before its effect number `crash_at`, from 1; 0: never.

    Returns:
        How many effects the step had, None where it was killed.

    """
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            store = ObjectStore.from_settings(world.settings)
            effects = _watch(store, crash_at)
            STEPS[step](world, store, run)
            os.write(writing, str(effects()).encode())
            os._exit(0)
        except BaseException:  # noqa: BLE001 - told through the exit status, and never to pytest of this copy
            traceback.print_exc()
            os._exit(1)
    os.close(writing)
    with os.fdopen(reading) as answer:
        effects_told = answer.read()
    _, status = os.waitpid(child, 0)
    if os.waitstatus_to_exitcode(status) == -signal.SIGKILL:
        return None
    assert os.waitstatus_to_exitcode(status) == 0, f"{step} failed"
    return int(effects_told)


def _watch(store: ObjectStore, crash_at: int) -> Callable[[], int]:
    """Count the effects of this process and end it at one of them; returns how many there were so far."""
    numbers = itertools.count(1)
    seen = 0

    def effect() -> None:
        nonlocal seen
        seen = next(numbers)
        if seen == crash_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def request(request: AWSPreparedRequest, **_event: object) -> None:
        if request.method in {"PUT", "POST", "DELETE"}:
            effect()

    store.client.meta.events.register("before-send.s3", request)
    execute, copy = psycopg.Cursor.execute, psycopg.Cursor.copy

    def counted_execute(cursor: Any, query: Any, *args: Any, **more: Any) -> Any:
        text = query if isinstance(query, str) else query.decode() if isinstance(query, bytes) else query.as_string()
        if _CHANGES.search(text):
            effect()
        return execute(cursor, query, *args, **more)

    def counted_copy(cursor: Any, *args: Any, **more: Any) -> Any:
        effect()
        return copy(cursor, *args, **more)

    psycopg.Cursor.execute = counted_execute  # type: ignore[method-assign, assignment]
    psycopg.Cursor.copy = counted_copy  # type: ignore[method-assign, assignment]
    return lambda: seen


def objects(store: ObjectStore) -> dict[str, str]:
    """SHA-256 by key of everything in the store, JSON without the masked fields."""
    found = {}
    for item in store.list():
        data = store.get(item.key)
        if item.key.endswith(".json"):
            data = json.dumps(_unmasked(json.loads(data), MASKED), sort_keys=True).encode()
        found[item.key] = hashlib.sha256(data).hexdigest()
    return found


def tables(dsn: str) -> dict[str, list[str]]:
    """The rows of all tables of the catalogue as JSON without the masked fields, sorted."""
    found = {}
    with psycopg.connect(dsn) as connection:
        names = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'schema_migrations'"
        ).fetchall()
        for (name,) in names:
            rows = connection.execute(
                psycopg.sql.SQL("SELECT to_jsonb(t) FROM {} AS t").format(psycopg.sql.Identifier(name))
            )
            found[name] = sorted(json.dumps(_unmasked(row, MASKED), sort_keys=True) for (row,) in rows)
    return found


def without(rows: list[str], fields: frozenset[str]) -> list[str]:
    """Rows of `tables` without these fields."""
    return sorted(json.dumps(_unmasked(json.loads(row), fields), sort_keys=True) for row in rows)


def _unmasked(value: Any, masked: frozenset[str]) -> Any:
    if isinstance(value, dict):
        return {name: _unmasked(part, masked) for name, part in value.items() if name not in masked}
    if isinstance(value, list):
        return [_unmasked(part, masked) for part in value]
    return value
