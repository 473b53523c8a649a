"""Passwords: argon2id, one form for all keyboards, new parameters noticed, and a bound on what is checked at once."""

from __future__ import annotations

import threading

import pytest

from braingranary.accounts import passwords
from braingranary.accounts.passwords import Passwords, check_new
from braingranary.errors import Code, RejectedInput, TransientFailure
from tests.fixtures.patience import PATIENCE_S


@pytest.fixture(scope="module")
def quick() -> Passwords:
    return Passwords(at_once=2, memory_kib=64, passes=1)


def test_verify_takes_the_right_password_alone(quick: Passwords) -> None:
    known = quick.hash("correct horse battery")
    assert known.startswith("$argon2id$")
    assert quick.verify(known, "correct horse battery")
    assert not quick.verify(known, "correct horse batterx")
    assert not quick.verify("no hash at all", "correct horse battery")
    assert quick.hash("correct horse battery") != known


def test_verify_without_an_account_is_never_right(quick: Passwords) -> None:
    assert not quick.verify(None, "correct horse battery")


def test_verify_takes_the_same_characters_in_another_spelling(quick: Passwords) -> None:
    assert quick.verify(quick.hash("na\u00efve password"), "nai\u0308ve password")


def test_outdated_notices_other_parameters(quick: Passwords) -> None:
    known = quick.hash("correct horse battery")
    assert not quick.outdated(known)
    assert Passwords(at_once=1, memory_kib=128, passes=1).outdated(known)


@pytest.mark.parametrize("password", ["short", "x" * 257, "Some.One@example.org", "\ud800" * 12])
def test_check_new_refuses_what_may_not_become_a_password(password: str) -> None:
    with pytest.raises(RejectedInput) as caught:
        check_new(password, email="some.one@example.org")
    assert caught.value.code is Code.PASSWORD_INVALID
    assert password not in caught.value.message


@pytest.mark.parametrize("password", ["0123456789", "x" * 256, "\N{GRINNING FACE}" * 10, "          "])
def test_check_new_asks_for_no_composition(password: str) -> None:
    check_new(password, email="some.one@example.org")


def test_verify_beyond_its_places_is_refused_instead_of_queued(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_WAIT_S", 0.01)
    busy = Passwords(at_once=1, memory_kib=64, passes=1)
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with busy._place():
            held.set()
            release.wait(PATIENCE_S)

    holder = threading.Thread(target=hold)
    holder.start()
    try:
        assert held.wait(PATIENCE_S)
        with pytest.raises(TransientFailure) as caught:
            busy.verify(None, "correct horse battery")
        assert caught.value.code is Code.SERVER_BUSY
    finally:
        release.set()
        holder.join()
    assert not busy.verify(None, "correct horse battery")
