"""Runs: the name under which one DAG run keeps its objects.

Made of what Airflow keeps for ever (the DAG and the run id), never of the time of day: a task that is tried again, or a
run that is cleared and run again, finds and finishes what it began.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

_READABLE_LENGTH: Final = 60
_DIGEST_LENGTH: Final = 12


def run_key(dag_id: str, run_id: str) -> str:
    """A key segment for one DAG run: a readable stem of the run id and a digest of both names.

    Different runs have different keys, whatever characters their ids hold; the result is safe for `storage.keys`.
    """
    digest = hashlib.sha256(f"{dag_id}\x1f{run_id}".encode()).hexdigest()[:_DIGEST_LENGTH]
    stem = re.sub(r"[^A-Za-z0-9.+-]+", "-", run_id).strip("-.+")[:_READABLE_LENGTH] or "run"
    return f"{stem}-{digest}"
