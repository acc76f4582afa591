"""An SMTP server that keeps what it is given and answers as it is told, on a free loopback port."""

import asyncio
import ssl
from collections import deque
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from types import TracebackType
from typing import Any, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

DROP = "drop"
"""Instead of a reply: the connection is cut."""
HANG = "hang"
"""Instead of a reply: silence."""

USERNAME, PASSWORD = "careroute", "sink"


@dataclass(frozen=True, slots=True)
class Received:
    """One message the sink took responsibility for."""

    sender: str
    recipient: str
    raw: bytes

    @property
    def message(self) -> EmailMessage:
        parsed = message_from_bytes(self.raw, policy=policy.default)
        assert isinstance(parsed, EmailMessage)
        return parsed


class SmtpSink:
    """Listens from construction on; `with` or `close()` ends it.

    received     the messages accepted, in order
    connections  how many were opened
    reply_to     the next replies, by step: "MAIL", "RCPT" or "DATA" (after the content), one each
    """

    def __init__(self, *, tls: ssl.SSLContext | None = None, login: bool = False) -> None:
        """`tls`: a server context for STARTTLS. `login`: with it, mail is taken only after AUTH."""
        self.received: list[Received] = []
        self.clients: set[object] = set()
        self.reply_to: dict[str, deque[str]] = {"MAIL": deque(), "RCPT": deque(), "DATA": deque()}
        self._controller = _OnFreePort(
            _Handler(self),
            hostname="127.0.0.1",
            port=0,
            server_hostname="sink.test",
            tls_context=tls,
            require_starttls=False,
            auth_required=login,
            auth_require_tls=login,
            authenticator=_authenticate if login else None,
            enable_SMTPUTF8=True,
        )
        self._controller.start()

    @property
    def connections(self) -> int:
        return len(self.clients)

    @property
    def port(self) -> int:
        return self._controller.port

    def close(self) -> None:
        self._controller.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _OnFreePort(Controller):
    """Learns which port it was given before it tries itself out."""

    def _trigger_server(self) -> None:
        assert isinstance(self.server, asyncio.Server)
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call]


class _Handler:
    def __init__(self, sink: SmtpSink) -> None:
        self._sink = sink

    async def handle_EHLO(  # noqa: N802 - the hook's name
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        self._sink.clients.add(session.peer)  # a second EHLO, after STARTTLS, comes from the same
        session.host_name = hostname
        return responses

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        return await self._reply(server, "MAIL", "250 2.1.0 OK")

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        reply = await self._reply(server, "RCPT", "250 2.1.5 OK")
        if reply.startswith("2"):
            envelope.rcpt_tos.append(address)
        return reply

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        scripted = self._sink.reply_to["DATA"]
        if not scripted or scripted[0] in {DROP, HANG} or scripted[0].startswith("2"):
            raw = envelope.original_content or b""
            self._sink.received.append(Received(str(envelope.mail_from), str(envelope.rcpt_tos[0]), raw))
        return await self._reply(server, "DATA", "250 2.0.0 queued")

    async def _reply(self, server: SMTP, step: str, usual: str) -> str:
        scripted = self._sink.reply_to[step]
        reply = scripted.popleft() if scripted else usual
        if reply == DROP:
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
        if reply == HANG:
            await asyncio.sleep(3600)
        return reply


def _authenticate(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
    right = isinstance(data, LoginPassword) and (data.login, data.password) == (USERNAME.encode(), PASSWORD.encode())
    return AuthResult(success=right, handled=False)  # the server says so to the client
