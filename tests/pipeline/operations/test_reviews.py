import datetime as dt
import json
import uuid
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import update

from config.providers import ProviderDocument
from pipeline.audit.actions import Action, person
from pipeline.audit.verify import verify_events
from pipeline.context import Context
from pipeline.db import utc_now
from pipeline.email.kinds import EmailKind
from pipeline.models import AuditEvent, Base, Email, Job, ProviderLoad, ProviderMatch, Referral, Review
from pipeline.operations.review_case import ReviewRefused, open_case
from pipeline.operations.reviews import Decision, decide, list_in_review
from pipeline.operations.status_report import read_status
from pipeline.secure_pages.adding import Received, Reception, add_answers
from pipeline.secure_pages.answering import DeclineReason, ProviderAnswer, answer_referral
from pipeline.status import SubmissionStatus
from pipeline.submission import Part, read_sealed
from pipeline.unit_of_work import begin
from pipeline.withdrawal import withdraw
from tests.pipeline.operations.reviewing import (
    CONTRADICTION,
    EXPERT,
    MISSING,
    PAUSED,
    SINCE,
    about,
    beta,
    gamma,
    in_review,
    network,
)
from tests.pipeline.scoring.network_files import program, provider
from tests.pipeline.secure_pages.links import BORN, Referred
from tests.support.networks import TAKES_EVERYONE, fitting, put_in_force
from tests.support.racing import at_once
from tests.support.submissions import person as somebody
from tests.support.submissions import submit
from tests.support.transports import ScriptedTransport
from tests.support.work import actions_about, drain, emails, status_of, table

MARKER = "zqmarker"
TAKE_OVER = Decision(candidate=True, reason=f"Both fit. {MARKER}: takes warfarin")
BOTH = replace(TAKE_OVER, programs=("beta/second", "alpha/clinic"))
NO_MATCH = Decision(candidate=False, reason=f"None of them. {MARKER}: takes warfarin")


def matches(context: Context) -> list[tuple[int, str, str]]:
    return [(row.rank, row.provider_id, row.program_id) for row in table(context.database, ProviderMatch.table())]


def state(context: Context) -> dict[str, list[tuple[Any, ...]]]:
    """Everything but the records and their numbers, which an access adds to."""
    left_out = {"audit_event", "audit_pending", "audit_series"}
    found = {name: table(context.database, of) for name, of in Base.metadata.tables.items() if name not in left_out}
    return {
        name: [tuple(value for key, value in row._mapping.items() if key != "audit_seq") for row in rows]
        for name, rows in found.items()
    }


def test_the_queue_is_listed_oldest_first_and_by_reason(context: Context) -> None:
    first = in_review(context, **CONTRADICTION)
    put_in_force(context, beta(), gamma())
    second = submit(context, somebody(1, **MISSING))
    third = submit(context, somebody(2, **CONTRADICTION))
    drain(context)
    with context.database.write() as connection:
        earlier = update(Review).where(Review.submission_id == second.submission_id)
        connection.execute(earlier.values(queued_at=utc_now() - dt.timedelta(days=2)))
    with context.database.read() as connection:
        everything = list_in_review(connection)
        missing = list_in_review(connection, reason="information_missing")
        assert list_in_review(connection, reason="information%") == []
        assert len(list_in_review(connection, limit=1)) == 1
    assert [each.reference for each in everything] == [second.reference, first.reference, third.reference]
    assert [each.reasons for each in everything] == [
        ("information_missing",),
        ("contradiction",),
        ("contradiction", "information_missing"),
    ]
    assert [each.reference for each in missing] == [second.reference, third.reference]


