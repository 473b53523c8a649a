"""What a front door of the tests serves: a catalogue and a store with real packs of JPEGs, and labels."""

from __future__ import annotations

import hashlib
import json
import secrets
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import psycopg
import simplejpeg
from flask_openapi3.openapi import OpenAPI
from pydantic import SecretStr

from braingranary.catalog.load.normalize_run import load_run
from braingranary.catalog.schema.migrate import migrate
from braingranary.imaging.slicepack import write_pack
from braingranary.records import Plane
from braingranary.settings import AccountsSettings, CatalogSettings, LimitsSettings, ServingSettings, StoreSettings
from braingranary.storage.store import ObjectStore
from serving.app import create_app
from tests.unit.catalog import synthetic

PLANES = (Plane.AXIAL, Plane.CORONAL, Plane.SAGITTAL)
SLICES = 6
WAIT_S = 60.0  # for parts that do answer, on however slow a machine


def generated_keys() -> dict[str, Any]:
    """Keys as an installation generates them."""
    return {
        "keys": {"test-1": secrets.token_urlsafe(32)},
        "current_kid": "test-1",
        "hash_key": secrets.token_urlsafe(32),
    }


@dataclass(frozen=True, kw_only=True)
class ServingSite:
    """A catalogue, its store and the settings of a front door over them, and the JPEGs that were put there."""

    dsn: str
    store: ObjectStore
    store_settings: StoreSettings
    jpegs: dict[tuple[str, str], list[bytes]]
    """JPEGs by series UID and plane."""

    keys: dict[str, Any] = field(default_factory=generated_keys, repr=False)
    """Keys of the accounts, made for this site alone."""

    snapshots: tempfile.TemporaryDirectory[str] = field(default_factory=tempfile.TemporaryDirectory, repr=False)
    """Where the front doors of this site share their search snapshots."""

    def app(self, **settings: Any) -> OpenAPI:
        """A front door with some settings of its own, whose search has the catalogue as it is now."""
        made = create_app(**{**self.settings, **settings})
        made.extensions["granary"].search.refresh()
        return made

    @property
    def serving(self) -> dict[str, Any]:
        """Settings of the front door that tests with others of their own keep."""
        return {"detect_processes": 0, "snapshot_folder": self.snapshots.name}

    @property
    def settings(self) -> dict[str, Any]:
        """What `create_app` takes."""
        return {
            "catalog": CatalogSettings.model_validate({"dsn": self.dsn}),
            "store": self.store_settings,
            "serving": ServingSettings.model_validate(
                {**self.serving, "pool_max": 4, "pool_timeout_s": WAIT_S, "ready_timeout_s": WAIT_S}
            ),
            "accounts": AccountsSettings.model_validate({"dsn": self.dsn, "pool_timeout_s": WAIT_S, **self.keys}),
            # One process and many requests: counted where it is done, and hardly ever refused.
            "limits": LimitsSettings(store=SecretStr("memory://"), login="10000/minute", general="100000/minute"),
        }


def accounts_environment(site: ServingSite, *, limits_url: str = "memory://") -> dict[str, str]:
    """The same settings for a front door that runs as a process of its own."""
    return {
        "GRANARY_ACCOUNTS_DSN": site.dsn,
        "GRANARY_ACCOUNTS_POOL_TIMEOUT_S": str(WAIT_S),
        "GRANARY_ACCOUNTS_KEYS": json.dumps(site.keys["keys"]),
        "GRANARY_ACCOUNTS_CURRENT_KID": site.keys["current_kid"],
        "GRANARY_ACCOUNTS_HASH_KEY": site.keys["hash_key"],
        "GRANARY_LIMITS_STORE": limits_url,
        "GRANARY_LIMITS_GENERAL": "1000000/minute",
        "GRANARY_LIMITS_DOWNLOAD": "1000000/minute",
        "GRANARY_LIMITS_DETECT": "1000000/minute",
    }


def disc(number: int, plane: Plane, index: int) -> bytes:
    """A JPEG that no other slice equals."""
    y, x = np.mgrid[0:96, 0:80]
    radius = 20 + 3 * min(index, SLICES - 1 - index) + number % 3
    inside = (x - 40) ** 2 + (y - 48) ** 2 < radius**2
    image = np.where(inside, 120 + 8 * index + 3 * PLANES.index(plane) + number, 4).astype(np.uint8)
    encoded: bytes = simplejpeg.encode_jpeg(image[:, :, None], quality=90, colorspace="GRAY")
    return encoded


def fill_catalogue(
    dsn: str,
    store: ObjectStore,
    store_settings: StoreSettings,
    *,
    numbers: Sequence[int] = range(7),
    image: Callable[[int, Plane, int], bytes] = disc,
    slices: int = SLICES,
) -> ServingSite:
    """Migrate, make packs, publish and load them.

    Series 0 has a tumour by the word of its collection, 1 by a mask that leaves slices 0 and 1 of its axial pack free,
    2 has none by a reader; a model's word on 3 counts for nothing.
    """
    migrate(dsn)
    run = synthetic.tables(numbers, planes=PLANES, slices=slices)
    jpegs: dict[tuple[str, str], list[bytes]] = {}
    members = iter(run.slices)
    by_uid = {synthetic.uid(number): number for number in numbers}
    for pack in run.packs:
        uid, plane = pack["series_uid"], pack["plane"]
        images = [image(by_uid[uid], Plane(plane), index) for index in range(slices)]
        written = write_pack(images)
        store.put(pack["object_key"], written.data)
        pack.update(pack_bytes=len(written.data), sha256=hashlib.sha256(written.data).hexdigest())
        for entry in written.entries:
            next(members).update(byte_offset=entry.offset, byte_length=entry.length, crc32=entry.crc32)
        jpegs[uid, plane] = images
    run.labels += [
        synthetic.label_row(0, tumor=True, source="collection"),
        synthetic.label_row(1, tumor=True, source="collection"),
        *(synthetic.label_row(1, tumor=index >= 2, source="mask", index=index) for index in range(slices)),
        synthetic.label_row(2, tumor=True, source="collection"),
        synthetic.label_row(2, tumor=False, source="reader"),
        synthetic.label_row(3, tumor=True, source="model:1"),
    ]
    run.rejects.append(synthetic.reject_row("1.2.3"))
    synthetic.publish(store, "filled", run)
    with psycopg.connect(dsn, autocommit=True) as connection:
        load_run(connection, store, "filled")
    return ServingSite(dsn=dsn, store=store, store_settings=store_settings, jpegs=jpegs)
