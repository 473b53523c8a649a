"""House rules that no linter of ours holds: sizes of folders and modules, circles, and who may read the environment."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import grimp

ROOT = Path(__file__).resolve().parents[2]
SOURCES = {
    "braingranary": ROOT / "plugins" / "braingranary",
    "serving": ROOT / "serving",
    "spark_jobs": ROOT / "spark_jobs",
}
MODULES = sorted(path for folder in SOURCES.values() for path in folder.rglob("*.py"))
MODULES_OF_A_FOLDER_MAX = 16
LINES_OF_A_MODULE_MAX = 400
LONGER_MODULES: dict[str, str] = {}
"""Modules that may be longer than the rule, with the reason."""
MAY_READ_ENVIRONMENT = {
    "plugins/braingranary/settings.py": "the one that makes settings of it",
    "plugins/braingranary/devstack/stack.py": "passes on what its services may have of the caller's",
    "serving/detect/clean_start.py": "takes secrets out of a detecting process",
    "serving/gunicorn.conf.py": "names the folder that prometheus_client reads from it",
    "serving/http/metrics.py": "as above",
}


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(path: Path) -> Iterator[str]:
    """Top-level names of everything a module imports, wherever in it."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0]


def reads_environment(path: Path) -> bool:
    """Whether a module uses `os.environ` or `os.getenv`, or imports them by name."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"} and ast.unparse(node.value) == "os":
            return True
        names = (
            {alias.name for alias in node.names} if isinstance(node, ast.ImportFrom) and node.module == "os" else set()
        )
        if names & {"environ", "getenv"}:
            return True
    return False


def test_no_folder_holds_more_modules_than_one_can_survey() -> None:
    folders = {path.parent for path in MODULES}
    counts = {
        name(folder): len([path for path in folder.glob("*.py") if path.stem != "__init__"]) for folder in folders
    }
    assert {folder: count for folder, count in counts.items() if count > MODULES_OF_A_FOLDER_MAX} == {}


def test_no_module_is_longer_than_the_rule_without_a_reason() -> None:
    lengths = {name(path): len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    longer = {path for path, lines in lengths.items() if lines > LINES_OF_A_MODULE_MAX}
    assert longer == set(LONGER_MODULES)


def circles(imports: dict[str, set[str]]) -> set[tuple[str, ...]]:
    """Groups of modules of which each imports each, by whatever way."""

    def reached(module: str) -> set[str]:
        found: set[str] = set()
        left = [module]
        while left:
            new = imports[left.pop()] - found
            found |= new
            left += new
        return found

    reach = {module: reached(module) for module in imports}
    return {
        tuple(sorted(other for other in found if module in reach[other]))
        for module, found in reach.items()
        if module in found
    }


def test_circles_finds_long_and_short_ones() -> None:
    chain = {"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a", "e"}, "e": {"d"}, "f": {"d"}}
    assert circles(chain) == {("a", "b", "c"), ("d", "e")}


def test_no_modules_import_each_other_in_a_circle() -> None:
    # Imports for type hints alone count too: two modules that need each other's types are one thought in two files.
    graph = grimp.build_graph(*SOURCES, exclude_type_checking_imports=False, cache_dir=None)
    found = circles({module: graph.find_modules_directly_imported_by(module) for module in graph.modules})
    assert found == set()


def test_torch_is_imported_by_the_detector_alone() -> None:
    found = {name(path) for path in MODULES if "torch" in imported(path)}
    assert {path for path in found if not path.startswith("plugins/braingranary/detector/")} == set()


def test_s3_clients_are_imported_by_storage_and_orchestration_alone() -> None:
    rooms = ("plugins/braingranary/storage/", "plugins/braingranary/orchestration/")
    found = {name(path) for path in MODULES if {"boto3", "botocore", "mypy_boto3_s3"} & set(imported(path))}
    assert {path for path in found if not path.startswith(rooms)} == set()


def test_environment_is_read_by_the_settings_alone() -> None:
    assert {name(path) for path in MODULES if reads_environment(path)} <= MAY_READ_ENVIRONMENT.keys()


def test_sql_stands_in_sql_alone() -> None:
    files = {name(path) for path in ROOT.rglob("*.sql") if not path.relative_to(ROOT).parts[0].startswith(".")}
    assert {path for path in files if not path.startswith(("sql/", "tests/"))} == set()
