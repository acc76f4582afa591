"""Bad input, against the real application: named by field and rule, never an echo, never a server error."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from httpx2 import Response

from pipeline.context import Context
from pipeline.db import Database
from pipeline.models import SealedDocument, Submission
from tests.config.shipped import KEY
from tests.support.submissions import answers, body
from tests.support.work import drain, emails, statuses, table
from tests.web.fakes import COMPLETE_FORM
from tests.web.real_app import RealApp, webflow_body

MARKER = "Zq7Marker"
Send = Callable[[RealApp], Response]


def answered(**changes: object) -> Send:
    return lambda app: app.push(body(answers(**changes)))


def raw(content: bytes, **headers: str) -> Send:
    return lambda app: app.push(content, **headers)


REFUSED: dict[str, tuple[Send, int, list[tuple[str, str]]]] = {
    "malformed JSON": (raw(b'{"answers": {"first_name": "%s"' % MARKER.encode()), 400, [("body", "not_json")]),
    "empty": (raw(b""), 400, [("body", "not_json")]),
    "not UTF-8": (raw(b'{"answers": {"first_name": "%s\xff"}}' % MARKER.encode()), 400, [("body", "not_utf8")]),
    "half a surrogate pair": (raw(rb'{"answers": {"first_name": "\ud800"}}'), 400, [("body", "not_text")]),
    "not an object": (raw(json.dumps([MARKER]).encode()), 400, [("body", "not_an_object")]),
    "duplicate keys": (
        raw(b'{"answers": {"email": "%b@example.org", "email": "a@example.org"}}' % MARKER.encode()),
        400,
        [("body", "duplicate_key")],
    ),
    "deep nesting": (raw(b'{"answers": ' * 20_000), 400, [("body", "too_deep")]),
    "nesting": (raw(b'{"a":' * 30 + b"1" + b"}" * 30), 400, [("body", "too_deep")]),
    "NaN": (raw(b'{"answers": {"severity": NaN}}'), 400, [("body", "not_a_number")]),
    "a number of 5,000 digits": (
        raw(b'{"answers": {"severity": %s}}' % (b"9" * 5000)),
        400,
        [("body", "not_a_number")],
    ),
    "a field of no schema": (raw(json.dumps({MARKER: 1}).encode()), 400, [("body", "unknown_field")]),
    "no answers": (raw(b"{}"), 400, [("answers", "required")]),
    "answers of another type": (raw(json.dumps({"answers": MARKER}).encode()), 400, [("answers", "wrong_type")]),
    "a vendor id of control characters": (
        raw(json.dumps({"answers": answers(), "submission_id": f"{MARKER}\n"}).encode()),
        400,
        [("submission_id", "control_characters")],
    ),
    "wrong content type": (raw(MARKER.encode(), content_type="text/plain"), 415, []),
    "compressed": (raw(b"\x1f\x8b" + MARKER.encode(), content_encoding="gzip"), 400, [("body", "not_utf8")]),
    "over 256 KiB": (answered(first_name=MARKER + "x" * 262_144), 413, []),
    "wrong key": (raw(body(answers(first_name=MARKER)), authorization=f"Bearer {MARKER}"), 401, []),
    "no key": (raw(body(answers(first_name=MARKER)), authorization=""), 401, []),
    "a key of another kind": (raw(body(answers()), authorization=f"Basic {MARKER}"), 401, []),
    "unknown condition": (answered(condition=MARKER), 422, [("condition", "unknown_condition")]),
    "unknown option": (answered(submitter=MARKER), 422, [("submitter", "unknown_option")]),
    "unknown question": (answered(**{MARKER.lower(): "x"}), 422, [(MARKER.lower(), "unknown_field")]),
    "a question nobody wrote in a program": (answered(**{f"{MARKER} x": "x"}), 422, [("answers", "unknown_field")]),
    "impossible date": (answered(date_of_birth="1975-02-30"), 422, [("date_of_birth", "not_a_date")]),
    "10,000-character name": (answered(first_name=MARKER * 1112), 422, [("first_name", "too_long")]),
    "NUL": (answered(last_name=f"{MARKER}\0"), 422, [("last_name", "control_characters")]),
    "control characters": (answered(last_name=f"{MARKER}\x1b[2J"), 422, [("last_name", "control_characters")]),
    "not an address": (answered(email=MARKER), 422, [("email", "not_an_email")]),
    "a list for one answer": (answered(country=[MARKER]), 422, [("country", "wrong_type")]),
    "out of range": (answered(severity=11), 422, [("severity", "out_of_range")]),
    "several at once": (
        answered(condition=MARKER, phone=MARKER),
        422,
        [("phone", "not_a_phone"), ("condition", "unknown_condition")],
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_a_program_got_wrong_is_named_and_nothing_is_kept(sqlite_context: Context, case: str) -> None:
    send, status, errors = REFUSED[case]
    app = RealApp(sqlite_context)
    answer = send(app)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert [(error["field"], error["message"].split(":")[0]) for error in document.get("errors", [])] == errors
    if case != "unknown question":  # a name that a program could have is named
        assert MARKER.lower() not in (answer.text + str(answer.headers)).lower()
    assert table(sqlite_context.database, Submission.table()) == []
    assert app.woken == []


@pytest.mark.parametrize(
    ("send", "status", "problem"),
    [
        (lambda app, content: app.hook(content, source="nobody"), 404, "unknown-source"),
        (lambda app, content: app.hook(content, source=MARKER), 404, "unknown-source"),
        (lambda app, content: app.hook(content, source="network-site"), 404, "unknown-source"),
        (lambda app, content: app.hook(content, x_webflow_signature="0" * 64), 401, "bad-signature"),
        (lambda app, content: app.hook(content, x_webflow_signature=""), 401, "bad-signature"),
        (lambda app, content: app.hook(content, x_webflow_timestamp="now"), 401, "bad-signature"),
        (lambda app, content: app.hook(content, age_seconds=301), 401, "stale-signature"),
        (lambda app, content: app.hook(content, age_seconds=-301), 401, "stale-signature"),
        (lambda app, content: app.hook(content + b" " * 262_144), 413, "too-large"),
    ],
)
def test_a_hook_without_a_live_signature_keeps_nothing(
    sqlite_context: Context, send: Callable[[RealApp, bytes], Response], status: int, problem: str
) -> None:
    app = RealApp(sqlite_context)
    answer = send(app, webflow_body(answers(first_name=MARKER)))
    assert (answer.status_code, answer.json()["type"]) == (status, f"urn:careroute:problem:{problem}")
    assert answer.headers["content-type"] == "application/problem+json"
    assert MARKER not in answer.text
    assert table(sqlite_context.database, Submission.table()) == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not JSON " + MARKER.encode(),
        b"\xff\xfe\x00",
        b'{"a": 1, "a": 2}',
        b"[" * 100_000,
        b'{"triggerType": "page_published"}',
        b'{"payload": {"data": {"Favourite colour": "red"}}}',
        b'{"payload": {"id": "x1", "data": {"First Name": "Ada"}}}',
    ],
)
def test_what_an_authenticated_source_sends_is_kept_and_quarantined(sqlite_context: Context, content: bytes) -> None:
    app = RealApp(sqlite_context)
    answer = app.hook(content)
    assert answer.status_code == 200, answer.text
    assert answer.json().keys() == {"id", "reference", "status"}
    drain(sqlite_context)
    assert statuses(sqlite_context) == {"quarantined": 1}
    assert [row.part for row in table(sqlite_context.database, SealedDocument.table())] == ["body"]


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"first_name": "מרים", "last_name": "بنت محمد"}, "candidate"),
        ({"first_name": "🦋 Zoë", "last_name": "O'Neill-Ñandú"}, "candidate"),
        ({"consent_share": None}, "rejected"),
        ({"consent_share": "2001-01-01"}, "rejected"),
        ({"date_of_birth": "2999-01-01"}, "rejected"),
        ({"date_of_birth": "2020-01-01"}, "rejected"),
        ({"severity": None}, "rejected"),
    ],
)
def test_what_is_between_us_and_the_person_is_kept_and_answered(
    sqlite_context: Context, changes: dict[str, object], status: str
) -> None:
    app = RealApp(sqlite_context)
    assert app.push(body(answers(**changes))).status_code == 202
    drain(sqlite_context)
    assert statuses(sqlite_context) == {status: 1}
    first = {"candidate": "confirmation", "rejected": "please-correct"}[status]
    assert (first, "person", "handed_over") in emails(sqlite_context)


@pytest.mark.parametrize("where", ["json", "webflow", "form", "status", "link", "ready"])
def test_without_a_database_the_answer_is_503_and_says_when_to_come_back(sqlite_context: Context, where: str) -> None:
    gone = Database("postgresql+psycopg://nobody@127.0.0.1:1/nothing")
    app = RealApp(replace(sqlite_context, database=gone))
    key = {"authorization": f"Bearer {KEY}"}
    send: dict[str, Callable[[], Response]] = {
        "json": lambda: app.push(body(answers(first_name=MARKER)), idempotency_key="k"),
        "webflow": lambda: app.hook(webflow_body(answers(first_name=MARKER))),
        "form": lambda: app.client.post("/screening", data=COMPLETE_FORM),
        "status": lambda: app.client.get("/v1/submissions/01890000-0000-7000-8000-000000000000", headers=key),
        "link": lambda: app.client.get("/s/" + "A" * 43),
        "ready": lambda: app.client.get("/readyz"),
    }
    answer = send[where]()
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert MARKER not in answer.text
