"""The runbook of the front door says what is so."""

from __future__ import annotations

import re
from contextlib import nullcontext

from serving.http import metrics
from serving.http.pipeline_metrics import PipelineMetrics
from tests.fixtures.settings_table import MODELS, PAGE, page_with

PIPELINE = {family.name for family in PipelineMetrics(nullcontext, lambda: None).describe()}  # type: ignore[return-value,arg-type]
TEXT = PAGE.read_text(encoding="utf-8")


def test_settings_table_is_what_the_settings_are() -> None:
    assert page_with(TEXT) == TEXT, "python -m tests.fixtures.settings_table"
    assert [name for model in MODELS for name, field in model.model_fields.items() if not field.description] == []


def test_variables_of_the_text_exist() -> None:
    known = {
        f"{model.model_config.get('env_prefix', '')}{name.upper()}" for model in MODELS for name in model.model_fields
    }
    assert set(re.findall(r"GRANARY_[A-Z0-9_]+", TEXT)) <= known


def test_metrics_of_the_text_exist() -> None:
    counted = {sample.name for family in metrics.REGISTRY.collect() for sample in family.samples}
    named = {family.name for family in metrics.REGISTRY.collect()} | counted | PIPELINE
    told = set(re.findall(r"granary_(?!reader|accounts)[a-z_]+", TEXT))
    assert {re.sub(r"_count$", "", name) for name in told} <= named
