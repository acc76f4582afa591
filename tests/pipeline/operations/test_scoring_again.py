import datetime as dt
import json
import uuid
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from config.providers import ProviderDocument
from pipeline.audit import actions
from pipeline.context import Context
from pipeline.db import utc_now
from pipeline.models import Assessment, AuditEvent, ProviderMatch, ProviderVersion, SealedDocument
from pipeline.operations.scoring_again import (
    AnswersRefused,
    CannotBeScoredAgain,
    ScoredAgain,
    read_answers_to_score,
    score_again,
    score_by,
)
from pipeline.providers import draft_network
from pipeline.submission import Part, read_sealed
from pipeline.vault import SealBroken
from tests.config.shipped import CONDITIONS, SCREENING
from tests.support.networks import fitting, put_in_force
from tests.support.submissions import answers, body, person, submit
from tests.support.work import actions_about, drain, table

STAFF = actions.staff("ana")
DAY = dt.date(2026, 11, 22)
FIRST_RELEASE = {"d", "o", "w", "p"}


def again(context: Context, submission_id: uuid.UUID) -> ScoredAgain:
    return score_again(context.database, context.keys, STAFF, submission_id)


def scored(context: Context, **changes: Any) -> uuid.UUID:
    submission_id = submit(context, **changes).submission_id
    drain(context)
    return submission_id


def reseal(context: Context, submission_id: uuid.UUID, part: str, value: Any) -> None:
    """Put another document in the place of a sealed part, or one where there was none."""
    sealed = SealedDocument.table()
    with context.database.write() as connection:
        key = read_sealed(connection, [submission_id], [Part.ANSWERS])[submission_id].key(context.vault)
        connection.execute(delete(sealed).where(sealed.c.submission_id == submission_id, sealed.c.part == part))
        row = {"submission_id": submission_id, "part": part, "ciphertext": key.seal_json(part, value)}
        connection.execute(sealed.insert(), row)


def explanation(context: Context, submission_id: uuid.UUID) -> dict[str, Any]:
    with context.database.read() as connection:
        sealed = read_sealed(connection, [submission_id], [Part.ASSESSMENT])[submission_id]
    found: dict[str, Any] = sealed.open_json(context.vault, Part.ASSESSMENT)
    return found


def change_row(context: Context, submission_id: uuid.UUID, **values: Any) -> None:
    with context.database.write() as connection:
        connection.execute(update(Assessment).where(Assessment.submission_id == submission_id).values(**values))


def test_after_several_publications_every_verdict_is_repeated_bit_for_bit(
    context: Context, network: tuple[ProviderDocument, ...]
) -> None:
    first = scored(context)
    put_in_force(context, fitting("a"), fitting("b", preference=3))
    second = scored(context, first_name="Ana", email="ana@example.org")
    in_review = scored(context, condition="other", condition_other="something rare", email="eva@example.org")
    kept = [table(context.database, each.table()) for each in (ProviderMatch, SealedDocument, Assessment)]
    versions = table(context.database, ProviderVersion.table())

    put_in_force(context, fitting("a", name="renamed", programs=[network[0].programs[0].model_dump(mode="json")]))
    put_in_force(context, fitting("c"))

    for submission_id in (first, second, in_review):
        found = again(context, submission_id)
        assert (found.differences, found.exact) == ((), True)
        assert json.dumps(found.scoring.assessment.explanation) == json.dumps(explanation(context, submission_id))
    assert {match.provider_id for match in again(context, second).scoring.assessment.matches} == {"a", "b"}
    assert kept == [table(context.database, each.table()) for each in (ProviderMatch, SealedDocument, Assessment)]
    assert set(versions) <= set(table(context.database, ProviderVersion.table()))


def test_what_a_match_names_still_says_what_it_said(context: Context) -> None:
    put_in_force(context, fitting("a", name="then"))
    submission_id = scored(context)
    put_in_force(context, fitting("a", name="now", programs=fitting("b", preference=5).programs))
    with context.database.read() as connection:
        (text,) = connection.execute(
            select(ProviderVersion.document)
            .join(ProviderMatch, ProviderMatch.provider_version_id == ProviderVersion.id)
            .where(ProviderMatch.submission_id == submission_id)
        ).scalars()
    assert ProviderDocument.model_validate_json(text) == fitting("a", name="then")


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ({"network_revision": 1}, ["network:", "explanation:"]),
        ({"judged_at": utc_now() - dt.timedelta(days=365)}, ["network:", "explanation:"]),
        ({"network_digest": "0" * 16}, ["network:"]),
    ],
)
def test_whatever_does_not_come_out_as_stored_is_named(
    sqlite_context: Context, values: dict[str, Any], found: list[str]
) -> None:
    put_in_force(sqlite_context, fitting("a"))
    submission_id = scored(sqlite_context)
    change_row(sqlite_context, submission_id, **values)
    differences = again(sqlite_context, submission_id).differences
    assert all(any(each.startswith(start) for each in differences) for start in found)


