"""E-mail addresses: one form of each, and no address in an error."""

from __future__ import annotations

import pytest

from braingranary.accounts.emails import normalized
from braingranary.errors import Code, RejectedInput


@pytest.mark.parametrize(
    ("typed", "known"),
    [
        ("Some.One@Example.ORG", "some.one@example.org"),
        ("  a@example.org\n", "a@example.org"),
        ("a@B\u00dcCHER.example", "a@xn--bcher-kva.example"),
    ],
)
def test_normalized_gives_one_form(typed: str, known: str) -> None:
    assert normalized(typed) == known


@pytest.mark.parametrize(
    "text",
    [
        "", "nobody", "a@b", "a b@example.org", "a@example.org\r\nBcc: b@example.org", "a@[127.0.0.1]", "a@localhost",
        "\u0430dmin@example.org", "x" * 400 + "@example.org", "a@example.org\x00", "\ud800@example.org",
        '"a b"@example.org', "A <a@example.org>",
    ],
)  # fmt: skip
def test_normalized_refuses_what_is_no_address_without_repeating_it(text: str) -> None:
    with pytest.raises(RejectedInput) as caught:
        normalized(text)
    assert caught.value.code is Code.EMAIL_INVALID
    assert not text or text not in str(caught.value)
