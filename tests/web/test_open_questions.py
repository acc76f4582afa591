"""A person's page that asks what would decide: through the real application, from the gate to the results."""

import datetime as dt

import pytest
from starlette.datastructures import FormData, UploadFile

from pipeline.audit.actions import Action
from pipeline.context import Context
from pipeline.email.kinds import EmailKind
from pipeline.models import SecureSession
from pipeline.status import SubmissionStatus
from pipeline.validation import validate
from tests.config.shipped import ANSWERS, CONDITIONS, SCREENING
from tests.pipeline.scoring.network_files import Criteria
from tests.pipeline.secure_pages.links import BORN, PAST, Referred, change
from tests.pipeline.secure_pages.undecided import LONG_ENOUGH, undecided
from tests.support.work import drain, status_of
from tests.web.html_form import FormReader
from tests.web.real_app import RealApp
from tests.web.test_links_person import NOTHING, date
from web.form import read_form, typed_as
from web.secure_pages import SESSION_COOKIE

SINCE = {"en": "Since when <is> it so?", "es": "¿Desde cuándo es así?"}
DIAGNOSED = {"question": "diagnosis_confirmed", "one_of": ["yes"], "unknown": ["in_progress"]}
REQUIRES: Criteria = [{**LONG_ENOUGH, "ask": SINCE}, DIAGNOSED]


def waiting(context: Context) -> tuple[Referred, RealApp, str]:
    """A request in review, and its page's path; the browser has opened the page."""
    case, app = undecided(context, REQUIRES, diagnosis_confirmed="in_progress"), RealApp(context)
    path = f"/s/{case.token(EmailKind.INFORMATION_NEEDED)}"
    app.client.post(path, data=date(BORN))
    return case, app, path


@pytest.mark.parametrize("language", ["en", "es"])
def test_the_page_asks_just_the_open_questions_with_the_answers_so_far(sqlite_context: Context, language: str) -> None:
    _, app, path = waiting(sqlite_context)
    assert "onset_months" not in app.client.get(path).text, "nothing before the second factor"
    page = app.client.post(f"{path}?lang={language}", data=NOTHING)
    form = FormReader(page.text)
    fields = [name for name, element in form.elements.items() if name.startswith("f-") and element["tag"] == "input"]
    assert fields == [*(f"f-diagnosis_confirmed-{each}" for each in ("yes", "no", "in_progress")), "f-onset_months"]
    assert form.fields == {"diagnosis_confirmed": ["in_progress"]}
    assert SINCE[language].replace("<", "&lt;").replace(">", "&gt;") in page.text
    assert SCREENING.question("onset_months").help.in_language(language) in page.text  # type: ignore[union-attr]
    assert 'class="mark"' not in page.text, "none of them is required"
    assert f'action="{path}/answers?lang={language}"' in page.text
    assert page.headers["cache-control"] == "no-store"


def test_a_mistake_stands_beside_its_field_with_everything_typed(sqlite_context: Context) -> None:
    case, app, path = waiting(sqlite_context)
    typed = {"onset_months": '"><b>5000', "diagnosis_confirmed": "yes"}
    again = app.client.post(f"{path}/answers", data=typed)
    form = FormReader(again.text)
    assert again.status_code == 422
    assert form.fields == {name: [value] for name, value in typed.items()}
    assert form.texts["onset_months-error"].strip()
    assert form.elements["f-onset_months"]["aria-invalid"] == "true"
    assert "onset_months-error" in form.elements["f-onset_months"]["aria-describedby"]
    assert "#f-onset_months" in form.links, "the summary leads to it"
    assert "diagnosis_confirmed-error" not in form.elements
    assert "<b>" not in again.text
    assert status_of(sqlite_context, case.submission_id) is SubmissionStatus.NEEDS_REVIEW


@pytest.mark.parametrize("blank", [NOTHING, {"diagnosis_confirmed": "in_progress", "onset_months": " "}])
def test_a_form_with_nothing_new_is_said_to_have_nothing_new(sqlite_context: Context, blank: dict[str, str]) -> None:
    case, app, path = waiting(sqlite_context)
    again = app.client.post(f"{path}/answers", data=blank)
    assert (again.status_code, "No había nada nuevo" in again.text) == (422, True)
    assert status_of(sqlite_context, case.submission_id) is SubmissionStatus.NEEDS_REVIEW
    assert not case.recorded(Action.SUBMISSION_ANSWERED)


def test_answers_lead_to_the_results_and_sending_them_again_shows_those(context: Context) -> None:
    case, app, path = waiting(context)
    given = {"onset_months": "30", "diagnosis_confirmed": "yes"}
    sent = app.client.post(f"{path}/answers", data=given)
    assert (sent.status_code, "Gracias, recibimos sus respuestas" in sent.text) == (200, True)
    assert app.woken[-1:] == ["score"]
    assert "Estamos trabajando" in app.client.post(f"{path}/answers", data=given).text, "sent twice"
    drain(context)
    later = app.client.post(f"{path}/answers", data=given)
    assert (later.status_code, "Clinic 0" in later.text) == (200, True)
    assert len(case.recorded(Action.SUBMISSION_ANSWERED)) == 1


def test_without_a_live_session_the_gate_comes_first_and_nothing_is_taken(sqlite_context: Context) -> None:
    case, app, path = waiting(sqlite_context)
    given = {"onset_months": "30", "diagnosis_confirmed": "yes"}
    assert app.client.post(f"{path}/answers", data=given, headers={"sec-fetch-site": "cross-site"}).status_code == 403
    change(sqlite_context, SecureSession.table(), expires_at=PAST)
    gate = app.client.post(f"{path}/answers", data=given, headers={"cookie": f"{SESSION_COOKIE}=guessed"})
    assert (gate.status_code, "Confirme que es usted" in gate.text) == (200, True)
    assert "onset_months" not in gate.text
    assert status_of(sqlite_context, case.submission_id) is SubmissionStatus.NEEDS_REVIEW


def test_an_answer_comes_back_from_its_fields_as_it_was() -> None:
    typed: list[tuple[str, str | UploadFile]] = [
        (name, value)
        for question_id, answer in ANSWERS.items()
        for name, values in typed_as(SCREENING.question(question_id), answer).items()
        for value in values
    ]
    answers = read_form(FormData(typed), SCREENING, "en").answers
    found = validate(SCREENING, CONDITIONS, answers, dt.date(2026, 11, 22))
    assert (found.answers, found.problems) == (ANSWERS, ())
