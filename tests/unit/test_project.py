"""What people expect of a project: licence, packaging, locked requirements, an SBOM, and a README that is true."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import click
import pytest
import yaml
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from braingranary.cli.main import main

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^\$ (.*)$", README, flags=re.MULTILINE)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
APACHE_2_SHA256 = "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"
LOCKS = sorted(path for path in (ROOT / "requirements").glob("*.txt") if path.stem != "without-torch")


def locked(path: Path) -> dict[str, str]:
    """Versions by name; every requirement of the file must carry a hash."""
    text = path.read_text(encoding="utf-8")
    found = dict(
        re.findall(r"^([a-z0-9-]+)(?:\[.*\])?==(\S+) \\\n    --hash=sha256:[0-9a-f]{64}", text, flags=re.MULTILINE)
    )
    assert len(found) == len(re.findall(r"^[a-z0-9]", text, flags=re.MULTILINE)), f"{path.name}: a line without a hash"
    return found


def test_readme_has_commands() -> None:
    assert COMMANDS[:2] == ["make demo", "make test"]


@pytest.mark.parametrize("command", [command for command in COMMANDS if command.startswith("make ")])
def test_readme_make_command_is_one_that_make_knows(command: str) -> None:
    # Dry: what the commands do is run for real by the end-to-end tests, through the same targets' recipes.
    subprocess.run([*shlex.split(command), "--dry-run"], cwd=ROOT, check=True, capture_output=True)


def test_granary_commands_of_the_pages_exist_with_their_options() -> None:
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    found = {line for page in pages for line in re.findall(r"`(?:\$ )?(granary [^`\n]+)`", page.read_text())}
    found |= {command for command in COMMANDS if command.startswith("granary ")}
    assert found
    for line in sorted(found):
        words = shlex.split(line)[1:]
        command: click.Command = main
        while isinstance(command, click.Group) and words and not words[0].startswith("-"):
            name = words.pop(0)
            inner = command.get_command(click.Context(command), name)
            assert inner is not None, line
            command = inner
        options = {option for parameter in command.params for option in parameter.opts} | {"-h", "--help"}
        assert {word for word in words if word.startswith("-")} <= options, line


def test_readme_pictures_and_pages_exist() -> None:
    for link in re.findall(r"\]\((?!https?:)([^)#]+)\)", README):
        assert (ROOT / link).exists(), link


def test_readme_commands_are_of_the_kinds_that_tests_run() -> None:
    assert [command for command in COMMANDS if command.split()[0] not in {"make", "granary", "pip"}] == []


def test_licence_is_the_unchanged_text_that_the_package_declares() -> None:
    assert hashlib.sha256((ROOT / "LICENSE").read_bytes()).hexdigest() == APACHE_2_SHA256
    assert PROJECT["license"] == "Apache-2.0"
    assert all((ROOT / name).is_file() for name in [*PROJECT["license-files"], "SECURITY.md", "CONTRIBUTING.md"])


def test_citation_names_this_version_and_licence() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert (citation["version"], citation["license"]) == (PROJECT["version"], PROJECT["license"])
    assert metadata.version("braingranary") == PROJECT["version"]


def test_hooks_before_a_commit_run_the_tools_of_the_project_alone() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    assert [repository["repo"] for repository in hooks["repos"]] == ["local"]
    told = (ROOT / "Makefile").read_text(encoding="utf-8")
    for hook in hooks["repos"][0]["hooks"]:
        assert Path(hook["entry"].split()[0]).name in told


def test_packages_are_marked_as_typed() -> None:
    for package in ("plugins/braingranary", "serving", "spark_jobs"):
        assert (ROOT / package / "py.typed").is_file()


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.stem)
def test_locked_requirement_has_hashes_no_address_and_the_version_of_every_other_file(path: Path) -> None:
    whole = locked(ROOT / "requirements" / "dev.txt")
    assert {name: version for name, version in locked(path).items() if whole.get(name, version) != version} == {}
    assert "://" not in path.read_text(encoding="utf-8")


def test_torch_and_what_its_builds_bring_are_locked_apart() -> None:
    torch = re.compile(r"torch|triton|nvidia-.*|cuda-.*")
    for path in LOCKS:
        found = {name for name in locked(path) if torch.fullmatch(name)}
        expected = {"torch-cpu": {"torch"}, "torch": found}.get(path.stem, set())
        assert found == expected, path.name
    version = next(line for line in PROJECT["optional-dependencies"]["detector"] if line.startswith("torch==")).split(
        "=="
    )[1]
    assert locked(ROOT / "requirements" / "torch.txt")["torch"] == version
    assert locked(ROOT / "requirements" / "torch-cpu.txt")["torch"] == f"{version}+cpu"


@pytest.mark.parametrize("extra", ["airflow", "serving", "spark"])
def test_lock_of_an_extra_has_all_that_pyproject_names(extra: str) -> None:
    versions = locked(ROOT / "requirements" / f"{extra}.txt")
    for line in PROJECT["dependencies"] + PROJECT["optional-dependencies"][extra]:
        name, pinned = re.fullmatch(r"([A-Za-z0-9-]+)(?:\[.*\])?(?:==(\S+)|[<>].*)?", line).groups()  # type: ignore[union-attr]
        if name != "braingranary":
            assert versions[name.lower()] == (pinned or versions[name.lower()])


def test_pyspark_client_never_meets_pyspark() -> None:
    assert not any("pyspark-client" in locked(path) for path in LOCKS)
    names = {(distribution.metadata["Name"] or "").lower() for distribution in metadata.distributions()}
    assert "pyspark" in names
    assert "pyspark-client" not in names


def test_sbom_is_valid_and_names_the_locked_versions(tmp_path: Path) -> None:
    path = ROOT / "requirements" / "serving.txt"
    out = tmp_path / "sbom.json"
    recipe = subprocess.run(["make", "--dry-run", "sbom"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    found = re.search(r"-m (cyclonedx_py requirements .*) -o", recipe)
    assert found is not None
    arguments = [sys.executable, "-W", "ignore::UserWarning", "-m", *found[1].split()]
    subprocess.run([*arguments, "-o", str(out), str(path)], cwd=ROOT, check=True, capture_output=True)
    text = out.read_text(encoding="utf-8")
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    told = json.loads(text)
    assert {component["name"]: component["version"] for component in told["components"]} == locked(path)
    assert (told["metadata"]["component"]["name"], told["metadata"]["component"]["version"]) == (
        "braingranary",
        PROJECT["version"],
    )


def test_dags_folder_is_no_package() -> None:
    with pytest.raises(ImportError):
        __import__("dags.tcia_ingest")
