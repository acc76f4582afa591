"""The stand-in's event webhook: signed batches of events, as SendGrid posts them, about the mails it accepted.

    signer.public_key               what CAREROUTE_SENDGRID_EVENT_PUBLIC_KEYS takes
    signer.signed(body)             the two headers for a body
    webhook.post([event, …])        signs and posts a batch of one's own making at once; the status
    webhook.wait_until_told()       until nothing is left to tell

What happens to a mail is told by its recipient's local part: `bounce…`, `block…`, `drop…`, `defer…`, `spam…`,
`silent…` (nothing is ever told); any other is delivered. A `plan` of one's own says otherwise.

The body is one JSON array, a line each, with CRLF between and after: verifying a re-serialised body must fail.
"""

import base64
import itertools
import json
import random
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

import httpx
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

SIGNATURE = "X-Twilio-Email-Event-Webhook-Signature"
TIMESTAMP = "X-Twilio-Email-Event-Webhook-Timestamp"
PATH = "/v1/events/sendgrid"

Event = dict[str, Any]

_PLANS: Mapping[str, tuple[str, ...]] = {
    "bounce": ("processed", "bounce"),
    "block": ("processed", "blocked"),
    "drop": ("dropped",),
    "defer": ("processed", "deferred", "delivered"),
    "spam": ("processed", "delivered", "spamreport"),
    "silent": (),
}
_DELIVERED = ("processed", "delivered")

PARTICULARS: Mapping[str, Event] = {
    "processed": {},
    "delivered": {"response": "250 2.0.0 OK", "ip": "192.0.2.7", "tls": 1},
    "deferred": {"response": "451 4.3.2 please try again later", "attempt": "1", "ip": "192.0.2.7", "tls": 1},
    "bounce": {
        "reason": "550 5.1.1 The email account that you tried to reach does not exist",
        "status": "5.1.1",
        "type": "bounce",
        "bounce_classification": "Invalid Address",
        "ip": "192.0.2.7",
        "tls": 1,
    },
    "blocked": {
        "event": "bounce",
        "reason": "554 5.7.1 Message blocked by the recipient's policy",
        "status": "5.7.1",
        "type": "blocked",
        "bounce_classification": "Reputation",
        "ip": "192.0.2.7",
        "tls": 1,
    },
    "dropped": {"reason": "Bounced Address", "status": "5.0.0"},
    "spamreport": {},
}


class Mail(Protocol):
    """What is told about."""

    @property
    def message_id(self) -> str: ...
    @property
    def attempt_id(self) -> str: ...
    @property
    def email_id(self) -> str: ...
    @property
    def to(self) -> str: ...


def plan_by_recipient(mail: Mail) -> Sequence[str]:
    """The names of what happens to it, in order; see the module."""
    for start, plan in _PLANS.items():
        if mail.to.startswith(start):
            return plan
    return _DELIVERED


def event(name: str, mail: Mail, *, at: float | None = None, with_ids: bool = True) -> Event:
    """One event about one mail. Without ids it has an `sg_event_id` alone, as a late bounce may."""
    told: Event = {
        "email": mail.to,
        "event": name,
        "timestamp": int(time.time() if at is None else at),
        "sg_event_id": secrets.token_urlsafe(33),
    }
    if with_ids:
        told |= {
            "sg_message_id": f"{mail.message_id}.recvd-6f7dc4d5c8-x2jqk-1-5F5FC76C-9.0",
            "smtp-id": f"<{mail.message_id}@geopod-ismtpd-7>",
            "attempt_id": mail.attempt_id,  # custom arguments stand beside the event's own keys
        }
    return told | PARTICULARS[name]


def to_body(events: Sequence[Event]) -> bytes:
    """The raw body of a batch."""
    lines = (json.dumps(each, separators=(",", ":")) for each in events)
    return b"[" + ",\r\n".join(lines).encode() + b"]\r\n"


class Signer:
    """An account's key of the signed event webhook: ECDSA on P-256 with SHA-256, over timestamp and raw body."""

    def __init__(self, key: ec.EllipticCurvePrivateKey | None = None) -> None:
        self._key = key or ec.generate_private_key(ec.SECP256R1())
        public = self._key.public_key()
        spki = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        self.public_key = base64.b64encode(spki).decode()
        """As SendGrid shows it: the base64 of the DER SubjectPublicKeyInfo, on one line."""

    def signed(self, body: bytes, *, at: float | None = None) -> dict[str, str]:
        """The headers for a body; `at` is the Unix time they claim."""
        timestamp = str(int(time.time() if at is None else at))
        signature = self._key.sign(timestamp.encode() + body, ec.ECDSA(hashes.SHA256()))
        return {
            "Content-Type": "application/json",
            SIGNATURE: base64.b64encode(signature).decode(),
            TIMESTAMP: timestamp,
        }


