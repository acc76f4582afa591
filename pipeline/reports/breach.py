"""Whose facts reached whom between two times: the scope of a breach (45 CFR 164.400-414, 16 CFR 318).

Kept in memory is a line for each submission and recipient, not the records.
"""

import datetime as dt
import uuid
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, Connection, or_, select

from config.screening import DataClass
from pipeline.audit.actions import Detail
from pipeline.models import PersonIndex, Submission
from pipeline.outreach import to_provider
from pipeline.protected import Purpose
from pipeline.reports.document import Cell, Report, Table
from pipeline.reports.making import Making, about_archives
from pipeline.reports.reach import REACHING, Reach, classes_in_words, reach_of
from pipeline.reports.records import SUBMISSIONS_AT_A_TIME, actions, by, says, within
from pipeline.reports.residence import Reachable
from pipeline.reports.thresholds import OTHER_STATES, reached

NAME = "breach"
BASIS = "45 CFR 164.400-414, 16 CFR 318"

_SCOPE = (
    "Listed is what is on record as shown or handed on, with what may have been: it is the scope to be judged, and not "
    "a finding that there was a breach (45 CFR 164.402, 16 CFR 318.2)."
)
_INDIVIDUALS = (
    "Individuals are told apart by address, date of birth and first name; a submission that was erased, or that said "
    "too little, counts as one individual."
)
_CARRIER = (
    "Among those reached is the carrier of our email, listed as transport: it is given the person's address with each "
    "email, and what an email says in its full form."
)


@dataclass(frozen=True, slots=True)
class Sought:
    """What a breach is narrowed to. Without anything: everybody but the person's own page, and breach reports."""

    provider_id: str | None = None
    actor: str | None = None
    link: uuid.UUID | None = None

    @property
    def subject(self) -> str | None:
        """For the record of the report."""
        named = (
            ("provider", self.provider_id),
            ("actor", self.actor),
            ("link", str(self.link) if self.link else None),
        )
        return " ".join(f"{name} {value}" for name, value in named if value) or None

    def conditions(self) -> Iterator[ColumnElement[bool]]:
        """What narrows the search in the database; `covers` decides."""
        yield actions(*REACHING)
        if self.provider_id is not None:
            yield says(Detail.RECIPIENT, to_provider(self.provider_id))
        if self.actor is not None:
            yield or_(by(self.actor), says(Detail.RECIPIENT, self.actor))
        if self.link is not None:
            yield says(Detail.LINK, str(self.link))

    def covers(self, reach: Reach) -> bool:
        if self.provider_id is not None and reach.recipient != to_provider(self.provider_id):
            return False
        if self.actor is not None and self.actor not in {reach.actor, reach.recipient}:
            return False
        if self.link is not None and reach.record.detail(Detail.LINK) != str(self.link):
            return False
        return self.actor is not None or self.link is not None or not reach.is_own


@dataclass(slots=True)
class Affected:
    """What of one submission reached one recipient."""

    first: dt.datetime
    last: dt.datetime
    times: int = 0
    classes: set[DataClass] = field(default_factory=set)
    ways: set[str] = field(default_factory=set)

    def add(self, reach: Reach) -> None:
        self.first, self.last = min(self.first, reach.at), max(self.last, reach.at)
        self.times += 1
        self.classes |= reach.classes
        self.ways.add(reach.way)


@dataclass(frozen=True, slots=True)
class Scope:
    """By submission and recipient; `people` tells submissions of one person from those of another."""

    affected: Mapping[tuple[uuid.UUID, str], Affected]
    references: Mapping[uuid.UUID, str]
    people: Mapping[uuid.UUID, bytes]
    for_breaches: int = 0
    """How often staff were shown something for a breach report; left out, unless an actor is named."""

    @property
    def submission_ids(self) -> list[uuid.UUID]:
        return sorted({submission_id for submission_id, _ in self.affected})

    @property
    def individuals(self) -> int:
        return len(set(self.people.values()))


def read_scope(connection: Connection, making: Making, sought: Sought) -> Scope:
    """What reached whom in the period.

    What was opened to find out about a breach belongs to no breach: without this a report would widen the next one.
    """
    affected: dict[tuple[uuid.UUID, str], Affected] = {}
    for_breaches = 0
    for record in within(connection, making.period, *sought.conditions()):
        reach = reach_of(record)
        if reach is None or not sought.covers(reach):
            continue
        if reach.purpose == Purpose.BREACH and sought.actor is None:
            for_breaches += 1
            continue
        key = (reach.submission_id, reach.recipient)
        affected.setdefault(key, Affected(reach.at, reach.at)).add(reach)
    ids = sorted({submission_id for submission_id, _ in affected})
    references, people = _who(connection, ids)
    return Scope(affected, references, people, for_breaches)


