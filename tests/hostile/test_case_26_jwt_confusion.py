"""Case 26: tokens of other algorithms, keys, headers and claims. All are 401, and none is accepted."""

from __future__ import annotations

import base64
import json
import time
import uuid
from collections.abc import Iterator
from typing import Any, Final

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from flask_openapi3.openapi import OpenAPI
from pydantic import SecretStr

from braingranary.accounts import directory
from braingranary.accounts.audit import Actor
from braingranary.accounts.records import Role
from braingranary.settings import key_bytes
from tests.serving.accounts_app import accounts_app
from tests.serving.members import Member, identity_of, join
from tests.serving.serving_site import generated_keys

pytestmark = [pytest.mark.hostile, pytest.mark.stack]

KID: Final = "test-1"
ABSENT: Final = object()


def encoded(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class Forge:
    """Makes tokens for one account: with the true key where the claims are false, with others where they are true."""

    def __init__(self, member: Member, key: bytes) -> None:
        self.member, self.key = member, key

    def claims(self, **changed: Any) -> dict[str, Any]:
        now = int(time.time())
        good = {
            "sub": str(self.member.account_id), "gen": 0, "jti": str(uuid.uuid4()), "iat": now, "nbf": now,
            "exp": now + 600, "iss": "braingranary", "aud": "braingranary", **changed,
        }  # fmt: skip
        return {name: value for name, value in good.items() if value is not ABSENT}

    def signed(self, header: Any = None, claims: Any = None, *, key: bytes | None = None) -> str:
        """HMAC-SHA-256 over whatever header and claims, as a library that checks nothing would make it."""
        head = {"alg": "HS256", "typ": "JWT", "kid": KID} if header is None else header
        signing = f"{encoded(head)}.{encoded(self.claims() if claims is None else claims)}"
        hmac_sha256 = jwt.get_algorithm_by_name("HS256")
        return f"{signing}.{encoded(hmac_sha256.sign(signing.encode(), self.key if key is None else key))}"


def of_algorithm(forge: Forge) -> Iterator[str]:
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    for none in ("none", "None", "NONE", "nOnE", "", None, 0, ["HS256"], {"HS256": 1}):
        head = {"alg": none, "typ": "JWT", "kid": KID}
        unsigned = f"{encoded(head)}.{encoded(forge.claims())}"
        yield f"{unsigned}."
        yield unsigned
        yield forge.signed(head)
    for algorithm in ("HS384", "HS512"):
        yield jwt.encode(forge.claims(), forge.key * 2, algorithm=algorithm, headers={"kid": KID})
    yield jwt.encode(forge.claims(), private, algorithm="RS256", headers={"kid": KID})
    yield forge.signed(key=public)  # the classic: an HMAC keyed with a key that everybody knows
    for key in (b"", b"secret", KID.encode(), bytes(32), encoded(forge.key).encode(), forge.key[:-1]):
        yield forge.signed(key=key)


def of_header(forge: Forge) -> Iterator[str]:
    good = {"alg": "HS256", "typ": "JWT", "kid": KID}
    jwk = {"kty": "oct", "k": encoded(b"mine"), "alg": "HS256"}
    for kid in (
        ABSENT, "", "test-2", "../../../../dev/null", "/dev/null", "test-1\x00", "' OR '1'='1", "test-1 ", "TEST-1", 1,
        None, True, ["test-1"], {"test-1": 1}, "x" * 10_000, "http://203.0.113.7/key",
    ):  # fmt: skip
        head = {name: value for name, value in {**good, "kid": kid}.items() if value is not ABSENT}
        for key in (forge.key, b"", bytes(32)):
            # With our own key and our own id nothing would be wrong with it.
            yield forge.signed(head, key=key)
    extended: tuple[dict[str, Any], ...] = (
        {"crit": ["exp"]}, {"crit": []}, {"crit": ["b64"], "b64": False}, {"b64": False}, {"jwk": jwk},
        {"jku": "http://203.0.113.7/keys"}, {"x5u": "http://203.0.113.7/cert"}, {"x5c": ["AAAA"]}, {"zip": "DEF"},
        {"cty": "JWT"}, {"typ": "at+jwt"}, {"typ": None}, {"alg": "hs256"}, {"enc": "A128GCM"},
    )  # fmt: skip
    for more in extended:
        yield forge.signed({**good, **more})
        yield forge.signed({**good, **more}, key=b"mine")
    heads: tuple[Any, ...] = (
        [], "HS256", 7, b"\xff\xfe", b"{", b"null", b'{"alg":"HS256","typ":"JWT","kid":"test-1","crit":["x"]}',
    )  # fmt: skip
    for other in heads:
        yield forge.signed(other)


def of_claims(forge: Forge) -> Iterator[str]:
    now = int(time.time())
    wrong: dict[str, tuple[Any, ...]] = {
        "exp": (ABSENT, None, 0, -1, now - 60, str(now - 60), now - 60.5, "never", [now + 600], {}, True, 10**400),
        "iat": (ABSENT, None, now + 600, "x", [], {}),
        "nbf": (ABSENT, None, now + 600, "x", [], {}),
        "aud": (ABSENT, None, "", "other", ["braingranary"], ["braingranary", "other"], {"braingranary": 1}, "*", True),
        "iss": (ABSENT, None, "", "other", "braingranary ", ["braingranary"], True),
        "jti": (ABSENT, None, "", 7, "not a uuid", ["x"], {}),
        "sub": (
            ABSENT, None, "", "0", "-1", " 1", "1 OR 1=1", "1.0", "\u0661", "9" * 19, "999999", True, [],
            forge.member.account_id,
        ),
        "gen": (ABSENT, None, "0", 0.0, False, -1, 1, 10**30, [], {}),
    }  # fmt: skip
    for name, values in wrong.items():
        for value in values:
            yield forge.signed(claims=forge.claims(**{name: value}))
    payloads: tuple[Any, ...] = (
        [], "x", 7, b"", b"null", b"{", b"[" * 3000, b"\xff", {**forge.claims(), "role": "admin", "gen": "0"},
    )  # fmt: skip
    for claims in payloads:
        yield forge.signed(claims=claims)


def of_shape(forge: Forge) -> Iterator[str]:
    head, claims, signature = forge.signed().split(".")
    other = encoded(forge.claims(sub="1"))
    yield from (
        "", ".", "..", "...", "null", "a.b.c", f"{head}.{claims}", f"{head}.{claims}.", f"{head}..{signature}",
        f".{claims}.{signature}", f"{head}.{other}.{signature}", f"{head}.{claims}.{signature}.x",
        f"{head}.{claims}.{signature[:-4]}", f"{head}.{claims}.{signature[::-1]}", f"{head}.{claims}.{'A' * 43}",
        f"{head}.{claims}.{signature}, {head}.{claims}.{signature}", f"{head} .{claims}.{signature}",
        forge.signed(claims=forge.claims(padding="x" * 3000)), "A" * 5000, "\u00e9.\u00e9.\u00e9",
    )  # fmt: skip


@pytest.fixture
def app(postgres_dsn: str) -> Iterator[tuple[OpenAPI, bytes]]:
    keys = generated_keys()
    with accounts_app(postgres_dsn, **keys) as app:
        yield app, key_bytes(SecretStr(keys["keys"][KID]))


def test_case_26_no_confused_token_is_accepted(app: tuple[OpenAPI, bytes]) -> None:
    application, key = app
    member, client = join(application, Role.ADMIN), application.test_client()
    forge = Forge(member, key)
    path = "/api/v1/accounts"
    # The forge itself is right: what it signs with true claims opens the door.
    assert client.get(path, headers={"auth-token": forge.signed()}).status_code == 200
    accepted, other, tried = [], [], 0
    for make in (of_algorithm, of_header, of_claims, of_shape):
        for token in make(forge):
            if token == forge.signed():
                continue
            for headers in ({"auth-token": token}, {"Authorization": f"Bearer {token}"}):
                answer = client.get(path, headers=headers)
                tried += 1
                if answer.status_code == 200:
                    accepted.append(token)
                elif answer.status_code != 401 or (token[-20:] and token[-20:] in answer.text):
                    other.append((answer.status_code, token[:200]))
    assert accepted == []
    assert other == []
    print(f"case 26 jwt confusion: tried={tried} accepted={len(accepted)}")


def test_case_26_a_revoked_token_stays_revoked_in_another_spelling(app: tuple[OpenAPI, bytes]) -> None:
    application, key = app
    member, client = join(application), application.test_client()
    token = Forge(member, key).signed()
    identity = identity_of(application)
    with identity.connection() as connection:
        directory.revoke_token(connection, Actor(), identity.tokens.read(token))
    # The last letter of a signature has two bits that no decoder looks at.
    spellings = [token[:-1] + letter for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"]
    for spelling in (*spellings, token + "=", token + "\t"):
        assert client.get("/api/v1/account", headers={"auth-token": spelling}).status_code == 401
