"""Bad requests: always problem+json (or a page for a browser), never a traceback or an echo."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from structlog.testing import capture_logs

from tests.web import fakes
from web.app import create_app
from web.problems import FieldError, Unavailable
from web.services import Refusal, Refused

MARKER = "marker-5f1c"
BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
SOURCE = {"authorization": f"Bearer {fakes.KEY}", "content-type": "application/json"}


def client(**parts: Any) -> TestClient:
    return TestClient(create_app(fakes.services(**parts)))


@pytest.mark.parametrize(
    ("method", "path", "options", "status"),
    [
        ("GET", f"/{MARKER}", {}, 404),
        ("GET", f"/static/{MARKER}", {}, 404),
        ("DELETE", "/screening", {}, 405),
        ("POST", "/screening", {"content": MARKER, "headers": {"content-type": "text/plain"}}, 415),
        ("POST", "/screening", {"content": MARKER, "headers": {"content-type": "multipart/form-data"}}, 400),
        ("POST", "/v1/submissions", {"content": b"{}"}, 401),
        ("POST", "/v1/submissions", {"content": b"{}", "headers": {"authorization": f"Basic {MARKER}"}}, 401),
        ("POST", "/v1/submissions", {"content": b"{}", "headers": {"authorization": f"Bearer {MARKER}"}}, 415),
        ("POST", "/v1/submissions", {"content": MARKER, "headers": SOURCE | {"content-type": "text/plain"}}, 415),
        ("POST", "/v1/submissions", {"content": b"{}", "headers": SOURCE | {"idempotency-key": "k" * 300}}, 400),
        ("GET", f"/v1/submissions/{MARKER}", {"headers": SOURCE}, 422),
        ("GET", "/v1/submissions/6c1d7f5e-3a40-4b8b-9d2c-2f7a3f1b0a11", {"headers": SOURCE}, 404),
        ("POST", "/v1/submissions", {"content": b"x" * (256 * 1024 + 1), "headers": SOURCE}, 413),
        ("GET", "/s/x/code", {}, 405),
    ],
)
def test_a_bad_request_gets_a_problem_that_echoes_nothing(
    method: str, path: str, options: dict[str, Any], status: int
) -> None:
    answer = client().request(method, path, **options)
    problem = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert problem["type"].startswith("urn:careroute:problem:")
    assert {"title", "detail", "request_id"} <= problem.keys()
    assert problem["status"] == status
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert MARKER not in answer.text
    assert "traceback" not in answer.text.lower()
    assert (status == 405) == ("allow" in answer.headers)
    assert (status == 401) == ("www-authenticate" in answer.headers)


@pytest.mark.parametrize("path", [f"/{MARKER}", "/static/none.css"])
def test_a_browser_gets_a_page_in_its_language(path: str) -> None:
    answer = client().get(path, headers=BROWSER | {"accept-language": "es"})
    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "No hay ninguna página en esta dirección" in answer.text
    assert MARKER not in answer.text


def test_a_browser_whose_form_cannot_be_read_is_told_what_to_do() -> None:
    answer = client().post("/screening", content="x", headers=BROWSER | {"content-type": "text/plain"})
    assert "Oops! Something went wrong while submitting the form." in answer.text
    assert answer.status_code == 415


def test_the_api_never_answers_with_a_page() -> None:
    assert client().get("/v1/nothing", headers=BROWSER).headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        (Refusal.UNKNOWN_SENDER, 401),
        (Refusal.UNKNOWN_SOURCE, 404),
        (Refusal.BAD_SIGNATURE, 401),
        (Refusal.STALE_SIGNATURE, 401),
        (Refusal.MALFORMED, 400),
        (Refusal.INVALID, 422),
    ],
)
def test_what_the_core_refuses_names_fields_and_rules(reason: Refusal, status: int) -> None:
    refused = Refused(reason, "What to do.", (FieldError("severity", "Please enter a number from 0 to 10."),))
    for path in ("/v1/submissions", "/v1/hooks/any"):
        answer = client(intake=fakes.MemoryIntake(refusal=refused)).post(path, content=b"{}", headers=SOURCE)
        assert answer.status_code == status
        assert answer.json()["errors"] == [{"field": "severity", "message": "Please enter a number from 0 to 10."}]


def test_an_unavailable_core_is_503_with_retry_after() -> None:
    intake = fakes.MemoryIntake(failure=Unavailable(retry_after=4))
    answer = client(intake=intake).post("/v1/submissions", content=b"{}", headers=SOURCE)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "4")


def test_a_body_without_a_length_is_counted_while_it_is_read() -> None:
    def chunks() -> Iterator[bytes]:
        yield from (b"x" * 1024 for _ in range(257))

    intake = fakes.MemoryIntake()
    for path, content_type in (
        ("/v1/submissions", "application/json"),
        ("/v1/hooks/any", "application/json"),
        ("/screening", "application/x-www-form-urlencoded"),
    ):
        answer = client(intake=intake).post(path, content=chunks(), headers=SOURCE | {"content-type": content_type})
        assert "content-length" not in answer.request.headers
        assert (answer.status_code, answer.headers["content-type"]) == (413, "application/problem+json")
    assert intake.bodies == {}


def test_a_body_of_just_the_limit_is_taken() -> None:
    answer = client().post("/v1/hooks/any", content=b"x" * 256 * 1024)
    assert answer.status_code == 200


@pytest.mark.parametrize("headers", [{}, BROWSER])
def test_an_unexpected_error_says_nothing_of_its_cause_to_anybody(headers: dict[str, str]) -> None:
    intake = fakes.MemoryIntake(failure=RuntimeError(f"parameters: {MARKER}"))
    with capture_logs() as logs:
        answer = client(intake=intake).post("/v1/hooks/any", content=b"{}", headers=headers)
    assert (answer.status_code, answer.headers["cache-control"]) == (500, "no-store")
    assert MARKER not in answer.text + str(logs)
    (line,) = (log for log in logs if log["log_level"] == "error")
    (cause,) = line["causes"]
    assert cause["error"] == "RuntimeError"
    assert "fakes.py" in cause["at"]
