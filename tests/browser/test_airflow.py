"""The pipeline from Airflow's pages, on the running demo: an ingest by its form, what its assets wake, a backfill."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from braingranary.client.airflow import AirflowApi, DagRun
from braingranary.normalization.again import mark
from braingranary.normalization.profile import DEFAULT_PROFILE
from braingranary.storage import keys
from braingranary.storage.store import ObjectStore
from tests.browser.airflow_pages import AirflowPages
from tests.browser.conftest import PATIENCE_MS
from tests.browser.screenshots import HEIGHT, WIDTH
from tests.e2e.demo import DemoStack
from tests.fixtures.patience import until

pytestmark = [pytest.mark.browser, pytest.mark.e2e, pytest.mark.timeout(3600)]

INGEST, COLLECTION = "tcia_ingest", "Sample-Lesion"
FIRST, LAST = datetime(2026, 11, 10, tzinfo=UTC), datetime(2026, 11, 15, tzinfo=UTC)


def test_operator_ingests_by_the_form_watches_the_assets_and_backfills_five_days(
    chromium: Browser, demo_stack: DemoStack, tmp_path: Path
) -> None:
    demo_stack.up()
    page = chromium.new_page(viewport={"width": WIDTH, "height": HEIGHT})
    page.set_default_timeout(PATIENCE_MS)
    base_url = f"http://127.0.0.1:{demo_stack.ports['airflow'][0]}"
    pages = AirflowPages(page=page, url=base_url, pictures=tmp_path)
    # Everything is normalized: one series is marked, so that there is something to wake the others for.
    mark(demo_stack.store, DEFAULT_PROFILE.name, [normalized_raw_key(demo_stack.store)])
    pages.sign_in("admin", demo_stack.secrets["airflow_admin"])

    run_id = f"by-form-{datetime.now(UTC):%H%M%S}"
    today = date.today()  # noqa: DTZ011 - the sample's day of release is that of its files
    interval = (today - timedelta(days=3), today + timedelta(days=2))
    pages.trigger(INGEST, run_id=run_id, interval=interval, collection=COLLECTION)
    pages.shows_success(INGEST, run_id)
    with demo_stack.airflow() as api:
        taken = api.run(INGEST, run_id)
        (normalize,) = woken(api, taken, "normalize")
        pages.shows_success("normalize", normalize.run_id)
        (load,) = woken(api, normalize, "catalog_load")
        pages.shows_success("catalog_load", load.run_id)

        pages.backfill(INGEST, first=FIRST.date(), last=LAST.date(), runs=5)
        until(
            lambda: [run.state for run in api.backfill_runs(INGEST, FIRST, LAST)] == ["success"] * 5,
            "the backfill of five days does not end",
            patience_s=600,
        )
    pages.shows_runs(INGEST)
    page.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "airflow-backfill.png", "airflow-runs.png", "airflow-trigger.png",
    ]  # fmt: skip


def normalized_raw_key(store: ObjectStore) -> str:
    """The raw key of a series of the collection that has packs."""
    found = (item.key for item in store.list(f"raw/sample/{COLLECTION}/") if item.key.endswith(".zip"))
    return next(key for key in found if store.exists(keys.sidecar(DEFAULT_PROFILE.name, key.split("/")[3])))


def woken(api: AirflowApi, run: DagRun, dag_id: str) -> list[DagRun]:
    """The runs of `dag_id` that the assets of `run` woke."""
    until(lambda: api.awakened(run, dag_id), f"{run.dag_id} wakes no {dag_id}")
    return api.awakened(run, dag_id) or []
