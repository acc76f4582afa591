"""Takes reports of mail providers in, over the database."""

from collections.abc import Callable, Mapping

from config.event_keys import read_event_keys
from pipeline.context import Context
from pipeline.receipts.events import BodyUnreadable, read_events
from pipeline.receipts.signature import SignatureRefused, SignatureRule, read_signature, verify
from pipeline.receipts.storing import store_events
from web.events import EventsRefusal, EventsRefused, EventsTaken
from web.outage import unless_unavailable

_NO_KEY = (
    "No key is configured: set CAREROUTE_SENDGRID_EVENT_PUBLIC_KEYS to the verification key of SendGrid's Signed Event "
    "Webhook, and restart. SendGrid repeats for 24 hours what was not taken."
)
_SIGNATURE = {
    SignatureRule.NO_SIGNATURE: "The header X-Twilio-Email-Event-Webhook-Signature is missing: switch it on there.",
    SignatureRule.NO_TIMESTAMP: "The header X-Twilio-Email-Event-Webhook-Timestamp is missing.",
    SignatureRule.WRONG_SIGNATURE: "No configured key has signed this timestamp with these bytes of a body.",
}


class DatabaseReceipts:
    """Implements `web.events.Receipts`. `wake` is told the lanes that got work; it never fails."""

    def __init__(self, context: Context, wake: Callable[[str], None]) -> None:
        self._context = context
        self._wake = wake
        self._keys = read_event_keys(context.settings.sendgrid_event_public_keys)

    def refusal(self, headers: Mapping[str, str]) -> EventsRefused | None:
        if not self._keys:
            return EventsRefused(EventsRefusal.NO_KEY, _NO_KEY)
        try:
            read_signature(headers)
        except SignatureRefused as refused:
            return EventsRefused(EventsRefusal.BAD_SIGNATURE, _SIGNATURE[refused.rule])
        return None

    def take(self, raw_body: bytes, headers: Mapping[str, str]) -> EventsTaken | EventsRefused:
        if (refusal := self.refusal(headers)) is not None:
            return refusal
        try:
            verify(raw_body, headers, self._keys)
            batch = read_events(raw_body, self._context.vault)
        except SignatureRefused as refused:
            return EventsRefused(EventsRefusal.BAD_SIGNATURE, _SIGNATURE[refused.rule])
        except BodyUnreadable:
            return EventsRefused(EventsRefusal.MALFORMED, "The body is not a JSON list of events.")
        stored = unless_unavailable(lambda: store_events(self._context, batch, self._wake))
        return EventsTaken(stored.events, stored.new)
