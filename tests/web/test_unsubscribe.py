"""One-click unsubscribe through the real application: as a mailbox provider posts it, and as people press it."""

import re

import pytest
from httpx2 import Response

from pipeline.audit.actions import Action
from pipeline.context import Context
from pipeline.email.kinds import EmailKind
from pipeline.models import AuditEvent, Email, Suppression
from pipeline.secure_link import unsubscribe_url
from pipeline.suppression import Reason, suppress
from pipeline.unit_of_work import begin
from tests.pipeline.operations.reviewing import EXPERT
from tests.pipeline.secure_pages.links import PROVIDERS, Referred, referred
from tests.support.installations import Installation
from tests.support.work import table
from tests.web.real_app import RealApp

PAIR = {"List-Unsubscribe": "One-Click"}
BROWSER = {"accept": "text/html", "accept-language": "en", "sec-fetch-site": "cross-site"}


def path_to_stop(case: Referred, kind: EmailKind, recipient: str = "person") -> str:
    """The path in an email's List-Unsubscribe header."""
    (email,) = [
        row
        for row in table(case.context.database, Email.table())
        if (row.submission_id, row.kind, row.recipient) == (case.submission_id, kind, recipient)
    ]
    return unsubscribe_url("", case.context.vault, email.id)


def listed(context: Context) -> list[tuple[str, str]]:
    return sorted((row.mail_class, row.reason) for row in table(context.database, Suppression.table()))


UNSUBSCRIBED = [("promotional", "unsubscribed"), ("requested", "unsubscribed")]


def post_as_a_mailbox_provider(app: RealApp, path: str, *, multipart: bool = False) -> Response:
    """Without a cookie, an Accept header for pages, or anything else of a browser (RFC 8058, 3.2)."""
    app.client.cookies.clear()
    if multipart:
        files: dict[str, tuple[None, str]] = {name: (None, value) for name, value in PAIR.items()}
        return app.client.post(path, files=files, follow_redirects=False)
    return app.client.post(path, data=PAIR, follow_redirects=False)


@pytest.mark.parametrize("multipart", [False, True])
def test_one_click_stops_what_was_asked_for_once_and_on_record(sqlite_context: Context, *, multipart: bool) -> None:
    context = sqlite_context
    case, app = referred(context), RealApp(context)
    path = path_to_stop(case, EmailKind.RECOMMENDATION)
    answers = [post_as_a_mailbox_provider(app, path, multipart=multipart) for _ in range(2)]
    assert [each.status_code for each in answers] == [200, 200]
    assert not any("set-cookie" in each.headers for each in answers)
    assert listed(context) == UNSUBSCRIBED
    records = case.recorded(Action.SUPPRESSION_ADDED)
    assert {each.actor for each in records} == {f"person:{case.submission_id}"}
    assert len(records) == 2, "the second post found nothing to do"


def test_a_link_that_is_followed_changes_nothing_and_shows_nobody(sqlite_context: Context) -> None:
    context = sqlite_context
    case, app = referred(context, first_name="Zq7Marker", email="zq7marker@example.org"), RealApp(context)
    path = path_to_stop(case, EmailKind.RECOMMENDATION)
    before = len(table(context.database, AuditEvent.table()))
    page = app.client.get(path, headers=BROWSER)
    assert page.status_code == 200
    assert page.headers["content-language"] == "es", "the language of the email, not of the browser"
    assert app.client.get(f"{path}?lang=en").headers["content-language"] == "en"
    english = app.client.get(f"{path}?lang=en").text
    assert "reminders" not in english, "persons get none"
    assert "we will not tell you by email when your results are ready" in english
    assert "zq7marker" not in page.text.lower()
    assert "CR-" not in page.text
    assert page.text.count("<form") == 1
    assert 'content="noindex, nofollow"' in page.text
    assert page.headers["referrer-policy"] == "no-referrer"
    assert app.client.head(path).status_code == 405
    assert listed(context) == []
    assert len(table(context.database, AuditEvent.table())) == before


