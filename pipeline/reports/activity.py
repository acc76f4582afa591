"""What was done in a period, for somebody to review (45 CFR 164.308(a)(1)(ii)(D), 164.312(b)).

Records are counted as they are read: kept are only those that are listed.
"""

import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from pipeline.audit.actions import Action, Detail
from pipeline.reports.document import Report, Table
from pipeline.reports.making import Making, about_archives, references
from pipeline.reports.records import Record, within
from pipeline.reports.sign_off import first_record_at, gaps, read_sign_offs
from pipeline.secure_pages.link import ATTEMPTS_BEFORE_LOCK

NAME = "activity"
BASIS = "45 CFR 164.308(a)(1)(ii)(D)"

TO_LOOK_AT = frozenset(
    {
        Action.BREAKER_CLOSED,
        Action.BREAKER_OPENED,
        Action.CONSENT_WITHDRAWN,
        Action.EMAIL_REFUSED,
        Action.HOLD_LIFTED,
        Action.HOLD_PLACED,
        Action.JOB_DIED,
        Action.KEY_ADDED,
        Action.KEY_PROMOTED,
        Action.KEY_RETIRED,
        Action.LANE_PAUSED,
        Action.LANE_RESUMED,
        Action.LOG_ARCHIVED,
        Action.LOG_EXPORTED,
        Action.LOG_OPENED,
        Action.PROVIDERS_IMPORTED,
        Action.RETENTION_RUN,
        Action.SUBMISSION_ERASED,
        Action.SUPPRESSION_ADDED,
        Action.SUPPRESSION_LIFTED,
    }
)
"""Listed one by one, whoever did it."""

_TOLD = (
    Detail.REPORT,
    Detail.SUBJECT,
    Detail.PURPOSE,
    Detail.RECIPIENT,
    Detail.LANE,
    Detail.KIND,
    Detail.CODE,
    Detail.CAUSE,
    Detail.MATTER,
    Detail.KEYSET,
    Detail.KEY,
    Detail.FINDING,
    Detail.SUBMISSIONS,
    Detail.NETWORK_REVISION,
    Detail.COUNT,
)
"""Details that tell a reviewer more than that it happened."""

_STAFF = "staff"
_NOTE = (
    "Counted is every record of the period; listed is every act of staff, and what bears on whether the system can be "
    "relied on: suppressions, pauses, work that was given up, exports, keys, erasures, holds, publications. Times "
    "of day are not judged: whoever reviews knows who works when."
)


@dataclass(slots=True)
class _Attempts:
    """Wrong second factors on one link, within the period."""

    failed: int = 0
    in_a_row: int = 0
    locks: int = 0
    last: Record | None = None

    def fail(self, record: Record) -> None:
        self.failed += 1
        self.in_a_row += 1
        self.locks += self.in_a_row % ATTEMPTS_BEFORE_LOCK == 0
        self.last = record


@dataclass(slots=True)
class _Tally:
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    acts: list[Record] = field(default_factory=list)
    events: list[Record] = field(default_factory=list)
    attempts: dict[str, _Attempts] = field(default_factory=dict)

    def add(self, record: Record) -> None:
        self.counts[record.actor_kind, record.action] += 1
        if record.actor_kind == _STAFF:
            self.acts.append(record)
        elif record.action in TO_LOOK_AT:
            self.events.append(record)
        link = record.detail(Detail.LINK)
        if link is None:
            return
        if record.action == Action.PAGE_UNLOCK_FAILED:
            self.attempts.setdefault(link, _Attempts()).fail(record)
        elif record.action == Action.PAGE_UNLOCKED and link in self.attempts:
            self.attempts[link].in_a_row = 0

    @property
    def submissions(self) -> set[uuid.UUID]:
        """Those that the listed records are about."""
        listed = (*self.acts, *self.events, *(each.last for each in self.attempts.values()))
        return {each.submission_id for each in listed if each is not None and each.submission_id is not None}


def report(connection: Connection, making: Making) -> Report:
    """What was done in the period, who did how much of what, and which periods nobody has reviewed."""
    tally = _Tally()
    for record in within(connection, making.period):
        tally.add(record)
    names = references(connection, tally.submissions)
    return Report(
        making.head("Activity of a period", BASIS),
        {
            "records": sum(tally.counts.values()),
            "acts of staff": len(tally.acts),
            "displays of facts": _count(tally, Action.FACTS_DISCLOSED),
            "wrong second factors": sum(each.failed for each in tally.attempts.values()),
            "locks of links": sum(each.locks for each in tally.attempts.values()),
            "given up": _count(tally, Action.JOB_DIED),
        },
        (_NOTE, *about_archives(connection, making.period)),
        (
            _counts_table(tally),
            _records_table("staff", "Acts of staff", tally.acts, names),
            _records_table("events", "Other events to look at", tally.events, names),
            _attempts_table(tally, names),
            *_sign_off_tables(connection, making),
        ),
    )


def _count(tally: _Tally, action: Action) -> int:
    return sum(count for (_, of), count in tally.counts.items() if of == action)


def _counts_table(tally: _Tally) -> Table:
    rows = tuple((kind, action, count) for (kind, action), count in sorted(tally.counts.items()))
    columns = {"actor_kind": "By", "action": "Action", "count": "Times"}
    return Table("counts", "Who did how much of what", columns, rows, "Nothing was done in this period.")


def _records_table(name: str, title: str, records: Sequence[Record], names: Mapping[uuid.UUID, str]) -> Table:
    rows = tuple(
        (
            record.at,
            record.actor,
            record.action,
            _named(record, names),
            record.reason,
            ", ".join(f"{key.value}: {told}" for key in _TOLD if (told := record.detail(key)) is not None) or None,
        )
        for record in records
    )
    columns = {
        "at": "When",
        "actor": "Who",
        "action": "Action",
        "reference": "Request",
        "reason": "Reason",
        "details": "Details",
    }
    return Table(name, title, columns, rows, "There is none in this period.")


def _named(record: Record, names: Mapping[uuid.UUID, str]) -> str | None:
    return names.get(record.submission_id) if record.submission_id is not None else None


def _attempts_table(tally: _Tally, names: Mapping[uuid.UUID, str]) -> Table:
    found = sorted(tally.attempts.items(), key=lambda item: (-item[1].failed, item[0]))
    rows = tuple(
        (link, _named(each.last, names), each.failed, each.locks, each.last.at)
        for link, each in found
        if each.last is not None
    )
    columns = {
        "link": "Link",
        "reference": "Request",
        "failed": "Wrong second factors",
        "locks": "Locked",
        "last_at": "Last",
    }
    return Table("unlocks", "Wrong second factors, by link", columns, rows, "There is none in this period.")


def _sign_off_tables(connection: Connection, making: Making) -> tuple[Table, Table]:
    signed = read_sign_offs(connection)
    since = first_record_at(connection)
    missing = gaps([each.period for each in signed], since, making.made_at) if since and since < making.made_at else ()
    return (
        Table(
            "sign_offs",
            "Earlier sign-offs",
            {
                "from": "From",
                "to": "To",
                "reviewer": "Reviewer",
                "finding": "Finding",
                "signed_at": "Signed",
                "digest": "SHA-256 of the report",
            },
            tuple(
                (each.period.start, each.period.end, each.reviewer, each.finding.value, each.signed_at, each.digest)
                for each in signed
            ),
            "No period was signed off yet.",
        ),
        Table(
            "not_reviewed",
            "Periods that nobody has signed off",
            {"from": "From", "to": "To"},
            tuple((each.start, each.end) for each in missing),
            "Every period is signed off.",
        ),
    )
