"""Who looked at a person's facts, and what somebody looked at."""

import uuid
from collections import Counter
from collections.abc import Collection, Iterable, Mapping

from sqlalchemy import Connection, and_, or_

from pipeline.audit.actions import Action, Detail
from pipeline.models import AuditEvent
from pipeline.reports.document import Cell, Report, Table
from pipeline.reports.making import Making, about_archives, references
from pipeline.reports.reach import classes_in_words, reach_of
from pipeline.reports.records import Record, about, actions, by, says, within

NAME = "access"
BASIS = "45 CFR 164.312(b)"

LOOKS: Mapping[Action, str] = {
    Action.PAGE_OPENED: "followed the link to a page, which showed nothing yet",
    Action.PAGE_UNLOCK_FAILED: "gave a wrong second factor",
    Action.PAGE_UNLOCKED: "opened the page with the second factor",
    Action.CODE_REQUESTED: "asked for a one-time code",
    Action.LINK_REQUESTED: "asked for the link to the status page",
    Action.FACTS_DISCLOSED: "was shown",
    Action.SUBMISSION_REVIEWED: "decided it in review",
    Action.SUBMISSION_CONDITION_NAMED: "named the condition that the person's words mean",
    Action.PERSON_LOOKED_UP: "looked for all requests of the person, and found this one",
    Action.SUPPRESSION_LOOKED_UP: "looked up whether the address is written to",
    Action.REPORT_MADE: "made a report about it",
}
"""What was done about one submission by which somebody saw, or tried to see, something of it."""

AT_LARGE: Mapping[Action, str] = {
    Action.PROVIDERS_REHEARSED: "judged the latest requests again by a draft: counts only, unless requests say more",
    Action.LOG_EXPORTED: "exported the audit record, in which there is no answer",
    Action.LOG_ARCHIVED: "copied part of the audit record to an archive file, in which there is no answer",
    Action.REPORT_MADE: "made a report about a period or an actor",
    Action.PERSON_LOOKED_UP: "looked for all requests of a person, and found none",
    Action.SUPPRESSION_LOOKED_UP: "looked up an address that no request gave",
}
"""The same about no submission in particular."""

_NOTE = (
    "Every read of facts is put on record, and committed, before they are shown. A link is followed by mail scanners "
    "as well: where a link is named as who did it, all that is known is that somebody had it. At most one such record "
    "a link and minute is kept."
)
_COLUMNS = {
    "at": "When",
    "reference": "Request",
    "actor": "Who",
    "did": "Did what",
    "recipient": "Shown to",
    "purpose": "Purpose",
    "what": "What was shown",
}


def report_about(connection: Connection, making: Making, submission_ids: Collection[uuid.UUID]) -> Report:
    """Who looked at these submissions, and what was looked at that may have held them."""
    names = references(connection, submission_ids)
    found = sorted(
        (record for record in about(connection, submission_ids, making.period) if record.action in LOOKS),
        key=lambda record: record.at,
    )
    at_large = within(connection, making.period, AuditEvent.submission_id.is_(None), actions(*AT_LARGE))
    return Report(
        making.head("Access to a person's facts", BASIS, names.values()),
        _summary(found),
        (_NOTE, *about_archives(connection, making.period)),
        (_table(found, names), _at_large(list(at_large))),
    )


def report_by(connection: Connection, making: Making, actor: str) -> Report:
    """What an actor (`staff:ana`, `provider:willow-creek`, `link:<id>`) looked at, or was shown by email."""
    shown = and_(actions(Action.FACTS_DISCLOSED), says(Detail.RECIPIENT, actor))
    records = within(connection, making.period, or_(by(actor), shown))
    found, at_large = [], []
    for record in records:
        if record.actor != actor and record.detail(Detail.RECIPIENT) != actor:
            continue
        if record.submission_id is None and record.action in AT_LARGE:
            at_large.append(record)
        elif record.submission_id is not None and record.action in LOOKS:
            found.append(record)
    names = references(connection, {record.submission_id for record in found if record.submission_id is not None})
    return Report(
        making.head("What somebody looked at", BASIS, (actor,)),
        {**_summary(found), "requests": len(names)},
        (_NOTE, *about_archives(connection, making.period)),
        (_table(found, names), _at_large(at_large)),
    )


def _summary(records: Iterable[Record]) -> dict[str, Cell]:
    counted = Counter(record.action for record in records)
    return {
        "displays": counted[Action.FACTS_DISCLOSED],
        "pages opened": counted[Action.PAGE_UNLOCKED],
        "wrong second factors": counted[Action.PAGE_UNLOCK_FAILED],
        "reports": counted[Action.REPORT_MADE],
    }


def _table(records: Iterable[Record], names: Mapping[uuid.UUID, str]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for record in records:
        reach = reach_of(record)
        reference = names.get(record.submission_id) if record.submission_id else None
        did = LOOKS[Action(record.action)]
        if reach is None:
            rows.append((record.at, reference, record.actor, did, None, record.detail(Detail.REPORT), None))
            continue
        what = f"{reach.what}: {classes_in_words(reach.classes)}, by {reach.way}"
        rows.append((record.at, reference, record.actor, did, reach.recipient, reach.purpose, what))
    return Table("access", "Access", _COLUMNS, tuple(rows), "Nobody looked in this period.")


def _at_large(records: Iterable[Record]) -> Table:
    rows = tuple(
        (
            record.at,
            record.actor,
            AT_LARGE[Action(record.action)],
            record.detail(Detail.REPORT),
            record.detail(Detail.SUBJECT),
            record.detail(Detail.SUBMISSIONS),
        )
        for record in records
    )
    columns = {
        "at": "When",
        "actor": "Who",
        "did": "Did what",
        "report": "Report",
        "subject": "About",
        "requests": "Requests",
    }
    return Table("at_large", "About many at once", columns, rows, "There is none in this period.")
