"""Numbers that are equal but for their last digits, told by distance: never by rounding, which has edges."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

_LEADERS_MAX: Final = 4096
"""Distances to more vectors than this would take long: beyond it only equal ones are one."""


def chained(values: NDArray[np.float64], tolerance: float) -> NDArray[np.int64]:
    """Labels of numbers, shape (n,): neighbours at most `tolerance` apart share one; labels rise with the values."""
    order = np.argsort(values, kind="stable")
    labels = np.empty(len(values), dtype=np.int64)
    labels[order] = np.concatenate(([0], np.cumsum(np.diff(values[order]) > tolerance)))
    return labels


def chained_rows(rows: NDArray[np.float64], tolerance: float) -> NDArray[np.int64]:
    """Labels of few kinds of vectors, shape (n, k): one where each component is `chained` alike."""
    columns = np.stack([chained(column, tolerance) for column in rows.T], axis=1)
    return np.asarray(np.unique(columns, axis=0, return_inverse=True)[1], dtype=np.int64).reshape(-1)


def labelled(values: Sequence[float | None], tolerance: float) -> list[int]:
    """As `chained`, for values that may be unknown: those have label -1."""
    known = [index for index, value in enumerate(values) if value is not None]
    labels = [-1] * len(values)
    if known:
        numbers = np.array([values[index] for index in known], dtype=np.float64)
        for index, label in zip(known, chained(numbers, tolerance), strict=True):
            labels[index] = int(label)
    return labels


def labelled_vectors(values: Sequence[tuple[float, ...] | None], tolerance: float) -> list[int]:
    """Labels of many vectors: each joins the first one in ascending order that is at most `tolerance` away.

    Unknown vectors have label -1; labels rise with the vectors.
    """
    distinct = sorted({value for value in values if value is not None})
    label_of: dict[tuple[float, ...], int] = {}
    leaders: list[tuple[float, ...]] = []
    for value in distinct:
        near = -1
        if leaders and len(distinct) <= _LEADERS_MAX:
            alike = [index for index, leader in enumerate(leaders) if len(leader) == len(value)]
            if alike:
                away = np.linalg.norm(np.array([leaders[index] for index in alike]) - np.array(value), axis=1)
                if away.min() <= tolerance:
                    near = alike[int(away.argmin())]
        if near < 0:
            near = len(leaders)
            leaders.append(value)
        label_of[value] = near
    return [-1 if value is None else label_of[value] for value in values]
