import json
from collections import Counter
from typing import Any

import pytest

from pipeline.context import Context
from pipeline.ledger import NewJob, enqueue
from pipeline.models import (
    Assessment,
    AuditEvent,
    Email,
    NetworkRevision,
    ProviderLoad,
    ProviderMatch,
    Referral,
    Review,
    SealedDocument,
)
from pipeline.scoring.compare import MOST_MATCHES
from pipeline.status import SubmissionStatus
from pipeline.submission import Part, numbered, read_sealed
from tests.pipeline.scoring.network_files import program
from tests.pipeline.stages.gates import drain_together
from tests.support.networks import fitting, put_in_force
from tests.support.submissions import person, submit
from tests.support.work import actions_about, drain, emails, jobs, status_of, statuses, table


def offered(context: Context) -> list[str]:
    return sorted(row.provider_id for row in table(context.database, Referral.table()))


def refuses_cancer() -> dict[str, Any]:
    return program([{"question": "contraindications", "none_of": ["active_cancer"]}])


def asks_for_more() -> dict[str, Any]:
    """Cannot be decided without an answer that may be left out."""
    return program([{"question": "onset_months", "at_least": 12}])


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
    (network,) = table(context.database, NetworkRevision.table())
    assert (assessment.outcome, assessment.network_revision) == ("candidate", network.revision)
    assert assessment.judged_at <= assessment.assessed_at
    with context.database.read() as connection:
        (sealed,) = read_sealed(connection, [kept.submission_id], [Part.ASSESSMENT]).values()
    told = sealed.open_json(context.vault, Part.ASSESSMENT)
    assert (told["t"], told["n"]) == (assessment.judged_at.isoformat(), assessment.network_revision)
    versions = {each["p"]: each["v"] for each in told["p"]}
    assert len(versions) >= 15
    assert all(versions[match.provider_id] == str(match.provider_version_id) for match in matches)
    assert actions_about(context, kept.submission_id)[5:] == [
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
        put_in_force(context, fitting("strict", programs=[refuses_cancer()]))
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


def test_a_batch_spreads_over_equal_providers(context: Context) -> None:
    roomy = {"max_open": 250, "max_per_day": 250}
    put_in_force(context, *(fitting(f"p{number}", capacity=roomy) for number in range(5)))
    for number in range(250):
        submit(context, person(number))
    drain(context, "validate")
    assert drain(context, "score") == 250
    assert Counter(offered(context)) == {f"p{number}": 150 for number in range(5)}
    stored = {
        (row.submission_id, row.provider_id): (row.rank, row.score)
        for row in table(context.database, ProviderMatch.table())
    }
    told = {
        (row.submission_id, details["provider"]): (details["rank"], details["score"])
        for row in table(context.database, AuditEvent.table())
        if row.action == "referral:offered"
        for details in [json.loads(row.details)]
    }
    assert len(told) == 750
    assert told == {key: (rank, score) for key, (rank, score) in stored.items() if rank <= 3}


def test_the_wait_goes_on_from_one_batch_to_the_next(context: Context) -> None:
    put_in_force(context, *(fitting(f"p{number}") for number in range(4)))
    for number in range(4):
        submit(context, person(number))
        drain(context)
    assert Counter(offered(context)) == {f"p{number}": 3 for number in range(4)}


def test_many_that_are_full_do_not_hide_those_that_have_room(context: Context) -> None:
    full = [fitting(f"full{number}", capacity={"max_open": 1, "max_per_day": 9}) for number in range(MOST_MATCHES + 2)]
    put_in_force(context, *full)
    for number in range(9):
        submit(context, person(number))
        drain(context, "validate", "score")
    assert len(offered(context)) == len(full)
    put_in_force(context, *full, *(fitting(f"new{number}") for number in range(3)))
    for number in (9, 10):
        submit(context, person(number))
        drain(context, "validate", "score")
    assert Counter(offered(context))["new0"] == 2


def test_whoever_lacks_nothing_but_answers_is_asked_for_them(context: Context) -> None:
    put_in_force(context, fitting("unsure", programs=[asks_for_more()]))
    kept = submit(context, onset_months=None)
    drain(context)
    (review,) = table(context.database, Review.table())
    assert review.reasons == "information_missing"
    assert [kind for kind, _, _ in emails(context, kept.submission_id)] == ["confirmation", "information-needed"]


def test_answers_that_were_added_are_scored_beside_the_first(context: Context) -> None:
    kept = submit(context)
    drain(context, "validate")
    with context.database.write() as connection:
        sealed = read_sealed(connection, [kept.submission_id], [Part.ANSWERS])[kept.submission_id]
        key, second = sealed.key(context.vault), numbered(Part.ANSWERS, 2)
        added = sealed.open_json(context.vault, Part.ANSWERS) | {"contraindications": ["active_cancer"]}
        ciphertext = key.seal_json(second, added)
        values = {"submission_id": kept.submission_id, "part": second, "ciphertext": ciphertext}
        connection.execute(SealedDocument.table().insert().values(values))
    put_in_force(context, fitting("strict", programs=[refuses_cancer()]))
    drain(context, "score")
    assert statuses(context) == {"no_match": 1}
    with context.database.read() as connection:
        (found,) = read_sealed(connection, [kept.submission_id], [Part.ASSESSMENT]).values()
    assert found.parts[Part.ASSESSMENT].number == 2
    assert found.open_json(context.vault, Part.ASSESSMENT)["o"] == "no_match"
    assert {row.kind: row.cause for row in table(context.database, Email.table())}["no-match"] == "scored:2"


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
