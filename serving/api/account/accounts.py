"""`/api/v1/account`: one's own; `/api/v1/accounts`, `/api/v1/invitations`, `/api/v1/audit`: all, for administrators."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Literal, Self

from flask import Response, jsonify
from flask_openapi3.blueprint import APIBlueprint
from pydantic import BaseModel, Field, model_validator

from braingranary.accounts import audit, directory
from braingranary.accounts.directory import AccountDetails
from braingranary.accounts.passwords import check_new
from braingranary.accounts.records import Role
from braingranary.errors import Code, RejectedInput
from serving.api.account.authorization import TAG, AccessToken, Password, nothing, own_id, token_answer
from serving.api.schemas import Answer, NoParameters, PageParameters, Parameters, Problem
from serving.auth.identity import identity
from serving.auth.policies import Access, Rate, access, current_account, current_actor
from serving.auth.policies import audit as record
from serving.extensions import services
from serving.http import cursors
from serving.http.responses import NO_STORE, after_of, answer, page_of, unkept

api = APIBlueprint("accounts", __name__, url_prefix="/api/v1", abp_tags=[TAG])
RoleName = Literal["reader", "operator", "admin"]
AccountId = Annotated[str, Field(pattern=r"^[1-9][0-9]{0,17}$", description="number of an account")]


class Account(Answer):
    """An account."""

    account_id: int
    email: str
    role: RoleName
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

    role: RoleName | None = None
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

    role: RoleName = "reader"
    hours: Annotated[int, Field(ge=1, le=24 * 30)] = 72


class Invitation(BaseModel):
    """What the invited person sends along at POST /authorization; it is told only once."""

    invitation: str


class AuditParameters(PageParameters):
    """Which lines of the trail."""

    event: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")] | None = None
    account_id: AccountId | None = None


class AuditPage(BaseModel):
    """A page of the trail, newest first."""

    events: list[audit.AuditLine]
    next: str | None


@api.get("/account", summary="One's own account", responses={"200": Account})
@access(Access.READER)
def me(query: NoParameters) -> Response:  # noqa: ARG001 - named so that others are refused
    """The account that the token speaks for."""
    with services().accounts() as connection:
        found = directory.details(connection, own_id())
    return answer(Account.model_validate(found), cache_control=NO_STORE)


@api.put("/account/password", summary="Another password", responses={"200": AccessToken})
@access(Access.READER, rate=Rate.LOGIN)
def change_password(body: PasswordChange) -> Response:
    """All tokens so far are void; the answer is a new one."""
    found = _proven(body.password.get_secret_value())
    new = body.new_password.get_secret_value()
    check_new(new, email=found.email)
    password_hash = identity().sign_in_service.passwords.hash(new)
    with services().accounts() as connection:
        generation = directory.set_password(connection, current_actor(), found.account_id, password_hash)
    return token_answer(found.account_id, generation)


@api.delete("/account/tokens", summary="Sign out everywhere", responses={"204": None})
@access(Access.READER)
def revoke_own(query: NoParameters) -> Response:  # noqa: ARG001 - as above
    """Void every token of the account."""
    with services().accounts() as connection:
        directory.revoke_all(connection, current_actor(), own_id())
    return nothing()


@api.post("/account/removal", summary="Delete one's own account", responses={"204": None, "409": Problem})
@access(Access.READER, rate=Rate.LOGIN)
def remove_own(body: PasswordProof) -> Response:
    """The account goes with its e-mail address; what it did stays in the trail under its number."""
    account = current_account()
    if account is not None and account.role is Role.ADMIN:
        raise RejectedInput(Code.OWN_ACCOUNT, "another administrator has to take your role away first")
    found = _proven(body.password.get_secret_value())
    with services().accounts() as connection:
        directory.remove(connection, current_actor(), found.account_id)
    return nothing()


@api.get("/accounts", summary="All accounts", responses={"200": AccountPage})
@access(Access.ADMIN)
def list_accounts(query: PageParameters) -> Response:
    """Accounts by number."""
    with services().accounts() as connection:
        found = directory.page(connection, after=after_of(query.cursor), limit=query.limit + 1)
    page, more = page_of(found, query.limit, lambda item: item.account_id)
    shown = [Account.model_validate(item) for item in page]
    return answer(AccountPage(accounts=shown, next=more), cache_control=NO_STORE)


@api.get("/accounts/<account_id>", summary="One account", responses={"200": Account})
@access(Access.ADMIN)
def one_account(path: AccountPath, query: NoParameters) -> Response:  # noqa: ARG001 - as above
    """An account by its number."""
    with services().accounts() as connection:
        found = directory.details(connection, int(path.account_id))
    return answer(Account.model_validate(found), cache_control=NO_STORE)


@api.patch("/accounts/<account_id>", summary="Change an account", responses={"200": Account, "409": Problem})
@access(Access.ADMIN)
def change_account(path: AccountPath, body: AccountChange) -> Response:
    """Another role, or shut or open; it holds at once, also for tokens that are out. Not for one's own account."""
    account_id, actor = int(path.account_id), current_actor()
    with services().accounts() as connection:
        if body.role is not None:
            directory.set_role(connection, actor, account_id, Role(body.role))
        if body.disabled is not None:
            directory.set_disabled(connection, actor, account_id, disabled=body.disabled)
        found = directory.details(connection, account_id)
    return answer(Account.model_validate(found), cache_control=NO_STORE)


@api.delete("/accounts/<account_id>/tokens", summary="Sign an account out everywhere", responses={"204": None})
@access(Access.ADMIN)
def revoke_of(path: AccountPath, query: NoParameters) -> Response:  # noqa: ARG001 - as above
    """Void every token of an account."""
    with services().accounts() as connection:
        directory.revoke_all(connection, current_actor(), int(path.account_id))
    return nothing()


@api.post("/invitations", summary="Invite somebody", responses={"200": Invitation})
@access(Access.ADMIN)
def invite(body: InvitationWish) -> Response:
    """An invitation that registers one account."""
    with services().accounts() as connection:
        made = directory.invite(connection, current_actor(), role=Role(body.role), lifetime=timedelta(hours=body.hours))
    return unkept(jsonify(Invitation(invitation=made).model_dump()))


@api.get("/audit", summary="Who did what", responses={"200": AuditPage})
@access(Access.ADMIN)
def read_audit(query: AuditParameters) -> Response:
    """The audit trail, newest first."""
    before = int(cursors.decode(query.cursor, int)[0]) if query.cursor else audit.FIRST_PAGE
    with services().accounts() as connection:
        found = audit.page(
            connection,
            before=before,
            limit=query.limit + 1,
            event=query.event,
            account_id=int(query.account_id) if query.account_id else None,
        )
    page, more = page_of(found, query.limit, lambda item: item.audit_id)
    return answer(AuditPage(events=list(page), next=more), cache_control=NO_STORE)


def _proven(password: str) -> AccountDetails:
    """The account that asks, if it knows its password: a token alone must not be enough to take an account over."""
    with services().accounts() as connection:
        known = directory.by_id(connection, own_id())
        found = directory.details(connection, own_id())
    if not identity().sign_in_service.passwords.verify(known.password_hash if known else None, password):
        record("password_refused")
        # Not 401: the token is good, and a page that drops it on a 401 would sign its owner out for a slip.
        raise RejectedInput(Code.PASSWORD_INVALID, "the password is wrong")
    return found
