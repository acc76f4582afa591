"""On which ground something was disclosed: the purpose, and the person's consent as it stood at that moment."""

import datetime as dt
import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, select

from pipeline.consent.ledger import Line, standing_of
from pipeline.consent.purposes import PROVIDERS, ConsentDecision, ConsentPurpose
from pipeline.models import ConsentEntry
from pipeline.protected import Purpose
from pipeline.reports.reach import Reach

_UNKNOWN = "referral; no consent of before is in the ledger"


def read_decisions(connection: Connection, submission_ids: Collection[uuid.UUID]) -> Mapping[uuid.UUID, Sequence[Any]]:
    """What was decided about sharing, given and taken back, by submission and in the ledger's order."""
    rows = connection.execute(
        select(
            ConsentEntry.submission_id,
            ConsentEntry.recipient,
            ConsentEntry.decision,
            ConsentEntry.text_version,
            ConsentEntry.decided_at,
        )
        .where(
            ConsentEntry.submission_id.in_(list(submission_ids)),
            ConsentEntry.purpose == ConsentPurpose.SHARE.value,
        )
        .order_by(ConsentEntry.submission_id, ConsentEntry.id)
    )
    return {submission_id: list(some) for submission_id, some in groupby(rows, key=lambda row: row.submission_id)}


def ground(reach: Reach, decisions: Iterable[Any]) -> str:
    """The purpose and its basis, in words (45 CFR 164.528(b)(2)(iv)).

    A consent counts as it stood when that was disclosed, by the ledger's own rule. Where it did not stand, that is
    said: an accounting must not give a ground that there was not.
    """
    if reach.purpose != Purpose.REFERRAL:
        return reach.purpose.replace("_", " ")
    concerned = {PROVIDERS, reach.recipient}
    before = [row for row in decisions if row.decided_at <= reach.at and row.recipient in concerned]
    lines: list[Line] = []
    given: Any = None
    live, ended = False, None
    for row in before:
        lines.append(Line(row.recipient, ConsentDecision(row.decision), row.text_version))
        live = standing_of(ConsentPurpose.SHARE, lines).allows(reach.recipient)
        if row.decision == ConsentDecision.GIVEN:
            given = row
        if live:
            ended = None
        elif row.decision == ConsentDecision.WITHDRAWN and ended is None:
            ended = row.decided_at
    if ended is not None:
        return f"referral; the consent had been taken back on {_day(ended)}"
    if not live:
        return _UNKNOWN
    return f"referral under the person's consent of {_day(given.decided_at)}, text version {given.text_version}"


def _day(at: dt.datetime) -> dt.date:
    return at.astimezone(dt.UTC).date()
