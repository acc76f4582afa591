"""What a breach report opens of the answers: where people live, and how to reach them. On record with each first."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from config.screening import DataClass
from pipeline.audit.actions import Actor, Detail
from pipeline.context import Context
from pipeline.protected import Disclosure, Purpose, disclose
from pipeline.protected_parts import ProtectedAnswers, open_answers
from pipeline.reports.records import SUBMISSIONS_AT_A_TIME
from pipeline.scoring.geography import place
from pipeline.status import SubmissionStatus
from pipeline.submission import Part, Sealed, read_sealed
from pipeline.unit_of_work import begin
from pipeline.vault import SealBroken

_NAMES = ("first_name", "last_name", "guardian_name")
_REACHED_AT = ("email", "phone", "postal_code", "country")


@dataclass(frozen=True, slots=True)
class Reachable:
    """Where a submission's person lives (`US-CA`, or a country), and, if asked for, name and contact data."""

    region: str | None
    contacts: Mapping[str, str]


def read_reachable(
    context: Context, actor: Actor, submission_ids: Sequence[uuid.UUID], *, with_contacts: bool
) -> Iterator[tuple[uuid.UUID, Reachable]]:
    """Of each submission that can still be opened; those that were erased are left out.

    A batch at a time: that its answers are opened, and to what end, is committed before one of them is.
    """
    wanted = sorted(submission_ids)
    for start in range(0, len(wanted), SUBMISSIONS_AT_A_TIME):
        some = wanted[start : start + SUBMISSIONS_AT_A_TIME]
        for sealed, disclosure in _put_on_record(context, actor, some, with_contacts=with_contacts):
            found = _open(context, sealed, disclosure, with_contacts=with_contacts)
            if found is not None:
                yield sealed.submission_id, found


def _put_on_record(
    context: Context, actor: Actor, submission_ids: Sequence[uuid.UUID], *, with_contacts: bool
) -> Sequence[tuple[Sealed, Disclosure]]:
    """Those that were not erased, each as it is under its lock: an erasure came before, or waits until this is done."""
    what = "contacts" if with_contacts else "residence"
    with begin(context.database, context.keys, actor) as unit:
        heads = unit.lock(submission_ids)
        left = [id_ for id_ in submission_ids if id_ in heads and heads[id_].status is not SubmissionStatus.ERASED]
        sealed = read_sealed(unit.connection, left, [Part.ANSWERS])
        return [
            (sealed[id_], disclose(unit, id_, Purpose.BREACH, str(actor), {Detail.KIND: what}))
            for id_ in left
            if id_ in sealed and Part.ANSWERS in sealed[id_].parts
        ]


def _open(context: Context, sealed: Sealed, disclosure: Disclosure, *, with_contacts: bool) -> Reachable | None:
    try:
        answers = open_answers(context, sealed)
    except SealBroken:
        return None
    region = place(_text(answers, "country", disclosure), _text(answers, "postal_code", disclosure)).region
    contacts = {}
    if with_contacts:
        contacts = {name: _text(answers, name, disclosure) or "" for name in (*_NAMES, *_REACHED_AT)}
    return Reachable(region, contacts)


def _text(answers: ProtectedAnswers, name: str, disclosure: Disclosure) -> str | None:
    answer = answers.get(name)
    if answer is None or answer.data_class is DataClass.HEALTH:
        return None
    return str(disclosure.reveal(answer))
