"""Numbers that are equal but for their last digits are one, wherever they lie."""

from __future__ import annotations

import numpy as np

from braingranary.dicom.assembly.clusters import chained, chained_rows, labelled, labelled_vectors


def test_chained_has_no_edges() -> None:
    for centre in (0.0, 0.005, 0.105, 1 / 3, 0.9995):
        values = centre + np.array([-2e-6, 2e-6, -1e-6, 1e-6])
        assert set(chained(values, 1e-3)) == {0}


def test_chained_labels_rise_with_the_values() -> None:
    assert list(chained(np.array([5.0, 1.0, 5.0005, 3.0]), 0.001)) == [2, 0, 2, 1]


def test_chained_rows_differ_where_one_component_does() -> None:
    rows = np.array([[1.0, 0.0], [1.0, 0.5], [1.0001, 0.0]])
    labels = chained_rows(rows, 0.01)
    assert labels[0] == labels[2] != labels[1]


def test_labelled_unknown_values_are_apart() -> None:
    assert labelled([None, 4.5, 4.5004, 9.0, None], 0.005) == [-1, 0, 0, 1, -1]


def test_labelled_vectors_many_directions_stay_apart() -> None:
    made = np.random.default_rng(0).normal(size=(300, 3))
    directions = [tuple(float(value) for value in row) for row in made / np.linalg.norm(made, axis=1, keepdims=True)]
    near = [tuple(value + 2e-4 for value in direction) for direction in directions]
    labels = labelled_vectors([*directions, *near, None], 0.001)
    assert len(set(labels[:300])) == 300
    assert labels[:300] == labels[300:600]
    assert labels[600] == -1
