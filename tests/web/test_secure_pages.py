"""The pages behind the emails' links: no fact before the second factor, no change by GET, no help for other sites."""

from dataclasses import replace

import pytest
from fastapi.testclient import TestClient

from tests.web import fakes, samples
from web.app import create_app
from web.secure_pages import SESSION_COOKIE
from web.services import (
    Closed,
    CodeSent,
    Decision,
    Gate,
    LinkKind,
    Locked,
    Opened,
    ReasonNeeded,
    Responded,
    Session,
    Stage,
    Stopped,
    WrongFactor,
)

EMPTY_FORM = {"content-type": "application/x-www-form-urlencoded"}  # what a button alone sends
PERSON = Gate(LinkKind.PERSON, "en")
PROVIDER = Gate(LinkKind.PROVIDER, "en")
BIRTH = {"date_of_birth-year": "1975", "date_of_birth-month": "3", "date_of_birth-day": "28"}


def client(links: fakes.ScriptedLinks, public_url: str = "http://testserver") -> TestClient:
    return TestClient(create_app(fakes.services(links=links, with_settings=fakes.settings(public_url=public_url))))


@pytest.mark.parametrize(
    ("gate", "heading"),
    [
        (PERSON, "Confirm that it is you"),
        (PROVIDER, "Confirm that it is you"),
        (replace(PERSON, session_open=True), "Your request"),
        (replace(PROVIDER, session_open=True), "Referral"),
    ],
)
def test_a_get_asks_for_the_second_factor_and_does_nothing_else(gate: Gate, heading: str) -> None:
    links = fakes.ScriptedLinks(looked=gate, opened=Opened(samples.recommendations()))
    answer = client(links).get("/s/token", headers={"cookie": f"{SESSION_COOKIE}=live"})
    assert answer.status_code == 200
    assert f"<h1>{heading}</h1>" in answer.text
    assert f"<title>{heading} ·" in answer.text
    assert [name for name, _, _ in links.calls] == ["look"]
    assert samples.CONDITION not in answer.text
    assert samples.REFERENCE not in answer.text
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "path", ["/s/token/code", "/s/token/answer", "/s/token/answers", "/s/token/consent", "/s/token/stop"]
)
def test_nothing_can_be_done_by_get(path: str) -> None:
    links = fakes.ScriptedLinks()
    assert client(links).get(path).status_code == 405
    assert links.calls == []


def test_the_date_of_birth_opens_the_recommendations_with_reasons_unknowns_evidence_and_notices() -> None:
    links = fakes.ScriptedLinks(opened=Opened(samples.recommendations(), Session("opaque", 900)))
    answer = client(links).post("/s/token", data=BIRTH)
    assert [(name, extra) for name, _, extra in links.calls] == [("open", ("1975-03-28",))]
    for text in (
        "2 providers whose published criteria fit your answers",
        "Not medical advice",
        "Studies are under way",
        "Sees people with fibromyalgia",
        "Whether you take blood thinners",
        "This is research, says the notice.",
        "Approval by a board is not approval by the FDA.",
        "It is not approved, says the notice.",
        "How providers are chosen",
        "at most 3 at one time and 5 in all",
        "This wasn\u2019t me",
    ):
        assert text in answer.text
    assert answer.text.index("Lakeside Pain Institute") < answer.text.index("Harbor Clinic")


@pytest.mark.parametrize(
    ("language", "one", "two"),
    [
        ("en", "and suggests 1 provider to talk to", "and suggests 2 providers to talk to"),
        ("es", "y sugiere 1 proveedor con quien hablar", "y sugiere 2 proveedores con quienes hablar"),
    ],
)
def test_what_an_expert_suggests_is_not_said_to_fit(language: str, one: str, two: str) -> None:
    both = replace(samples.recommendations(language), expert_decided=True)
    for count, text in ((1, one), (2, two)):
        page = replace(both, recommendations=both.recommendations[:count])
        told = client(fakes.ScriptedLinks(opened=Opened(page))).post("/s/token", data=BIRTH).text
        assert text in told
        for untrue in ("criteria fit your answers", "fits best", "corresponden a sus", "mejor corresponde", "met are"):
            assert untrue not in told


def test_whoever_was_joined_learns_where_to_give_the_answers_that_were_asked_for() -> None:
    page = replace(samples.recommendations(), stage=Stage.JOINED)
    told = client(fakes.ScriptedLinks(opened=Opened(page))).post("/s/token", data=BIRTH).text
    assert "If we asked you for more answers, please give them on the page behind the link in that email." in told


