"""What the front door of the embedded stack needs for accounts and limits: generated keys, kept in the state folder.

The same folder gives the same keys, so a token of yesterday's demo still works today.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from typing import Final

from braingranary.devstack.state import State
from braingranary.settings import DEMO_SETTINGS_FILE

_KID: Final = "demo-1"


def environment(state: State, *, dsn: str, limits_url: str) -> dict[str, str]:
    """Settings of the front door, as the environment gives them."""
    return {
        "GRANARY_ACCOUNTS_DSN": dsn,
        "GRANARY_ACCOUNTS_KEYS": json.dumps({_KID: state.secret("accounts_key", _key)}),
        "GRANARY_ACCOUNTS_CURRENT_KID": _KID,
        "GRANARY_ACCOUNTS_HASH_KEY": state.secret("accounts_hash_key", _key),
        "GRANARY_LIMITS_STORE": limits_url,
    }


def write_operator_settings(state: State, variables: Mapping[str, str]) -> None:
    """Leave the settings of catalogue, store and accounts where commands such as `granary model list` find them."""
    lines = [f"{name}='{value}'\n" for name, value in sorted(variables.items())]
    state.write(DEMO_SETTINGS_FILE, "".join(lines), mode=0o600)


def _key() -> str:
    return secrets.token_urlsafe(32)
