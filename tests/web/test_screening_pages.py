"""The hosted form over HTTP: nothing typed is lost, nothing is stored twice, every mistake stands beside its field."""

from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st

from config.screening import QuestionType
from tests.web import fakes
from tests.web.html_form import FormReader
from web.app import create_app
from web.form import HONEYPOT, SWITCH_LANGUAGE, TOKEN
from web.problems import Unavailable

Form = dict[str, str | list[str]]


def client(intake: fakes.MemoryIntake | None = None, **changes: Any) -> TestClient:
    return TestClient(create_app(fakes.services(intake=intake, with_settings=fakes.settings(**changes))))


def complete(**changes: str | list[str]) -> Form:
    return {name: value for name, value in {**fakes.COMPLETE_FORM, **changes}.items() if value}


def as_lists(form: Form) -> dict[str, list[str]]:
    return {name: [value] if isinstance(value, str) else value for name, value in form.items()}


ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60) | st.sampled_from(
    [
        '"><script>alert(1)</script>',
        "{{ 7 * 7 }}",
        "مريم الأحمد",
        "👩‍👩‍👧 Zoë",
        "&lt;b&gt;&amp;",
        "O'Brien  ",
        "\u202eadA",
    ]
)
_TYPED = {QuestionType.TEXT, QuestionType.EMAIL, QuestionType.PHONE, QuestionType.POSTAL_CODE}


@st.composite
def filled_in(draw: st.DrawFn) -> Form:
    """Any text in any text field, any choice, in either language; a consent is missing, so that the form comes back."""
    form: Form = {"form_language": draw(st.sampled_from(["en", "es"])), TOKEN: fakes.COMPLETE_FORM[TOKEN]}
    for question in fakes.screening().questions:
        if not draw(st.booleans()):
            continue
        if question.type in _TYPED or question.id == "onset_months":
            form[question.id] = draw(ANY_TEXT)
        elif question.type is QuestionType.DATE:
            form |= {f"{question.id}-{part}": draw(ANY_TEXT) for part in ("year", "month", "day")}
        elif question.type is QuestionType.CHOICES:
            form[question.id] = draw(st.lists(st.sampled_from(question.option_ids), min_size=1, unique=True))
        elif question.type is QuestionType.CHOICE:
            form[question.id] = draw(st.sampled_from(question.option_ids))
        elif question.id == "severity":
            form[question.id] = str(draw(st.integers(0, 10)))
        elif question.type is QuestionType.COUNTRY:
            form[question.id] = draw(st.sampled_from(["US", "MX", "AX", "ZW"]))
        elif question.type is QuestionType.CONDITION:
            form[question.id] = draw(st.sampled_from(list(fakes.conditions().by_id)))
    return form


@pytest.fixture(scope="module")
def browser() -> TestClient:
    return client()


@settings(deadline=None, max_examples=50)
@given(form=filled_in())
def test_a_form_that_comes_back_would_send_exactly_what_was_typed(browser: TestClient, form: Form) -> None:
    answer = browser.post("/screening", data=form)
    again = FormReader(answer.text).fields
    assert answer.status_code == 422
    assert {name: sorted(values) for name, values in again.items()} == {
        name: sorted(values) for name, values in as_lists(form).items()
    }


@pytest.mark.parametrize("language", ["en", "es"])
def test_every_mistake_stands_beside_its_field_and_is_linked_from_the_top(language: str) -> None:
    mistakes = {"email": "no-address", "severity": "11", "consent_share": "", "date_of_birth-day": "31"}
    form = complete(**mistakes, form_language=language, **{"date_of_birth-month": "2"}, submitter="guardian")
    page = FormReader(client().post("/screening", data=form).text)
    wrong = {"email", "severity", "consent_share", "date_of_birth", "guardian_name"}
    assert {name.removesuffix("-error") for name in page.elements if name.endswith("-error")} == wrong
    linked = {link.removeprefix("#") for link in page.links if link.startswith("#f-")}
    assert len(linked) == len(wrong)
    assert linked <= page.elements.keys()
    described = " ".join(element.get("aria-describedby", "") for element in page.elements.values())
    assert "email-error" in described
    assert page.elements["f-email"]["aria-invalid"] == "true"
    assert page.texts["date_of_birth-error"].strip()
    assert "1975-03-28" not in page.texts["date_of_birth-error"]


