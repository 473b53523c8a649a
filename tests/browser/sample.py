"""The built-in sample as a filled catalogue: real-looking heads for the browser, through the project's own steps.

What `make demo` does with Airflow and Spark around it, done here by calling the library: archive, staging,
normalization, load. Series of `plans` alone, or all of the sample; a mask where the plan has one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_urlsafe

import psycopg

from braingranary.archives import ingest, runs
from braingranary.archives.base import Query
from braingranary.catalog.load.normalize_run import load_run
from braingranary.catalog.schema.migrate import migrate
from braingranary.devstack import processes, services
from braingranary.devstack.sample_archive import SampleArchive
from braingranary.devstack.sample_head.acquire import scan_mask
from braingranary.devstack.sample_head.build import ARCHIVE_RECORD
from braingranary.devstack.sample_head.classic import classic_files, encode
from braingranary.devstack.sample_head.head import load_head
from braingranary.devstack.sample_head.plan import SERIES, SeriesPlan
from braingranary.devstack.sample_head.segmentation import segmentation_file
from braingranary.devstack.servers import s3
from braingranary.devstack.servers.postgres import Database, PostgresServer
from braingranary.devstack.servers.s3 import ObjectServer
from braingranary.normalization.batch import normalize_batch
from braingranary.normalization.profile import DEFAULT_PROFILE
from braingranary.normalization.publish import publish
from braingranary.settings import StoreSettings
from braingranary.storage.store import ObjectStore
from tests.fixtures.archive import client
from tests.serving.serving_site import ServingSite

RUN = "sample"
LESION_FLAIR = next(plan for plan in SERIES if plan.folder == "08_flair_ax")
LESION_T1CE = next(plan for plan in SERIES if plan.folder == "07_t1ce_ax")
HEALTHY_T2 = next(plan for plan in SERIES if plan.folder == "03_t2_tse_ax")


def write_series(folder: Path, plans: Iterable[SeriesPlan]) -> None:
    """The DICOM files of some classic series of the sample, of their masks, and the licence of their collections."""
    for plan in plans:
        head = load_head(plan.subject.lesion)
        _write(folder / plan.key, classic_files(plan, head))
        if plan.mask:
            mask = scan_mask(head, plan.grid, plan.subject.traits)
            _write(folder / f"{plan.key}_seg", [encode(segmentation_file(plan, mask))])
        (folder / plan.subject.collection / "archive.json").write_text(json.dumps(ARCHIVE_RECORD))


def fill_from_folder(folder: Path, dsn: str, settings: StoreSettings) -> ServingSite:
    """A site whose catalogue holds every series below `folder`, in the bucket of `settings`."""
    store = ObjectStore.from_settings(settings)
    store.ensure_bucket()
    with SampleArchive(folder) as offered, client(offered) as archive:
        manifest = ingest.write_manifest(store, RUN, archive, Query(modalities=()))
        for number in range(len(manifest.batches)):
            ingest.stage_batch(store, RUN, number, archive)
        ingest.publish(store, RUN)
    raw_keys = runs.read_published(store, RUN).raw_keys
    publish(store, RUN, DEFAULT_PROFILE, [normalize_batch(store, raw_keys, DEFAULT_PROFILE, RUN)])
    migrate(dsn)
    with psycopg.connect(dsn, autocommit=True) as connection:
        load_run(connection, store, RUN)
    return ServingSite(dsn=dsn, store=store, store_settings=settings, jpegs={})


@contextmanager
def own_servers(folder: Path) -> Iterator[tuple[str, ObjectServer]]:
    """PostgreSQL and S3 outside of a test run: the DSN of an empty database, and the server of objects."""
    postgres = PostgresServer(
        state=folder,
        port=processes.free_ports(1)[0],
        password=token_urlsafe(12),
        logs=folder,
        durable=False,
        bound=True,
    )
    objects = ObjectServer(
        state=folder,
        ports=s3.choose_ports(),
        access_key="sample",
        secret_key=token_urlsafe(24),
        logs=folder,
        bound=True,
    )
    records = [services.start(postgres), services.start(objects)]
    database = Database(name="sample", role="granary", password="granary-sample")
    try:
        postgres.ensure_database(database)
        yield postgres.dsn(database), objects
    finally:
        for record in reversed(records):
            processes.stop(record)
        objects.sweep()
        postgres.remove()


def _write(folder: Path, files: Iterable[bytes]) -> None:
    folder.mkdir(parents=True)
    for number, data in enumerate(files, start=1):
        (folder / f"1-{number:03d}.dcm").write_bytes(data)
