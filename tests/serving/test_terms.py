"""Terms of use: no pixel of a restricted collection for an account that did not accept the version in force."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient

from braingranary.devstack.servers.postgres import PostgresServer
from braingranary.devstack.servers.s3 import ObjectServer
from tests.serving import members
from tests.serving.own_site import own_site
from tests.serving.serving_site import ServingSite
from tests.unit.catalog import synthetic

pytestmark = pytest.mark.stack
TERMS = "hcp-open-access"
ACCEPT = f"/api/v1/terms/{TERMS}/acceptance"
ZIP = "/api/v1/downloads.zip?shown_plane=axial"


@pytest.fixture(scope="module")
def restricted(postgres_server: PostgresServer, object_server: ObjectServer) -> Iterator[ServingSite]:
    """A site whose series 0 comes from the archive hcp."""
    with own_site(postgres_server, object_server, numbers=range(3)) as site:
        with psycopg.connect(site.dsn, autocommit=True) as connection:
            connection.execute("UPDATE collection SET archive = 'hcp' WHERE name = 'Set-0'")
        yield site


@pytest.fixture(scope="module")
def app(restricted: ServingSite) -> Iterator[Flask]:
    app = restricted.app()
    yield app
    app.extensions["granary"].close()


@pytest.fixture
def stranger(app: Flask) -> FlaskClient:
    return app.test_client()


def uids(data: bytes) -> set[str]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name.split("/")[2] for name in archive.namelist() if "/" in name}


def test_restricted_zip_is_refused_whole_and_says_how_to_get_it(stranger: FlaskClient, app: Flask) -> None:
    member = members.join(app)
    for headers in ({}, member.headers):
        for method in (stranger.get, stranger.head):
            answer = method(ZIP, headers=headers)
            assert answer.status_code == 403
        body = stranger.get(ZIP, headers=headers).get_json()
        assert body["code"] == "terms_not_accepted"
        assert all(word in body["detail"] for word in ("Set-0", "/api/v1/terms", ACCEPT))
        assert "Set-1" not in body["detail"]
        assert ("sign in" in body["detail"]) is (headers == {})
    assert stranger.get("/Images/withtumor_ax").status_code == 403
    assert stranger.get(f"{ZIP}&collection=Set-1").status_code == 200


def test_restricted_zip_may_leave_out_what_was_not_accepted(stranger: FlaskClient) -> None:
    answer = stranger.get(f"{ZIP}&restricted=omit")
    assert (answer.status_code, uids(answer.data)) == (200, {synthetic.uid(1), synthetic.uid(2)})
    plan = stranger.get("/api/v1/downloads?shown_plane=axial&restricted=omit").get_json()
    assert (plan["omitted"], plan["needs_terms"], plan["bytes"]) == (["Set-0"], [], len(answer.data))
    whole = stranger.get("/api/v1/downloads?shown_plane=axial").get_json()
    assert whole["needs_terms"] == [TERMS]
    assert '-H "auth-token: $TOKEN"' in whole["curl"]
    assert "auth-token" not in plan["curl"]


def test_accepting_opens_the_zip_for_that_account_alone(
    stranger: FlaskClient, app: Flask, restricted: ServingSite
) -> None:
    member, other = members.join(app), members.join(app)
    listed = stranger.get("/api/v1/terms", headers=member.headers).get_json()["terms"]
    assert [(item["name"], item["collections"], item["accepted_at"]) for item in listed] == [(TERMS, ["Set-0"], None)]
    version = listed[0]["version"]
    assert listed[0]["acceptance_url"] == ACCEPT
    assert stranger.post(ACCEPT, json={"version": version}).status_code == 401
    wrong = stranger.post(ACCEPT, json={"version": "0"}, headers=member.headers)
    assert (wrong.status_code, wrong.get_json()["code"]) == (400, "request_invalid")
    first, again = (stranger.post(ACCEPT, json={"version": version}, headers=member.headers) for _ in range(2))
    assert first.get_json()["accepted_at"] == again.get_json()["accepted_at"] is not None

    answer = stranger.get(ZIP, headers=member.headers)
    assert (answer.status_code, len(uids(answer.data))) == (200, 3)
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert stranger.get(ZIP, headers=other.headers).status_code == 403
    assert stranger.get(f"{ZIP}&collection=Set-1").headers["Cache-Control"] == "private, no-cache"
    with psycopg.connect(restricted.dsn) as connection:
        rows = connection.execute(
            "SELECT event, facts FROM account.audit WHERE account_id = %s ORDER BY audit_id", [member.account_id]
        ).fetchall()
    events = [(event, facts) for event, facts in rows if event in {"terms_accepted", "download"}]
    assert [event for event, _ in events] == ["terms_accepted", "download"]
    assert events[0][1] == {"terms": TERMS, "version": version}
    told = events[1][1]
    assert (told["query"], told["slices"], told["bytes_sent"]) == ("filters: shown_plane", 18, len(answer.data))


def test_new_version_of_terms_has_to_be_accepted_anew(
    stranger: FlaskClient, app: Flask, restricted: ServingSite
) -> None:
    member = members.join(app)
    assert stranger.post(ACCEPT, json={"version": "1"}, headers=member.headers).status_code == 200
    with psycopg.connect(restricted.dsn, autocommit=True) as connection:
        connection.execute("UPDATE terms SET in_force = false WHERE version = '1'")
        connection.execute(
            "INSERT INTO terms (name, version, title, url) SELECT name, '2', title, url FROM terms WHERE version = '1'"
        )
        try:
            assert stranger.get(ZIP, headers=member.headers).status_code == 403
            assert stranger.post(ACCEPT, json={"version": "1"}, headers=member.headers).status_code == 400
            assert stranger.post(ACCEPT, json={"version": "2"}, headers=member.headers).status_code == 200
            assert stranger.get(ZIP, headers=member.headers).status_code == 200
        finally:
            connection.execute("DELETE FROM terms WHERE version = '2'")
            connection.execute("UPDATE terms SET in_force = true")


def test_single_collection_of_an_open_archive_may_be_restricted(stranger: FlaskClient, restricted: ServingSite) -> None:
    with psycopg.connect(restricted.dsn, autocommit=True) as connection:
        connection.execute("INSERT INTO restricted_collection VALUES ('tcia', 'Set-1', %s)", [TERMS])
        try:
            body = stranger.get(ZIP).get_json()
            assert (body["status"], "Set-0, Set-1" in body["detail"]) == (403, True)
            assert stranger.get(f"{ZIP}&collection=Set-2").status_code == 200
        finally:
            connection.execute("DELETE FROM restricted_collection WHERE archive = 'tcia'")


def test_pixels_of_a_restricted_series_are_refused_on_every_route(stranger: FlaskClient, app: Flask) -> None:
    """Slices of restricted collections, by whatever route they are asked for."""
    member = members.join(app)
    stranger.post(ACCEPT, json={"version": "1"}, headers=member.headers)
    for number, status in ((0, 403), (1, 200)):
        series = stranger.get(f"/api/v1/series/{synthetic.uid(number)}").get_json()
        slices = stranger.get(series["slices_url"]).get_json()["slices"]
        answer = stranger.get(slices[0]["url"])
        assert (answer.status_code, number) == (status, number)
        for rest in ("sheet.jpg", "volume.nii.gz"):
            refused = stranger.get(f"/api/v1/series/{synthetic.uid(number)}/{rest}").status_code == 403
            assert (refused, number, rest) == (status == 403, number, rest)
        accepted = stranger.get(slices[0]["url"], headers=member.headers)
        assert accepted.status_code == 200
        assert ("public" in accepted.headers["Cache-Control"]) is (number == 1)


def test_unknown_terms_are_not_found(stranger: FlaskClient, app: Flask) -> None:
    member = members.join(app)
    assert stranger.get("/api/v1/terms/other").status_code == 404
    assert (
        stranger.post("/api/v1/terms/other/acceptance", json={"version": "1"}, headers=member.headers).status_code
        == 404
    )
    assert stranger.get(f"/api/v1/terms/{TERMS}").get_json()["version"] == "1"
