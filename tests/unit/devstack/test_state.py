"""The state folder keeps what it was given, to itself."""

from __future__ import annotations

import socket
import stat
from pathlib import Path

import pytest

from braingranary.devstack import stack
from braingranary.devstack.state import State
from braingranary.errors import ConfigurationError


def test_secret_stays_and_is_readable_by_the_owner_alone(tmp_path: Path) -> None:
    state = State(tmp_path)
    first, other = state.secret("a"), state.secret("b")
    assert first != other
    assert State(tmp_path).secret("a") == first
    assert stat.S_IMODE((tmp_path / "secrets.json").stat().st_mode) == 0o600


def test_ports_stay_until_a_stranger_takes_one(tmp_path: Path) -> None:
    state = State(tmp_path)
    choices = iter([[21001], [21001], [21003]])
    assert state.ports("web", lambda: next(choices), taken=False) == [21001]
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", 21001))
        stranger.listen()
        assert state.ports("web", lambda: next(choices), taken=True) == [21001]
        assert state.ports("web", lambda: next(choices), taken=False) == [21003]
    assert State(tmp_path).ports("web", list, taken=False) == [21003]


def test_locked_twice_is_told(tmp_path: Path) -> None:
    with State(tmp_path).locked(), pytest.raises(ConfigurationError, match="another"), State(tmp_path).locked():
        pass
    with State(tmp_path).locked():
        pass


def test_damaged_secrets_are_told_and_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "secrets.json").write_text("{")
    with pytest.raises(ConfigurationError, match="damaged"):
        State(tmp_path).secret("a")
    assert (tmp_path / "secrets.json").read_text() == "{"


def test_folder_with_damaged_secrets_can_be_removed(tmp_path: Path) -> None:
    root = tmp_path / "state"
    root.mkdir()
    (root / "secrets.json").write_text("{")
    stack.remove(State(root))
    assert not root.exists()
