"""Asking for a new link through the real application: who gets one, how often, and that nobody can tell."""

import datetime as dt
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import update

from pipeline.audit.actions import Action
from pipeline.context import Context
from pipeline.db import utc_now
from pipeline.email.kinds import EmailKind
from pipeline.models import AuditEvent, Email, SecureLink
from pipeline.secure_pages.link import ATTEMPTS_EVER
from pipeline.secure_pages.new_link import LINKS_PER_WINDOW, WINDOW, send_new_link
from pipeline.secure_pages.opening import Opened
from pipeline.secure_pages.stopping import stop
from tests.config.shipped import ANSWERS
from tests.pipeline.secure_pages.links import BORN, Referred, change, nobody, referred
from tests.support.installations import Installation
from tests.support.racing import at_once
from tests.support.submissions import submit
from tests.support.work import drain, table
from tests.web.real_app import RealApp
from tests.web.test_links_person import date
from web import status_link

ADDRESS = str(ANSWERS["email"])
UNKNOWN = "nobody.zq7marker@example.org"


@pytest.fixture(autouse=True)
def _answers_at_once() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(status_link, "ANSWER_SECONDS", 0.0)
        yield


def ask(app: RealApp, email: str, reference: str = "", lang: str = "en") -> str:
    answer = app.client.post(f"/status-link?lang={lang}", data={"email": email, "reference": reference})
    assert answer.status_code == 200
    return answer.text


def new_links(context: Context) -> list[tuple[object, str]]:
    """The submission and the cause of each, in order."""
    rows = table(context.database, Email.table())
    return [(row.submission_id, row.cause) for row in rows if row.kind == EmailKind.STATUS_LINK]


def test_the_new_link_opens_the_page_with_the_date_of_birth_and_earlier_ones_go_on_working(context: Context) -> None:
    case, app = referred(context), RealApp(context)
    assert app.client.get("/status-link").status_code == 200
    ask(app, f"  {ADDRESS.upper()} ")
    assert app.woken == ["email"]
    drain(context)
    path = f"/s/{case.token(EmailKind.STATUS_LINK)}"
    assert "Fibromialgia" not in app.client.get(path).text
    assert "Fibromialgia" in app.client.post(path, data=date(BORN)).text, "in the language that the person chose"
    assert isinstance(case.open(case.token(EmailKind.CONFIRMATION), BORN), Opened)
    (asked,) = case.recorded(Action.LINK_REQUESTED)
    assert (asked.actor, asked.details) == ("visitor:unknown", '{"cause":"asked:1"}')


def test_nobody_can_tell_whether_there_is_a_request_nor_flood_an_inbox(
    context: Context, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    case, app = referred(context), RealApp(context)
    pages = {ask(app, email, lang="es") for email in (UNKNOWN, *[ADDRESS] * (LINKS_PER_WINDOW + 2), UNKNOWN)}
    assert len(pages) == 1
    assert new_links(context) == [(case.submission_id, f"asked:{1 + number}") for number in range(LINKS_PER_WINDOW)]
    change(context, Email, created_at=utc_now() - WINDOW + dt.timedelta(minutes=1))
    ask(app, ADDRESS)
    assert len(new_links(context)) == LINKS_PER_WINDOW
    change(context, Email, created_at=utc_now() - WINDOW)
    ask(app, ADDRESS)
    assert len(new_links(context)) == LINKS_PER_WINDOW + 1
    kept = caplog.text + "".join(capfd.readouterr()) + str(table(context.database, AuditEvent.table()))
    assert [address for address in (UNKNOWN, ADDRESS) if address in kept] == []


def test_it_leads_to_the_newest_request_with_a_page_or_to_the_one_that_is_named(context: Context) -> None:
    app, older = RealApp(context), submit(context)
    newer = submit(context, condition="osteoarthritis")
    submit(context)  # joined to the older one
    submit(context, consent_share=None)  # to be corrected
    drain(context)
    ask(app, ADDRESS)
    ask(app, ADDRESS, f" {newer.reference.lower().removeprefix('cr-')}")
    ask(app, ADDRESS, "CR-\x00-nothing")
    assert [found for found, _ in new_links(context)] == [older.submission_id, newer.submission_id, older.submission_id]
    assert new_links(context)[-1][1] == "asked:2"
    ask(app, UNKNOWN, newer.reference)
    change(context, Email, created_at=utc_now() - WINDOW)
    stop(context, Referred(context, older.submission_id).token(EmailKind.CONFIRMATION), "request", nobody)
    ask(app, ADDRESS, older.reference)
    assert [found for found, _ in new_links(context)][3:] == [newer.submission_id], "the other one was stopped"


def test_whoever_guesses_the_date_of_birth_gets_no_fresh_tries_with_a_new_link(sqlite_context: Context) -> None:
    case, app = referred(sqlite_context), RealApp(sqlite_context)
    with sqlite_context.database.write() as connection:
        for kind, tries in ((EmailKind.CONFIRMATION, ATTEMPTS_EVER - 2), (EmailKind.RECOMMENDATION, 1)):
            failed = update(SecureLink).where(SecureLink.id == case.link(case.token(kind)).id)
            connection.execute(failed.values(failed_attempts=tries))
    ask(app, ADDRESS)
    assert len(new_links(sqlite_context)) == 1
    app.client.post(f"/s/{case.token(EmailKind.STATUS_LINK)}", data=date("1975-03-29"))
    ask(app, ADDRESS)
    assert len(new_links(sqlite_context)) == 1


def test_what_cannot_be_read_comes_back_and_what_another_site_sends_is_refused(
    sqlite_installation: Installation,
) -> None:
    app = RealApp(sqlite_installation.context(rate_limit_per_minute=3))
    wrong = app.client.post("/status-link", data={"email": "ana@", "reference": "CR-7K4M-2QXD"})
    empty = app.client.post("/status-link", data={"reference": "x"})
    assert (wrong.status_code, empty.status_code) == (422, 422)
    assert all(f'value="{typed}"' in wrong.text for typed in ("ana@", "CR-7K4M-2QXD"))
    assert 'aria-describedby="email-error"' in wrong.text
    other = app.client.post("/status-link", data={"email": ADDRESS}, headers={"sec-fetch-site": "cross-site"})
    assert other.status_code == 403
    ask(app, ADDRESS)
    limited = app.client.post("/status-link", data={"email": ADDRESS})
    assert limited.status_code == 429
    assert int(limited.headers["retry-after"]) > 0
    assert f'value="{ADDRESS}"' in limited.text


def test_the_answer_takes_the_same_time_whatever_there_was_to_do(
    sqlite_context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    referred(sqlite_context)
    app = RealApp(sqlite_context)
    monkeypatch.setattr(status_link, "ANSWER_SECONDS", 0.3)
    for email in (UNKNOWN, ADDRESS):
        began = time.monotonic()
        ask(app, email)
        assert time.monotonic() - began >= 0.3


def test_many_who_ask_at_the_same_moment_get_no_more_links(postgresql_context: Context) -> None:
    context = postgresql_context
    references = [submit(context, condition=each).reference for each in ("fibromyalgia", "osteoarthritis")]
    drain(context, "validate", "score")
    at_once(8, lambda number: send_new_link(context, ADDRESS, references[number % 2], "en", "request", nobody))
    assert len(new_links(context)) == LINKS_PER_WINDOW
