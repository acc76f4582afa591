"""The lines of the consent ledger, and the rule by which a consent is live."""

import hashlib
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, select
from uuid_utils.compat import uuid7

from config.screening import LANGUAGES, Screening
from pipeline import bulk
from pipeline.audit.actions import Action, Actor, Detail
from pipeline.consent.purposes import ASKED, WIDEST, Asked, ConsentDecision, ConsentPurpose
from pipeline.ledger import ClaimedJob
from pipeline.models import ConsentEntry
from pipeline.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True)
class Given:
    """A consent as a form gave it. `text_hash` is empty where the text of that version is not known any more."""

    asked: Asked
    text_version: str
    text_hash: bytes | None
    language: str


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the ledger, as far as the rule goes."""

    recipient: str
    decision: ConsentDecision
    text_version: str | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """How one purpose stands: `live` for its widest recipient, and for those that were decided on `apart`.

    `text_version` is that of the text last agreed to for the widest recipient.
    """

    live: bool = False
    apart: Mapping[str, bool] = field(default_factory=dict)
    text_version: str | None = None

    def allows(self, recipient: str) -> bool:
        return self.apart.get(recipient, self.live)


NEVER_SAID = Standing()


def standing_of(purpose: ConsentPurpose, lines: Iterable[Line]) -> Standing:
    """What `lines` about a purpose, oldest first, come to.

    For one provider its own latest line counts, else that for all of them. Taking back what all providers were given
    ends what one of them was given apart; agreeing to all of them again does not bring back one that was excluded.
    """
    widest, live, version = WIDEST[purpose], False, None
    apart: dict[str, bool] = {}
    for line in lines:
        given = line.decision is ConsentDecision.GIVEN
        if line.recipient != widest:
            apart[line.recipient] = given
        elif given:
            live, version = True, line.text_version
        else:
            live, apart = False, {recipient: was for recipient, was in apart.items() if not was}
    return Standing(live, apart, version)


def read_standings(
    connection: Connection, submission_ids: Iterable[uuid.UUID], purposes: Iterable[ConsentPurpose]
) -> dict[tuple[uuid.UUID, ConsentPurpose], Standing]:
    """Of each submission and purpose that has lines, by one statement."""
    wanted = list(submission_ids)
    if not wanted:
        return {}
    parameters = {"ids": wanted, "purposes": [each.value for each in purposes]}
    rows = connection.execute(_selecting_lines(connection.dialect.name), parameters).all()
    found: dict[tuple[uuid.UUID, ConsentPurpose], list[Line]] = defaultdict(list)
    for submission_id, purpose, recipient, decision, text_version in rows:
        line = Line(recipient, ConsentDecision(decision), text_version)
        found[submission_id, ConsentPurpose(purpose)].append(line)
    return {key: standing_of(key[1], lines) for key, lines in found.items()}


@cache
def _selecting_lines(dialect: str) -> Select[uuid.UUID, str, str, str, str | None]:
    line = ConsentEntry
    return (
        select(line.submission_id, line.purpose, line.recipient, line.decision, line.text_version)
        .where(bulk.is_one_of(dialect, line.submission_id, "ids"), bulk.is_one_of(dialect, line.purpose, "purposes"))
        .order_by(line.id)
    )


def given_in(
    answers: Mapping[str, Any], language: str, hashes: Mapping[tuple[str, str, str], bytes]
) -> tuple[Given, ...]:
    """The consents among answers that passed validation, or once did. `hashes` are those of `text_hashes`."""
    return tuple(
        Given(asked, version, hashes.get((asked.question_id, version, language)), language)
        for asked in ASKED
        if (version := str(answers.get(asked.question_id) or ""))
    )


def text_hashes(screening: Screening) -> dict[tuple[str, str, str], bytes]:
    """SHA-256 of each consent's texts as the form shows or showed them, by question id, version and language."""
    return {
        (asked.question_id, text.version, language): hashlib.sha256(text.text.in_language(language).encode()).digest()
        for asked in ASKED
        for text in screening.consent(asked.question_id).versions
        for language in LANGUAGES
    }


