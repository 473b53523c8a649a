"""The option `--state`, and where commands find the catalogue and the object store.

A command for operators takes its settings from the environment (GRANARY_CATALOG_*, GRANARY_S3_*, GRANARY_ACCOUNTS_*,
GRANARY_CLIENT_*). Where none of these is set it takes those of the demo, which `granary demo` leaves in its state
folder; the two are never mixed, so that no real catalogue is ever paired with the demo's object store.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from braingranary.settings import DEMO_SETTINGS_FILE, any_variable_set

CHECKOUT: Final = Path(__file__).resolve().parents[3]
_PREFIXES: Final = ("GRANARY_CATALOG_", "GRANARY_S3_", "GRANARY_ACCOUNTS_", "GRANARY_CLIENT_")

state_option = click.option(
    "--state",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=CHECKOUT / ".state",
    help="State folder of the demo.  [default: .state of the checkout]",
)


def operator_settings(folder: Path) -> Path | None:
    """The file of the demo's settings; None where the environment has settings or the folder holds no demo."""
    path = folder / DEMO_SETTINGS_FILE
    return None if any_variable_set(*_PREFIXES) or not path.is_file() else path
