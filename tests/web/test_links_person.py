"""A person's link through the real application: the gate, the page, the way to stop everything."""

import pytest

from pipeline.audit.actions import Action
from pipeline.context import Context
from pipeline.email.kinds import EmailKind
from pipeline.models import Referral
from pipeline.operations.reviews import Decision, decide
from pipeline.status import SubmissionStatus
from tests.config.shipped import ANSWERS
from tests.pipeline.operations.reviewing import CONTRADICTION, EXPERT, in_review
from tests.pipeline.secure_pages.links import BORN, NEXT, PROVIDERS, Referred, referred
from tests.support.work import status_of, table
from tests.web.real_app import RealApp
from web.secure_pages import SESSION_COOKIE

MARKER = "Zq7Marker"
NOTHING = {"": ""}
"""A form whose button has no name, as browsers post it."""


def date(born: str) -> dict[str, str]:
    return dict(zip([f"date_of_birth-{part}" for part in ("year", "month", "day")], born.split("-"), strict=True))


def names(case: Referred, *provider_ids: str) -> list[str]:
    with case.context.database.read() as connection:
        in_force = case.context.networks.current(connection)
    return [in_force.by_provider[provider_id].name for provider_id in provider_ids]


def test_the_gate_shows_nothing_and_the_date_of_birth_shows_the_recommendations(context: Context) -> None:
    case, app = referred(context, first_name=MARKER), RealApp(context)
    path = f"/s/{case.token()}"
    gate = app.client.get(path)
    wrong = app.client.post(path, data=date("1975-03-29"))
    assert (gate.status_code, wrong.status_code) == (200, 422)
    page = app.client.post(path, data=date(BORN))
    assert page.status_code == 200
    assert "Fibromialgia" in page.text
    positions = [page.text.index(name) for name in names(case, *PROVIDERS, NEXT)]
    assert positions == sorted(positions)
    for closed in (gate, wrong):
        assert not [name for name in names(case, *PROVIDERS, NEXT) if name in closed.text]
        assert MARKER not in closed.text
        assert "ibromialgia" not in closed.text
    assert "no-store" in page.headers["cache-control"]
    assert page.headers["referrer-policy"] == "no-referrer"
    cookie = page.headers["set-cookie"]
    assert cookie.startswith(f"{SESSION_COOKIE}=")
    assert f"Path={path}; SameSite=strict" in cookie
    assert "HttpOnly" in cookie
    again = app.client.post(path, data=NOTHING)
    assert again.status_code == 200, "the session is good for a while"
    assert len(case.recorded(Action.FACTS_DISCLOSED)) == 2
    assert len(case.recorded(Action.PAGE_OPENED)) == 1


def test_after_an_experts_decision_the_page_says_that_an_expert_chose(sqlite_context: Context) -> None:
    kept, app = in_review(sqlite_context, **CONTRADICTION), RealApp(sqlite_context)
    decide(sqlite_context, EXPERT, kept.submission_id, Decision(candidate=True, reason="Worth a talk"))
    page = app.client.post(f"/s/{Referred(sqlite_context, kept.submission_id).token()}", data=date(BORN))
    assert "Una persona experta de la red leyó sus respuestas y sugiere 1 proveedor con quien hablar" in page.text


def test_a_session_opens_no_other_link(sqlite_context: Context) -> None:
    case, app = referred(sqlite_context), RealApp(sqlite_context)
    session = case.unlocked(case.token(), BORN)
    other = f"/s/{case.token(EmailKind.CONFIRMATION)}"
    answer = app.client.post(other, data=NOTHING, headers={"cookie": f"{SESSION_COOKIE}={session}"})
    assert answer.status_code == 422
    assert not case.recorded(Action.PAGE_UNLOCK_FAILED), "nothing was typed"


def test_five_wrong_dates_lock_the_link_even_for_the_right_one(sqlite_context: Context) -> None:
    case, app = referred(sqlite_context), RealApp(sqlite_context)
    path = f"/s/{case.token()}"
    typed = ("1975-03-29", "1975-13-45", MARKER + "--", "28-03-1975", "2000-01-01")
    answers = [app.client.post(path, data=date(each)) for each in typed]
    assert [each.status_code for each in answers] == [422] * 4 + [429]
    locked = app.client.post(path, data=date(BORN))
    assert locked.status_code == 429
    assert 0 < int(locked.headers["retry-after"]) <= 3600
    assert app.client.get(path).status_code == 429
    assert not case.recorded(Action.FACTS_DISCLOSED)


@pytest.mark.parametrize("kind", [EmailKind.CONFIRMATION, EmailKind.RECOMMENDATION])
def test_this_was_not_me_stops_everything_with_the_link_alone(context: Context, kind: EmailKind) -> None:
    case, app = referred(context), RealApp(context)
    path, provider_path = f"/s/{case.token(kind)}", f"/s/{case.provider_token()}"
    assert app.client.post(f"{provider_path}/stop").status_code == 404, "a provider cannot stop it"
    assert app.client.get(f"{path}/stop").status_code == 405
    stopped = [app.client.post(f"{path}/stop") for _ in range(2)]
    assert [each.status_code for each in stopped] == [200, 200]
    assert status_of(context, case.submission_id) is SubmissionStatus.WITHDRAWN
    assert {row.status for row in table(context.database, Referral.table())} == {"withdrawn"}
    assert app.client.get(provider_path).status_code == 404
    assert app.client.post(path, data=date(BORN)).status_code == 404


def test_this_was_not_me_in_a_joined_request_stops_the_earlier_one(sqlite_context: Context) -> None:
    earlier, joined, app = referred(sqlite_context), referred(sqlite_context), RealApp(sqlite_context)
    path = f"/s/{joined.token(EmailKind.JOINED)}"
    stopped = app.client.post(f"{path}/stop")
    assert (stopped.status_code, app.client.get(path).text) == (200, stopped.text)
    assert {row.status for row in table(sqlite_context.database, Referral.table())} == {"withdrawn"}
    for token in (earlier.token(), *map(earlier.provider_token, PROVIDERS)):
        assert app.client.get(f"/s/{token}").status_code == 404


@pytest.mark.parametrize("action", ["", "/code", "/answer", "/answers", "/stop"])
def test_nothing_tells_whether_a_link_ever_existed(sqlite_context: Context, action: str) -> None:
    case, app = referred(sqlite_context), RealApp(sqlite_context)
    ended = case.token(EmailKind.CONFIRMATION)
    app.client.post(f"/s/{case.token()}/stop")
    data = {**date(BORN), "code": "12345678", "decision": "accept"}
    known, unknown = (app.client.post(f"/s/{token}{action}", data=data) for token in (ended, "A" * 43))
    assert known.status_code == unknown.status_code == 404
    assert known.text.replace(ended, "") == unknown.text.replace("A" * 43, "")
    # Language of the browser, not of the link.
    assert known.headers["content-language"] == unknown.headers["content-language"] == "en"
    assert ANSWERS["language"] == "es"