def report(
    connection: Connection,
    making: Making,
    sought: Sought,
    scope: Scope,
    reachable: Mapping[uuid.UUID, Reachable] | None = None,
) -> Report:
    """The scope in words; `reachable` holds what was opened of the answers, if anything was."""
    residents = None if reachable is None else _residents(scope, reachable)
    tables = [_affected_table(scope), _thresholds_table(scope.individuals, residents)]
    if residents is not None and reachable is not None:
        tables.append(_residents_table(residents))
        if any(each.contacts for each in reachable.values()):
            tables.append(_contacts_table(scope, reachable))
    erased = [id_ for id_ in scope.submission_ids if scope.people[id_] == id_.bytes]
    summary: dict[str, Cell] = {
        "individuals": scope.individuals,
        "requests": len(scope.submission_ids),
        "recipients": len({recipient for _, recipient in scope.affected}),
        "requests counted as one individual each": len(erased),
    }
    return Report(
        making.head("Whose facts reached whom", BASIS, (sought.subject,) if sought.subject else ()),
        summary,
        (_SCOPE, _INDIVIDUALS, _CARRIER, *_left_out(scope), OTHER_STATES, *about_archives(connection, making.period)),
        tuple(tables),
    )


def _left_out(scope: Scope) -> tuple[str, ...]:
    if not scope.for_breaches:
        return ()
    times = "once" if scope.for_breaches == 1 else f"{scope.for_breaches} times"
    note = (
        f"Left out is what staff were shown for a breach report itself, in this period {times}: residence, or how to "
        "reach somebody. A report that is narrowed to one of them as the actor lists it."
    )
    return (note,)


def _who(
    connection: Connection, submission_ids: Sequence[uuid.UUID]
) -> tuple[Mapping[uuid.UUID, str], Mapping[uuid.UUID, bytes]]:
    """References, and whose each is: the person's index, else the submission's own id."""
    references: dict[uuid.UUID, str] = {}
    people: dict[uuid.UUID, bytes] = {}
    for start in range(0, len(submission_ids), SUBMISSIONS_AT_A_TIME):
        rows = connection.execute(
            select(Submission.id, Submission.reference, PersonIndex.person)
            .outerjoin(PersonIndex, PersonIndex.submission_id == Submission.id)
            .where(Submission.id.in_(submission_ids[start : start + SUBMISSIONS_AT_A_TIME]))
        )
        for row in rows:
            references[row.id] = row.reference
            people[row.id] = bytes(row.person) if row.person is not None else row.id.bytes
    return references, people


def _residents(scope: Scope, reachable: Mapping[uuid.UUID, Reachable]) -> Counter[str]:
    """Individuals by where they live: of several submissions of one person, the latest counts."""
    regions = {scope.people[id_]: "not known" for id_ in scope.submission_ids}
    for submission_id in scope.submission_ids:  # ids are in the order received
        found = reachable.get(submission_id)
        if found is not None and found.region is not None:
            regions[scope.people[submission_id]] = found.region
    return Counter(regions.values())


def _affected_table(scope: Scope) -> Table:
    rows = tuple(
        (
            scope.references.get(submission_id),
            recipient,
            each.first,
            each.last,
            each.times,
            classes_in_words(frozenset(each.classes)),
            ", ".join(sorted(each.ways)),
        )
        for (submission_id, recipient), each in sorted(scope.affected.items())
    )
    columns = {
        "reference": "Request",
        "recipient": "Reached",
        "first": "First",
        "last": "Last",
        "times": "Times",
        "classes": "Classes of data",
        "way": "By",
    }
    return Table("affected", "Affected requests", columns, rows, "Nothing reached anybody in this period.")


def _thresholds_table(individuals: int, residents: Mapping[str, int] | None) -> Table:
    words = {True: "yes", False: "no", None: "not known: residence was not looked up"}
    rows = tuple(
        (threshold.rule, state, threshold.fewest, count, words[met], threshold.consequence)
        for threshold, state, count, met in reached(individuals, residents)
    )
    columns = {
        "rule": "Rule",
        "state": "State",
        "from": "From",
        "individuals": "Individuals",
        "reached": "Reached",
        "consequence": "Then",
    }
    return Table("thresholds", "Who would have to be told, if it was a breach", columns, rows, "There is none.")


def _residents_table(residents: Mapping[str, int]) -> Table:
    rows = tuple(sorted(residents.items(), key=lambda item: (-item[1], item[0])))
    columns = {"region": "State or country", "individuals": "Individuals"}
    return Table("residents", "Individuals by residence", columns, rows, "There is none.")


def _contacts_table(scope: Scope, reachable: Mapping[uuid.UUID, Reachable]) -> Table:
    names: Collection[str] = next(each.contacts for each in reachable.values() if each.contacts)
    rows = tuple(
        (scope.references[id_], *(reachable[id_].contacts.get(name, "") for name in names))
        for id_ in scope.submission_ids
        if id_ in reachable
    )
    columns = {"reference": "Request", **{name: name.replace("_", " ") for name in names}}
    return Table("contacts", "How to reach them", columns, rows, "There is none.")
