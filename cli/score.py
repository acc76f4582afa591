"""`score`: answers against the published criteria, without any effect; a stored verdict once more, bit for bit."""

import datetime as dt
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Never

import orjson
import typer

from cli.console import JsonOption, complain, out, print_json, say
from cli.failures import FINDING, WRONG_USE, fail, named_file, read_settings
from cli.moment import EXPECTED, read_moment, tell_moment
from config.conditions import Conditions, load_conditions
from config.providers import load_providers
from config.screening import Screening, load_screening
from config.settings import Settings
from pipeline.db import utc_now
from pipeline.intake.payload import PayloadMistake
from pipeline.operations.opening import open_database, open_keys, operator
from pipeline.operations.scoring_again import (
    AnswersRefused,
    CannotBeScoredAgain,
    ScoredAgain,
    Scoring,
    read_answers_to_score,
    score_again,
    score_by,
)
from pipeline.operations.timeline import find_submission
from pipeline.providers import NetworkInForce, current_revision, draft_network, read_network, revision_at
from pipeline.scoring.explanation import explain_to_staff, staff_lines


def score(
    file: Annotated[Path | None, typer.Argument(help='JSON: {"answers": {…}}, as for `submit`; no consents.')] = None,
    *,
    submission: Annotated[str | None, typer.Option(metavar="ID", help="A stored one instead, on record.")] = None,
    providers: Annotated[Path | None, typer.Option(help="A provider file in place of what is published.")] = None,
    as_of: Annotated[
        dt.datetime | None,
        typer.Option(parser=read_moment, metavar="TIME", help=f"As if it were then, else now: {EXPECTED}."),
    ] = None,
    revision: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="The network as of its Nth publication, else of that time.")
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Every program and criterion, for staff.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Score answers without any effect: which programs fit by the criteria in force, and why.

    --as-of is a moment in the past; what was published by then, as far as is
    known now, counts. The revision of the network is told: with it as
    --revision, the same answers and --as-of give the same verdicts, bit for
    bit, whatever is published later; then --as-of may be in the future too, as
    with --providers. Providers that fit equally well are listed by id: whose
    turn it is depends on the day, and is settled with the referrals.

    --submission opens a stored submission's answers, scores them by the very
    versions of its assessment, and says whether that comes out as stored
    (matches as a set, with their scores). If not, it ends with 1.
    """
    if (file is None) == (submission is None):
        fail("name a FILE, or --submission ID", WRONG_USE)
    if submission is not None and (providers, as_of, revision) != (None, None, None):
        fail("--submission is scored by its own versions and time: leave out the other options for that", WRONG_USE)
    if providers is not None and revision is not None:
        fail("a file has no revision: leave out either --providers or --revision", WRONG_USE)
    now = utc_now()
    if as_of is not None and as_of > now and providers is None and revision is None:
        why = f"--as-of: {tell_moment(as_of)} is to come, and what is published until then would change the answer"
        fail(f"{why}: name a time that has passed, or --revision as well", WRONG_USE)
    settings = read_settings()
    if file is not None:
        scoring = _score_file(settings, file, _Chosen(providers, revision, as_of or now), as_json=as_json)
        _show(settings, scoring, {}, explain=explain, as_json=as_json)
        return
    again = _score_submission(settings, str(submission))
    told = {"submission": again.reference, "as_stored": not again.differences, "differences": list(again.differences)}
    _show(settings, again.scoring, told, explain=explain, as_json=as_json)
    _compare(again, as_json=as_json)
    if again.differences:
        raise typer.Exit(FINDING)


@dataclass(frozen=True, slots=True)
class _Chosen:
    """What a file is scored by: a provider file, or the network at a moment, as of one revision of it or of then."""

    providers: Path | None
    revision: int | None
    at: dt.datetime


def _score_file(settings: Settings, file: Path, chosen: _Chosen, *, as_json: bool) -> Scoring:
    screening, conditions = load_screening(settings.screening_file), load_conditions(settings.conditions_file)
    try:
        body = file.read_bytes()
    except OSError as error:
        fail(f"{file} cannot be read: {error.strerror}", WRONG_USE)
    try:
        answers = read_answers_to_score(body, screening, conditions, chosen.at.date())
    except PayloadMistake as mistake:
        fail(f"{file}: {mistake.field}: {mistake.message}")
    except AnswersRefused as refused:
        _refuse(file, refused, as_json=as_json)
    return score_by(_network(settings, screening, conditions, chosen), answers, chosen.at.date(), chosen.at)


def _refuse(file: Path, refused: AnswersRefused, *, as_json: bool) -> Never:
    if as_json:
        print_json({"problems": [{"field": each.field, "rule": each.rule.value} for each in refused.problems]})
    complain(f"{file}: the answers cannot be scored")
    for problem in refused.problems:
        say(f"  {problem.field}: {problem.rule.value}: {problem.message('en')}")
    raise typer.Exit(FINDING)


def _network(settings: Settings, screening: Screening, conditions: Conditions, chosen: _Chosen) -> NetworkInForce:
    if chosen.providers is not None:
        with named_file():
            documents = load_providers(chosen.providers, screening, conditions).providers
        return draft_network(documents)
    with open_database(settings) as database, database.read() as connection:
        latest = current_revision(connection)
        if chosen.revision is not None and chosen.revision > latest:
            fail(f"--revision: the network is at revision {latest}", WRONG_USE)
        revision = revision_at(connection, chosen.at) if chosen.revision is None else chosen.revision
        in_force = read_network(connection, chosen.at, revision)
    if not in_force.documents:
        fail(f"no provider was published by {chosen.at.isoformat()}")
    return in_force


def _score_submission(settings: Settings, name: str) -> ScoredAgain:
    with open_database(settings) as database:
        keys = open_keys(settings, database)
        with database.read() as connection:
            submission_id: uuid.UUID | None = find_submission(connection, name)
        if submission_id is None:
            fail(f"there is no submission {name}")
        try:
            return score_again(database, keys, operator(), submission_id)
        except CannotBeScoredAgain as reason:
            fail(f"{name} cannot be scored again: {reason}")


def _show(settings: Settings, scoring: Scoring, told: dict[str, Any], *, explain: bool, as_json: bool) -> None:
    if as_json:
        print_json({**told, **_document(scoring, explain=explain)})
        return
    if explain:
        for line in staff_lines(explain_to_staff(scoring.assessment.explanation, scoring.in_force.documents)):
            out.print(line, markup=False)
        out.print()
    _show_outcome(scoring, load_screening(settings.screening_file))
    network = f"network revision {scoring.in_force.revision} ({scoring.in_force.digest})"
    say(f"{network}, received on {scoring.received_on}, as of {scoring.at.isoformat()}")


def _show_outcome(scoring: Scoring, screening: Screening) -> None:
    assessment = scoring.assessment
    out.print(assessment.outcome.value.replace("_", " "), style="bold", markup=False)
    for match in assessment.matches:
        out.print(f"  {match.score:>3}  {match.provider_id} / {match.program_id}", markup=False)
    for reason in assessment.review_reasons:
        out.print(f"  for review: {reason.replace('_', ' ')}", markup=False)
    for question_id in assessment.questions:
        question = screening.by_id.get(question_id)
        label = f": {question.label.en}" if question is not None else ""
        out.print(f"  would decide: {question_id}{label}", markup=False)


def _compare(again: ScoredAgain, *, as_json: bool) -> None:
    if again.differences:
        complain(f"{again.reference} does not come out as stored")
        for line in () if as_json else again.differences:
            out.print(f"  {line}", markup=False)
    elif not as_json:
        how = "bit for bit" if again.exact else "in what it says; the first release stored less"
        out.print(f"{again.reference}: as stored, {how}", markup=False)


def _document(scoring: Scoring, *, explain: bool) -> dict[str, Any]:
    assessment, in_force = scoring.assessment, scoring.in_force
    document: dict[str, Any] = {
        "outcome": assessment.outcome.value,
        "matches": [
            {
                "provider": match.provider_id,
                "provider_version": str(match.provider_version_id),
                "program": match.program_id,
                "score": match.score,
            }
            for match in assessment.matches
        ],
        "review_reasons": list(assessment.review_reasons),
        "questions": list(assessment.questions),
        "network": {"revision": in_force.revision, "digest": in_force.digest},
        "received_on": scoring.received_on.isoformat(),
        "as_of": scoring.at.isoformat(),
        "explanation": assessment.explanation,
    }
    if explain:
        told = explain_to_staff(assessment.explanation, in_force.documents)
        document["told"] = orjson.loads(orjson.dumps(told))
    return document
