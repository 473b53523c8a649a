"""Case 18: SIGKILL before each effect of every step; after the step or the next run, all is as after a clean run.

`make test` kills each step once, in its middle; `make test-long` at every effect, and lets the next run take over.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from braingranary.archives import wanted
from braingranary.catalog.schema.migrate import migrate
from braingranary.devstack.sample_archive import SampleArchive
from braingranary.devstack.servers.postgres import Database, PostgresServer
from braingranary.settings import StoreSettings
from braingranary.storage.store import ObjectStore
from braingranary.storage.uploads import unfinished_uploads
from tests.chaos import chain
from tests.fixtures import score_set
from tests.fixtures.archive import add_series

pytestmark = [pytest.mark.stack, pytest.mark.hostile]
RUN, NEXT_RUN = "night-1", "night-2"


@dataclass(frozen=True, kw_only=True)
class Clean:
    """What a run that nobody disturbs leaves behind."""

    effects: dict[str, int]
    objects: dict[str, str]
    tables: dict[str, list[str]]


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Servers, and where each try gets a catalogue of its own."""

    server: PostgresServer
    world: chain.World
    store: ObjectStore

    @contextlib.contextmanager
    def fresh(self) -> Iterator[chain.World]:
        """An empty object store and an empty catalogue."""
        self.store.delete_many([item.key for item in self.store.list()])
        database = Database(name=f"chaos_{secrets.token_hex(6)}", role="granary", password="granary-test")
        self.server.ensure_database(database)
        try:
            migrate(self.server.dsn(database))
            yield replace(self.world, dsn=self.server.dsn(database))
        finally:
            self.server.drop_database(database)

    def clean(self) -> Clean:
        """Run everything once."""
        with self.fresh() as world:
            effects = {step: chain.in_child(world, step, RUN) or 0 for step in chain.STEPS}
            return Clean(effects=effects, objects=chain.objects(self.store), tables=chain.tables(world.dsn))


@pytest.fixture
def bench(
    postgres_server: PostgresServer, object_store: ObjectStore, s3_settings: StoreSettings, tmp_path: Path
) -> Iterator[Bench]:
    for number in range(2):
        add_series(tmp_path, number, slices=4, rows=96, columns=96)
    add_series(tmp_path, 2, slices=1, rows=96, columns=96)
    for path in (tmp_path / "Heads" / "series-2").iterdir():
        path.write_bytes(path.read_bytes()[:-1000])  # is rejected: its pixels end early
    with SampleArchive(tmp_path) as archive:
        world = chain.World(settings=s3_settings, dsn="", archive_url=archive.url, weights=score_set.weights())
        yield Bench(server=postgres_server, world=world, store=object_store)


def killed_and_cleared(bench: Bench, clean: Clean, points: Mapping[str, int]) -> list[str]:
    """What differs from a clean run when each step of `points` is killed at its effect and cleared."""
    with bench.fresh() as world:
        for step in chain.STEPS:
            if step in points:
                assert chain.in_child(world, step, RUN, points[step]) is None, f"{step} has no effect {points[step]}"
            chain.in_child(world, step, RUN)
        differing = _differing(chain.objects(bench.store), clean.objects)
        differing += _differing(chain.tables(world.dsn), clean.tables)
        return [f"{points}: {what}" for what in [*differing, *_leftovers(bench.store)]]


def killed_and_taken_over(bench: Bench, clean: Clean, step: str, effect: int) -> list[str]:
    """What differs from a clean run when `step` is killed and only the next night's run comes after it."""
    with bench.fresh() as world:
        for each in chain.STEPS:
            if each == step:
                assert chain.in_child(world, each, RUN, effect) is None, f"{step} has no effect {effect}"
                break
            chain.in_child(world, each, RUN)
        for each in chain.STEPS:
            chain.in_child(world, each, NEXT_RUN)
        objects = chain.objects(bench.store)
        kept = {key: digest for key, digest in clean.objects.items() if not key.startswith("runs/")}
        differing = _differing({key: digest for key, digest in objects.items() if not key.startswith("runs/")}, kept)
        masked = chain.MASKED | chain.OF_RUNS
        rows = {
            name: chain.without(rows, masked) for name, rows in chain.tables(world.dsn).items() if "run" not in name
        }
        differing += _differing(rows, {name: chain.without(clean.tables[name], masked) for name in rows})
        return [f"{step} at {effect}, next run: {what}" for what in [*differing, *_leftovers(bench.store)]]


def test_case_18_kill_in_the_middle_of_each_step(bench: Bench) -> None:
    clean = bench.clean()
    assert all(clean.effects.values()), clean.effects
    assert {name: len(rows) for name, rows in clean.tables.items() if name in {"series", "reject"}} == {
        "series": 2, "reject": 1,
    }  # fmt: skip
    points = {step: (effects + 1) // 2 for step, effects in clean.effects.items()}
    assert killed_and_cleared(bench, clean, points) == []
    print(f"case 18 kill at every step: points={len(points)} divergences=0 of_effects={sum(clean.effects.values())}")


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("step", chain.STEPS)
def test_case_18_kill_at_every_effect(bench: Bench, step: str) -> None:
    clean = bench.clean()
    points = range(1, clean.effects[step] + 1)
    differing = [what for effect in points for what in killed_and_cleared(bench, clean, {step: effect})]
    differing += [what for effect in points for what in killed_and_taken_over(bench, clean, step, effect)]
    assert differing == []
    print(f"case 18 kill at every effect of {step}: points={2 * len(points)} divergences=0")


def _differing(ours: dict[str, str] | dict[str, list[str]], clean: dict[str, str] | dict[str, list[str]]) -> list[str]:
    return sorted(name for name in ours.keys() | clean.keys() if ours.get(name) != clean.get(name))


def _leftovers(store: ObjectStore) -> list[str]:
    left = [f"unfinished upload of {upload.key}" for upload in unfinished_uploads(store, "")]
    return left + [f"{entry.record.series_uid} is still wanted" for entry in wanted.outstanding(store, "tcia")]
