"""Scoring on request: answers in a file, or a submission's own once more, by the versions that it was scored by.

Nothing follows from it: no status, no match and no email. Whoever has a submission scored again sees health facts, so
that is on record before any answer is opened.
"""

import datetime as dt
import uuid
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection, select

from config.conditions import Conditions
from config.screening import QuestionType, Screening
from pipeline import models
from pipeline.audit.actions import Action, Actor, Detail
from pipeline.db import Database
from pipeline.intake.json_api import read_submission
from pipeline.intake.payload import read_object
from pipeline.keys import Keys
from pipeline.providers import NetworkInForce, read_documents, read_network
from pipeline.scoring.assess import Assessment, score
from pipeline.scoring.compare import MOST_MATCHES, Outcome
from pipeline.scoring.explanation import ProgramRecord, read_explanation
from pipeline.scoring.rank import Match
from pipeline.submission import Part, Sealed, numbered, read_sealed
from pipeline.unit_of_work import begin
from pipeline.validation import Answer, FieldProblem, validate
from pipeline.vault import Vault

_PURPOSE = "score"


@dataclass(frozen=True, slots=True)
class Scoring:
    """One assessment, and all that it follows from beside the answers: versions, day of receipt, and moment."""

    assessment: Assessment
    in_force: NetworkInForce
    received_on: dt.date
    at: dt.datetime


@dataclass(frozen=True, slots=True)
class ScoredAgain:
    """A submission's assessment made again. `differences` is empty if it came out as stored.

    `exact` says that it was compared bit for bit: an assessment of the first release is compared by what it says, since
    explanations have had more in them since. Its review reasons are left out, as their rules have changed.
    """

    reference: str
    scoring: Scoring
    differences: tuple[str, ...]
    exact: bool


class AnswersRefused(Exception):
    """Answers that intake would not take either. Names fields and rules, never an answer."""

    def __init__(self, problems: tuple[FieldProblem, ...]) -> None:
        super().__init__(", ".join(f"{problem.field}: {problem.rule}" for problem in problems))
        self.problems = problems


class CannotBeScoredAgain(Exception):
    """There is nothing to compare with; the message says why."""


def read_answers_to_score(
    body: bytes, screening: Screening, conditions: Conditions, received_on: dt.date
) -> dict[str, Answer]:
    """The answers in the body of a submission, by the rules of intake. Consents are not asked for: nothing is shared.

    Raises:
        PayloadMistake: it is not such a body.
        AnswersRefused: an answer is missing or breaks a rule.
    """
    checked = validate(screening, conditions, read_submission(read_object(body)).answers, received_on)
    consents = {question.id for question in screening.questions if question.type is QuestionType.CONSENT}
    problems = tuple(problem for problem in checked.problems if problem.field not in consents)
    if problems:
        raise AnswersRefused(problems)
    return checked.answers


def score_by(
    in_force: NetworkInForce,
    answers: Mapping[str, Answer],
    received_on: dt.date,
    at: dt.datetime,
    matched: Collection[tuple[uuid.UUID, str]] | None = None,
) -> Scoring:
    """Score answers by some network; those that fit equally well stand in the order of their ids.

    `matched` are the matches that were stored, as (provider version, program), if it was scored before.
    """
    return Scoring(score(answers, in_force.network, received_on, at, matched), in_force, received_on, at)


def score_again(database: Database, keys: Keys, actor: Actor, submission_id: uuid.UUID) -> ScoredAgain:
    """Score a submission's answers by the versions, the day and the moment of its last assessment, and compare.

    Raises:
        CannotBeScoredAgain: it was not scored yet, or its answers were erased.
        SealBroken: a document was altered, or belongs to another key.
    """
    with database.read() as connection:
        _read_stored(connection, submission_id)
    with begin(database, keys, actor) as unit:
        unit.record(submission_id, Action.FACTS_DISCLOSED, {Detail.PURPOSE: _PURPOSE})
    with database.snapshot() as connection:
        stored = _read_stored(connection, submission_id)
        return _compare(connection, stored, Vault(keys))


@dataclass(frozen=True, slots=True)
class _Stored:
    """The last assessment as it is in the database, still sealed, with the answers it was made of.

    There is no `row` while answers that were added wait to be scored.
    """

    sealed: Sealed
    answers_name: str
    answers: bytes
    row: Any
    matches: frozenset[tuple[uuid.UUID, str, int]]

    def matched_by(self, explanation: Mapping[str, Any]) -> frozenset[tuple[uuid.UUID, str]]:
        """The matches that this assessment made: what an expert decided after it is not among them."""
        if explanation["o"] != Outcome.CANDIDATE:
            return frozenset()
        return frozenset((version_id, program_id) for version_id, program_id, _ in self.matches)


