"""`granary wanted` on a real object store: list, dismiss, undo."""

from __future__ import annotations

import json
import os

import pytest
from click.testing import CliRunner, Result

from braingranary.archives.wanted import announce
from braingranary.cli.main import main
from braingranary.records import SeriesRecord
from braingranary.settings import StoreSettings, store_environment
from braingranary.storage.store import ObjectStore

pytestmark = pytest.mark.stack

UIDS = ("1.2.3.1", "1.2.3.2")


@pytest.fixture
def store(s3_settings: StoreSettings, monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
    for name in [name for name in os.environ if name.startswith("GRANARY_")]:
        monkeypatch.delenv(name)
    for name, value in store_environment(s3_settings).items():
        monkeypatch.setenv(name, value)
    store = ObjectStore.from_settings(s3_settings)
    announce(store, [record(uid) for uid in UIDS])
    return store


def record(uid: str) -> SeriesRecord:
    return SeriesRecord(
        archive="tcia", collection="Set", series_uid=uid, study_uid="1.2", subject_id="P1", modality="MR"
    )


def granary(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["wanted", *arguments])


def wanted() -> list[str]:
    return [one["series_uid"] for one in json.loads(granary("list", "--json").stdout)["wanted"]]


@pytest.mark.usefixtures("store")
def test_dismissed_series_is_wanted_no_more_until_that_is_undone() -> None:
    assert wanted() == list(UIDS)
    assert "0 attempts" in granary("list", "--archive", "tcia").output
    done = granary("dismiss", UIDS[0], "--archive", "tcia", "--by", "me", "--why", "withdrawn")
    assert (done.exit_code, "by me: withdrawn" in done.output) == (0, True)
    assert wanted() == [UIDS[1]]
    (told,) = json.loads(granary("dismissed", "--archive", "tcia", "--json").stdout)["dismissed"]
    assert (told["series_uid"], told["by"], told["why"]) == (UIDS[0], "me", "withdrawn")
    again = granary("dismiss", UIDS[0], "--archive", "tcia", "--by", "me", "--why", "withdrawn")
    assert (again.exit_code, again.stderr.startswith("Error: not_found: ")) == (1, True)
    assert granary("undo", UIDS[0], "--archive", "tcia").exit_code == 0
    assert sorted(wanted()) == sorted(UIDS)
    assert granary("dismissed", "--archive", "tcia").output == "nothing is dismissed\n"