def test_a_candidate_goes_on_as_if_scored(context: Context) -> None:
    kept = in_review(context, **CONTRADICTION)
    open_case(context, EXPERT, kept.submission_id)
    decided = decide(context, EXPERT, kept.submission_id, BOTH)
    assert [(match.provider_id, match.program_id) for match in decided] == [("alpha", "clinic"), ("beta", "second")]
    with context.database.read() as connection:
        assert read_status(connection).in_review == 0
        assert list_in_review(connection) == []
    before = emails(context, kept.submission_id)
    assert ("recommendation", "person", "queued") in before

    transport = ScriptedTransport()
    drain(context, transport=transport)
    assert status_of(context, kept.submission_id) is SubmissionStatus.CANDIDATE
    assert matches(context) == [(1, "alpha", "clinic"), (2, "beta", "second")]
    assert {(row.provider_id, row.status) for row in table(context.database, Referral.table())} == {
        ("alpha", "offered"),
        ("beta", "offered"),
    }
    loads = {row.provider_id: row.open_referrals for row in table(context.database, ProviderLoad.table())}
    assert loads == {"alpha": 1, "beta": 1}
    assert [(kind, status) for kind, _, status in emails(context, kept.submission_id) if kind != "confirmation"] == [
        ("in-review", "handed_over"),
        ("recommendation", "handed_over"),
        ("referral", "handed_over"),
        ("referral", "handed_over"),
    ]
    assert len(transport.sent) == 3
    causes = {row.cause for row in table(context.database, Email.table()) if row.kind == "recommendation"}
    assert causes == {"reviewed"}
    (record,) = about(context, kept.submission_id, Action.SUBMISSION_REVIEWED)
    told = json.loads(record.details)
    assert (record.actor, told["previous_status"], told["status"], told["matches"]) == (
        str(EXPERT),
        "needs_review",
        "candidate",
        2,
    )
    with context.database.snapshot() as connection:
        assert verify_events(connection, context.keys).findings == ()


def test_the_person_and_the_provider_see_what_an_expert_decided(context: Context) -> None:
    kept = in_review(context, **CONTRADICTION)
    decide(context, EXPERT, kept.submission_id, BOTH)
    drain(context)
    case = Referred(context, kept.submission_id)
    view = case.open(case.token(), BORN).view
    assert view.expert_decided
    assert [each.document.id for each in view.recommended] == ["alpha", "beta"]
    assert view.recommended[1].explanation.not_known
    token = case.provider_token("beta")
    assert case.open(token, case.new_code(token)).view.program.id == "second"


def test_no_match_is_told_to_the_person_and_to_nobody_else(context: Context) -> None:
    kept = in_review(context, **CONTRADICTION)
    assert decide(context, EXPERT, kept.submission_id, NO_MATCH) == ()
    drain(context)
    assert status_of(context, kept.submission_id) is SubmissionStatus.NO_MATCH
    assert ("no-match", "person", "handed_over") in emails(context, kept.submission_id)
    assert (matches(context), table(context.database, Referral.table())) == ([], [])
    assert actions_about(context, kept.submission_id).count("submission:reviewed") == 1


@pytest.mark.parametrize(
    ("named", "offered"),
    [
        ((), [(1, "alpha", "clinic")]),
        (("beta/first",), [(1, "beta", "first")]),
        (("beta/first", "beta/second"), [(1, "beta", "second")]),
        (("beta/second", "alpha/clinic"), [(1, "alpha", "clinic"), (2, "beta", "second")]),
    ],
)
def test_the_programs_that_are_named_are_offered_else_those_that_fit(
    context: Context, named: tuple[str, ...], offered: list[tuple[int, str, str]]
) -> None:
    kept = in_review(context, **CONTRADICTION)
    decide(context, EXPERT, kept.submission_id, Decision(candidate=True, reason="x", programs=named))
    assert matches(context) == offered