def _read_stored(connection: Connection, submission_id: uuid.UUID) -> _Stored:
    sealed = read_sealed(connection, [submission_id], [Part.ASSESSMENT]).get(submission_id)
    if sealed is None:
        raise CannotBeScoredAgain("its answers were erased")
    if Part.ASSESSMENT not in sealed.parts:
        raise CannotBeScoredAgain("it was not scored yet")
    document, match = models.SealedDocument, models.ProviderMatch
    name = numbered(Part.ANSWERS, sealed.parts[Part.ASSESSMENT].number)
    answers = connection.execute(
        select(document.ciphertext).where(document.submission_id == submission_id, document.part == name)
    ).scalar_one()
    row = connection.execute(
        select(models.Assessment.table()).where(models.Assessment.submission_id == submission_id)
    ).one_or_none()
    matches = connection.execute(
        select(match.provider_version_id, match.program_id, match.score).where(match.submission_id == submission_id)
    )
    return _Stored(sealed, name, bytes(answers), row, frozenset((each[0], each[1], each[2]) for each in matches))


def _compare(connection: Connection, stored: _Stored, vault: Vault) -> ScoredAgain:
    key = stored.sealed.key(vault)
    explanation = stored.sealed.parts[Part.ASSESSMENT].open_json(key)
    answers = key.open_json(stored.answers_name, stored.answers)
    received_on = stored.sealed.received_at.date()
    matched = stored.matched_by(explanation)
    revision, at = _judged_by(stored.row, explanation)
    if revision is not None and at is not None:
        scoring = score_by(read_network(connection, at, revision), answers, received_on, at, matched)
        found = (
            *_differences(explanation, scoring, stored),
            *_other_reasons(explanation, scoring),
            *_other_bytes(explanation, scoring),
        )
        return ScoredAgain(stored.sealed.reference, scoring, found, exact=True)
    at = stored.row.assessed_at if stored.row is not None else stored.sealed.received_at
    scoring = score_by(_network_named(connection, explanation), answers, received_on, at, matched)
    return ScoredAgain(stored.sealed.reference, scoring, tuple(_differences(explanation, scoring, stored)), exact=False)


def _judged_by(row: Any, explanation: Mapping[str, Any]) -> tuple[int | None, dt.datetime | None]:
    """The network's revision and the moment; both are `None` for an assessment of the first release."""
    if row is not None:
        return row.network_revision, row.judged_at
    at = explanation.get("t")
    return explanation.get("n"), dt.datetime.fromisoformat(at) if at else None


def _network_named(connection: Connection, explanation: Mapping[str, Any]) -> NetworkInForce:
    """The versions that an explanation names, which in the first release were all there were."""
    named = {uuid.UUID(provider["v"]) for provider in explanation["p"]}
    return NetworkInForce.of(read_documents(connection, named), revision=0)


def _differences(explanation: Mapping[str, Any], scoring: Scoring, stored: _Stored) -> Iterator[str]:
    assessment = scoring.assessment
    if explanation["o"] != assessment.outcome:
        yield f"outcome: stored {explanation['o']}, now {assessment.outcome}"
    if stored.row is not None and stored.row.network_digest != scoring.in_force.digest:
        yield f"network: stored {stored.row.network_digest}, now {scoring.in_force.digest}"
    then = {(each.provider_version_id, each.program_id): each for each in read_explanation(explanation)}
    for record in read_explanation(assessment.explanation):
        before = then.get((record.provider_version_id, record.program_id))
        if before is None:
            yield f"{record.provider_id} / {record.program_id}: not stored, now {_verdict(record)}"
        elif (before.verdict, before.score) != (record.verdict, record.score):
            yield f"{record.provider_id} / {record.program_id}: stored {_verdict(before)}, now {_verdict(record)}"
        elif before.criteria != record.criteria:
            other = [name for name, verdict in record.criteria.items() if before.criteria.get(name) != verdict]
            yield f"{record.provider_id} / {record.program_id}: criteria that differ: {_listed(other)}"
    if assessment.outcome is Outcome.CANDIDATE and not _same_matches(stored.matches, assessment.matches):
        yield f"matches: stored {len(stored.matches)}, now {len(assessment.matches)}, and not the same"


def _other_reasons(explanation: Mapping[str, Any], scoring: Scoring) -> Iterator[str]:
    """Not for the first release, which gave some reasons beside others that now stand alone."""
    now = scoring.assessment.review_reasons
    if tuple(explanation["w"]) != now:
        yield f"review reasons: stored {_listed(explanation['w'])}, now {_listed(now)}"


def _other_bytes(explanation: Mapping[str, Any], scoring: Scoring) -> Iterator[str]:
    if orjson.dumps(explanation) != orjson.dumps(scoring.assessment.explanation):
        yield "explanation: not the same bytes"


def _same_matches(stored: frozenset[tuple[uuid.UUID, str, int]], matches: tuple[Match, ...]) -> bool:
    """Whether they are the same with the same scores, in any order: that follows from waits and shares of the day.

    So does which of equals are the last of those that are kept; there, only how many there are is compared.
    """
    now = {(match.provider_version_id, match.program_id, match.score) for match in matches}
    if len(stored) < MOST_MATCHES:
        return stored == now
    last = min(match.score for match in matches)
    above, scores = (
        [{each for each in found if each[2] > last} for found in (stored, now)],
        [sorted((each[2] for each in found), reverse=True)[:MOST_MATCHES] for found in (stored, now)],
    )
    return above[0] == above[1] and scores[0] == scores[1]


def _verdict(record: ProgramRecord) -> str:
    return f"{record.verdict.name.lower().replace('_', ' ')} with score {record.score}"


def _listed(names: Any) -> str:
    return ", ".join(names) or "none"
