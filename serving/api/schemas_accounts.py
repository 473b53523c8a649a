"""What the routes of accounts take and answer."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, SecretStr, model_validator

from braingranary.accounts.emails import EMAIL_CHARACTERS_MAX
from braingranary.accounts.passwords import PASSWORD_CHARACTERS_MAX, PASSWORD_CHARACTERS_MIN
from serving.api.schemas import Answer, PageParameters, Parameters

Role = Literal["reader", "operator", "admin"]
Password = Annotated[
    SecretStr,
    Field(
        # Counted before normalization, which may make a text longer or shorter; the true bounds are checked after it.
        max_length=4 * PASSWORD_CHARACTERS_MAX,
        description=f"{PASSWORD_CHARACTERS_MIN} to {PASSWORD_CHARACTERS_MAX} characters, of any kind",
    ),
]
AccountId = Annotated[str, Field(pattern=r"^[1-9][0-9]{0,17}$", description="number of an account")]


class Credentials(Parameters):
    """Who wants in."""

    email: Annotated[str, Field(min_length=3, max_length=EMAIL_CHARACTERS_MAX)]
    password: Password
    invitation: Annotated[SecretStr, Field(min_length=1, max_length=100)] | None = None


class AccessToken(BaseModel):
    """A token to send as `auth-token` or as `Authorization: Bearer`."""

    accessToken: str  # noqa: N815 - the name that the predecessors' users know


class Account(Answer):
    """An account."""

    account_id: int
    email: str
    role: Role
    created_at: datetime
    disabled_at: datetime | None


class AccountPage(BaseModel):
    """A page of accounts."""

    accounts: list[Account]
    next: str | None


class AccountPath(Parameters):
    """An account by its number."""

    account_id: AccountId


class AccountChange(Parameters):
    """What an administrator changes."""

    role: Role | None = None
    disabled: bool | None = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.role is None and self.disabled is None:
            raise ValueError("name role, disabled or both")
        return self


class PasswordChange(Parameters):
    """Another password."""

    password: Password
    new_password: Password


class PasswordProof(Parameters):
    """That it is really the owner who asks."""

    password: Password


class InvitationWish(Parameters):
    """Whom to invite."""

    role: Role = "reader"
    hours: Annotated[int, Field(ge=1, le=24 * 30)] = 72


class Invitation(BaseModel):
    """What the invited person sends along at POST /authorization; it is told only once."""

    invitation: str


class AuditParameters(PageParameters):
    """Which lines of the trail."""

    event: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")] | None = None
    account_id: AccountId | None = None


class AuditLine(Answer):
    """Who did what and when."""

    audit_id: int
    happened_at: datetime
    event: str
    account_id: int | None
    origin: str | None
    request_id: str | None
    facts: dict[str, str | int | float | bool | None]


class AuditPage(BaseModel):
    """A page of the trail, newest first."""

    events: list[AuditLine]
    next: str | None
