"""Proofs that a record is in the log, for somebody who has no access to it: https://c2sp.org/tlog-proof.

A proof is checked against the record's canonical form, which is handed over with it, and the log's public key, which
whoever checks must have from elsewhere.
"""

import base64
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from pipeline.audit.log_state import LogRow, Stored, find_leaf
from pipeline.audit.notes import read_unverified
from pipeline.audit.stored import read_records
from pipeline.audit.tiles import stored_tiles
from pipeline.audit.tree import inclusion_proof, root_from_inclusion
from pipeline.models import AuditArchive, AuditEvent, Submission

FORMAT = "c2sp.org/tlog-proof@v1"


class NotProvable(Exception):
    """A record is not in the log as far as it is signed; the message says why, and whether waiting helps."""


@dataclass(frozen=True, slots=True)
class Proof:
    """`text` shows that `record`, a canonical form, is the leaf of this number."""

    event_id: uuid.UUID
    leaf: int
    record: bytes
    text: str


def records_of(connection: Connection, name: str) -> Sequence[uuid.UUID]:
    """The ids of the records called `name`: a record's id, or a submission's id or reference for all of its records.

    A reference may be in any case, with or without `CR-`. Empty if there are none.
    """
    wanted = name.strip()
    try:
        named = uuid.UUID(wanted)
    except ValueError:
        reference = f"CR-{wanted.upper().removeprefix('CR-')}"
        about = select(Submission.id).where(Submission.reference == reference).scalar_subquery()
        which = AuditEvent.submission_id == about
    else:
        which = (AuditEvent.id == named) | (AuditEvent.submission_id == named)
    return connection.execute(select(AuditEvent.id).where(which).order_by(AuditEvent.seq)).scalars().all()


def prove(connection: Connection, log: LogRow | None, checkpoint: Stored | None, event_id: uuid.UUID) -> Proof:
    """Prove one record against the log's latest checkpoint. Reads a few tiles, whatever the log's size.

    `connection` reads one snapshot. Raises `NotProvable`, also if what is here is not what was signed, and
    `TileMissing`.
    """
    leaf = None if log is None else find_leaf(connection, log.number, event_id)
    if log is None or checkpoint is None or leaf is None or leaf >= checkpoint.size:
        raise NotProvable(
            f"record {event_id} is not covered by a signed checkpoint yet: while a worker serves the lane sequence "
            "that takes a minute at most"
        )
    record = read_records(connection, [event_id.hex]).get(event_id.hex)
    hashed = None if record is None else record.computed_leaf
    if record is None or hashed is None:
        raise NotProvable(_whereabouts(connection, log.number, leaf, event_id))
    tiles = stored_tiles(connection, log.number, log.size)
    path = inclusion_proof(leaf, checkpoint.size, tiles.node)
    if root_from_inclusion(hashed, leaf, checkpoint.size, path) != read_unverified(checkpoint.note).root:
        raise NotProvable(f"record {event_id} is not what was signed: `careroute audit verify` says more")
    hashes = "".join(f"{base64.b64encode(each).decode()}\n" for each in path)
    return Proof(event_id, leaf, record.form, f"{FORMAT}\nindex {leaf}\n{hashes}\n{checkpoint.note}")


def _whereabouts(connection: Connection, log: int, leaf: int, event_id: uuid.UUID) -> str:
    archive = connection.execute(
        select(AuditArchive.file_name).where(
            AuditArchive.log == log, AuditArchive.first_leaf <= leaf, AuditArchive.end_leaf > leaf
        )
    ).scalar_one_or_none()
    if archive is not None:
        return f"record {event_id} (leaf {leaf}) is in the archive file {archive}"
    return f"record {event_id} (leaf {leaf}) is not what was signed: `careroute audit verify` says more"