def test_the_button_stops_it_and_another_one_undoes_only_that(context: Context) -> None:
    case, app = referred(context), RealApp(context)
    path = path_to_stop(case, EmailKind.RECOMMENDATION) + "?lang=en"
    asked = app.client.get(path)
    (action,) = re.findall(r'<form method="post" action="([^"]+)"', asked.text)
    fields = dict(re.findall(r'name="([^"]+)" value="([^"]+)"', asked.text.partition("<form")[2]))
    done = app.client.post(action, data=fields)
    assert (done.status_code, "You are unsubscribed" in done.text) == (200, True)
    assert "You are unsubscribed" in app.client.get(path).text, "whoever comes back finds the way to undo it"
    (undo,) = re.findall(r'<form method="post" action="([^"]+)"', done.text)
    assert app.client.post(undo, headers={"sec-fetch-site": "cross-site"}).status_code == 403
    address = bytes(table(context.database, Suppression.table())[0].address_index)
    with begin(context.database, context.keys, EXPERT) as unit:
        suppress(unit, address, Reason.BOUNCED, submission_id=case.submission_id)
    back = app.client.post(undo)
    assert (back.status_code, "We cannot send to this address for another reason" in back.text) == (200, True)
    assert listed(context) == [(name, "bounced") for name in ("promotional", "requested", "transactional")]
    assert [each.actor for each in case.recorded(Action.SUPPRESSION_LIFTED)] == [f"person:{case.submission_id}"] * 2
    assert app.client.post(undo).status_code == 200
    assert len(case.recorded(Action.SUPPRESSION_LIFTED)) == 2


@pytest.mark.parametrize(
    ("body", "media_type", "status"),
    [
        (b"List-Unsubscribe=One-Click", "application/x-www-form-urlencoded", 200),
        (b"List-Unsubscribe=One-Click", "application/x-www-form-urlencoded; charset=utf-8", 200),
        (b"", "application/x-www-form-urlencoded", 400),
        (b"List-Unsubscribe=No", "application/x-www-form-urlencoded", 400),
        (b"--", "multipart/form-data; boundary=b", 400),
        (b"List-Unsubscribe=One-Click", "text/plain", 415),
        (b"", "", 415),
        (b"List-Unsubscribe=One-Click&x=" + b"x" * 300_000, "application/x-www-form-urlencoded", 413),
    ],
)
def test_only_the_pair_of_the_rfc_is_a_wish_to_stop(
    sqlite_context: Context, body: bytes, media_type: str, status: int
) -> None:
    case, app = referred(sqlite_context), RealApp(sqlite_context)
    path = path_to_stop(case, EmailKind.RECOMMENDATION)
    headers = {"content-type": media_type} if media_type else {}
    assert app.client.post(path, content=body, headers=headers).status_code == status
    assert listed(sqlite_context) == (UNSUBSCRIBED if status == 200 else [])


def test_forged_tokens_are_all_the_same_and_nothing_is_told(sqlite_context: Context) -> None:
    case, app = referred(sqlite_context), RealApp(sqlite_context)
    path = path_to_stop(case, EmailKind.RECOMMENDATION)
    token = path.removeprefix("/u/")
    other = path_to_stop(case, EmailKind.CONFIRMATION).removeprefix("/u/")
    flipped = "A" if token[30] != "A" else "B"
    forged = [token[:30] + flipped + token[31:], token[:22] + other[22:], token[:-1], f"{token}A", case.token(), "ñ"]
    pages = []
    for each in forged:
        for answer in (
            app.client.get(f"/u/{each}"),
            app.client.post(f"/u/{each}", data=PAIR),
            app.client.post(f"/u/{each}/again"),
        ):
            assert answer.status_code == 404, each
            pages.append(re.sub(r"/u/[^?\"]*", "", answer.text))
    assert len(set(pages)) == 1
    assert listed(sqlite_context) == []


def test_mailbox_providers_post_for_many_people_from_one_address(sqlite_installation: Installation) -> None:
    context = sqlite_installation.context(rate_limit_per_minute=1)
    case, app = referred(context), RealApp(context)
    path = path_to_stop(case, EmailKind.RECOMMENDATION)
    assert {post_as_a_mailbox_provider(app, path).status_code for _ in range(5)} == {200}


def test_a_provider_is_told_what_goes_on_and_is_the_one_on_record(sqlite_context: Context) -> None:
    case, app = referred(sqlite_context), RealApp(sqlite_context)
    path = path_to_stop(case, EmailKind.REFERRAL, f"provider:{PROVIDERS[0]}")
    page = app.client.get(path).text
    assert ("reminders of referrals" in page, "results" in page) == (True, False)
    assert post_as_a_mailbox_provider(app, path).status_code == 200
    assert listed(sqlite_context) == UNSUBSCRIBED
    assert {each.actor for each in case.recorded(Action.SUPPRESSION_ADDED)} == {f"provider:{PROVIDERS[0]}"}
