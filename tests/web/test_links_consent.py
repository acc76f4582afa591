"""Taking a consent back on the person's page, through the real application: asked for once, done when confirmed."""

from dataclasses import dataclass

import pytest
from httpx2 import Response

from pipeline.audit.actions import Action
from pipeline.audit.verify import verify_events
from pipeline.context import Context
from pipeline.email.kinds import EmailKind
from pipeline.models import Referral
from pipeline.status import SubmissionStatus
from tests.pipeline.secure_pages.links import BORN, PROVIDERS, Referred, referred
from tests.support.work import drain, emails, status_of, table
from tests.web.real_app import RealApp
from tests.web.test_links_person import date, names
from web.secure_pages import SESSION_COOKIE

SHARE, CONTACT = {"consent": "share"}, {"consent": "contact"}
ONE = {"consent": f"share:{PROVIDERS[0]}"}
CONFIRMED = {"confirmed": "yes"}


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody at their page, in a language, with the session that the second factor opened."""

    app: RealApp
    path: str

    def take_back(self, fields: dict[str, str]) -> Response:
        return self.app.client.post(f"{self.path}/consent?lang=en", data=fields)

    def page(self) -> str:
        return self.app.client.post(f"{self.path}?lang=en", data={"": ""}).text


def at_the_page(case: Referred, kind: EmailKind = EmailKind.RECOMMENDATION) -> Person:
    person = Person(RealApp(case.context), f"/s/{case.token(kind)}")
    assert SESSION_COOKIE in person.app.client.post(person.path, data=date(BORN)).headers["set-cookie"]
    return person


def standing(context: Context) -> dict[str, str]:
    return {row.provider_id: row.status for row in table(context.database, Referral.table())}


def test_one_provider_is_asked_about_by_name_and_closed_when_it_is_confirmed(context: Context) -> None:
    case = referred(context)
    person, (name,) = at_the_page(case), names(case, PROVIDERS[0])
    assert f"Stop sharing with {name}" in person.page()
    asked = person.take_back(ONE)
    assert asked.status_code == 200
    for text in (f"Stop sharing with {name}?", "cannot be taken back by us", "We cannot undo this for you"):
        assert text in asked.text
    assert f">Stop sharing with {name}</button>" in asked.text
    assert set(standing(context).values()) == {"offered"}
    assert not case.recorded(Action.CONSENT_WITHDRAWN), "nothing is taken back by one press"
    done = [person.take_back(ONE | CONFIRMED) for _ in range(2)]
    assert [each.status_code for each in done] == [200, 200]
    assert f"{name} can no longer open your answers here" in done[0].text
    assert standing(context)[PROVIDERS[0]] == "withdrawn"
    withdrawn = case.recorded(Action.CONSENT_WITHDRAWN)
    assert [row.actor for row in withdrawn] == [f"person:{case.submission_id}"]
    page = person.page()
    assert f"Stop sharing with {name}" not in page
    assert page.count("You stopped sharing with this provider.") == 1
    assert page.count("This provider may see your answers") == len(PROVIDERS) - 1
    assert all(f"Stop sharing with {other}" in page for other in names(case, *PROVIDERS[1:]))
    with context.database.snapshot() as connection:
        assert verify_events(connection, context.keys).findings == ()


def test_sharing_with_nobody_stops_everything_and_the_link_says_so_again(context: Context) -> None:
    case = referred(context)
    person = at_the_page(case)
    asked = person.take_back(SHARE).text
    assert "This stops everything about this request" in asked
    assert ">Stop sharing with anybody</button>" in asked
    assert status_of(context, case.submission_id) is SubmissionStatus.CANDIDATE
    stopped = person.take_back(SHARE | CONFIRMED)
    assert "Everything is stopped" in stopped.text
    assert "Everything is stopped" in person.app.client.get(f"{person.path}?lang=en").text
    assert status_of(context, case.submission_id) is SubmissionStatus.WITHDRAWN
    assert set(standing(context).values()) == {"withdrawn"}
    drain(context)
    assert len([each for each in emails(context) if each[0] == EmailKind.REFERRAL_WITHDRAWN]) == len(PROVIDERS)


def test_contact_is_taken_back_and_the_page_says_so(sqlite_context: Context) -> None:
    case = referred(sqlite_context)
    person = at_the_page(case)
    asked = person.take_back(CONTACT).text
    assert "The request goes on" in asked
    assert ">Stop contacting me about this request</button>" in asked
    assert "We contact you no more about this request" in person.take_back(CONTACT | CONFIRMED).text
    page = person.page()
    assert "You have asked us not to contact you about this request any more" in page
    assert "Stop contacting me" not in page
    assert set(standing(sqlite_context).values()) == {"offered"}


def test_a_joined_request_takes_it_back_for_the_earlier_one_too(sqlite_context: Context) -> None:
    earlier, joined = referred(sqlite_context), referred(sqlite_context)
    person = at_the_page(joined, EmailKind.JOINED)
    assert "Everything is stopped" in person.take_back(SHARE | CONFIRMED).text
    for case in (earlier, joined):
        assert status_of(sqlite_context, case.submission_id) is SubmissionStatus.WITHDRAWN
        assert len(case.recorded(Action.CONSENT_WITHDRAWN)) == 1


@pytest.mark.parametrize("fields", [SHARE, CONTACT, ONE])
def test_it_takes_the_second_factor_a_page_of_our_own_and_a_post(
    sqlite_context: Context, fields: dict[str, str]
) -> None:
    case = referred(sqlite_context)
    person, stranger = at_the_page(case), RealApp(sqlite_context)
    path = f"{person.path}/consent"
    assert "Confirm that it is you" in stranger.client.post(f"{path}?lang=en", data=fields | CONFIRMED).text
    elsewhere = {"sec-fetch-site": "cross-site"}
    assert person.app.client.post(path, data=fields | CONFIRMED, headers=elsewhere).status_code == 403
    assert person.app.client.get(path, params=fields | CONFIRMED).status_code == 405
    provider = f"/s/{case.provider_token()}/consent"
    assert person.app.client.post(provider, data=fields | CONFIRMED).status_code == 404
    assert not case.recorded(Action.CONSENT_WITHDRAWN)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"consent": "everything"}, 400),
        ({}, 415),
        ({"consent": f"contact:{PROVIDERS[0]}"}, 400),
        ({"consent": "share:nobody-at-all"}, 404),
    ],
)
def test_what_the_page_does_not_offer_is_refused(sqlite_context: Context, fields: dict[str, str], status: int) -> None:
    case = referred(sqlite_context)
    assert at_the_page(case).take_back(fields | (CONFIRMED if fields else {})).status_code == status
    assert not case.recorded(Action.CONSENT_WITHDRAWN)