def test_what_fits_is_offered_before_what_is_in_doubt_now_and_after_a_decline(context: Context) -> None:
    fitting_ones = [fitting(f"fits{number}") for number in range(4)]
    kept = in_review(context, beta(), *fitting_ones, **CONTRADICTION)
    named = ("beta/second", *(f"{each.id}/clinic" for each in fitting_ones))
    made = decide(context, EXPERT, kept.submission_id, Decision(candidate=True, reason="x", programs=named))
    assert [match.provider_id for match in made] == ["fits0", "fits1", "fits2", "fits3", "beta"]
    assert made[0].score < made[-1].score
    drain(context)
    case = Referred(context, kept.submission_id)
    token, session = case.provider_token("fits0"), case.provider_session("fits0")
    decline = ProviderAnswer(accepts=False, reason=DeclineReason.NO_CAPACITY)
    answer_referral(context, token, session, decline, None, "request", lambda _lane: None)
    drain(context)
    asked_now = {row.provider_id for row in table(context.database, Referral.table()) if row.status == "offered"}
    assert asked_now == {"fits1", "fits2", "fits3"}


def test_what_fits_comes_first_among_equal_scores_however_long_the_others_have_waited(context: Context) -> None:
    sure = [fitting(f"sure{number}", programs=[program([TAKES_EVERYONE])]) for number in range(3)]
    kept = in_review(context, *sure, provider(program([SINCE]), id="doubt", name="Doubt"), **CONTRADICTION)
    submit(context, somebody(1, onset_months=1))
    drain(context)
    named = Decision(candidate=True, reason="x", programs=("doubt/clinic", *(f"{each.id}/clinic" for each in sure)))
    made = decide(context, EXPERT, kept.submission_id, named)
    assert (made[-1].provider_id, len({match.score for match in made})) == ("doubt", 1)
    assert {row.provider_id for row in table(context.database, Referral.table())} == {each.id for each in sure}


def test_a_match_names_the_version_that_was_judged(context: Context) -> None:
    kept = in_review(context, **CONTRADICTION)
    found = open_case(context, EXPERT, kept.submission_id).found
    judged = {each.program_id: each.provider_version_id for each in found.programs}
    put_in_force(context, fitting("alpha", name="Alpha, renamed"), beta(), gamma())
    decide(context, EXPERT, kept.submission_id, Decision(candidate=True, reason="x", programs=("alpha/clinic",)))
    (match,) = table(context.database, ProviderMatch.table())
    assert match.provider_version_id == judged["clinic"]


@pytest.mark.parametrize(
    ("named", "meanwhile", "said"),
    [
        (("gamma/clinic",), network(), "cannot be offered: gamma/clinic: does not fit"),
        (
            ("alpha/clinic", "nobody/clinic", "beta/third"),
            network(),
            "nobody/clinic: not among the programs told in the assessment; beta/third: not among the programs told in",
        ),
        (("alpha/clinic",), (beta(),), "cannot be offered: alpha/clinic: no longer in force"),
        (("beta/second",), (beta("first"),), "beta/second: no longer in force"),
        (("alpha/clinic",), (fitting("alpha", availability=PAUSED),), "alpha/clinic: closed (paused)"),
        (
            (),
            (fitting("alpha", availability=PAUSED),),
            "nothing to offer: alpha/clinic: closed (paused)",
        ),
    ],
)
def test_what_cannot_be_offered_is_refused_by_name_and_nothing_changes(
    context: Context, named: tuple[str, ...], meanwhile: tuple[ProviderDocument, ...], said: str
) -> None:
    kept = in_review(context, **CONTRADICTION)
    put_in_force(context, *meanwhile)
    before = state(context)
    with pytest.raises(ReviewRefused) as refused:
        decide(context, EXPERT, kept.submission_id, Decision(candidate=True, reason="x", programs=named))
    assert said in str(refused.value)
    assert state(context) == before
    assert actions_about(context, kept.submission_id)[-1] == "facts:disclosed", "it says what fits, so it is on record"


def test_what_can_be_offered_is_when_the_rest_cannot(context: Context) -> None:
    kept = in_review(context, fitting("alpha"), fitting("delta"), beta(), **CONTRADICTION)
    put_in_force(context, fitting("alpha", availability=PAUSED), fitting("delta"), beta())
    decide(context, EXPERT, kept.submission_id, TAKE_OVER)
    assert matches(context) == [(1, "delta", "clinic")]


