"""What everyone says afterwards, as plain rows: clients, mail provider, and only then the database."""

import datetime as dt
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from config.providers import Capacity
from tests.chaos.arrivals import ENDS, Door, Sort
from tests.chaos.client import Sent


@dataclass(frozen=True, slots=True)
class Submission:
    id: UUID
    reference: str
    source: str
    status: str
    audit_seq: int
    received_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Record:
    """One audit record. `committed_at` is the database's word, whatever the writer's clock said."""

    about: UUID | None
    seq: int
    actor: str
    action: str
    details: Mapping[str, Any]
    reason: str | None
    occurred_at: dt.datetime
    committed_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Email:
    """`is_marked`: a call is under way, says the row."""

    id: UUID
    submission_id: UUID
    kind: str
    recipient: str
    status: str
    subject_id: UUID | None
    is_marked: bool


@dataclass(frozen=True, slots=True)
class Attempt:
    id: UUID
    email_id: UUID
    outcome: str | None


@dataclass(frozen=True, slots=True)
class Referral:
    id: UUID
    submission_id: UUID
    provider_id: str
    status: str


@dataclass(frozen=True, slots=True)
class Job:
    lane: str
    submission_id: UUID | None
    target_id: UUID
    attempts: int
    is_held: bool
    is_due: bool
    last_error: str | None


@dataclass(frozen=True, slots=True)
class DeadLetter:
    lane: str
    submission_id: UUID | None
    target_id: UUID
    reason: str


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail that the provider accepted."""

    attempt_id: str
    email_id: str
    to: str
    at: float


@dataclass(frozen=True, slots=True)
class Told:
    """One event that the provider was thanked for. `key` is what the database knows it by."""

    attempt_id: str
    event: str
    key: bytes


@dataclass(frozen=True, slots=True)
class Promise:
    """What a sender was told. `ids` has one member if its request was accepted; none if it was not answered.

    `may_have_left` is how many submissions more it may have left without hearing of them.
    """

    number: int
    door: Door
    address: str
    ends: frozenset[str]
    ids: frozenset[UUID]
    is_refused: bool = False
    is_recognisable: bool = True
    may_have_left: int = 0


@dataclass(slots=True)
class Evidence:
    """`loads` are open referrals by provider, as the database counts them; `kept_events` are keys of stored events."""

    promises: list[Promise] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)
    mails: list[Mail] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    submissions: dict[UUID, Submission] = field(default_factory=dict)
    records: list[Record] = field(default_factory=list)
    emails: dict[UUID, Email] = field(default_factory=dict)
    attempts: dict[UUID, Attempt] = field(default_factory=dict)
    referrals: list[Referral] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)
    dead: list[DeadLetter] = field(default_factory=list)
    waiting_records: int = 0
    loads: dict[str, int] = field(default_factory=dict)
    capacities: Mapping[str, tuple[Capacity, str]] = field(default_factory=dict)
    kept_events: frozenset[bytes] = frozenset()
    unapplied_events: int = 0
    verification: str = ""
    """What `careroute audit verify` said; empty if it found nothing."""
    processes: list[str] = field(default_factory=list)
    """What processes did that they must not."""


_Row = TypeVar("_Row")
_MAY_COME_SECOND = frozenset({"quarantined"})
"""What was to be revised is the revision if it comes after it."""


def read_database(evidence: Evidence, url: str) -> None:
    """Add what the database says. `url` is psycopg's."""
    with psycopg.connect(url) as connection:

        def rows(of: type[_Row], statement: str) -> Sequence[_Row]:
            with connection.cursor(row_factory=class_row(of)) as cursor:
                return cursor.execute(statement.encode()).fetchall()

        submissions = rows(Submission, "SELECT id, reference, source, status, audit_seq, received_at FROM submission")
        evidence.submissions = {row.id: row for row in submissions}
        evidence.records = sorted(
            rows(
                Record,
                "SELECT submission_id AS about, seq, actor, action, details::json, reason, occurred_at, "
                "pg_xact_commit_timestamp(xmin) AS committed_at FROM audit_event",
            ),
            key=lambda record: record.seq,
        )
        emails = rows(
            Email,
            "SELECT id, submission_id, kind, recipient, status, subject_id, attempt_id IS NOT NULL AS is_marked "
            "FROM email",
        )
        evidence.emails = {row.id: row for row in emails}
        attempts = rows(Attempt, "SELECT id, email_id, outcome FROM email_attempt")
        evidence.attempts = {row.id: row for row in attempts}
        evidence.referrals = list(rows(Referral, "SELECT id, submission_id, provider_id, status FROM referral"))
        evidence.jobs = list(
            rows(
                Job,
                "SELECT lane, submission_id, target_id, attempts, lease_token IS NOT NULL AS is_held, "
                "due_at <= clock_timestamp() AS is_due, last_error FROM job",
            )
        )
        evidence.dead = list(rows(DeadLetter, "SELECT lane, submission_id, target_id, reason FROM dead_job"))
        loads = connection.execute("SELECT provider_id, open_referrals FROM provider_load")
        evidence.loads = {provider: number for provider, number in loads}  # noqa: C416 - rows are not pairs to mypy
        evidence.waiting_records = _number(connection, "SELECT count(*) FROM audit_pending")
        evidence.kept_events = frozenset(
            bytes(key) for (key,) in connection.execute("SELECT event_key FROM mail_event")
        )
        evidence.unapplied_events = _number(connection, "SELECT count(*) FROM mail_event WHERE applied_at IS NULL")


def read_mails(file: Path) -> list[Mail]:
    """What the mail provider accepted."""
    lines = [json.loads(line) for line in file.read_bytes().splitlines()] if file.exists() else []
    return [Mail(line["attempt_id"], line["email_id"], line["to"], line["at"]) for line in lines]


def read_told(file: Path) -> list[Told]:
    """What the mail provider reported, and was thanked for."""
    lines = [json.loads(line) for line in file.read_bytes().splitlines()] if file.exists() else []
    return [
        Told(line["attempt_id"], line["event"], hashlib.sha256(line["sg_event_id"].encode()).digest()) for line in lines
    ]


def promises(sent: Sequence[Sent], submissions: Mapping[UUID, Submission]) -> list[Promise]:
    """What senders were told; a page of the form tells the reference, of which the database knows the id."""
    by_reference = {row.reference: row.id for row in submissions.values()}
    nobody = UUID(int=0)
    revised = {each.arrival.name for each in sent if each.arrival.sort is Sort.REVISION}
    return [
        Promise(
            each.arrival.number,
            each.arrival.door,
            each.arrival.address,
            ENDS[each.arrival.sort] | (_MAY_COME_SECOND if each.arrival.name in revised else frozenset()),
            frozenset(each.ids | {by_reference.get(reference, nobody) for reference in each.references}),
            is_refused=each.refused is not None,
            is_recognisable=each.arrival.sort is not Sort.UNREADABLE,
            may_have_left=each.may_have_left,
        )
        for each in sent
    ]


def _number(connection: psycopg.Connection[Any], statement: str) -> int:
    row = connection.execute(statement.encode()).fetchone()
    return int(row[0]) if row else 0
