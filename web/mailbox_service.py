"""The mailbox folder of an open core."""

import uuid

from pipeline.context import Context
from pipeline.operations.mailbox import Mailbox, MailPage, OpenedMail
from web.outage import unless_unavailable


class DatabaseMailbox:
    """Implements `web.mailbox.MailFolder`."""

    def __init__(self, context: Context) -> None:
        self._database = context.database
        self._mailbox = Mailbox(context.settings.effective_mailbox_dir)

    def page(self, number: int) -> MailPage:
        def look() -> MailPage:
            with self._database.read() as connection:
                return self._mailbox.page(connection, number)

        return unless_unavailable(look)

    def open(self, email_id: uuid.UUID) -> OpenedMail | None:
        def look() -> OpenedMail | None:
            with self._database.read() as connection:
                return self._mailbox.open(connection, email_id)

        return unless_unavailable(look)
