"""Access tokens: JSON Web Tokens of one algorithm, signed with keys of our own that are known by their ids.

Goes in: an account's number and token generation. Comes out: a token, and from a token its claims. A token holds no
role: what its account may do is asked of the database at every use, so a change holds at once. Fails with
RejectedInput(TOKEN_INVALID), always with the same words: a forger learns nothing from them.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import jwt

from braingranary.errors import Code, RejectedInput
from braingranary.settings import AccountsSettings, key_bytes

ALGORITHM: Final = "HS256"  # one party makes and checks tokens; a public key would only invite confusion with it
TOKEN_CHARACTERS_MAX: Final = 2048
LEEWAY_S: Final = 5  # clocks of two machines
_CLAIMS: Final = ["exp", "iat", "nbf", "aud", "iss", "jti", "sub", "gen"]
_HEADER: Final = frozenset({"alg", "typ", "kid"})  # none of jku, jwk, x5u, x5c, crit, b64, zip is ever looked at
_NUMBER: Final = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Claims:
    """What a valid token says."""

    account_id: int
    generation: int
    jti: uuid.UUID
    expires_at: datetime


class Tokens:
    """Makes and reads the tokens of one installation."""

    def __init__(
        self, *, keys: Mapping[str, bytes], current_kid: str, issuer: str, audience: str, lifetime: timedelta
    ) -> None:
        self._keys = dict(keys)
        self._current_kid = current_kid
        self._issuer = issuer
        self._audience = audience
        self.lifetime = lifetime

    @classmethod
    def from_settings(cls, settings: AccountsSettings) -> Tokens:
        """With the keys that the settings hold."""
        return cls(
            keys={kid: key_bytes(secret) for kid, secret in settings.keys.items()},
            current_kid=settings.current_kid,
            issuer=settings.issuer,
            audience=settings.audience,
            lifetime=timedelta(minutes=settings.token_minutes),
        )

    def issue(self, *, account_id: int, generation: int, lifetime: timedelta | None = None) -> str:
        """A token that starts now."""
        now = datetime.now(UTC)
        claims = {
            "sub": str(account_id),
            "gen": generation,
            "jti": str(uuid.uuid4()),
            "iat": now,
            "nbf": now,
            "exp": now + (lifetime or self.lifetime),
            "iss": self._issuer,
            "aud": self._audience,
        }
        key = self._keys[self._current_kid]
        return jwt.encode(claims, key, algorithm=ALGORITHM, headers={"kid": self._current_kid})

    def read(self, token: str) -> Claims:
        """Claims of a token that is ours, whole, and valid now. Whether its account still stands is not known here."""
        try:
            payload = self._verified(token)
            return Claims(
                account_id=int(_matched(payload["sub"])),
                generation=_integer(payload["gen"]),
                jti=uuid.UUID(payload["jti"]),
                expires_at=datetime.fromtimestamp(_integer(payload["exp"]), UTC),
            )
        except (jwt.PyJWTError, ValueError, TypeError, KeyError, OverflowError, AttributeError, RecursionError):
            # What comes is anybody's: whatever it breaks on, it is no token of ours.
            raise RejectedInput(Code.TOKEN_INVALID, "the token is not valid (any more); sign in again") from None

    def _verified(self, token: str) -> dict[str, Any]:
        if len(token) > TOKEN_CHARACTERS_MAX:
            raise ValueError("no token of ours is that long")
        header = jwt.get_unverified_header(token)
        if set(header) != _HEADER or header["alg"] != ALGORITHM or header["typ"] != "JWT":
            raise ValueError("no header of ours")
        # The id only chooses among our own keys: it is no path, no address and no query.
        key = self._keys[header["kid"]]
        payload: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[ALGORITHM],
            audience=self._audience,
            issuer=self._issuer,
            leeway=LEEWAY_S,
            options={"require": _CLAIMS, "strict_aud": True},
        )
        return payload


def _matched(value: object) -> str:
    if not isinstance(value, str) or not _NUMBER.fullmatch(value):
        raise ValueError("no number of an account")
    return value


def _integer(value: object) -> int:
    if type(value) is not int:  # a bool is an int too
        raise ValueError("no integer")
    return value
