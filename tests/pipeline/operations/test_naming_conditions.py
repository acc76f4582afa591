"""An expert says which condition of the list a person means by words of their own."""

import pytest

from pipeline.audit.actions import Action
from pipeline.context import Context
from pipeline.models import AuditEvent, Base, Referral, Review
from pipeline.operations.review_case import ReviewRefused
from pipeline.operations.reviews import Decision, decide, name_condition
from pipeline.status import SubmissionStatus
from pipeline.submission import Part, read_sealed
from tests.pipeline.operations.reviewing import EXPERT, about, in_review
from tests.pipeline.scoring.network_files import program, provider
from tests.support.work import actions_about, drain, emails, status_of, table

WORDS = "Small fibre zqmarker"
OWN_WORDS = {"condition": "other", "condition_other": WORDS}
TAKES_NEUROPATHY = provider(program([{"question": "condition", "equals": "peripheral_neuropathy"}]))
REASON = "zqmarker is a neuropathy"


def test_it_is_scored_again_with_that_condition_and_goes_on(context: Context) -> None:
    kept = in_review(context, TAKES_NEUROPATHY, **OWN_WORDS)
    name_condition(context, EXPERT, kept.submission_id, "peripheral_neuropathy", REASON)
    assert status_of(context, kept.submission_id) is SubmissionStatus.VALID
    assert table(context.database, Review.table()) == []
    drain(context)
    assert status_of(context, kept.submission_id) is SubmissionStatus.CANDIDATE
    assert [row.provider_id for row in table(context.database, Referral.table())] == [TAKES_NEUROPATHY.id]
    assert ("recommendation", "person", "handed_over") in emails(context, kept.submission_id)
    with context.database.read() as connection:
        sealed = read_sealed(connection, [kept.submission_id], [Part.ANSWERS])[kept.submission_id]
    answers = sealed.open_json(context.vault, Part.ANSWERS)
    assert (answers["condition"], answers["condition_other"]) == ("peripheral_neuropathy", WORDS)


def test_who_said_so_is_on_record_and_why_is_sealed(context: Context) -> None:
    kept = in_review(context, TAKES_NEUROPATHY, **OWN_WORDS)
    name_condition(context, EXPERT, kept.submission_id, "lupus", REASON)
    [event] = [row for row in table(context.database, AuditEvent.table()) if row.action == "submission:condition_named"]
    assert (event.actor, event.health_ciphertext is not None) == ("staff:expert", True)
    everything = [repr(row) for of in Base.metadata.tables.values() for row in table(context.database, of)]
    assert not any("zqmarker" in row or "lupus" in row for row in everything if "provider_version" not in row)


def test_what_does_not_fit_then_can_still_be_decided(context: Context) -> None:
    """Named to something nobody takes: told so, like anyone. Named when another reason stays: the queue again."""
    borderline = provider(
        program([{"question": "condition", "equals": "lupus"}, {"question": "severity", "at_most": 6, "borderline": 1}])
    )
    kept = in_review(context, borderline, **OWN_WORDS, severity=7)
    name_condition(context, EXPERT, kept.submission_id, "lupus", REASON)
    drain(context)
    assert status_of(context, kept.submission_id) is SubmissionStatus.NEEDS_REVIEW
    decide(context, EXPERT, kept.submission_id, Decision(candidate=False, reason="Too mild."))
    drain(context)
    assert status_of(context, kept.submission_id) is SubmissionStatus.NO_MATCH
    assert actions_about(context, kept.submission_id).count(Action.SUBMISSION_SCORED.value) == 2


@pytest.mark.parametrize(
    ("changes", "condition", "why"),
    [
        (OWN_WORDS, "lupuss", "no condition lupuss"),
        (OWN_WORDS, "other", "no condition other"),
    ],
)
def test_what_cannot_be_named_changes_nothing(
    context: Context, changes: dict[str, object], condition: str, why: str
) -> None:
    kept = in_review(context, TAKES_NEUROPATHY, **changes)
    before = {name: table(context.database, of) for name, of in Base.metadata.tables.items()}
    with pytest.raises(ReviewRefused, match=why):
        name_condition(context, EXPERT, kept.submission_id, condition, REASON)
    assert {name: table(context.database, of) for name, of in Base.metadata.tables.items()} == before


def test_that_a_condition_stands_tells_of_the_person_and_is_on_record_as_that(sqlite_context: Context) -> None:
    kept = in_review(sqlite_context, TAKES_NEUROPATHY, contraindications=["none", "pregnancy"])
    before = {name: table(sqlite_context.database, of) for name, of in Base.metadata.tables.items()}
    with pytest.raises(ReviewRefused, match="chose a condition of the list"):
        name_condition(sqlite_context, EXPERT, kept.submission_id, "lupus", REASON)
    (record,) = about(sqlite_context, kept.submission_id, Action.FACTS_DISCLOSED)
    assert record.actor == str(EXPERT)
    after = {name: table(sqlite_context.database, of) for name, of in Base.metadata.tables.items()}
    changed = {name for name in before if after[name] != before[name]}
    assert changed == {"audit_event", "audit_pending", "submission"}
    assert status_of(sqlite_context, kept.submission_id) is SubmissionStatus.NEEDS_REVIEW
