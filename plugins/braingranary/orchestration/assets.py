"""Assets: the stages that wake one another, as Airflow sees them.

An event only says that there may be work; what the work is, a consumer reads from the object store, so a lost or a
doubled event changes nothing. The addresses are names, not locations: the bucket is a matter of `granary_s3`.
"""

from __future__ import annotations

from typing import Final

from airflow.sdk import Asset

RAW: Final = Asset(name="granary_raw", uri="x-granary://raw", group="granary")
"""New series stand under raw/, whole and verified. Made by `tcia_ingest`, awaited by `normalize`."""

REJECTED: Final = Asset(name="granary_rejected", uri="x-granary://rejected", group="granary")
"""An ingest ended with rejects and nothing to normalize. Made by `tcia_ingest`, awaited by `catalog_load`."""

NORMALIZED: Final = Asset(name="granary_normalized", uri="x-granary://normalized", group="granary")
"""A normalization run is published: packs, sidecars and row files. Made by `normalize`, awaited by `catalog_load`."""

CATALOG: Final = Asset(name="granary_catalog", uri="x-granary://catalog", group="granary")
"""The catalogue holds new rows. Made by `catalog_load`, awaited by `tumor_scoring`."""

SCORES: Final = Asset(name="granary_scores", uri="x-granary://scores", group="granary")
"""The catalogue holds new predictions. Made by `tumor_scoring`; for whoever wants to follow it."""
