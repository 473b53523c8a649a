"""An e-mail address in the one form that an account is known by.

Goes in: what somebody typed. Comes out: the address normalized and in lower case, at most 320 characters. Fails with
RejectedInput(EMAIL_INVALID), which never repeats the address. Only the form is checked: nothing is asked over the
network, so the answer tells nobody whether a mailbox exists.
"""

from __future__ import annotations

from typing import Final

from email_validator import EmailNotValidError, validate_email

from braingranary.errors import Code, RejectedInput

EMAIL_CHARACTERS_MAX: Final = 320  # RFC 5321: 64 before the @ and 255 after it


def normalized(text: str) -> str:
    """The address of an account. Letters beyond ASCII are refused before the @, where look-alikes would be others."""
    try:
        found = validate_email(
            text.strip()[: EMAIL_CHARACTERS_MAX + 1], check_deliverability=False, allow_smtputf8=False
        )
    except EmailNotValidError:
        raise RejectedInput(Code.EMAIL_INVALID, "this is no e-mail address") from None
    # The domain in ASCII: one spelling for each, whatever the script it was typed in.
    return (found.ascii_email or found.normalized).lower()
