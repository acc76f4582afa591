from typing import Any

import pytest

from pipeline.context import Context
from pipeline.ledger import NewJob, enqueue
from pipeline.models import Assessment, ProviderLoad, ProviderMatch, Referral, Review, SealedDocument
from pipeline.status import SubmissionStatus
from pipeline.submission import Part, read_sealed
from tests.pipeline.stages.gates import drain_together
from tests.support.networks import fitting, put_in_force
from tests.support.submissions import person, submit
from tests.support.work import actions_about, drain, emails, jobs, status_of, statuses, table


def offered(context: Context) -> list[str]:
    return sorted(row.provider_id for row in table(context.database, Referral.table()))


def test_a_candidate_is_offered_to_the_three_best_and_the_verdict_is_kept(context: Context) -> None:
    kept = submit(context)
    drain(context, "validate", "score")
    assert status_of(context, kept.submission_id) is SubmissionStatus.CANDIDATE
    matches = table(context.database, ProviderMatch.table())
    assert [match.rank for match in matches] == list(range(1, len(matches) + 1))
    assert len(matches) > 3
    assert offered(context) == sorted(match.provider_id for match in matches[:3])
    assert [kind for kind, _, _ in emails(context)] == ["confirmation", "recommendation", *["referral"] * 3]
    (assessment,) = table(context.database, Assessment.table())
    assert assessment.outcome == "candidate"
    with context.database.read() as connection:
        (sealed,) = read_sealed(connection, [kept.submission_id], [Part.ASSESSMENT]).values()
    told = sealed.open_json(context.vault, Part.ASSESSMENT)
    versions = {each["p"]: each["v"] for each in told["p"]}
    assert len(versions) >= 15
    assert all(versions[match.provider_id] == str(match.provider_version_id) for match in matches)
    assert actions_about(context, kept.submission_id)[3:] == [
        "submission:scored",
        "email:queued",
        *["referral:offered", "email:queued"] * 3,
    ]


@pytest.mark.parametrize(
    ("changes", "status", "kind"),
    [
        ({"condition": "other", "condition_other": "something rare"}, "needs_review", "in-review"),
        ({"contraindications": ["active_cancer"]}, "no_match", "no-match"),
    ],
)
def test_whoever_is_offered_to_nobody_hears_why_not(
    context: Context, changes: dict[str, Any], status: str, kind: str
) -> None:
    if status == "no_match":
        refuses = {"question": "contraindications", "none_of": ["active_cancer"]}
        program = fitting("strict").programs[0].model_dump(mode="json", exclude_none=True)
        put_in_force(context, fitting("strict", programs=[program | {"require": [refuses]}]))
    kept = submit(context, **changes)
    drain(context)
    assert statuses(context) == {status: 1}
    assert [told for told, _, _ in emails(context, kept.submission_id)] == ["confirmation", kind]
    assert offered(context) == []
    assert len(table(context.database, Review.table())) == (status == "needs_review")
    assert not jobs(context.database)


def test_two_scored_at_the_same_moment_do_not_both_get_the_last_place(postgresql_context: Context) -> None:
    put_in_force(postgresql_context, fitting("small", capacity={"max_open": 1, "max_per_day": 10}))
    for number in range(2):
        submit(postgresql_context, person(number))
    drain(postgresql_context, "validate")
    drain_together(postgresql_context, "score")
    assert statuses(postgresql_context) == {"candidate": 2}
    assert offered(postgresql_context) == ["small"]
    (load,) = table(postgresql_context.database, ProviderLoad.table())
    assert (load.open_referrals, load.day_referrals) == (1, 1)
    (waiting,) = jobs(postgresql_context.database, "refer")
    assert waiting.due_at > waiting.created_at


@pytest.mark.parametrize("capacity", [{"max_open": 3, "max_per_day": 9}, {"max_open": 9, "max_per_day": 3}])
def test_one_batch_takes_no_more_than_there_is_room_for(context: Context, capacity: dict[str, int]) -> None:
    put_in_force(context, fitting("small", capacity=capacity))
    for number in range(5):
        submit(context, person(number))
    drain(context)
    assert offered(context) == ["small"] * 3
    assert len(jobs(context.database, "refer")) == 2


def test_scoring_again_changes_nothing(context: Context) -> None:
    kept = submit(context)
    drain(context)
    before = actions_about(context, kept.submission_id)
    documents = len(table(context.database, SealedDocument.table()))
    with context.database.write() as connection:
        enqueue(connection, [NewJob("score", kept.submission_id, kept.submission_id)])
    assert drain(context) == 1
    assert actions_about(context, kept.submission_id) == before
    assert len(table(context.database, SealedDocument.table())) == documents
