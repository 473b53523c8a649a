"""Case 12: marked values in every text tag. None of them may reach a log, a key, an object, a table or an answer.

Series with a mark in every text element of the dictionary, in private blocks, nested items, file meta, preambles and
file names go the whole way: staged, read, normalized, loaded, asked for at every address of the front door. Some are
sound, some fail in ways whose messages would like to quote a value. Only raw/ and the bytes in quarantine/ keep what
was received; nothing serves them.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections import Counter
from collections.abc import Iterator

import psycopg
import pyarrow.parquet as pq
import pytest
from flask.testing import FlaskClient
from pydicom._dicom_dict import DicomDictionary
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from braingranary.catalog.load.normalize_run import load_run
from braingranary.catalog.schema.migrate import migrate
from braingranary.normalization.batch import normalize_batch
from braingranary.normalization.profile import DEFAULT_PROFILE
from braingranary.normalization.publish import publish
from braingranary.settings import StoreSettings
from braingranary.storage.store import ObjectStore
from tests.fixtures.dicom_factory import SERIES_UID, Files, Scan, classic_series, enhanced_series
from tests.serving.serving_site import ServingSite
from tests.unit.normalization import phantom

MARK = "Zqphi"
BORN = "19011223"
LEAK = re.compile(rb"zqphi|19011223|1901-12-23", re.IGNORECASE)
TEXT_KINDS = frozenset(("AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"))
# Without these there is nothing to read: each is marked in a series of its own instead.
NEEDED = frozenset(("SpecificCharacterSet", "ImageType", "Modality", "PhotometricInterpretation"))
RUN = "marked"
ADDRESSES_MAX = 400


def mark(_: int, dataset: Dataset) -> None:
    """A mark in every text element that is not needed, and wherever else text can hide."""
    for tag, (kind, _many, _name, retired, keyword) in DicomDictionary.items():
        if kind in TEXT_KINDS and keyword and not retired and keyword not in NEEDED and tag >> 16 >= 0x0008:
            dataset.add_new(tag, kind, f"{MARK.upper()}_{tag:08X}")
    # Words that are understood, beside one that must stay behind.
    dataset.SeriesDescription = f"t1 mprage {MARK}"
    dataset.ProtocolName = f"AX FLAIR {MARK}"
    dataset.Manufacturer = f"SIEMENS {MARK}"
    dataset.ManufacturerModelName = f"Avanto {MARK}"
    dataset.PatientBirthDate = BORN
    other = Dataset()
    other.PatientID, other.PatientName = f"{MARK}-nested", f"{MARK}^Nested"
    dataset.OtherPatientIDsSequence = Items([other])
    dataset.private_block(0x0099, f"{MARK} MAKER", create=True).add_new(0x01, "LT", f"{MARK} private")


def replaced(files: Files, old: bytes, new: bytes) -> Files:
    """The files with bytes of the same length exchanged."""
    assert len(old) == len(new)
    assert old in files[0][1]
    return [(name, data.replace(old, new)) for name, data in files]


def cases() -> dict[str, Files]:
    """Files by SeriesInstanceUID: sound series, and series that fail with a mark where the trouble is."""
    scan = [Scan(series_uid=f"{SERIES_UID}.{number}", slice_spacing=2.0) for number in range(7)]
    sound = classic_series(scan[0], each=mark)
    enhanced = enhanced_series(scan[1], each=lambda _, __, group: mark_frame(group))
    partly = [*classic_series(scan[2], each=mark), (f"{MARK}.dcm", f"{MARK} is no DICOM".encode() * 20)]
    modality = classic_series(Scan(series_uid=scan[3].series_uid, header={"Modality": f"{MARK.upper()}_M"}), each=mark)
    position = replaced(classic_series(scan[4], each=mark), b"-40.0\\", b"Zqphi\\")
    uid = replaced(classic_series(scan[5], each=mark), scan[5].series_uid.encode(), b"Zqphi".ljust(31, b"9"))
    cut = [(name, data[: len(data) // 2]) for name, data in classic_series(scan[6], each=mark)]
    made = (sound, enhanced, partly, modality, position, uid, cut)
    return {item.series_uid: files for item, files in zip(scan, made, strict=True)}


def mark_frame(group: Dataset) -> None:
    group.FrameContentSequence[0].StackID = MARK
    group.FrameContentSequence[0].FrameLabel = f"{MARK} label"
    group.FrameContentSequence[0].FrameComments = f"{MARK} comment"


def staged(store: ObjectStore) -> list[str]:
    """Every series in raw/, under names and a comment that carry the mark too."""
    keys = []
    for uid, files in cases().items():
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for name, data in files:
                archive.writestr(f"{MARK}^folder/{MARK}-{name}", MARK.encode().ljust(128, b"\0") + data[128:])
            archive.comment = MARK.encode()
        keys.append(phantom.stage(store, uid, buffer.getvalue()))
    return keys


def objects(store: ObjectStore) -> Iterator[tuple[str, bytes]]:
    """Whatever was made, and every key: not the bytes as received."""
    for info in store.list():
        yield f"key {info.key}", info.key.encode()
        if info.key.endswith(".parquet"):
            rows = pq.read_table(io.BytesIO(store.get(info.key))).to_pylist()
            yield info.key, repr(rows).encode()
        elif not (info.key.startswith("raw/") and info.key.endswith(".zip")) and not info.key.endswith(".bin"):
            yield info.key, store.get(info.key)


def tables(dsn: str) -> Iterator[tuple[str, bytes]]:
    """Every row of every table of ours."""
    with psycopg.connect(dsn) as connection:
        names = connection.execute(
            "SELECT quote_ident(table_schema) || '.' || quote_ident(table_name) FROM information_schema.tables "
            "WHERE table_schema NOT IN ('pg_catalog', 'information_schema') AND table_type = 'BASE TABLE'"
        ).fetchall()
        for (name,) in names:
            for (row,) in connection.execute(f"SELECT t::text FROM {name} AS t"):  # noqa: S608
                yield f"table {name}", row.encode()


def answers(client: FlaskClient, statuses: Counter[int]) -> Iterator[tuple[str, bytes]]:
    """Every answer that can be reached: each route of the description, and every address that an answer names."""
    spec = client.get("/api/v1/openapi.json").get_json()
    waiting = [path for path, item in spec["paths"].items() if "get" in item and "{" not in path]
    waiting += ["/api/v1/openapi.json", "/metrics", "/Images/withtumor_ax", "/Images/notumor_ax"]
    for uid in cases():
        stem = f"/api/v1/series/{uid}"
        waiting += [stem, *(f"{stem}/{leaf}" for leaf in ("slices", "lineage", "sidecar", "predictions", "sheet.jpg"))]
        waiting += [f"{stem}/volume.nii.gz", f"/series/{uid}"]
    seen: set[str] = set()
    while waiting and len(seen) < ADDRESSES_MAX:
        address = waiting.pop(0)
        if address in seen:
            continue
        seen.add(address)
        for accept in ("application/json", "text/html"):
            answer = client.get(address, headers={"Accept": accept})
            statuses[answer.status_code] += 1
            yield f"GET {address}", str(answer.headers).encode() + answer.data
            waiting += (
                re.findall(r'"(/(?:api|Images|series)[^"\s]*)"', answer.text)
                if "json" in (answer.mimetype or "")
                else []
            )


def leaks(found: Iterator[tuple[str, bytes]]) -> tuple[list[str], int]:
    """Where a mark stands, and how many places were looked at."""
    where, looked = [], 0
    for place, content in found:
        looked += 1
        if LEAK.search(content):
            where.append(place)
    return where, looked


@pytest.mark.hostile
@pytest.mark.stack
def test_marked_values_never_leave_raw(
    postgres_dsn: str,
    object_store: ObjectStore,
    s3_settings: StoreSettings,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    catalogued, rejected = pipeline(postgres_dsn, object_store)
    # The series with a mark in every element are whole, and each of the others failed with a code of its own.
    assert (catalogued, rejected) == (3, 5)
    site = ServingSite(dsn=postgres_dsn, store=object_store, store_settings=s3_settings, jpegs={})
    app = site.app()
    statuses: Counter[int] = Counter()
    with app.test_client() as client:
        asked, answered = leaks(answers(client, statuses))
    app.extensions["granary"].close()
    kept, read = leaks(objects(object_store))
    rowed, rows = leaks(tables(postgres_dsn))
    output = capfd.readouterr()
    logged = [line for line in (output.out + output.err + caplog.text).splitlines() if LEAK.search(line.encode())]
    found = [*asked, *kept, *rowed, *logged]
    assert statuses[200] > 60, statuses
    assert not statuses[500]
    print(f"case 12 phi_leak: leaks={len(found)} in {answered} answers, {read} keys and objects, {rows} rows, all logs")
    assert found == []


def pipeline(dsn: str, store: ObjectStore) -> tuple[int, int]:
    """Stage, normalize, publish and load; how many series are catalogued and how many rejects there are."""
    part = normalize_batch(store, staged(store), DEFAULT_PROFILE, RUN)
    publish(store, RUN, DEFAULT_PROFILE, [part])
    migrate(dsn)
    with psycopg.connect(dsn, autocommit=True) as connection:
        load_run(connection, store, RUN)
    return part.rows["series"], part.rows["rejects"]


@pytest.mark.hostile
@pytest.mark.stack
def test_mark_that_a_gate_lets_through_is_found(
    postgres_dsn: str, object_store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The search itself works: with one gate of the allow-list open, the same marks are found in objects and tables."""
    monkeypatch.setattr("braingranary.dicom.header.deidentify.model_of", lambda text: text)
    pipeline(postgres_dsn, object_store)
    assert leaks(objects(object_store))[0]
    assert "table public.series" in leaks(tables(postgres_dsn))[0]