@pytest.mark.parametrize("documents", [(gamma(),), (beta(), gamma())])
def test_what_is_in_doubt_is_offered_to_nobody_unless_it_is_named(
    context: Context, documents: tuple[ProviderDocument, ...]
) -> None:
    """The person agreed to share with providers whose criteria fit."""
    kept = in_review(context, *documents, **CONTRADICTION)
    with pytest.raises(ReviewRefused, match="nothing fits for certain: name what to offer"):
        decide(context, EXPERT, kept.submission_id, TAKE_OVER)
    assert status_of(context, kept.submission_id) is SubmissionStatus.NEEDS_REVIEW
    assert table(context.database, Referral.table()) == []


def test_a_full_provider_is_offered_later(context: Context) -> None:
    full = {"max_open": 1, "max_per_day": 50}
    kept = in_review(context, fitting("alpha", capacity=full), **CONTRADICTION)
    submit(context, somebody(1))
    drain(context)
    decide(context, EXPERT, kept.submission_id, TAKE_OVER)
    assert [row.submission_id for row in table(context.database, Referral.table())] != [kept.submission_id]
    waiting = [job.lane for job in table(context.database, Job.table()) if job.submission_id == kept.submission_id]
    assert "refer" in waiting


def test_only_what_is_in_review_is_read_or_decided(context: Context) -> None:
    kept = in_review(context, **CONTRADICTION)
    decide(context, EXPERT, kept.submission_id, NO_MATCH)
    before = state(context)
    for act in (
        lambda: decide(context, EXPERT, kept.submission_id, TAKE_OVER),
        lambda: decide(context, EXPERT, kept.submission_id, NO_MATCH),
        lambda: open_case(context, EXPERT, kept.submission_id),
    ):
        with pytest.raises(ReviewRefused, match=r"not in review \(its status is no_match\)"):
            act()
    with pytest.raises(ReviewRefused, match="not in review"):
        open_case(context, EXPERT, uuid.uuid4())
    assert state(context) == before
    assert "facts:disclosed" not in actions_about(context, kept.submission_id)


@pytest.mark.parametrize("wrong", [{"reason": " \n"}, {"candidate": False, "programs": ("alpha/clinic",)}])
def test_a_decision_has_a_reason_and_names_programs_for_a_candidate_only(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"reason|candidate"):
        Decision(**{"candidate": True, "reason": "x", **wrong})


def test_the_reason_is_sealed_and_nowhere_in_clear(context: Context, caplog: pytest.LogCaptureFixture) -> None:
    kept = in_review(context, **CONTRADICTION)
    with caplog.at_level(0):
        decide(context, EXPERT, kept.submission_id, TAKE_OVER)
        drain(context)
    with context.database.read() as connection:
        sealed = read_sealed(connection, [kept.submission_id], [Part.DECISION])[kept.submission_id]
    key, ciphertext = sealed.key(context.vault), sealed.parts[Part.DECISION].ciphertext
    plaintext = key.open(Part.DECISION, ciphertext)
    assert json.loads(plaintext) == {"candidate": True, "programs": [], "reason": TAKE_OVER.reason}
    (record,) = about(context, kept.submission_id, Action.SUBMISSION_REVIEWED)
    assert bytes(record.health_commitment) == key.commit_to(plaintext)
    assert bytes(record.health_ciphertext) == ciphertext
    assert record.reason is None
    kept_values = [value for rows in state(context).values() for row in rows for value in row]
    kept_values += [value for row in table(context.database, AuditEvent.table()) for value in row]
    assert len(kept_values) > 100
    for value in [*kept_values, caplog.text]:
        raw = bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode()
        assert MARKER.encode() not in raw


def add(case: Referred, session: str) -> Reception:
    """As the person answers what was asked for."""
    token = case.token(EmailKind.INFORMATION_NEEDED)
    received = add_answers(case.context, token, session, {"onset_months": "30"}, None, "request", lambda _lane: None)
    assert isinstance(received, Received)
    return received.reception


