"""A stand-in for SendGrid over real HTTP: answers POST /v3/mail/send as it does, checks every request, fails on cue.

In a test:      with SendGridStandIn() as sendgrid: … sendgrid.url … sendgrid.accepted
As a process:   python -m tests.servers.sendgrid --port 8025 --log accepted.jsonl
"""

import argparse
import contextlib
import json
import random
import socket
import struct
import sys
import threading
import time
import uuid
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.servers.sendgrid_contract import OPENAPI, Contract

API_KEY = "SG.stand-in"
_REFUSALS = {
    400: ("Bad Request", "from.email"),
    401: ("The provided authorization grant is invalid, expired, or revoked", None),
    403: ("The from address does not match a verified Sender Identity", "from"),
    413: ("Payload too large", None),
    429: ("too many requests", None),
    500: ("Internal Server Error", None),
    503: ("Service Unavailable", None),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong with one request."""


@dataclass(frozen=True, slots=True)
class Status(Fault):
    """The request is refused with this status. 429 says by X-RateLimit-Reset when to come back."""

    code: int
    reset_seconds: int = 30
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sandbox(Fault):
    """200: the mail was checked and thrown away."""


@dataclass(frozen=True, slots=True)
class Hang(Fault):
    """The request is read and never answered."""


@dataclass(frozen=True, slots=True)
class AcceptThenReset(Fault):
    """The mail is accepted, and the connection is reset instead of the answer."""


@dataclass(frozen=True, slots=True)
class ResetBeforeReading(Fault):
    """The connection is reset with the request unread."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """One mail SendGrid took responsibility for."""

    message_id: str
    at: float
    body: dict[str, Any]

    @property
    def attempt_id(self) -> str:
        return str(self.body["personalizations"][0]["custom_args"]["attempt_id"])

    @property
    def email_id(self) -> str:
        """The id the Message-ID header carries."""
        return str(self.body["headers"]["Message-ID"]).strip("<>").partition("@")[0]

    @property
    def to(self) -> str:
        return str(self.body["personalizations"][0]["to"][0]["email"])


class SendGridStandIn:
    """Listens on a free loopback port from construction on; `with` or `close()` ends it.

    accepted     the mails accepted, in order
    violations   what requests had wrong (they are answered 400, as SendGrid would)
    connections  how many were opened
    """

    def __init__(
        self, *, port: int = 0, log: Path | None = None, openapi: Path | None = OPENAPI, delay_seconds: float = 0
    ) -> None:
        self.accepted: list[Accepted] = []
        self.violations: list[str] = []
        self.connections = 0
        self.requests = 0
        self.delay_seconds = delay_seconds
        self.contract = Contract(openapi)
        self.stopping = threading.Event()
        self._log = log
        self._open: list[socket.socket] = []
        self._lock = threading.Lock()
        self._script: deque[Fault | None] = deque()
        self._constant: Fault | None = None
        self._sometimes: tuple[float, Fault] | None = None
        self._random = random.Random(0)
        stand_in = self

        class Handler(_Handler):
            sendgrid = stand_in

        self._server = _Server(("127.0.0.1", port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def script(self, *faults: Fault | None) -> None:
        """What happens to the next requests, one each; None answers as usual."""
        with self._lock:
            self._script.extend(faults)

    def always(self, fault: Fault | None) -> None:
        """What happens to every request the script says nothing about; None ends it."""
        self._constant = fault

    def sometimes(self, share: float, fault: Fault) -> None:
        """A random share of the requests fails so, the same ones in every run."""
        self._sometimes = (share, fault)

    def close(self) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def opened(self, connection: socket.socket) -> None:
        with self._lock:
            self.connections += 1
            self._open.append(connection)

    def next_fault(self) -> Fault | None:
        with self._lock:
            self.requests += 1
            if self._script:
                return self._script.popleft()
            if self._sometimes and self._random.random() < self._sometimes[0]:
                return self._sometimes[1]
            return self._constant

    def accept(self, body: dict[str, Any]) -> Accepted:
        """On record, and in the log, before anyone is told."""
        mail = Accepted(message_id=uuid.uuid4().hex[:22], at=time.time(), body=body)
        with self._lock:
            self.accepted.append(mail)
            if self._log is not None:
                with self._log.open("a", encoding="utf-8") as file:
                    file.write(json.dumps({"attempt_id": mail.attempt_id, "to": mail.to, **asdict(mail)}) + "\n")
        return mail


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is what some tests are about; anything else is a mistake in the stand-in."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    sendgrid: SendGridStandIn
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self.sendgrid.opened(self.connection)

    def handle_one_request(self) -> None:
        if not self.connection.recv(1, socket.MSG_PEEK):  # waits for a request, and leaves it unread
            self.close_connection = True
            return
        self._fault = self.sendgrid.next_fault()
        if isinstance(self._fault, ResetBeforeReading):
            self._reset()
        else:
            super().handle_one_request()

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        fault = self._fault
        if isinstance(fault, Hang):
            self.sendgrid.stopping.wait()
            self._reset()
            return
        if isinstance(fault, Status):
            self._refuse(fault)
            return
        if self.sendgrid.delay_seconds:
            time.sleep(self.sendgrid.delay_seconds)
        body, refusal = self._checked(raw)
        if refusal is not None:
            self._answer(refusal[0], {"errors": [{"message": problem, "field": None} for problem in refusal[1]]})
        elif isinstance(fault, Sandbox):
            self._answer(200, None)
        else:
            mail = self.sendgrid.accept(body)
            if isinstance(fault, AcceptThenReset):
                self._reset()
            else:
                self._answer(202, None, {"X-Message-Id": mail.message_id})

    def _checked(self, raw: bytes) -> tuple[dict[str, Any], tuple[int, list[str]] | None]:
        if self.path != "/v3/mail/send":
            return {}, (404, ["not found"])
        if self.headers.get("Authorization") != f"Bearer {API_KEY}":
            return {}, (401, ["The provided authorization grant is invalid, expired, or revoked"])
        if self.headers.get("Content-Type") != "application/json":
            problems = ["Content-Type: must be application/json"]
        else:
            try:
                body = json.loads(raw)
            except ValueError:
                problems = ["body: not JSON"]
            else:
                problems = self.sendgrid.contract.violations(body)
                if not problems:
                    return body, None
        self.sendgrid.violations += problems
        return {}, (400, problems)

    def _refuse(self, fault: Status) -> None:
        message, name = _REFUSALS.get(fault.code, ("Error", None))
        headers = dict(fault.headers)
        if fault.code == 429 and not headers:
            headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(time.time()) + fault.reset_seconds)}
        self._answer(fault.code, {"errors": [{"message": message, "field": name, "help": None}]}, headers)

    def _answer(self, status: int, content: object, headers: Mapping[str, str] | None = None) -> None:
        payload = b"" if content is None else json.dumps(content).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def _reset(self) -> None:
        """RST rather than FIN: an abortive close, as when a process dies with data unread."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def finish(self) -> None:
        if self.connection.fileno() != -1:
            super().finish()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name for it
        return


def main() -> None:
    parser = argparse.ArgumentParser(description="Stand in for SendGrid until interrupted.")
    parser.add_argument("--port", type=int, default=8025)
    parser.add_argument("--log", type=Path, help="append one JSON line per accepted mail to this file")
    parser.add_argument("--openapi", type=Path, default=OPENAPI, help="SendGrid's description of the API")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--reset-share", type=float, default=0.0, help="share accepted without an answer")
    arguments = parser.parse_args()
    stand_in = SendGridStandIn(
        port=arguments.port, log=arguments.log, openapi=arguments.openapi, delay_seconds=arguments.delay
    )
    if arguments.reset_share:
        stand_in.sometimes(arguments.reset_share, AcceptThenReset())
    with stand_in:
        sys.stdout.write(f"{stand_in.url}\n")
        sys.stdout.flush()
        try:
            stand_in.stopping.wait()
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    main()