def test_every_question_is_on_the_page_with_its_label_in_both_languages() -> None:
    for language in ("en", "es"):
        page = client().get("/screening", params={"lang": language}).text
        for question in fakes.screening().questions:
            assert f'name="{question.id}' in page
        assert f'<html lang="{language}">' in page
    assert client().get("/screening", headers={"accept-language": "fr, es-MX;q=0.8"}).text.count('lang="es"') > 0


def test_a_complete_form_ends_in_thanks_with_the_reference() -> None:
    intake = fakes.MemoryIntake()
    answer = client(intake).post("/screening", data=complete())
    assert answer.status_code == 200
    assert "Thank you! Your submission has been received!" in answer.text
    assert "CR-TEST-0001" in answer.text
    assert len(intake.bodies) == 1


def test_a_double_click_gives_one_submission_and_the_same_answer() -> None:
    intake = fakes.MemoryIntake()
    browser = client(intake)
    first, second = (browser.post("/screening", data=complete()) for _ in range(2))
    assert (first.status_code, first.text) == (second.status_code, second.text)
    assert len(intake.bodies) == 1


def test_a_form_changed_after_it_was_sent_is_asked_about_and_can_be_sent_anew() -> None:
    intake = fakes.MemoryIntake()
    browser = client(intake)
    browser.post("/screening", data=complete())
    asked = browser.post("/screening", data=complete(first_name="Grace"))
    assert asked.status_code == 409
    assert "CR-TEST-0001" in asked.text
    again = FormReader(asked.text).fields
    assert again["first_name"] == ["Grace"]
    assert again[TOKEN] != as_lists(complete())[TOKEN]
    assert browser.post("/screening", data=again).status_code == 200
    assert len(intake.bodies) == 2


def test_switching_the_language_keeps_what_was_typed_and_stores_nothing() -> None:
    intake = fakes.MemoryIntake()
    answer = client(intake).post("/screening", data={"first_name": "Ada", "form_language": "en", SWITCH_LANGUAGE: "es"})
    fields = FormReader(answer.text).fields
    assert (answer.status_code, fields["first_name"], fields["form_language"]) == (200, ["Ada"], ["es"])
    assert 'id="email-error"' not in answer.text
    assert intake.bodies == {}


def test_a_filled_honeypot_is_emptied_and_asked_about_instead_of_being_thanked_or_dropped() -> None:
    intake = fakes.MemoryIntake()
    answer = client(intake).post("/screening", data=complete(**{HONEYPOT: "https://spam.example"}))
    again = FormReader(answer.text).fields
    assert (answer.status_code, intake.bodies, HONEYPOT in again) == (422, {}, False)
    assert client(intake).post("/screening", data=again).status_code == 200


@pytest.mark.parametrize(
    ("failure", "status"), [(Unavailable(retry_after=7), 503), (RuntimeError("params: ['ada@example.org']"), 500)]
)
def test_when_it_cannot_be_stored_everything_typed_is_still_there(failure: Exception, status: int) -> None:
    answer = client(fakes.MemoryIntake(failure=failure)).post("/screening", data=complete())
    assert answer.status_code == status
    assert answer.headers.get("retry-after") == ("7" if status == 503 else None)
    assert "Oops! Something went wrong while submitting the form." in answer.text
    assert FormReader(answer.text).fields == as_lists(complete())


def test_posts_over_the_limit_of_an_address_wait_and_keep_what_was_typed() -> None:
    browser = client(rate_limit_per_minute=2)
    statuses = [browser.post("/screening", data=complete()).status_code for _ in range(2)]
    limited = browser.post("/screening", data=complete())
    assert ([*statuses, limited.status_code], int(limited.headers["retry-after"]) > 0) == ([200, 200, 429], True)
    assert FormReader(limited.text).fields == as_lists(complete())


def test_fields_of_no_question_and_uploads_are_left_out() -> None:
    intake = fakes.MemoryIntake()
    answer = client(intake).post(
        "/screening", data=complete(role="admin"), files={"phone": ("phone.txt", b"not a text field")}
    )
    assert answer.status_code == 200
    assert b"admin" not in next(iter(intake.bodies.values()))
