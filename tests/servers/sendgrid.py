"""A stand-in for SendGrid over real HTTP: answers POST /v3/mail/send as it does, checks every request, fails on cue,
and posts signed events about what it accepted.

In a test:

    with SendGridStandIn() as sendgrid: … sendgrid.url … sendgrid.accepted … sendgrid.violations
    SendGridStandIn(delay_seconds=0.15, keep_bodies=False, check_share=0.05)    for measuring

    sendgrid.script(Status(429), None, Hang())      the next requests, one each; faults are in `sendgrid_faults`
    sendgrid.always(Status(503))                    every other one; always(None) ends it
    sendgrid.sometimes(0.05, AcceptThenReset())     a share of them
    sendgrid.storm(20)                              429 for 20 seconds, X-RateLimit-Reset names their end
    sendgrid.pause_listening() … resume_listening() nobody there: connections refused, open ones reset
    sendgrid.outage(600)                            the same, ended by itself

Its event webhook (`sendgrid_events` tells which recipients meet what):

    with SendGridStandIn(events_url="http://127.0.0.1:8000", manners=EventManners(shuffle=True)) as sendgrid:
        settings: CAREROUTE_SENDGRID_EVENT_PUBLIC_KEYS=sendgrid.public_key
        sendgrid.events.wait_until_told()
    sendgrid.tell_events_to(url)                    where the address is known only later; mails from then on
    SendGridStandIn(signer=Signer()).public_key     the key is there from the start

As a process, for as long as it is not interrupted; its first line is the URL, its second the public key:

    python -m tests.servers.sendgrid --port 8025 --delay 0.15 --reset-share 0.05 --check-share 0.05 \
        --log accepted.jsonl --events http://127.0.0.1:8000 --events-key key.pem

    curl http://127.0.0.1:8025/stand-in                                     what it has seen, as JSON
    curl -d '{"storm": 20}' http://127.0.0.1:8025/stand-in                  or outage, delay, status;
        or the share of requests that fails: reset_share, hang_share, late_share, busy_share, error_share
"""

import argparse
import hashlib
import random
import secrets
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import orjson
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from tests.servers.sendgrid_contract import OPENAPI, Contract
from tests.servers.sendgrid_events import EventManners, EventWebhook, Signer
from tests.servers.sendgrid_faults import (
    AcceptThenReset,
    Fault,
    FaultScript,
    Hang,
    Late,
    ResetBeforeReading,
    Sandbox,
    Status,
)
from tests.servers.sendgrid_http import Listener, Request

__all__ = [
    "API_KEY",
    "AcceptThenReset",
    "Accepted",
    "EventManners",
    "EventWebhook",
    "Fault",
    "Hang",
    "Late",
    "ResetBeforeReading",
    "Sandbox",
    "SendGridStandIn",
    "Signer",
    "Status",
]

API_KEY = "SG.stand-in"
CONTROL = "/stand-in"
LATE_SECONDS = 2.0
_SHARES: Mapping[str, Fault] = {
    "reset_share": AcceptThenReset(),
    "hang_share": Hang(),
    "late_share": Late(LATE_SECONDS),
    "busy_share": Status(429, headers={"Retry-After": "1"}),
}

_REFUSALS = {
    400: ("Bad Request", "from.email"),
    401: ("The provided authorization grant is invalid, expired, or revoked", None),
    403: ("The from address does not match a verified Sender Identity", "from"),
    413: ("Payload too large", None),
    429: ("too many requests", None),
    500: ("Internal Server Error", None),
    503: ("Service Unavailable", None),
}


@dataclass(frozen=True)
class Accepted:
    """One mail SendGrid took responsibility for. `raw` is the body as it arrived, empty where bodies are not kept."""

    message_id: str
    at: float
    attempt_id: str
    email_id: str
    to: str
    sha256: str
    raw: bytes = field(repr=False)
    noticed: Mapping[str, str] = field(default_factory=dict, repr=False)

    @cached_property
    def body(self) -> dict[str, Any]:
        parsed: dict[str, Any] = orjson.loads(self.raw)
        return parsed


