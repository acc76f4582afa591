"""A person answers what would decide the request in review. The new answers go through scoring like the first."""

import datetime as dt
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from pipeline.audit.actions import Action, Detail
from pipeline.audit.record import DetailValue
from pipeline.context import Context
from pipeline.db import utc_now
from pipeline.rescoring import score_again
from pipeline.secure_pages.asking import open_questions
from pipeline.secure_pages.link import Closed, Link, Locked, find_link, lock_link, lock_of
from pipeline.secure_pages.opening import disclose
from pipeline.secure_pages.person import PersonView
from pipeline.secure_pages.session import SessionEnded, is_session
from pipeline.secure_pages.stopping import Stopped
from pipeline.status import SubmissionStatus
from pipeline.submission import Part, Sealed, read_sealed
from pipeline.unit_of_work import UnitOfWork, begin
from pipeline.validation import Answer, FieldProblem, validate
from pipeline.validation.readers import is_blank


class Reception(StrEnum):
    """What became of the answers that were sent."""

    ADDED = "added"  # kept; the request is scored again
    NOTHING_NEW = "nothing_new"  # all blank, or as they were
    TO_CORRECT = "to_correct"  # some cannot be used; none was kept
    NOT_ASKED = "not_asked"  # nobody waits for them (any more)


@dataclass(frozen=True, slots=True)
class Received:
    """`view` is the page as things stand now; that it is shown is on record. `problems` are there to be corrected."""

    reception: Reception
    view: PersonView
    problems: tuple[FieldProblem, ...] = ()


def add_answers(
    context: Context,
    token: str,
    session_key: str | None,
    given: Mapping[str, object],
    language: str | None,
    request_id: str,
    wake: Callable[[str], None],
) -> Received | SessionEnded | Stopped | Closed | Locked:
    """Take what a person in review answers, by question id. What was not asked is left out, what is blank stays."""
    with context.database.read() as connection:
        found = find_link(connection, token, utc_now())
    if found is None or found.provider_id is not None:
        return Closed()
    with begin(context.database, context.keys, found.owner, request_id) as unit:
        result = _add(context, unit, found, session_key, given, language)
    for lane in unit.fed_lanes:
        wake(lane)
    return result


def _add(
    context: Context,
    unit: UnitOfWork,
    found: Link,
    session_key: str | None,
    given: Mapping[str, object],
    language: str | None,
) -> Received | SessionEnded | Stopped | Closed | Locked:
    link = lock_link(unit, found)
    if link is None:
        return Closed()
    if link.stopped_everything:
        return Stopped(link)
    if not is_session(unit.connection, link, session_key, unit.now):
        return lock_of(unit.connection, link, unit.now) or SessionEnded(link)
    parts = [Part.ANSWERS, Part.ASSESSMENT]
    sealed = read_sealed(unit.connection, [link.submission_id], parts).get(link.submission_id)
    if sealed is None or Part.ANSWERS not in sealed.parts:
        return Closed()
    spoken = language or link.language
    reception, problems = _receive(context, unit, link, sealed, given)
    if reception is Reception.ADDED:
        link = replace(link, submission_status=SubmissionStatus.VALID)
    view = disclose(context, unit, link, sealed, spoken)
    return Received(reception, view, problems) if isinstance(view, PersonView) else Closed()


def _receive(
    context: Context, unit: UnitOfWork, link: Link, sealed: Sealed, given: Mapping[str, object]
) -> tuple[Reception, tuple[FieldProblem, ...]]:
    if link.submission_status is not SubmissionStatus.NEEDS_REVIEW:
        return Reception.NOT_ASKED, ()
    asked = [each.question.id for each in open_questions(context, unit.connection, sealed, link.language)]
    if not asked:
        return Reception.NOT_ASKED, ()
    answers: dict[str, Answer] = sealed.open_json(context.vault, Part.ANSWERS)
    added, problems = _read(context, answers, asked, given, sealed.received_at.date())
    if problems:
        return Reception.TO_CORRECT, problems
    if not added:
        return Reception.NOTHING_NEW, ()
    details: dict[Detail, DetailValue] = {Detail.ADDED: len(added)}
    score_again(context, unit, sealed, answers | added, Action.SUBMISSION_ANSWERED, details)
    return Reception.ADDED, ()


def _read(
    context: Context,
    answers: Mapping[str, Answer],
    asked: Collection[str],
    given: Mapping[str, object],
    received_on: dt.date,
) -> tuple[dict[str, Answer], tuple[FieldProblem, ...]]:
    """The answers that are new, and what is wrong with those that were given: by the rules of intake, beside the rest.

    The others were accepted under the questions of their day and are not judged again.
    """
    named = {name: given[name] for name in asked if not is_blank(given.get(name))}
    checked = validate(context.screening, context.conditions, {**answers, **named}, received_on)
    problems = tuple(problem for problem in checked.problems if problem.field in named)
    read = {name: checked.answers[name] for name in named if name in checked.answers}
    return {name: answer for name, answer in read.items() if answer != answers.get(name)}, problems
