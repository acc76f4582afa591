"""SMTP submission with kept connections, one step at a time so that it is known when the outcome became doubtful.

RFC 5321, 4.2.5 and 6.1: until the client has sent the final dot the server must not deliver; once it has answered 250
the server is responsible. Only between the two is the outcome unknown.
"""

import re
import smtplib
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, cast

from config.screening import DataClass
from pipeline.email.message import Outgoing, to_bytes
from pipeline.transports.bounded import BoundSocket, BoundTlsSocket, bounding, connect, secure, serve
from pipeline.transports.connections import Deadline, IdleConnections
from pipeline.transports.receipt import Receipt, SendOutcome
from pipeline.transports.smtp_replies import CLOSING, Reply, Step, judge

_LEADING_DOT = re.compile(rb"^\.", re.MULTILINE)
NO_TLS_OR_LOGIN = "no encryption or login as set: check CAREROUTE_SMTP_TLS and the server's certificate"
_LOST = Receipt(SendOutcome.UNAVAILABLE, code="connection-lost")


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """Where to submit mail. `tls`: "none", "starttls" (required, not opportunistic) or "tls" from the first byte."""

    host: str
    port: int
    tls: Literal["none", "starttls", "tls"]
    username: str
    password: str


class _Session(smtplib.SMTP):
    """A session whose every command, reply and handshake keeps within the deadline of the call."""

    def __init__(self, server: SmtpServer, local_name: str, tls_context: ssl.SSLContext, deadline: Deadline) -> None:
        """Connects and reads the greeting. Raises OSError (the base of smtplib's exceptions)."""
        self._server, self._tls_context, self._deadline = server, tls_context, deadline
        # Naming ourselves spares a reverse DNS look-up, which can block for longer than the timeout.
        super().__init__(server.host, server.port, local_name)

    def _get_socket(self, host: str, port: int, _timeout: object) -> BoundSocket:
        """The seam by which smtplib's own `SMTP_SSL` differs from it."""
        sock = connect(host, port, self._deadline)
        return secure(sock, self._tls_context, host) if self._server.tls == "tls" else sock

    def wrap_socket(self, sock: BoundSocket, server_hostname: str) -> BoundTlsSocket:
        """What `starttls` asks of a context."""
        return secure(sock, self._tls_context, server_hostname)


class _NoFinalReply(Exception):
    """The content and its final dot were written, and no reply came."""


