"""What one audit record says reached whom: the recipient, the classes of data, and in which way."""

import datetime as dt
import uuid
from dataclasses import dataclass

from config.screening import DataClass
from pipeline.audit.actions import Action, Detail
from pipeline.email.kinds import RULES, EmailKind, Form, Reader
from pipeline.outreach import TO_PERSON
from pipeline.protected import Purpose
from pipeline.reports.records import Record

REACHING = (Action.FACTS_DISCLOSED, Action.EMAIL_HANDED_OVER, Action.EMAIL_UNCERTAIN)
"""The actions by which facts, or a person's address, can have reached somebody."""

_CONTACT, _HEALTH = frozenset({DataClass.CONTACT}), frozenset({DataClass.HEALTH})
_BOTH = _CONTACT | _HEALTH

_BY_PURPOSE = {
    Purpose.REVIEW: ("answers in words and what the software found, without who the person is", _HEALTH),
    "score": ("how the answers compare with the criteria", _HEALTH),
    "what_if": ("that the request would come out otherwise under a draft of the criteria", _HEALTH),
    Purpose.BREACH: ("country, state and how to reach the person, for a breach report", _CONTACT),
}
"""Purposes that are read at the command line."""


@dataclass(frozen=True, slots=True)
class Reach:
    """Something of a submission reached (or may have reached) `recipient`, as a record says."""

    submission_id: uuid.UUID
    at: dt.datetime
    actor: str
    recipient: str
    purpose: str
    way: str
    what: str
    classes: frozenset[DataClass]
    record: Record

    @property
    def is_own(self) -> bool:
        """Whether it went to the person whom it is about."""
        return self.recipient == TO_PERSON or self.recipient.startswith(f"{TO_PERSON}:")


def reach_of(record: Record) -> Reach | None:
    """`None` for a record by which nothing that was said, and no person's address, reached anybody."""
    if record.submission_id is None:
        return None
    if record.action == Action.FACTS_DISCLOSED:
        return _disclosed(record, record.submission_id)
    if record.action in {Action.EMAIL_HANDED_OVER, Action.EMAIL_UNCERTAIN}:
        return _handed_over(record, record.submission_id)
    return None


def classes_in_words(classes: frozenset[DataClass]) -> str:
    """Such as `contact and health`."""
    return " and ".join(each.value for each in DataClass if each in classes)


def _disclosed(record: Record, submission_id: uuid.UUID) -> Reach:
    recipient = record.detail(Detail.RECIPIENT) or record.actor
    purpose = record.detail(Detail.PURPOSE) or "not stated"
    if record.detail(Detail.EMAIL) is not None:
        way = "email in its full form"
        what, classes = "answers to the screening form, without who the person is and how to reach them", _HEALTH
    elif record.detail(Detail.LINK) is not None:
        way = "secure page"
        what, classes = ("answers to the screening form", _BOTH)
        if purpose == Purpose.OWN_REQUEST:
            what, classes = ("how the request stands, and what was found for it", _HEALTH)
    else:
        way = "command line"
        # What is not known counts as everything.
        what, classes = _BY_PURPOSE.get(purpose, ("answers to the screening form", _BOTH))
    return Reach(submission_id, record.at, record.actor, recipient, purpose, way, what, classes, record)


def _handed_over(record: Record, submission_id: uuid.UUID) -> Reach | None:
    """A transport learns a person's address, and of a full form the facts in it; a provider's address is none."""
    kind = record.detail(Detail.KIND)
    to_person = kind not in set(EmailKind) or RULES[EmailKind(kind)].reader is Reader.PERSON
    full = record.detail(Detail.FORM) == Form.FULL
    classes = (_CONTACT if to_person else frozenset()) | (_HEALTH if full else frozenset())
    if not classes:
        return None
    what = " and ".join([*["email address"] * to_person, *["what a full form says"] * full])
    way = "email" if record.action == Action.EMAIL_HANDED_OVER else "email, of unknown fate"
    recipient = record.detail(Detail.RECIPIENT) or f"transport:{record.detail(Detail.TRANSPORT)}"
    purpose = record.detail(Detail.PURPOSE) or Purpose.DELIVERY.value
    return Reach(submission_id, record.at, record.actor, recipient, purpose, way, what, classes, record)