@pytest.mark.parametrize(("url", "secure"), [("http://testserver", False), ("https://screening.example.org", True)])
def test_the_session_cookie_is_for_this_link_only_and_out_of_reach_of_scripts_and_other_sites(
    url: str, *, secure: bool
) -> None:
    links = fakes.ScriptedLinks(opened=Opened(samples.referral(), Session("opaque", 900)))
    cookie = client(links, url).post("/s/token", data={"code": "12345678"}).headers["set-cookie"]
    assert cookie.startswith(f"{SESSION_COOKIE}=opaque;")
    for part in ("HttpOnly", "SameSite=strict", "Path=/s/token", "Max-Age=900"):
        assert part in cookie
    assert ("Secure" in cookie) == secure


def test_the_session_is_handed_to_the_core_with_the_answer() -> None:
    links = fakes.ScriptedLinks(responded=Responded("en", samples.REFERENCE, Decision.DECLINE))
    answer = client(links).post(
        "/s/token/answer",
        data={"decision": "decline", "reason": "no_capacity", "note": "  later  "},
        headers={"cookie": f"{SESSION_COOKIE}=live"},
    )
    ((name, visit, extra),) = links.calls
    assert (name, visit.token, visit.session) == ("respond", "token", "live")
    assert extra == (Decision.DECLINE, "no_capacity", "later")
    assert "you have declined the referral" in answer.text


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
@pytest.mark.parametrize("path", ["/s/token", "/s/token/code", "/s/token/answer", "/s/token/answers", "/s/token/stop"])
def test_another_site_cannot_post_in_the_visitors_name(path: str, site: str) -> None:
    links = fakes.ScriptedLinks()
    answer = client(links).post(path, data={"decision": "accept"}, headers={"sec-fetch-site": site})
    assert (answer.status_code, links.calls) == (403, [])


def test_declining_without_a_reason_shows_the_referral_again_with_the_note_kept() -> None:
    links = fakes.ScriptedLinks(responded=ReasonNeeded(samples.referral()))
    answer = client(links).post("/s/token/answer", data={"decision": "decline", "note": "<b>fully booked</b>"})
    assert answer.status_code == 422
    assert 'id="reason-error"' in answer.text
    assert "&lt;b&gt;fully booked&lt;/b&gt;" in answer.text


def test_an_accepted_referral_is_only_for_reading() -> None:
    page = (
        client(fakes.ScriptedLinks(opened=Opened(samples.referral(accepted=True))))
        .post("/s/token", headers=EMPTY_FORM)
        .text
    )
    assert "ada@example.org" in page
    assert 'name="decision"' not in page


def test_an_answer_that_is_neither_accept_nor_decline_is_refused() -> None:
    links = fakes.ScriptedLinks()
    assert client(links).post("/s/token/answer", data={"decision": "maybe"}).status_code == 400
    assert links.calls == []


@pytest.mark.parametrize(
    ("links", "path", "status", "text"),
    [
        (fakes.ScriptedLinks(opened=WrongFactor(PERSON, 1)), "/s/token", 422, "You can try once more."),
        (fakes.ScriptedLinks(opened=WrongFactor(PROVIDER, 3)), "/s/token", 422, "You can try 3 more times."),
        (fakes.ScriptedLinks(opened=Locked(300)), "/s/token", 429, "in 5 minutes"),
        (fakes.ScriptedLinks(opened=Locked()), "/s/token", 429, "we have closed it"),
        (fakes.ScriptedLinks(opened=Closed()), "/s/token", 404, "does not work"),
        (fakes.ScriptedLinks(code=CodeSent(PROVIDER, 10)), "/s/token/code", 200, "valid for 10 minutes"),
        (fakes.ScriptedLinks(stopped=Stopped("en")), "/s/token/stop", 200, "Everything is stopped"),
    ],
)
def test_every_other_outcome_has_its_page(links: fakes.ScriptedLinks, path: str, status: int, text: str) -> None:
    answer = client(links).post(path, headers=EMPTY_FORM)
    assert answer.status_code == status
    assert text in answer.text
    assert ("retry-after" in answer.headers) == ("in 5 minutes" in answer.text)


@pytest.mark.parametrize("stage", Stage)
@pytest.mark.parametrize("language", ["en", "es"])
def test_the_person_always_learns_how_far_the_request_is(stage: Stage, language: str) -> None:
    page = replace(samples.recommendations(language), stage=stage)
    answer = client(fakes.ScriptedLinks(opened=Opened(page))).post("/s/token", data=BIRTH)
    assert (answer.status_code, f'<html lang="{language}">' in answer.text) == (200, True)
    assert ("Lakeside Pain Institute" in answer.text) == (stage is Stage.ANSWERED)


def test_a_chosen_language_stays_for_the_next_step() -> None:
    links = fakes.ScriptedLinks(looked=PERSON)
    page = client(links).get("/s/token?lang=es").text
    assert '<html lang="es">' in page
    assert 'action="/s/token?lang=es"' in page
    assert links.calls[0][1].language == "es"
