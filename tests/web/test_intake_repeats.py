"""Sent twice, kept once: what senders repeat is recognised, on both databases."""

from collections import Counter

from pipeline.audit.verify import verify_events
from pipeline.context import Context
from pipeline.models import AuditEvent, Job, Quarantine, SealedDocument, Submission
from tests.config.shipped import KEY
from tests.support.racing import at_once
from tests.support.submissions import answers, body
from tests.support.work import count, drain, status_of, table
from tests.web.fakes import COMPLETE_FORM
from tests.web.real_app import RealApp, webflow_body

CHANGED = answers(first_name="Another")


def kept(context: Context) -> tuple[int, ...]:
    """How much there is of everything that an arrival writes."""
    tables = (Submission, SealedDocument, Job, AuditEvent, Quarantine)
    return tuple(count(context.database, each.table()) for each in tables)


def test_a_repeat_under_the_same_key_answers_as_the_first_and_changes_nothing(context: Context) -> None:
    app = RealApp(context)
    first = app.push(body(answers()), idempotency_key="order-66")
    before = kept(context)
    again = app.push(body(answers()), idempotency_key="order-66")
    assert (first.status_code, first.json()) == (again.status_code, again.json())
    other = app.push(body(CHANGED), idempotency_key="order-66")
    assert (other.status_code, other.json()["type"]) == (422, "urn:careroute:problem:idempotency-key-reused")
    assert "Another" not in other.text
    assert kept(context) == before
    assert app.push(body(answers()), idempotency_key="order-67").json()["id"] != first.json()["id"]
    assert app.woken == ["validate", "validate"]


def test_the_same_delivery_of_a_webhook_is_kept_once_and_a_changed_one_as_a_quarantined_revision(
    context: Context,
) -> None:
    app = RealApp(context)
    original, revised = webflow_body(answers()), webflow_body(CHANGED)
    first, again = app.hook(original), app.hook(original, age_seconds=60)
    assert (first.status_code, again.status_code, first.json()) == (200, 200, again.json())
    revision, revision_again = app.hook(revised), app.hook(revised)
    assert revision.status_code == 200
    assert revision.json()["id"] != first.json()["id"]
    assert revision.json() == revision_again.json()
    assert revision.json()["status"] == "quarantined"
    assert app.hook(original).json()["id"] == first.json()["id"]
    drain(context)
    found = {str(row.id): row for row in table(context.database, Submission.table())}
    assert Counter(row.status for row in found.values()) == {"candidate": 1, "quarantined": 1}
    assert str(found[revision.json()["id"]].revision_of) == first.json()["id"]
    with context.database.snapshot() as connection:
        assert verify_events(connection, context.keys).findings == ()


def test_of_many_at_once_one_is_kept(context: Context) -> None:
    app = RealApp(context)
    results = at_once(6, lambda _: app.push(body(answers(), "v-1"), idempotency_key="one"))
    assert {result.status_code for result in results} == {202}
    assert len({result.json()["id"] for result in results}) == 1
    assert count(context.database, Submission.table()) == 1


def test_the_hosted_form_is_kept_once_however_often_it_is_sent(context: Context) -> None:
    app = RealApp(context)
    first, again = (app.client.post("/screening", data=COMPLETE_FORM) for _ in range(2))
    assert first.status_code == again.status_code == 200
    assert "Thank you! Your submission has been received!" in first.text
    row = table(context.database, Submission.table())[0]
    assert row.reference in first.text
    assert row.reference in again.text
    changed = app.client.post("/screening", data=COMPLETE_FORM | {"first_name": "Another"})
    assert changed.status_code == 409
    assert count(context.database, Submission.table()) == 1
    drain(context)
    assert status_of(context, row.id) in {"candidate", "no_match", "needs_review"}


def test_the_status_is_for_the_source_that_sent_it(context: Context) -> None:
    app = RealApp(context)
    pushed = app.push(body(answers())).json()
    hooked = app.hook(webflow_body(answers(email="other@example.org"))).json()
    key = {"authorization": f"Bearer {KEY}"}
    status = app.client.get(pushed["status_url"], headers=key).json()
    assert (status["id"], status["status"]) == (pushed["id"], "received")
    drain(context)
    assert app.client.get(pushed["status_url"], headers=key).json()["status"] == "candidate"
    for path, headers in (
        (f"/v1/submissions/{hooked['id']}", key),
        ("/v1/submissions/01890000-0000-7000-8000-000000000000", key),
        (f"/v1/submissions/{pushed['id']}", {"authorization": "Bearer other"}),
    ):
        assert app.client.get(path, headers=headers).status_code == 404
