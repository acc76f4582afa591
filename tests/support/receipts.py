"""What a mail provider reports, without HTTP: about any attempt on record, or about none."""

import json
import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row

from pipeline.context import Context
from pipeline.db import utc_now
from pipeline.models import EmailAttempt
from pipeline.receipts.events import read_events
from pipeline.receipts.storing import Stored, store_events
from tests.servers.sendgrid_events import PARTICULARS, Event
from tests.support.work import table


def attempts(context: Context, email_id: uuid.UUID) -> list[Row[Any]]:
    """The attempts to send an email, oldest first."""
    rows = [row for row in table(context.database, EmailAttempt.table()) if row.email_id == email_id]
    return sorted(rows, key=lambda row: row.started_at)


def told(name: str, attempt: Row[Any] | None = None, **changes: Any) -> Event:
    """An event about an attempt, recognised by our attempt id. A key changed to `...` is left out."""
    event: Event = {
        "event": name,
        "timestamp": int(utc_now().timestamp()) + 1,
        "sg_event_id": uuid.uuid4().hex,
    }
    if attempt is not None:
        event["attempt_id"] = str(attempt.id)
    changed = {**event, **PARTICULARS[name], **changes}
    return {key: value for key, value in changed.items() if value is not ...}


def report(context: Context, events: Sequence[Event]) -> Stored:
    """The events come in, and are kept."""
    return store_events(context, read_events(json.dumps(list(events)).encode(), context.vault), lambda _lane: None)