def read_taken_back(unit: UnitOfWork, submission_ids: Iterable[uuid.UUID]) -> Mapping[uuid.UUID, frozenset[Asked]]:
    """What was taken back of locked submissions before their forms were read, by staff or on another one's page.

    One statement, and none for those that have no record but that of their receipt: a line leaves one.
    """
    wanted = [id_ for id_ in submission_ids if unit.heads[id_].audit_seq > 1]
    if not wanted:
        return {}
    lines = select(ConsentEntry.submission_id, ConsentEntry.purpose, ConsentEntry.recipient).where(
        bulk.is_among(unit.connection, ConsentEntry.submission_id, wanted),
        ConsentEntry.decision == ConsentDecision.WITHDRAWN.value,
    )
    found: dict[uuid.UUID, set[tuple[str, str]]] = defaultdict(set)
    for row in unit.connection.execute(lines):
        found[row.submission_id].add((row.purpose, row.recipient))
    return {
        id_: frozenset(asked for asked in ASKED if (asked.purpose.value, asked.recipient) in about)
        for id_, about in found.items()
    }


def write_given(
    unit: UnitOfWork,
    submission_id: uuid.UUID,
    given: Iterable[Given],
    proof: bytes,
    *,
    taken_back: Collection[Asked],
    job: ClaimedJob | None = None,
    reason: str | None = None,
) -> None:
    """Collect a line and a record for each consent of a locked submission. `proof` commits to the body as it came.

    It was decided when that was received, and said where it came from. What was `taken_back` since is not given again
    by a form that is read only now: nothing is written, and the withdrawal stands.
    """
    head = unit.heads[submission_id]
    for each in given:
        if each.asked in taken_back:
            continue
        source = f"source:{head.source}"
        unit.insert(
            ConsentEntry.table(),
            id=uuid7(),
            submission_id=submission_id,
            purpose=each.asked.purpose.value,
            recipient=each.asked.recipient,
            decision=ConsentDecision.GIVEN.value,
            text_version=each.text_version,
            text_hash=each.text_hash,
            language=each.language,
            source=source,
            proof=proof,
            decided_at=head.received_at,
            recorded_at=unit.now,
        )
        unit.record(
            submission_id,
            Action.CONSENT_GIVEN,
            {
                Detail.PURPOSE: each.asked.purpose.value,
                Detail.RECIPIENT: each.asked.recipient,
                Detail.TEXT_VERSION: each.text_version,
                Detail.TEXT_HASH: each.text_hash.hex() if each.text_hash else None,
                Detail.SOURCE: source,
            },
            job=job,
            reason=reason,
        )


def write_withdrawn(
    unit: UnitOfWork, submission_id: uuid.UUID, purpose: ConsentPurpose, recipient: str, *, reason: str | None = None
) -> bool:
    """Put it on the ledger, and on record, that a consent is taken back; `False` if the last line says so already.

    The submission must be locked. A withdrawal stands even where no consent was ever given.
    """
    lines = unit.connection.execute(
        select(ConsentEntry.id, ConsentEntry.purpose, ConsentEntry.recipient, ConsentEntry.decision)
        .where(ConsentEntry.submission_id == submission_id)
        .order_by(ConsentEntry.id)
    ).all()
    about = [row for row in lines if (row.purpose, row.recipient) == (purpose.value, recipient)]
    if about and about[-1].decision == ConsentDecision.WITHDRAWN.value:
        return False
    unit.connection.execute(
        ConsentEntry.table()
        .insert()
        .values(
            # Clocks of machines differ; a withdrawal comes after all that it takes back, whatever they say.
            id=max([uuid7(), *(uuid.UUID(int=row.id.int + 1) for row in lines)]),
            submission_id=submission_id,
            purpose=purpose.value,
            recipient=recipient,
            decision=ConsentDecision.WITHDRAWN.value,
            source=_said_by(unit.actor),
            decided_at=unit.now,
            recorded_at=unit.now,
        )
    )
    unit.record(
        submission_id,
        Action.CONSENT_WITHDRAWN,
        {Detail.PURPOSE: purpose.value, Detail.RECIPIENT: recipient},
        reason=reason,
    )
    return True


def read_lines(connection: Connection, submission_id: uuid.UUID) -> list[Any]:
    """All lines about a submission, oldest first."""
    statement = select(ConsentEntry.table()).where(ConsentEntry.submission_id == submission_id)
    return list(connection.execute(statement.order_by(ConsentEntry.id)))


def _said_by(actor: Actor) -> str:
    """The person's own id is the submission's, or that of one that was joined to it: it says nothing here."""
    return actor.kind if actor.kind == "person" else str(actor)
