"""What surrounds every request: headers, request ids, the access log, the rate limit, health, static files."""

from typing import Any

import pytest
from fastapi.testclient import TestClient
from structlog.testing import capture_logs

from tests.web import fakes
from web.app import create_app
from web.rate_limit import RateLimit


def client(**parts: Any) -> TestClient:
    return TestClient(create_app(fakes.services(**parts)))


@pytest.mark.parametrize(
    ("path", "status"), [("/screening", 200), ("/nothing", 404), ("/s/token", 404), ("/v1/submissions", 405)]
)
def test_every_answer_carries_the_security_headers(path: str, status: int) -> None:
    answer = client().get(path)
    assert answer.status_code == status
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "geolocation=()" in answer.headers["permissions-policy"]


@pytest.mark.parametrize("path", ["/screening", "/screening?lang=es", "/s/token"])
def test_no_page_has_inline_script_or_style_or_anything_from_elsewhere(path: str) -> None:
    page = client().get(path, headers={"accept": "text/html"}).text
    assert "<style" not in page
    assert " style=" not in page
    assert " on" + "click" not in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert page.count("<script") == page.count('<script src="/static/')


@pytest.mark.parametrize(("url", "sent"), [("https://screening.example.org", True), ("http://127.0.0.1:8000", False)])
def test_strict_transport_security_only_where_people_come_by_https(url: str, *, sent: bool) -> None:
    answer = client(with_settings=fakes.settings(public_url=url)).get("/healthz")
    assert ("strict-transport-security" in answer.headers) == sent


def test_the_access_line_has_the_route_and_not_the_path_and_a_fresh_id() -> None:
    with capture_logs() as logs:
        answer = client().get("/s/secret-token?lang=es", headers={"x-request-id": "planted"})
    (line,) = (log for log in logs if log["event"] == "request")
    assert (line["method"], line["route"], line["status"]) == ("GET", "/s/{token}", 404)
    assert line["duration_ms"] >= 0
    assert "secret-token" not in str(logs)
    assert "planted" not in str(logs) + answer.headers["x-request-id"]


def test_a_strange_method_is_not_written_to_the_log() -> None:
    with capture_logs() as logs:
        client().request("MARKER", "/screening")
    assert "MARKER" not in str(logs)


def test_the_window_of_the_rate_limit_moves() -> None:
    now = 0.0
    limit = RateLimit(2, clock=lambda: now)
    assert [limit.wait("192.0.2.1"), limit.wait("192.0.2.1")] == [None, None]
    assert limit.wait("192.0.2.1") == 60
    assert limit.wait("192.0.2.2") is None
    now = 59.5
    assert limit.wait("192.0.2.1") == 1
    now = 60.0
    assert limit.wait("192.0.2.1") is None


def test_addresses_of_one_ipv6_network_count_as_one() -> None:
    limit = RateLimit(1)
    assert limit.wait("2001:db8:1:2::1") is None
    assert limit.wait("2001:db8:1:2:ffff::2") is not None
    assert limit.wait("2001:db8:1:3::1") is None
    assert limit.wait("::ffff:192.0.2.1") is None
    assert limit.wait("::ffff:192.0.2.2") is None


def test_readiness_names_what_is_missing() -> None:
    broken = client(health=fakes.FixedHealth({"database": False, "keys": True}))
    assert client().get("/healthz").json() == {"status": "ok"}
    assert client().get("/readyz").status_code == 200
    answer = broken.get("/readyz")
    assert (answer.status_code, answer.json()["checks"]) == (503, {"database": False, "keys": True})


def test_static_files_may_be_kept_only_under_their_version() -> None:
    page = client().get("/screening").text
    start = page.index("/static/style.css?v=")
    versioned = client().get(page[start : page.index('"', start)])
    assert (versioned.status_code, "immutable" in versioned.headers["cache-control"]) == (200, True)
    assert "no-store" not in versioned.headers["cache-control"]
    assert client().get("/static/style.css?v=old").headers["cache-control"] == "no-store"
