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
from enum import Enum, auto
from typing import Literal

from pipeline.email.message import Outgoing, to_bytes
from pipeline.transports.connections import Deadline, IdleConnections
from pipeline.transports.receipt import Receipt, SendOutcome

_ENHANCED = re.compile(rb"([245]\.\d{1,3}\.\d{1,3})(?:\s|$)")
_LEADING_DOT = re.compile(rb"^\.", re.MULTILINE)
_LOST = Receipt(SendOutcome.RETRY, code="connection-lost")
_CLOSING = 421
_AUTHENTICATION = {"530", "534", "535", "538", "5.7.8", "5.7.9"}
_TOO_BIG = {"552", "5.3.4", "5.2.3"}


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """Where to submit mail. `tls`: "none", "starttls" (required, not opportunistic) or "tls" from the first byte."""

    host: str
    port: int
    tls: Literal["none", "starttls", "tls"]
    username: str
    password: str


class _Step(Enum):
    """Whose reply is being read."""

    SENDER = auto()
    RECIPIENT = auto()
    DATA = auto()
    CONTENT = auto()


@dataclass(frozen=True, slots=True)
class _Reply:
    """The reply that ended a mail transaction."""

    step: _Step
    code: int
    text: bytes

    @property
    def accepts(self) -> bool:
        return self.step is _Step.CONTENT and 200 <= self.code < 300


class _NoFinalReply(Exception):
    """The content and its final dot were written, and no reply came."""


class SmtpTransport:
    name = "smtp"
    idempotent = False

    def __init__(self, server: SmtpServer, *, timeout: float, tls_context: ssl.SSLContext | None = None) -> None:
        """`timeout` bounds a whole call, in seconds. `tls_context` replaces the system's trusted authorities."""
        self._server = server
        self._timeout = timeout
        self._tls_context = tls_context or ssl.create_default_context()
        self._idle = IdleConnections[smtplib.SMTP](sock=lambda smtp: smtp.sock, close=_hang_up)

    def send(self, message: Outgoing) -> Receipt:
        deadline = Deadline(self._timeout)
        kept = self._idle.take()
        if kept is not None:
            receipt = self._deliver(kept, message, deadline)
            if receipt is not _LOST:
                return receipt
        try:
            fresh = self._connect(message.sender.domain, deadline)
        except smtplib.SMTPResponseException as error:
            return Receipt(SendOutcome.LANE_FAILURE, code=_code(error.smtp_code, error.smtp_error))
        except (smtplib.SMTPNotSupportedError, ssl.SSLError):
            return Receipt(SendOutcome.LANE_FAILURE, code="tls-or-login")
        except OSError:  # the base of every other smtplib exception too
            return Receipt(SendOutcome.LANE_FAILURE, code="connection")
        return self._deliver(fresh, message, deadline)

    def close(self) -> None:
        self._idle.close()

    def _connect(self, local_name: str, deadline: Deadline) -> smtplib.SMTP:
        server, timeout = self._server, deadline.remaining()
        # Naming ourselves spares a reverse DNS look-up, which can block for longer than the timeout.
        smtp: smtplib.SMTP = (
            smtplib.SMTP_SSL(server.host, server.port, local_name, timeout=timeout, context=self._tls_context)
            if server.tls == "tls"
            else smtplib.SMTP(server.host, server.port, local_name, timeout=timeout)
        )
        try:
            if server.tls == "starttls":
                _allow(smtp, deadline)
                smtp.starttls(context=self._tls_context)
            _allow(smtp, deadline)
            smtp.ehlo_or_helo_if_needed()
            if server.username:
                _allow(smtp, deadline)
                smtp.login(server.username, server.password)
        except BaseException:
            smtp.close()
            raise
        return smtp

    def _deliver(self, smtp: smtplib.SMTP, message: Outgoing, deadline: Deadline) -> Receipt:
        """One mail transaction. The connection is kept if the server is still talking sense, closed otherwise."""
        if not message.recipient.isascii() and not smtp.has_extn("smtputf8"):
            self._idle.put(smtp)
            return Receipt(SendOutcome.REJECTED, code="no-smtputf8")
        try:
            reply = _transaction(smtp, message, deadline)
        except _NoFinalReply:
            _hang_up(smtp)
            return Receipt(SendOutcome.UNCERTAIN, code="no-answer")
        except OSError:  # a write that failed has not put the final dot on the wire
            _hang_up(smtp)
            return _LOST
        if reply.accepts:
            self._idle.put(smtp)
            return Receipt(SendOutcome.ACCEPTED, code=_code(reply.code, reply.text))
        self._end_refused(smtp, reply, deadline)
        return Receipt(_verdict(reply), code=_code(reply.code, reply.text))

    def _end_refused(self, smtp: smtplib.SMTP, reply: _Reply, deadline: Deadline) -> None:
        """Make the connection fit for another message, or close it."""
        try:
            _allow(smtp, deadline)
            if reply.code == _CLOSING or smtp.rset()[0] != 250:
                _hang_up(smtp)
            else:
                self._idle.put(smtp)
        except OSError:
            _hang_up(smtp)