def asked(context: Context) -> tuple[Referred, str]:
    """A submission that waits for an answer or an expert, and the person's session. Answered, an expert has to look."""
    kept = in_review(context, beta(review_if=[TAKES_EVERYONE]), **MISSING)
    case = Referred(context, kept.submission_id)
    return case, case.unlocked(case.token(EmailKind.INFORMATION_NEEDED), BORN)


def test_answers_that_came_since_the_case_was_read_have_to_be_read_first(context: Context) -> None:
    case, session = asked(context)
    open_case(context, EXPERT, case.submission_id)
    assert add(case, session) is Reception.ADDED
    with pytest.raises(ReviewRefused, match="its status is valid"):
        decide(context, EXPERT, case.submission_id, TAKE_OVER)
    drain(context)
    with pytest.raises(ReviewRefused, match="read it again"):
        decide(context, EXPERT, case.submission_id, TAKE_OVER)
    again = open_case(context, EXPERT, case.submission_id)
    assert again.reasons == ("expert_rule",)
    assert "30" in {line.value for line in again.answers}
    decide(context, EXPERT, case.submission_id, TAKE_OVER)
    drain(context)
    assert ("recommendation", "person", "handed_over") in emails(context, case.submission_id)


def decided(context: Context, submission_id: uuid.UUID, decision: Decision) -> bool:
    try:
        decide(context, EXPERT, submission_id, decision)
    except ReviewRefused:
        return False
    return True


def test_of_several_decisions_at_once_one_counts(context: Context) -> None:
    kept = in_review(context, **CONTRADICTION)
    took = at_once(4, lambda number: decided(context, kept.submission_id, (TAKE_OVER, NO_MATCH)[number % 2]))
    assert sum(took) == 1
    assert actions_about(context, kept.submission_id).count("submission:reviewed") == 1
    wanted = SubmissionStatus.NO_MATCH if took.index(True) % 2 else SubmissionStatus.CANDIDATE
    assert status_of(context, kept.submission_id) is wanted
    drain(context)
    told = [kind for kind, _, _ in emails(context, kept.submission_id) if kind in {"recommendation", "no-match"}]
    assert len(told) == 1


@pytest.mark.parametrize("round_", range(3))
def test_a_decision_and_a_withdrawal_at_once_leave_nobody_with_the_facts(
    postgresql_context: Context, round_: int
) -> None:
    context = postgresql_context
    kept = in_review(context, **CONTRADICTION)

    def act(number: int) -> bool:
        if number:
            return decided(context, kept.submission_id, TAKE_OVER)
        with begin(context.database, context.keys, person(kept.submission_id)) as unit:
            withdraw(context, unit, kept.submission_id, uuid.uuid4())
        return True

    _, took = at_once(2, act)
    drain(context)
    assert status_of(context, kept.submission_id) is SubmissionStatus.WITHDRAWN
    assert actions_about(context, kept.submission_id).count("submission:reviewed") == took
    assert {row.status for row in table(context.database, Referral.table())} == ({"withdrawn"} if took else set())
    assert {row.open_referrals for row in table(context.database, ProviderLoad.table())} <= {0}
    late = [status for kind, _, status in emails(context, kept.submission_id) if kind in {"recommendation", "referral"}]
    assert set(late) <= {"cancelled"}
    with context.database.read() as connection:
        assert list_in_review(connection) == []


@pytest.mark.parametrize("round_", range(3))
def test_of_a_decision_and_added_answers_at_once_one_counts(postgresql_context: Context, round_: int) -> None:
    case, session = asked(postgresql_context)

    def act(number: int) -> bool:
        if number:
            return decided(case.context, case.submission_id, TAKE_OVER)
        return add(case, session) is Reception.ADDED

    added, took = at_once(2, act)
    assert added != took
    found = actions_about(case.context, case.submission_id)
    assert (found.count("submission:answered"), found.count("submission:reviewed")) == (added, took)
    wanted = SubmissionStatus.CANDIDATE if took else SubmissionStatus.VALID
    assert status_of(case.context, case.submission_id) is wanted
