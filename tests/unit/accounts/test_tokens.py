"""Tokens: what is issued is read back, keys rotate by id, and a good signature alone is not enough."""

from __future__ import annotations

import secrets
from datetime import timedelta

import jwt
import pytest

from braingranary.accounts.tokens import Tokens
from braingranary.errors import Code, RejectedInput

OLD, NEW = secrets.token_bytes(32), secrets.token_bytes(32)


def tokens(keys: dict[str, bytes], current: str, *, audience: str = "here") -> Tokens:
    return Tokens(keys=keys, current_kid=current, issuer="us", audience=audience, lifetime=timedelta(minutes=5))


def test_read_of_what_was_issued_gives_the_claims() -> None:
    made = tokens({"a": OLD}, "a")
    claims = made.read(made.issue(account_id=7, generation=3))
    assert (claims.account_id, claims.generation) == (7, 3)
    assert claims.jti != made.read(made.issue(account_id=7, generation=3)).jti


def test_read_after_a_rotation_takes_both_keys_and_after_its_end_only_the_new_one() -> None:
    before = tokens({"a": OLD}, "a").issue(account_id=1, generation=0)
    rotating = tokens({"a": OLD, "b": NEW}, "b")
    after = rotating.issue(account_id=1, generation=0)
    assert jwt.get_unverified_header(after)["kid"] == "b"
    assert rotating.read(before).account_id == rotating.read(after).account_id == 1
    ended = tokens({"b": NEW}, "b")
    assert ended.read(after).account_id == 1
    with pytest.raises(RejectedInput) as caught:
        ended.read(before)
    assert caught.value.code is Code.TOKEN_INVALID


def test_read_of_a_key_id_that_names_another_key_is_refused() -> None:
    signed = tokens({"b": OLD}, "b").issue(account_id=1, generation=0)
    with pytest.raises(RejectedInput):
        tokens({"a": OLD, "b": NEW}, "a").read(signed)


def test_read_of_a_token_for_somebody_else_is_refused_with_the_same_key() -> None:
    elsewhere = tokens({"a": OLD}, "a", audience="there").issue(account_id=1, generation=0)
    with pytest.raises(RejectedInput):
        tokens({"a": OLD}, "a").read(elsewhere)


def test_read_of_an_ended_token_is_refused() -> None:
    made = tokens({"a": OLD}, "a")
    ended = made.issue(account_id=1, generation=0, lifetime=timedelta(seconds=-60))
    with pytest.raises(RejectedInput):
        made.read(ended)
