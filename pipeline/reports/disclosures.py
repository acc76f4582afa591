"""Accounting of disclosures for a person: when, to whom, what, and on which ground (45 CFR 164.528).

What counts here as a disclosure is what left for somebody outside: every record that facts were shown or handed on, but
to the person itself, to staff (a use, 45 CFR 160.103), and to the transport that carries email on our behalf, whose
disclosures the summary counts.
"""

import uuid
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from pipeline.audit.actions import Action, Detail
from pipeline.email.kinds import Form
from pipeline.outreach import TO_PERSON
from pipeline.protected import Purpose
from pipeline.reports.document import Report, Table
from pipeline.reports.grounds import ground, read_decisions
from pipeline.reports.making import Making, about_archives, references
from pipeline.reports.reach import Reach, classes_in_words, reach_of
from pipeline.reports.recipients import Offer, read_offers
from pipeline.reports.records import Record, about

NAME = "disclosures"
BASIS = "45 CFR 164.528"

_INSIDE = ("staff:", "transport:", "lane:")
_COUNTS = (
    "Listed is whatever was shown or handed on to anybody but the person, our own staff and the carrier of our email. "
    "Showing it to staff is a use and no disclosure (45 CFR 160.103): a report on access lists that."
)
_EXCEPTED = (
    "The law does not ask to account for disclosures for treatment, payment and health care operations, to the person, "
    "or under the person's authorization (45 CFR 164.528(a)(1)(i), (ii) and (iv)). Those for a referral under the "
    "person's consent are listed here all the same."
)
_UNOPENED = (
    "An offer whose page was not opened disclosed nothing: the provider was sent a reference and a link, and no fact. "
    "Such offers are in a table of their own."
)
_EMAILS = (
    "An email in its full form is listed once, at the moment before it was handed to the carrier; the outcome is the "
    "last that is known of it, also from after the period. Refused or returned, it may still have been read on its way."
)
_TAKEN_BACK = (
    "Where the person had taken the consent back before facts were disclosed, the ground says so: such a disclosure "
    "has to be looked into."
)
_SUSPENDED = (
    "The right to an accounting can be suspended for disclosures to an oversight agency or to law enforcement (45 CFR "
    "164.528(a)(2)): whoever hands this report on has to see to that."
)
_NOTES = (_COUNTS, _EXCEPTED, _TAKEN_BACK, _UNOPENED, _EMAILS, _SUSPENDED)
_OUTCOMES = {
    Action.EMAIL_DEFERRED: "not taken at that time",
    Action.EMAIL_CANCELLED: "not taken, then stopped",
    Action.EMAIL_UNCERTAIN: "fate unknown",
    Action.EMAIL_FAILED: "refused",
    Action.EMAIL_HANDED_OVER: "handed over",
    Action.EMAIL_DELIVERED: "delivered",
    Action.EMAIL_DROPPED: "dropped by the carrier",
    Action.EMAIL_BOUNCED: "refused or returned: not delivered",
    Action.EMAIL_COMPLAINED: "delivered, and reported as unwanted",
}
"""What became of one attempt. News comes in any order, so that of several the last in this list stays, as for an
email's status (pipeline/receipts/merging.py)."""
_WEIGHT = {action: weight for weight, action in enumerate(_OUTCOMES)}
_NO_OUTCOME = "no answer on record"


@dataclass(frozen=True, slots=True)
class Disclosed:
    """One disclosure as it is accounted for."""

    reach: Reach
    ground: str
    outcome: str


def report(
    connection: Connection, making: Making, submission_ids: Collection[uuid.UUID], *, each: bool = False
) -> Report:
    """The accounting for these submissions of one person. `each`: repeated disclosures are not summed up.

    Summed up are those to one recipient of one submission, for one purpose, in one way, with first date, number and
    last date, as 164.528(b)(3) allows where it applies.
    """
    names = references(connection, submission_ids)
    # All records: an email that was announced in the period may have been answered after it, or the other way round.
    records = list(about(connection, submission_ids))
    decisions = read_decisions(connection, submission_ids)
    offers = read_offers(connection, submission_ids)
    found = [
        Disclosed(reach, ground(reach, decisions.get(reach.submission_id, ())), outcome)
        for reach, outcome in disclosures(records)
        if making.period.holds(reach.at)
    ]
    within = [reach for record in records if making.period.holds(record.at) and (reach := reach_of(record)) is not None]
    own = Counter(_audience(reach) for reach in within if not is_accounted(reach))
    outside = {(each_.reach.submission_id, each_.reach.recipient) for each_ in found}
    groups = [[one] for one in found] if each else _summed_up(found)
    return Report(
        making.head("Accounting of disclosures", BASIS, names.values()),
        {
            "disclosures": len(found),
            "recipients": len({each_.reach.recipient for each_ in found}),
            "shown to the person": own["person"],
            "shown to staff": own["staff"],
            "emails given to a carrier": own["transport"],
        },
        (*_NOTES, *about_archives(connection, making.period)),
        (_disclosed_table(groups, offers, names), _unopened_table(offers, outside, names)),
    )