class SmtpTransport:
    name = "smtp"
    idempotent = False
    confirms = False

    def __init__(
        self,
        server: SmtpServer,
        *,
        timeout: float,
        clearance: DataClass = DataClass.PUBLIC,
        tls_context: ssl.SSLContext | None = None,
    ) -> None:
        """`timeout` bounds a whole call, from the look-up of the host's name to the last reply, in seconds.
        `tls_context` replaces the system's trusted authorities.

        Raises ValueError for a clearance without encryption: anyone on the way could read along.
        """
        if server.tls == "none" and clearance is not DataClass.PUBLIC:
            raise ValueError("mail_clearance: must be public with smtp_tls none, as nothing is encrypted on the way")
        self.clearance = clearance
        self._server = server
        self._timeout = timeout
        self._tls_context = bounding(tls_context, used=server.tls != "none")
        self._idle = IdleConnections[_Session](sock=lambda smtp: smtp.sock, close=_hang_up)

    def encode(self, message: Outgoing) -> bytes:
        return to_bytes(message)

    def send(self, message: Outgoing, content: bytes) -> Receipt:
        deadline = Deadline(self._timeout)
        kept = self._idle.take()
        if kept is not None:
            receipt = self._deliver(kept, message, content, deadline, kept=True)
            if receipt is not _LOST:
                return receipt
        try:
            fresh = self._connect(message.sender.domain, deadline)
        except smtplib.SMTPResponseException as error:
            return judge(Reply.of(Step.GREETING, error.smtp_code, error.smtp_error))
        except (smtplib.SMTPNotSupportedError, ssl.SSLError):
            return Receipt(SendOutcome.LANE_FAILURE, code=NO_TLS_OR_LOGIN)
        except OSError:  # the base of every other smtplib exception too
            return Receipt(SendOutcome.UNAVAILABLE, code="connection")
        return self._deliver(fresh, message, content, deadline)

    def close(self) -> None:
        self._idle.close()

    def _connect(self, local_name: str, deadline: Deadline) -> _Session:
        server = self._server
        smtp = _Session(server, local_name, self._tls_context, deadline)
        try:
            if server.tls == "starttls":
                smtp.starttls(context=cast(ssl.SSLContext, smtp))
            smtp.ehlo_or_helo_if_needed()
            if server.username:
                smtp.login(server.username, server.password)
        except BaseException:
            smtp.close()
            raise
        return smtp

    def _deliver(
        self, smtp: _Session, message: Outgoing, content: bytes, deadline: Deadline, *, kept: bool = False
    ) -> Receipt:
        """One mail transaction. The connection is kept if the server is still talking sense, closed otherwise."""
        if not message.recipient.isascii() and not smtp.has_extn("smtputf8"):
            self._idle.put(smtp)
            return Receipt(SendOutcome.REJECTED, code="no-smtputf8")
        try:
            serve(smtp.sock, deadline)
            reply = _transaction(smtp, message, content)
        except _NoFinalReply:
            _hang_up(smtp)
            return Receipt(SendOutcome.UNCERTAIN, code="no-answer")
        except OSError:  # a write that failed has not put the final dot on the wire
            _hang_up(smtp)
            return _LOST
        if reply.accepts:
            self._idle.put(smtp)
        else:
            self._end_refused(smtp, reply)
            if kept and reply.step is Step.SENDER and reply.code == CLOSING:
                return _LOST  # it was idle for too long: that is about the connection
        return judge(reply)

    def _end_refused(self, smtp: _Session, reply: Reply) -> None:
        """Make the connection fit for another message, or close it."""
        try:
            if reply.code == CLOSING or smtp.rset()[0] != 250:
                _hang_up(smtp)
            else:
                self._idle.put(smtp)
        except OSError:
            _hang_up(smtp)


def _transaction(smtp: _Session, message: Outgoing, content: bytes) -> Reply:
    """Sender, recipient and content, up to the first reply that ends it.

    Raises OSError (the base of smtplib's exceptions) before all of the content is written, _NoFinalReply after.
    """
    options = () if message.recipient.isascii() else ("SMTPUTF8",)
    commands: tuple[tuple[Step, range, Callable[[], tuple[int, bytes]]], ...] = (
        (Step.SENDER, range(200, 300), lambda: smtp.mail(message.sender.address, options)),
        (Step.RECIPIENT, range(200, 300), lambda: smtp.rcpt(message.recipient)),
        (Step.DATA, range(354, 355), lambda: smtp.docmd("DATA")),
    )
    for step, welcome, command in commands:
        code, text = _answered(command)
        if code not in welcome:
            return Reply.of(step, code, text)
    smtp.send(_LEADING_DOT.sub(b"..", content) + b".\r\n")
    try:
        return Reply.of(Step.CONTENT, *_answered(smtp.getreply))
    except OSError as error:
        raise _NoFinalReply from error


def _answered(command: Callable[[], tuple[int, bytes]]) -> tuple[int, bytes]:
    code, text = command()
    if code == -1:  # smtplib's word for a reply that is not SMTP
        raise smtplib.SMTPServerDisconnected
    return code, text


def _hang_up(smtp: _Session) -> None:
    """Close without waiting for anything; a polite QUIT if there is room for it."""
    with suppress(OSError):
        if isinstance(smtp.sock, BoundSocket):
            smtp.sock.deadline = None
            smtp.sock.settimeout(0)
            smtp.send(b"QUIT\r\n")
    smtp.close()
