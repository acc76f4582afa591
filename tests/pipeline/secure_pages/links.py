"""A submission that was referred, and the links that its emails carry."""

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, update

from pipeline.audit.actions import Action
from pipeline.context import Context
from pipeline.db import utc_now
from pipeline.email.kinds import EmailKind
from pipeline.models import AuditEvent, Email, OneTimeCode, SecureLink
from pipeline.secure_link import one_time_code, token_for
from pipeline.secure_pages.code import CodeQueued, send_code
from pipeline.secure_pages.link import Link, about, find_link
from pipeline.secure_pages.opening import Opened, open_page
from pipeline.unit_of_work import begin
from tests.support.submissions import submit
from tests.support.work import drain, table

BORN = "1975-03-28"
PROVIDERS = ("tidewater-remote", "cedar-gate", "open-meadow")
"""Who gets the shipped answers, best first. `NEXT` is asked when one of them declines."""
NEXT = "second-compass"
LONG_AGO = dt.timedelta(days=90)
PAST, FUTURE = utc_now() - LONG_AGO, utc_now() + LONG_AGO


def nobody(_lane: str) -> None:
    """Whoever is woken: the tests drain by themselves."""


@dataclass(frozen=True, slots=True)
class Referred:
    """A submission with its three offers out."""

    context: Context
    submission_id: uuid.UUID

    def token(self, kind: EmailKind = EmailKind.RECOMMENDATION, recipient: str = "person") -> str:
        """The token in an email's link."""
        return next(
            token_for(self.context.vault, row.id)
            for row in table(self.context.database, Email.table())
            if (row.submission_id, row.kind, row.recipient) == (self.submission_id, kind, recipient)
        )

    def provider_token(self, provider_id: str = PROVIDERS[0]) -> str:
        return self.token(EmailKind.REFERRAL, f"provider:{provider_id}")

    def link(self, token: str) -> Link:
        with self.context.database.read() as connection:
            found = find_link(connection, token, utc_now())
        assert found is not None
        return found

    def open(self, token: str, second_factor: str | None = None, session: str | None = None) -> Any:
        return open_page(self.context, token, session, second_factor, None, "request")

    def unlocked(self, token: str, second_factor: str) -> str:
        """The session key after opening with the right second factor."""
        opened = self.open(token, second_factor)
        assert isinstance(opened, Opened)
        assert opened.session_key is not None
        return opened.session_key

    def provider_session(self, provider_id: str = PROVIDERS[0]) -> str:
        token = self.provider_token(provider_id)
        return self.unlocked(token, self.new_code(token))

    def new_code(self, token: str) -> str:
        assert isinstance(send_code(self.context, token, None, "request", lambda _lane: None), CodeQueued)
        newest = max(row.id for row in table(self.context.database, OneTimeCode.table()))
        return one_time_code(self.context.vault, newest)

    def recorded(self, action: Action) -> list[Any]:
        """The records of one kind about the submission, oldest first."""
        with self.context.database.read() as connection:
            statement = (
                select(AuditEvent.table())
                .where(AuditEvent.submission_id == self.submission_id, AuditEvent.action == action.value)
                .order_by(AuditEvent.seq)
            )
            return list(connection.execute(statement))


def referred(context: Context, **changes: Any) -> Referred:
    """Submit the shipped answers with `changes`, and do everything that follows."""
    kept = submit(context, **changes)
    drain(context)
    return Referred(context, kept.submission_id)


def change(context: Context, of: Any, **values: Any) -> None:
    """Set columns of all rows of a table, to move time on."""
    with context.database.write() as connection:
        connection.execute(update(of).values(**values))


def fail_long_ago(case: Referred, token: str, times: int) -> None:
    """As if the second factor had been wrong so many times, all of it long ago."""
    link, context = case.link(token), case.context
    with begin(context.database, context.keys, link.holder) as unit:
        unit.now -= LONG_AGO
        unit.lock([link.submission_id])
        for _ in range(times):
            unit.record(link.submission_id, Action.PAGE_UNLOCK_FAILED, about(link))
        unit.connection.execute(update(SecureLink).where(SecureLink.id == link.id).values(failed_attempts=times))
