"""Unsubscribing over the database: from what the core says to what the page shows."""

from pipeline import unsubscribing
from pipeline.context import Context
from pipeline.unsubscribing import Subscription
from web.outage import unless_unavailable
from web.unsubscribe import MailChoice


class DatabaseUnsubscribing:
    """Implements `web.unsubscribe.Unsubscribing`."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def look(self, token: str) -> MailChoice | None:
        return _choice(unless_unavailable(lambda: unsubscribing.look(self._context, token)))

    def end(self, token: str, request_id: str) -> MailChoice | None:
        return _choice(unless_unavailable(lambda: unsubscribing.unsubscribe(self._context, token, request_id)))

    def again(self, token: str, request_id: str) -> MailChoice | None:
        return _choice(unless_unavailable(lambda: unsubscribing.subscribe_again(self._context, token, request_id)))


def _choice(found: Subscription | None) -> MailChoice | None:
    if found is None:
        return None
    return MailChoice(found.language, found.provider_id is not None, found.unsubscribed, found.stopped_otherwise)
