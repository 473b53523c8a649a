"""What the project promises of itself: the README's commands exist, and no second Spark sneaks in."""

from __future__ import annotations

import re
import subprocess
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^\$ (.*)$", README, flags=re.MULTILINE)


def test_readme_has_commands() -> None:
    assert COMMANDS[:2] == ["make demo", "make test"]


@pytest.mark.parametrize("command", COMMANDS)
def test_readme_command_is_one_that_make_knows(command: str) -> None:
    # Dry: what the commands do is run for real by the end-to-end tests, through the same targets' recipes.
    subprocess.run([*command.split(), "--dry-run"], cwd=ROOT, check=True, capture_output=True)


def test_readme_pictures_and_pages_exist() -> None:
    for link in re.findall(r"\]\((?!https?:)([^)#]+)\)", README):
        assert (ROOT / link).exists(), link


def test_dags_folder_is_no_package() -> None:
    with pytest.raises(ImportError):
        __import__("dags.tcia_ingest")


def test_pyspark_client_never_meets_pyspark() -> None:
    names = {(distribution.metadata["Name"] or "").lower() for distribution in metadata.distributions()}
    assert "pyspark" in names
    assert "pyspark-client" not in names
