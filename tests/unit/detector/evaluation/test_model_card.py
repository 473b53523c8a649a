"""The card and the licence of what ships: generated, up to date, and told the same everywhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from braingranary.detector.contracts.model_metadata import SHIPPED
from braingranary.detector.evaluation.model_card import Evaluation, card
from braingranary.detector.model.weights import load_shipped

EVALUATION = SHIPPED / "evaluation.json"
DOCS = Path(__file__).parents[4] / "docs"
pytestmark = pytest.mark.skipif(not EVALUATION.is_file(), reason="no model ships with this library")


def test_card_in_the_docs_is_that_of_the_shipped_model() -> None:
    wanted = card(Evaluation.from_json(EVALUATION.read_text()), load_shipped())
    assert (DOCS / "model-card.md").read_text() == wanted


def test_evaluation_comes_back_from_its_json() -> None:
    text = EVALUATION.read_text()
    assert Evaluation.from_json(text).as_json() == text


def test_license_of_the_weights_stands_beside_them_and_in_the_card() -> None:
    name = load_shipped().metadata.license
    assert f"SPDX-License-Identifier: {name}\n" in (SHIPPED / "LICENSE.txt").read_text()
    assert f"{name}, told by" in (DOCS / "model-card.md").read_text()