def _transaction(smtp: smtplib.SMTP, message: Outgoing, deadline: Deadline) -> _Reply:
    """Sender, recipient and content, up to the first reply that ends it.

    Raises OSError (the base of smtplib's exceptions) before all of the content is written, _NoFinalReply after.
    """
    options = () if message.recipient.isascii() else ("SMTPUTF8",)
    commands: tuple[tuple[_Step, range, Callable[[], tuple[int, bytes]]], ...] = (
        (_Step.SENDER, range(200, 300), lambda: smtp.mail(message.sender.address, options)),
        (_Step.RECIPIENT, range(200, 300), lambda: smtp.rcpt(message.recipient)),
        (_Step.DATA, range(354, 355), lambda: smtp.docmd("DATA")),
    )
    for step, welcome, command in commands:
        code, text = _answered(smtp, command, deadline)
        if code not in welcome:
            return _Reply(step, code, text)
    _allow(smtp, deadline)
    smtp.send(_LEADING_DOT.sub(b"..", to_bytes(message)) + b".\r\n")
    try:
        return _Reply(_Step.CONTENT, *_answered(smtp, smtp.getreply, deadline))
    except OSError as error:
        raise _NoFinalReply from error


def _answered(smtp: smtplib.SMTP, command: Callable[[], tuple[int, bytes]], deadline: Deadline) -> tuple[int, bytes]:
    _allow(smtp, deadline)
    code, text = command()
    if code == -1:  # smtplib's word for a reply that is not SMTP
        raise smtplib.SMTPServerDisconnected
    return code, text


def _verdict(reply: _Reply) -> SendOutcome:
    """RFC 3463: 5 is permanent, 4 is temporary; where reply code and enhanced code disagree, the milder one counts.

    The sender and the login are the same for every message, so their refusal concerns the lane.
    """
    enhanced = _code(reply.code, reply.text)
    codes = {str(reply.code), enhanced}
    if reply.code == _CLOSING or codes & _AUTHENTICATION:
        return SendOutcome.LANE_FAILURE
    permanent = 500 <= reply.code < 600 and enhanced.startswith("5")
    if not permanent:
        return SendOutcome.RETRY
    if reply.step is _Step.SENDER and not codes & _TOO_BIG:
        return SendOutcome.LANE_FAILURE
    return SendOutcome.REJECTED


def _code(code: int, reply: bytes | str) -> str:
    """The enhanced status code if there is one, else the reply code; never the text, which may quote the address."""
    found = _ENHANCED.match(reply.encode() if isinstance(reply, str) else reply)
    return found.group(1).decode() if found else str(code)


def _allow(smtp: smtplib.SMTP, deadline: Deadline) -> None:
    """Give the next step what is left of the call's time. Raises TimeoutError or SMTPServerDisconnected."""
    if smtp.sock is None:
        raise smtplib.SMTPServerDisconnected
    smtp.sock.settimeout(deadline.remaining())


def _hang_up(smtp: smtplib.SMTP) -> None:
    """Close without waiting for an answer; a polite QUIT if the server is listening."""
    with suppress(OSError):
        if smtp.sock is not None:
            smtp.sock.settimeout(0.2)
            smtp.send(b"QUIT\r\n")
    smtp.close()
