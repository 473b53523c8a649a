"""The split of subjects: one part each, the right shares, and never another one."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from braingranary.catalog.read.splits import Split, split_of


def test_shares_are_70_15_15() -> None:
    found = Counter(split_of(f"TCGA-{number:05d}") for number in range(20_000))
    shares = {part: round(count / 200) for part, count in found.items()}
    assert shares == {Split.TRAIN: 70, Split.VALIDATION: 15, Split.TEST: 15}


@given(st.sets(st.text(), min_size=1), st.sets(st.text()))
def test_more_subjects_move_nobody(some: set[str], more: set[str]) -> None:
    before = {subject: split_of(subject) for subject in some}
    after = {subject: split_of(subject) for subject in some | more}
    assert after.items() >= before.items()


def test_parts_that_were_published_stay() -> None:
    # Whoever trained on a downloaded split must find the same one in ten years.
    told = {subject: str(split_of(subject)) for subject in ("TCGA-CS-4941", "PGBM-001", "P-0", "P-3")}
    assert told == {"TCGA-CS-4941": "train", "PGBM-001": "test", "P-0": "train", "P-3": "validation"}
