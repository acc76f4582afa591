"""Answers that a person adds to a request in review: once, by the rules of intake, and through scoring again."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import pytest

from pipeline.audit import actions
from pipeline.audit.actions import Action
from pipeline.audit.verify import verify_events
from pipeline.context import Context
from pipeline.email.kinds import EmailKind
from pipeline.models import Assessment, AuditEvent, Job, Review, SealedDocument, SecureSession
from pipeline.operations.review_case import ReviewRefused
from pipeline.operations.reviews import Decision, decide
from pipeline.secure_pages.adding import Received, Reception, add_answers
from pipeline.secure_pages.asking import MOST_ADDED
from pipeline.secure_pages.link import Closed, Locked
from pipeline.secure_pages.session import SessionEnded
from pipeline.secure_pages.stopping import Stopped, stop
from pipeline.status import SubmissionStatus
from pipeline.submission import Part, read_sealed
from pipeline.validation import Rule
from tests.pipeline.secure_pages.links import PAST, Referred, change, fail_long_ago, nobody
from tests.pipeline.secure_pages.undecided import LONG_ENOUGH, opened, send, undecided
from tests.support.racing import at_once
from tests.support.work import drain, emails, jobs, status_of, table

GIVEN = {"onset_months": " 30 "}
WAITING = {"diagnosis_confirmed": "in_progress"}
DIAGNOSED = {"question": "diagnosis_confirmed", "one_of": ["yes"], "unknown": ["in_progress"]}
STATE = (Assessment, AuditEvent, Job, Review, SealedDocument)


def answers_of(case: Referred) -> dict[str, Any]:
    with case.context.database.read() as connection:
        sealed = read_sealed(connection, [case.submission_id], [Part.ANSWERS])[case.submission_id]
    answers: dict[str, Any] = sealed.open_json(case.context.vault, Part.ANSWERS)
    return answers


def parts_of(case: Referred) -> set[str]:
    documents = table(case.context.database, SealedDocument.table())
    return {row.part for row in documents if row.submission_id == case.submission_id}


def state(context: Context) -> list[object]:
    """All that an answer could change. That the page was shown is on record whatever came of it."""
    shown = Action.FACTS_DISCLOSED.value
    return [row for of in STATE for row in table(context.database, of.table()) if getattr(row, "action", "") != shown]


def records_hold(context: Context) -> bool:
    with context.database.snapshot() as connection:
        return verify_events(connection, context.keys).findings == ()


def test_an_answer_that_decides_brings_the_request_through_scoring_to_its_providers(context: Context) -> None:
    case = undecided(context)
    before = answers_of(case)
    assert status_of(context, case.submission_id) is SubmissionStatus.NEEDS_REVIEW
    token, session = opened(case)
    woken: list[str] = []
    received = add_answers(context, token, session, GIVEN, "en", "request", woken.append)
    assert isinstance(received, Received)
    assert (received.reception, received.view.status) == (Reception.ADDED, SubmissionStatus.VALID)
    assert woken == ["score"]
    assert status_of(context, case.submission_id) is SubmissionStatus.VALID
    assert table(context.database, Review.table()) == table(context.database, Assessment.table()) == []
    assert answers_of(case) == {**before, "onset_months": 30}
    (recorded,) = case.recorded(Action.SUBMISSION_ANSWERED)
    assert recorded.actor == str(actions.person(case.submission_id))
    assert recorded.details == '{"added":1,"previous_status":"needs_review","status":"valid"}'

    drain(context, "score")
    assert status_of(context, case.submission_id) is SubmissionStatus.CANDIDATE
    assert parts_of(case) == {"body", "answers", "answers:2", "assessment", "assessment:2"}
    assert len(case.recorded(Action.REFERRAL_OFFERED)) == 1
    queued = {kind for kind, _, status in emails(context) if status == "queued"}
    assert queued == {EmailKind.RECOMMENDATION, EmailKind.REFERRAL}
    assert [each.document.id for each in case.open(token, session=session).view.recommended] == ["provider-0"]
    assert records_hold(context)


def test_an_answer_that_rules_it_out_ends_in_no_match(sqlite_context: Context) -> None:
    case = undecided(sqlite_context)
    send(case, *opened(case), {"onset_months": "3"})
    drain(sqlite_context)
    assert status_of(sqlite_context, case.submission_id) is SubmissionStatus.NO_MATCH


def test_what_stays_open_is_asked_again_and_every_round_is_kept(context: Context) -> None:
    case = undecided(context, [LONG_ENOUGH, DIAGNOSED], **WAITING)
    token, session = opened(case)
    assert send(case, token, session, GIVEN).reception is Reception.ADDED
    drain(context)
    assert status_of(context, case.submission_id) is SubmissionStatus.NEEDS_REVIEW
    assert [each.question.id for each in case.open(token, session=session).view.questions] == ["diagnosis_confirmed"]
    assert send(case, token, session, {"diagnosis_confirmed": "yes"}).reception is Reception.ADDED
    drain(context)
    assert status_of(context, case.submission_id) is SubmissionStatus.CANDIDATE
    assert parts_of(case) >= {"answers:3", "assessment:3"}
    kinds = [kind for kind, recipient, _ in emails(context) if recipient == "person"]
    assert kinds == ["confirmation", "information-needed", "information-needed", "recommendation"]


def test_after_some_rounds_no_more_is_asked_and_an_expert_decides(context: Context) -> None:
    rounds = {"onset_months": "30", "budget": "nothing", "travel": "local", "timeframe": "now"}
    wanted = [{"question": name, "one_of": [value]} for name, value in rounds.items() if name != "onset_months"]
    case = undecided(context, [LONG_ENOUGH, *wanted], **dict.fromkeys(rounds))
    token, session = opened(case)
    *asked, left = rounds.items()
    assert len(asked) == MOST_ADDED
    for name, value in asked:
        assert send(case, token, session, {name: value}).reception is Reception.ADDED
        drain(context)
        assert status_of(context, case.submission_id) is SubmissionStatus.NEEDS_REVIEW
    (review,) = table(context.database, Review.table())
    assert review.reasons == "information_missing"
    kinds = [kind for kind, recipient, _ in emails(context) if recipient == "person"]
    assert sorted(kinds) == ["confirmation", "in-review", *["information-needed"] * MOST_ADDED]
    assert case.open(token, session=session).view.questions == ()
    before = state(context)
    assert send(case, token, session, dict([left])).reception is Reception.NOT_ASKED
    assert state(context) == before


@pytest.mark.parametrize(
    "given",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"onset_months": "  ", "diagnosis_confirmed": ""}, id="blanks"),
        pytest.param({"diagnosis_confirmed": "in_progress"}, id="what was answered before"),
        pytest.param({"severity": "1", "first_name": "Eve", "email": "eve@example.org"}, id="what was not asked"),
    ],
)
def test_nothing_new_changes_nothing(context: Context, given: Mapping[str, object]) -> None:
    case = undecided(context, [LONG_ENOUGH, DIAGNOSED], **WAITING)
    token, session = opened(case)
    before = state(context)
    received = send(case, token, session, given)
    assert (received.reception, len(received.view.questions)) == (Reception.NOTHING_NEW, 2)
    assert state(context) == before


def test_an_answer_that_intake_would_refuse_is_refused_with_all_that_came_with_it(context: Context) -> None:
    case = undecided(context, [LONG_ENOUGH, DIAGNOSED], [{"distance": "travel"}], postal_code=None, **WAITING)
    token, session = opened(case)
    before = state(context)
    given = {"onset_months": "many", "diagnosis_confirmed": "yes", "postal_code": "not a code"}
    received = send(case, token, session, given)
    assert received.reception is Reception.TO_CORRECT
    assert {(each.field, each.rule) for each in received.problems} == {
        ("onset_months", Rule.NOT_A_WHOLE_NUMBER),
        ("postal_code", Rule.NOT_A_POSTAL_CODE),
    }
    assert state(context) == before


def test_answers_are_taken_once_and_after_that_the_page_shows_how_things_stand(context: Context) -> None:
    case = undecided(context)
    token, session = opened(case)
    receptions = at_once(4, lambda _: send(case, token, session, GIVEN).reception)
    assert sorted(receptions) == [Reception.ADDED, *[Reception.NOT_ASKED] * 3]
    drain(context)
    late = send(case, token, session, {"onset_months": "1"})
    assert (late.reception, late.view.status) == (Reception.NOT_ASKED, SubmissionStatus.CANDIDATE)
    assert len(late.view.recommended) == 1
    assert len(case.recorded(Action.SUBMISSION_ANSWERED)) == 1
    assert answers_of(case)["onset_months"] == 30


def test_it_takes_a_live_session_of_this_very_link(context: Context) -> None:
    case = undecided(context)
    token, session = opened(case)
    confirmation = case.token(EmailKind.CONFIRMATION)
    before = state(context)
    for bad in (None, "", session[:-1]):
        assert isinstance(send(case, token, bad, GIVEN), SessionEnded)
    assert isinstance(send(case, confirmation, session, GIVEN), SessionEnded)
    assert isinstance(send(case, "A" * 43, session, GIVEN), Closed)
    change(context, SecureSession.table(), expires_at=PAST)
    assert isinstance(send(case, token, session, GIVEN), SessionEnded)
    assert state(context) == before
    fail_long_ago(case, token, 15)
    assert isinstance(send(case, token, session, GIVEN), Locked)


def test_a_providers_link_takes_no_answers_of_a_person(sqlite_context: Context) -> None:
    case = undecided(sqlite_context, onset_months=20)
    token = case.provider_token("provider-0")
    assert isinstance(send(case, token, case.unlocked(token, case.new_code(token)), GIVEN), Closed)


def test_after_everything_was_stopped_the_page_says_so(context: Context) -> None:
    case = undecided(context)
    token, session = opened(case)
    other, other_session = opened(case, EmailKind.CONFIRMATION)
    stop(context, token, "request", nobody)
    assert isinstance(send(case, token, session, GIVEN), Stopped)
    assert isinstance(send(case, other, other_session, GIVEN), Closed)
    assert status_of(context, case.submission_id) is SubmissionStatus.WITHDRAWN
    assert not case.recorded(Action.SUBMISSION_ANSWERED)


@pytest.mark.parametrize("stopping", [False, True])
def test_an_answer_a_decision_and_a_withdrawal_at_the_same_time_end_in_one_consistent_state(
    postgresql_context: Context, *, stopping: bool
) -> None:
    for number in range(5):
        case = undecided(postgresql_context, email=f"person.{number}@example.org")
        answered, decided = race(case, stopping=stopping)
        drain(postgresql_context)
        assert (answered + decided) in ({0, 1} if stopping else {1})
        expected = SubmissionStatus.CANDIDATE if answered else SubmissionStatus.NO_MATCH
        expected = SubmissionStatus.WITHDRAWN if stopping else expected
        assert status_of(postgresql_context, case.submission_id) is expected
        assert not table(postgresql_context.database, Review.table())
    assert jobs(postgresql_context.database) == []
    assert records_hold(postgresql_context)


def race(case: Referred, *, stopping: bool) -> tuple[int, int]:
    """How many answers and how many decisions were taken, of one each at the same time."""
    token, session = opened(case)
    confirmation, expert = case.token(EmailKind.CONFIRMATION), actions.staff("expert")

    def act(number: int) -> object:
        if number == 0:
            return send(case, token, session, GIVEN)
        if number == 1:
            with suppress(ReviewRefused):
                decide(case.context, expert, case.submission_id, Decision(candidate=False, reason="Nothing fits"))
            return None
        return stop(case.context, confirmation, "request", nobody)

    at_once(3 if stopping else 2, act)
    return len(case.recorded(Action.SUBMISSION_ANSWERED)), len(case.recorded(Action.SUBMISSION_REVIEWED))