class SendGridStandIn:
    """Listens on a free loopback port from construction on; `with` or `close()` ends it.

    accepted     the mails accepted, in order
    violations   what requests had wrong (they are answered 400, as SendGrid would)
    connections  how many were opened
    requests     how many were begun
    statuses     how many were answered how
    events       its event webhook, None until there is an endpoint
    """

    def __init__(
        self,
        *,
        port: int = 0,
        log: Path | None = None,
        openapi: Path | None = OPENAPI,
        delay_seconds: float = 0,
        check_share: float = 1.0,
        keep_bodies: bool = True,
        events_url: str | None = None,
        signer: Signer | None = None,
        manners: EventManners | None = None,
        events_log: Path | None = None,
        reader: Callable[[dict[str, Any]], Mapping[str, str]] = lambda _: {},
    ) -> None:
        """`check_share`: how many bodies are held against the contract; all, unless time is measured.

        `events_log` gets a line for every event told. What `reader` finds in a body goes into its line of `log`.
        """
        self._events_log = events_log
        self._reader = reader
        self.accepted: list[Accepted] = []
        self.violations: list[str] = []
        self.requests = 0
        self.statuses: dict[int, int] = {}
        self.delay_seconds = delay_seconds
        self.contract = Contract(openapi)
        self.stopping = threading.Event()
        self.events: EventWebhook | None = None
        self._signer = signer or Signer()
        self._manners = manners
        self._keep_bodies = keep_bodies
        self._check_share = check_share
        self._sample = random.Random(1)
        self._log: IO[bytes] | None = None if log is None else log.open("ab")
        self._faults = FaultScript()
        self.script = self._faults.script
        self.always = self._faults.always
        self.sometimes = self._faults.sometimes
        self.storm = self._faults.storm
        if events_url is not None:
            self.tell_events_to(events_url)
        self._listener = Listener(port, next_fault=self._next_fault, handle=self._handle)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.port}"

    @property
    def public_key(self) -> str:
        """Of the signed event webhook, as SendGrid shows it."""
        return self._signer.public_key

    @property
    def connections(self) -> int:
        return self._listener.opened

    def tell_events_to(self, url: str, *others: str) -> EventWebhook:
        """Post events about the mails accepted from now on. `url`: the endpoint, or the base URL of a Careroute.

        With `others`, posts go to all of them in turn.
        """
        if self.events is not None:
            self.events.close()
        self.events = EventWebhook(url, *others, signer=self._signer, manners=self._manners, log=self._events_log)
        return self.events

    def pause_listening(self) -> None:
        """Nobody there: connections are refused and open ones reset; requests in the delay are not accepted."""
        self._listener.pause()

    def resume_listening(self) -> None:
        self._listener.resume()

    def outage(self, seconds: float) -> None:
        """Nobody there for so long."""
        self._listener.call_later(seconds, self._listener.resume_in_the_loop)
        self._listener.pause()

    def close(self) -> None:
        self.stopping.set()
        self._listener.close()
        if self.events is not None:
            self.events.close()
        if self._log is not None:
            self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # In the listener's thread, one at a time.

    def _next_fault(self) -> Fault | None:
        self.requests += 1
        return self._faults.next()

    def _handle(self, request: Request) -> None:
        fault = request.fault
        if request.path == CONTROL:
            self._control(request)
        elif isinstance(fault, Hang):
            return
        elif isinstance(fault, Status):
            self._refuse(request, fault)
        elif self.delay_seconds:
            request.later(self.delay_seconds, lambda: self._take(request))
        else:
            self._take(request)

    def _take(self, request: Request) -> None:
        status, problems, mail = self._judged(request)
        fault = request.fault
        if mail is None:
            self._answer(request, status, {"errors": [{"message": each, "field": None} for each in problems]})
        elif isinstance(fault, Sandbox):
            self._answer(request, 200)
        else:
            self._accept(mail)
            headers = {"X-Message-Id": mail.message_id}
            if isinstance(fault, AcceptThenReset):
                request.reset()
            elif isinstance(fault, Late):
                request.later(fault.seconds, lambda: self._answer(request, 202, headers=headers))
            else:
                self._answer(request, 202, headers=headers)

    def _judged(self, request: Request) -> tuple[int, list[str], Accepted | None]:
        if request.path != "/v3/mail/send":
            return 404, ["not found"], None
        if request.method != "POST":
            return 405, ["method not allowed"], None
        if request.header("Authorization") != f"Bearer {API_KEY}":
            return 401, [_REFUSALS[401][0]], None
        if request.header("Content-Type") != "application/json":
            problems = ["Content-Type: must be application/json"]
        else:
            problems, mail = self._read(request.body)
            if mail is not None:
                return 202, [], mail
        self.violations += problems
        return 400, problems, None

    def _read(self, raw: bytes) -> tuple[list[str], Accepted | None]:
        try:
            body = orjson.loads(raw)
        except ValueError:
            return ["body: not JSON"], None
        if self._check_share >= 1 or self._sample.random() < self._check_share:
            problems = self.contract.violations(body, size=len(raw))
            if problems:
                return problems, None
        try:
            first = body["personalizations"][0]
            mail = Accepted(
                message_id=secrets.token_urlsafe(16),
                at=time.time(),
                attempt_id=str(first.get("custom_args", body.get("custom_args", {})).get("attempt_id", "")),
                email_id=str(body.get("headers", {}).get("Message-ID", "")).strip("<>").partition("@")[0],
                to=str(first["to"][0]["email"]),
                sha256=hashlib.sha256(raw).hexdigest(),
                raw=raw if self._keep_bodies else b"",
                noticed=self._reader(body),
            )
        except (KeyError, IndexError, TypeError, AttributeError):
            return ["body: no recipient"], None
        return [], mail

    def _accept(self, mail: Accepted) -> None:
        """On record, and in the log, before anyone is told."""
        self.accepted.append(mail)
        if self._log is not None:
            names = ("attempt_id", "email_id", "to", "message_id", "at", "sha256")
            line = {name: getattr(mail, name) for name in names} | dict(mail.noticed)
            self._log.write(orjson.dumps(line) + b"\n")
            self._log.flush()
        if self.events is not None:
            self.events.about(mail)

    def _refuse(self, request: Request, fault: Status) -> None:
        message, name = _REFUSALS.get(fault.code, ("Error", None))
        headers = dict(fault.headers)
        if fault.code == 429 and not headers:
            reset = round(time.time() + fault.reset_seconds)
            headers = {"X-RateLimit-Limit": "600", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(reset)}
        self._answer(request, fault.code, {"errors": [{"message": message, "field": name, "help": None}]}, headers)

    def _answer(
        self, request: Request, status: int, content: object = None, headers: dict[str, str] | None = None
    ) -> None:
        self.statuses[status] = self.statuses.get(status, 0) + 1
        request.answer(status, content, headers)

    def _control(self, request: Request) -> None:
        """What a measurement in another process asks and orders; not among the requests."""
        self.requests -= 1
        orders = orjson.loads(request.body) if request.body else {}
        for order, value in orders.items():
            match order:
                case "storm":
                    self.storm(float(value))
                case "delay":
                    self.delay_seconds = float(value)
                case "error_share":
                    self.sometimes(float(value) / 2, Status(500))
                    self.sometimes(float(value) / 2, Status(503))
                case _ if order in _SHARES:
                    self.sometimes(float(value), _SHARES[order])
                case "silent_share" if self.events is not None:
                    self.events.silent_share = float(value)
                case "status":
                    self.always(Status(int(value)) if value else None)
        request.answer(200, self.seen())
        if "outage" in orders:
            threading.Thread(target=self.outage, args=(float(orders["outage"]),)).start()

    def seen(self) -> dict[str, Any]:
        """How it stands, in figures."""
        counts: dict[str, int] = {}
        for mail in self.accepted:
            counts[mail.email_id] = counts.get(mail.email_id, 0) + 1
        return {
            "requests": self.requests,
            "connections": self.connections,
            "accepted": len(self.accepted),
            "accepted_twice": sum(count > 1 for count in counts.values()),
            "statuses": self.statuses,
            "violations": self.violations[:20],
            "events_told": 0 if self.events is None else len(self.events.told),
            "events_left": 0 if self.events is None else self.events.left,
        }


