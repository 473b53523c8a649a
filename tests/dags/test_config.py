"""airflow.cfg.template: known options only, each different from the default and with its reason; no secret in it."""

from __future__ import annotations

import configparser
import itertools
from pathlib import Path
from typing import Any

import pytest
from airflow.configuration import retrieve_configuration_description

TEMPLATE = Path(__file__).resolve().parents[2] / "airflow.cfg.template"


@pytest.fixture(scope="module")
def known() -> dict[str, dict[str, Any]]:
    """Every option of the installed Airflow by section."""
    return {section: told["options"] for section, told in retrieve_configuration_description().items()}


@pytest.fixture(scope="module")
def template() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(TEMPLATE.read_text())
    return parser


def test_template_options_exist_and_differ_from_their_defaults(
    template: configparser.ConfigParser, known: dict[str, dict[str, Any]]
) -> None:
    for section in template.sections():
        for name, value in template[section].items():
            assert name in known[section], f"{section}.{name}"
            if (section, name) != ("core", "executor"):  # said although it is the default; the file tells why
                assert value != str(known[section][name].get("default")), f"{section}.{name}"


def test_template_every_option_has_its_reason_above_it() -> None:
    lines = TEMPLATE.read_text().splitlines()
    for before, line in itertools.pairwise(lines):
        if "=" in line and not line.startswith("#"):
            assert before.startswith("# "), line


def test_template_holds_no_secret(template: configparser.ConfigParser, known: dict[str, dict[str, Any]]) -> None:
    for section in template.sections():
        for name in template[section]:
            assert not known[section][name].get("sensitive"), f"{section}.{name}"


def test_template_is_secure_where_the_defaults_are_not(template: configparser.ConfigParser) -> None:
    assert template["api"]["host"] == "127.0.0.1"
    assert template["core"]["load_examples"] == "False"