def is_accounted(reach: Reach) -> bool:
    """Whether it left for somebody outside, other than the person."""
    return not reach.is_own and not reach.recipient.startswith(_INSIDE)


def disclosures(records: Sequence[Record]) -> Iterator[tuple[Reach, str]]:
    """What is accounted for, in the order of the records, each with what became of it. `records` are all there are.

    A full form is on record twice: before it is handed over, and with the carrier's answer. Should only the answer be
    there, it counts by that.
    """
    announced = {record.detail(Detail.ATTEMPT_ID) for record in records if record.action == Action.FACTS_DISCLOSED}
    outcomes = _outcomes(records)
    readers = {
        record.detail(Detail.EMAIL): record.detail(Detail.RECIPIENT)
        for record in records
        if record.action == Action.EMAIL_QUEUED
    }
    for record in records:
        reach = reach_of(record)
        if reach is None:
            continue
        attempt = record.detail(Detail.ATTEMPT_ID)
        if record.action == Action.FACTS_DISCLOSED:
            outcome = "shown" if attempt is None else outcomes.get(attempt, _NO_OUTCOME)
        elif record.detail(Detail.FORM) == Form.FULL and (attempt is None or attempt not in announced):
            reach = _to_reader(reach, readers.get(record.detail(Detail.EMAIL)))
            outcome = outcomes.get(attempt, _OUTCOMES[Action(record.action)])
        else:
            continue
        if is_accounted(reach):
            yield reach, outcome


def _outcomes(records: Iterable[Record]) -> Mapping[str | None, str]:
    """What is known of each attempt to send an email."""
    known: dict[str | None, Action] = {}
    for record in records:
        attempt = record.detail(Detail.ATTEMPT_ID)
        if attempt is None or record.action not in _OUTCOMES:
            continue
        news = Action(record.action)
        known[attempt] = max(news, known.get(attempt, news), key=_WEIGHT.__getitem__)
    return {attempt: _OUTCOMES[news] for attempt, news in known.items()}


def _to_reader(reach: Reach, reader: str | None) -> Reach:
    """A full form as something that reached whom it was written to."""
    recipient = reader or "not known"
    purpose = Purpose.OWN_REQUEST if recipient == TO_PERSON else Purpose.REFERRAL
    return Reach(
        reach.submission_id,
        reach.at,
        reach.actor,
        recipient,
        purpose.value,
        reach.way,
        reach.what,
        reach.classes,
        reach.record,
    )


def _audience(reach: Reach) -> str:
    return "person" if reach.is_own else reach.recipient.partition(":")[0]


def _summed_up(found: Sequence[Disclosed]) -> list[list[Disclosed]]:
    """Groups of the same submission, recipient, purpose, way and outcome, each in order of time."""
    groups: dict[tuple[object, ...], list[Disclosed]] = {}
    for one in found:
        reach = one.reach
        key = (reach.submission_id, reach.recipient, one.ground, reach.way, reach.what, one.outcome)
        groups.setdefault(key, []).append(one)
    return sorted(groups.values(), key=lambda group: group[0].reach.at)


def _disclosed_table(
    groups: Sequence[Sequence[Disclosed]],
    offers: Mapping[tuple[uuid.UUID, str], Offer],
    names: Mapping[uuid.UUID, str],
) -> Table:
    rows = []
    for group in groups:
        first, last = group[0], group[-1]
        reach = first.reach
        offer = offers.get((reach.submission_id, reach.recipient))
        rows.append(
            (
                reach.at,
                names.get(reach.submission_id),
                offer.entity.name if offer else reach.recipient,
                offer.entity.address if offer else "not known",
                f"{reach.what}: {classes_in_words(reach.classes)}, by {reach.way}",
                first.ground,
                first.outcome,
                len(group),
                last.reach.at,
            )
        )
    return Table(
        "disclosures",
        "Disclosures",
        {
            "date": "Date",
            "reference": "Request",
            "recipient": "Recipient",
            "address": "Address",
            "description": "What was disclosed",
            "purpose": "Purpose and ground",
            "outcome": "Outcome",
            "count": "Times",
            "last_date": "Last date",
        },
        tuple(rows),
        "Nothing was disclosed in this period.",
    )


def _unopened_table(
    offers: Mapping[tuple[uuid.UUID, str], Offer],
    outside: Collection[tuple[uuid.UUID, str]],
    names: Mapping[uuid.UUID, str],
) -> Table:
    rows = (
        (names.get(offer.submission_id), offer.entity.name, offer.status.value)
        for key, offer in offers.items()
        if key not in outside
    )
    return Table(
        "nothing_disclosed",
        "Offers by which nothing was disclosed in this period",
        {"reference": "Request", "recipient": "Provider", "status": "Offer"},
        tuple(rows),
        "There is none.",
    )