@dataclass(frozen=True, slots=True)
class EventManners:
    """How events are posted. Seconds are between a mail's acceptance and what is told about it."""

    gather_seconds: float = 0.1
    """How long events are gathered for one post."""
    settle_seconds: float = 0.0
    """Between one event of a mail and the next."""
    batch_size: int = 200
    shuffle: bool = False
    """Events go out in any order, and some wait for a later post."""
    repeat_share: float = 0.0
    """How many are told a second time, with the same `sg_event_id`."""
    bounces_without_ids: bool = False
    retry_seconds: float = 0.5
    """After a post that was not answered 2xx: the same events are posted again, for as long as it takes."""
    plan: Callable[[Mail], Sequence[str]] = plan_by_recipient


class EventWebhook:
    """Posts from a thread of its own until closed.

    told      the events that an endpoint has taken (2xx), in the order they were posted; repeats included
    answers   how many posts had which status; 0 stands for no answer
    silent_share    of how many of the mails accepted from now on nothing is ever told
    """

    def __init__(
        self,
        url: str,
        *others: str,
        signer: Signer | None = None,
        manners: EventManners | None = None,
        log: Path | None = None,
    ) -> None:
        """`url` is the endpoint, or the base URL of a Careroute; with `others`, posts go to all of them in turn.

        `log` gets a JSON line for every event that an endpoint has taken.
        """
        self._log: IO[bytes] | None = None if log is None else log.open("ab", buffering=0)
        self._urls = itertools.cycle(
            [each if each.rstrip("/").count("/") > 2 else each.rstrip("/") + PATH for each in (url, *others)]
        )
        self.signer = signer or Signer()
        self.manners = manners or EventManners()
        self.told: list[Event] = []
        self.answers: Counter[int] = Counter()
        self.silent_share = 0.0
        self._random = random.Random(0)
        self._changed = threading.Condition()
        self._due: list[tuple[float, Event]] = []
        self._posting = 0
        self._stopping = threading.Event()
        self._client = httpx.Client(timeout=30, trust_env=False)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def about(self, mail: Mail) -> None:
        """A mail was accepted: all that will be told about it is planned."""
        if self.silent_share and self._random.random() < self.silent_share:
            return
        manners, now = self.manners, time.time()
        planned = []
        for number, name in enumerate(manners.plan(mail)):
            due = now + number * manners.settle_seconds
            with_ids = not (manners.bounces_without_ids and name in {"bounce", "blocked"})
            told = event(name, mail, at=due, with_ids=with_ids)
            planned.append((due, told))
            if self._random.random() < manners.repeat_share:
                planned.append((due + manners.settle_seconds, told))
        with self._changed:
            self._due += planned

    def post(self, events: Sequence[Event]) -> int:
        """Post one signed batch now; the status of the answer, 0 for none."""
        body = to_body(events)
        try:
            status = self._client.post(next(self._urls), content=body, headers=self.signer.signed(body)).status_code
        except httpx.HTTPError:
            status = 0
        with self._changed:
            self.answers[status] += 1
            if 200 <= status < 300:
                self.told += events
                if self._log is not None:
                    self._log.write(b"".join(json.dumps(each).encode() + b"\n" for each in events))
        return status

    @property
    def left(self) -> int:
        """How many events are still to be told."""
        with self._changed:
            return len(self._due) + self._posting

    def wait_until_told(self, seconds: float = 20.0) -> bool:
        """Whether everything planned was told in time."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._due and not self._posting, seconds)

    def close(self) -> None:
        """What is not told yet never will be."""
        self._stopping.set()
        self._thread.join()
        self._client.close()
        if self._log is not None:
            self._log.close()

    def _run(self) -> None:
        while not self._stopping.wait(self.manners.gather_seconds):
            while (batch := self._take()) and not self._stopping.is_set():
                self._tell(batch)

    def _take(self) -> list[Event]:
        manners, now = self.manners, time.time()
        with self._changed:
            if manners.shuffle:
                self._random.shuffle(self._due)
            ready = [entry for entry in self._due if entry[0] <= now]
            if manners.shuffle and len(ready) > 1:
                ready = ready[: self._random.randint(1, len(ready))]
            ready = ready[: manners.batch_size]
            taken = set(map(id, ready))
            self._due = [entry for entry in self._due if id(entry) not in taken]
            self._posting = len(ready)
        return [told for _, told in ready]

    def _tell(self, batch: list[Event]) -> None:
        status = self.post(batch)
        with self._changed:
            if not 200 <= status < 300:
                due = time.time() + self.manners.retry_seconds
                self._due += [(due, told) for told in batch]
            self._posting = 0
            self._changed.notify_all()
