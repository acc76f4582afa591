"""Pushing a submission and asking for its status."""

from uuid import UUID

from fastapi.testclient import TestClient
from jsonschema import Draft202012Validator

from tests.web import fakes
from web.app import create_app
from web.openapi import body_schema

SOURCE = {"authorization": f"Bearer {fakes.KEY}", "content-type": "application/json; charset=utf-8"}
BODY = b'{"answers": {"first_name": "Ada"}}'


def test_a_push_is_accepted_and_its_status_can_be_asked_by_its_source_only() -> None:
    client = TestClient(create_app(fakes.services()))
    answer = client.post("/v1/submissions", content=BODY, headers=SOURCE)
    pushed = answer.json()
    assert answer.status_code == 202
    assert pushed.keys() == {"id", "reference", "status", "status_url"}
    assert answer.headers["location"] == pushed["status_url"] == f"http://testserver/v1/submissions/{pushed['id']}"
    status = client.get(pushed["status_url"], headers=SOURCE)
    assert (status.status_code, status.json()["reference"]) == (200, pushed["reference"])
    assert client.get(pushed["status_url"], headers={"authorization": "Bearer other"}).status_code == 404
    assert client.get(pushed["status_url"]).status_code == 401
    for scheme in ("Basic ", "", "Bearer"):
        other = SOURCE | {"authorization": f"{scheme}{fakes.KEY}"}
        assert client.post("/v1/submissions", content=BODY, headers=other).status_code == 401
        assert client.get(pushed["status_url"], headers=other).status_code == 401


def test_a_repeat_answers_as_the_first_and_another_body_under_its_key_is_422() -> None:
    client = TestClient(create_app(fakes.services()))
    headers = SOURCE | {"idempotency-key": "order-66"}
    first, second = (client.post("/v1/submissions", content=BODY, headers=headers) for _ in range(2))
    assert (first.status_code, first.json()) == (second.status_code, second.json())
    other = client.post("/v1/submissions", content=b'{"answers": {}}', headers=headers)
    assert (other.status_code, other.json()["type"]) == (422, "urn:careroute:problem:idempotency-key-reused")


def test_a_hook_is_answered_with_200() -> None:
    answer = TestClient(create_app(fakes.services())).post("/v1/hooks/webflow-site", content=BODY)
    assert answer.status_code == 200
    assert UUID(answer.json()["id"])


def test_the_description_of_the_api_follows_the_questions() -> None:
    document = TestClient(create_app(fakes.services())).get("/openapi.json").json()
    operation = document["paths"]["/v1/submissions"]["post"]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    assert schema == body_schema(fakes.screening())
    assert schema["properties"]["answers"]["properties"].keys() == set(fakes.screening().ids)
    assert operation["security"]
    Draft202012Validator.check_schema(schema)
    assert "/screening" not in document["paths"]
    assert not any(path.startswith("/s/") for path in document["paths"])