def _signer(path: Path | None) -> Signer:
    """The key in the file, made if there is none."""
    if path is None:
        return Signer()
    if not path.exists():
        key = ec.generate_private_key(ec.SECP256R1())
        path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    loaded = load_pem_private_key(path.read_bytes(), None)
    assert isinstance(loaded, ec.EllipticCurvePrivateKey)
    return Signer(loaded)


def main() -> None:
    parser = argparse.ArgumentParser(description="Stand in for SendGrid until interrupted.")
    parser.add_argument("--port", type=int, default=8025)
    parser.add_argument("--log", type=Path, help="append one JSON line per accepted mail to this file")
    parser.add_argument("--openapi", type=Path, default=OPENAPI, help="SendGrid's description of the API")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--reset-share", type=float, default=0.0, help="share accepted without an answer")
    parser.add_argument("--check-share", type=float, default=1.0, help="share of bodies held against the contract")
    parser.add_argument("--events", metavar="URL", help="post signed events there")
    parser.add_argument("--events-key", type=Path, help="their private key (PEM); made if the file is not there")
    parser.add_argument("--events-shuffle", action="store_true", help="in any order")
    parser.add_argument("--events-repeat-share", type=float, default=0.0, help="share of events told twice")
    parser.add_argument("--bounces-without-ids", action="store_true")
    arguments = parser.parse_args()
    stand_in = SendGridStandIn(
        port=arguments.port,
        log=arguments.log,
        openapi=arguments.openapi,
        delay_seconds=arguments.delay,
        check_share=arguments.check_share,
        keep_bodies=False,
        events_url=arguments.events,
        signer=_signer(arguments.events_key),
        manners=EventManners(
            shuffle=arguments.events_shuffle,
            repeat_share=arguments.events_repeat_share,
            bounces_without_ids=arguments.bounces_without_ids,
        ),
    )
    stand_in.sometimes(arguments.reset_share, AcceptThenReset())
    with stand_in:
        sys.stdout.write(f"{stand_in.url}\n{stand_in.public_key}\n")
        sys.stdout.flush()
        try:
            stand_in.stopping.wait()
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    main()