def test_a_verdict_or_match_that_was_altered_is_named_by_its_program(sqlite_context: Context) -> None:
    put_in_force(sqlite_context, fitting("a"), fitting("b"))
    submission_id = scored(sqlite_context)
    altered = explanation(sqlite_context, submission_id)
    altered["p"][0]["g"][0]["s"] += 1
    altered["p"][1]["g"][0]["c"]["severity"] = "u"
    reseal(sqlite_context, submission_id, Part.ASSESSMENT, altered)
    with sqlite_context.database.write() as connection:
        connection.execute(update(ProviderMatch).where(ProviderMatch.provider_id == "a").values(score=3))
    one, other, matches, exact = again(sqlite_context, submission_id).differences
    score = altered["p"][0]["g"][0]["s"]
    assert one == f"a / clinic: stored met with score {score}, now met with score {score - 1}"
    assert other == "b / clinic: criteria that differ: severity"
    assert (matches.startswith("matches: "), exact) == (True, "explanation: not the same bytes")


def test_the_first_releases_assessments_are_scored_by_the_versions_they_name(context: Context) -> None:
    put_in_force(context, fitting("a"), fitting("b"))
    submission_id = scored(context)
    old = {key: value for key, value in explanation(context, submission_id).items() if key in FIRST_RELEASE}
    reseal(context, submission_id, Part.ASSESSMENT, old)
    change_row(context, submission_id, network_revision=None, judged_at=None)
    put_in_force(context, fitting("a", name="renamed"), fitting("c"))
    found = again(context, submission_id)
    assert (found.differences, found.exact) == ((), False)
    assert {match.provider_id for match in found.scoring.assessment.matches} == {"a", "b"}

    old["o"] = "no_match"
    reseal(context, submission_id, Part.ASSESSMENT, old)
    assert again(context, submission_id).differences == ("outcome: stored no_match, now candidate",)


def test_the_first_releases_reasons_for_review_are_not_compared(context: Context) -> None:
    submission_id = scored(context, condition="other", condition_other="something rare")
    now = explanation(context, submission_id)
    assert now["w"] == ["free_text_condition"]
    then = {**now, "w": ["free_text_condition", "information_missing"]}
    reseal(context, submission_id, Part.ASSESSMENT, then)
    assert "review reasons:" in " ".join(again(context, submission_id).differences)
    reseal(context, submission_id, Part.ASSESSMENT, {key: then[key] for key in FIRST_RELEASE})
    change_row(context, submission_id, network_revision=None, judged_at=None)
    found = again(context, submission_id)
    assert (found.differences, found.exact) == ((), False)


def test_of_more_equals_than_are_explained_those_whose_turn_it_was_are_told_again(context: Context) -> None:
    put_in_force(context, *(fitting(f"p{number:02}") for number in range(70)))
    submissions = [scored(context, **person(number)) for number in range(10)]
    told = [json.dumps(explanation(context, each)["p"]) for each in submissions]
    assert len(set(told)) > 1, "whose turn it is changes what is told"
    assert [again(context, each).differences for each in submissions] == [()] * len(submissions)


def test_answers_that_wait_to_be_scored_do_not_count_for_the_assessment_before_them(context: Context) -> None:
    submission_id = scored(context, condition="other", condition_other="something rare")
    reseal(context, submission_id, "answers:2", answers(condition="fibromyalgia"))
    with context.database.write() as connection:
        connection.execute(delete(Assessment).where(Assessment.submission_id == submission_id))
    found = again(context, submission_id)
    assert (found.differences, found.exact) == ((), True)
    assert "free_text_condition" in found.scoring.assessment.review_reasons


def test_the_access_is_on_record_before_anything_is_opened(context: Context) -> None:
    submission_id = scored(context)
    again(context, submission_id)
    assert actions_about(context, submission_id)[-1] == "facts:disclosed"
    (last,) = [row for row in table(context.database, AuditEvent.table()) if row.action == "facts:disclosed"]
    assert (last.actor, json.loads(last.details)) == ("staff:ana", {"purpose": "score"})

    with context.database.write() as connection:
        connection.execute(
            update(SealedDocument).where(SealedDocument.submission_id == submission_id).values(ciphertext=b"x" * 40)
        )
    with pytest.raises(SealBroken):
        again(context, submission_id)
    assert actions_about(context, submission_id)[-2:] == ["facts:disclosed"] * 2


def test_what_was_not_scored_cannot_be_scored_again_and_nobody_has_looked(context: Context) -> None:
    submission_id = submit(context).submission_id
    with pytest.raises(CannotBeScoredAgain, match="not scored"):
        again(context, submission_id)
    assert "facts:disclosed" not in actions_about(context, submission_id)


def test_answers_are_held_to_the_rules_of_intake_but_for_consents() -> None:
    def read(**changes: Any) -> dict[str, Any]:
        return dict(read_answers_to_score(body(answers(**changes)), SCREENING, CONDITIONS, DAY))

    assert read(consent_contact=None, consent_share="outdated")["severity"] == 7
    with pytest.raises(AnswersRefused) as refused:
        read(severity=99, email=None, consent_share=None)
    assert str(refused.value) == "email: required, severity: out_of_range"


def test_the_same_answers_versions_and_moment_give_the_same_bytes() -> None:
    at = dt.datetime(2026, 11, 22, tzinfo=dt.UTC)
    given = read_answers_to_score(body(answers()), SCREENING, CONDITIONS, DAY)
    one, other = (
        score_by(draft_network(documents), given, DAY, at).assessment
        for documents in ([fitting("a"), fitting("b")], [fitting("b"), fitting("a")])
    )
    assert one == other
    assert [match.provider_id for match in one.matches] == ["a", "b"]
