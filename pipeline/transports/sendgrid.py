"""SendGrid's v3 Mail Send by its official client, over connections of our own.

The client opens a connection per call and cannot tell a request that never left from one whose answer was lost. Its
request hook is replaced here for both: connections are kept, and each failure says how far the request got.
"""

import http.client
import logging
import re
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit
from urllib.request import OpenerDirector, Request

import python_http_client
from sendgrid import SendGridAPIClient

from pipeline.email.message import Outgoing
from pipeline.transports.connections import Deadline, IdleConnections
from pipeline.transports.receipt import Receipt, SendOutcome

# At DEBUG the client logs every body and the API key.
logging.getLogger("python_http_client").setLevel(logging.WARNING)

_LONGEST_WAIT = 3600.0
_FIELD = re.compile(r"[A-Za-z0-9_.\[\]]{1,60}")
_TRACKING_OFF = {
    "click_tracking": {"enable": False, "enable_text": False},
    "open_tracking": {"enable": False},
    "subscription_tracking": {"enable": False},
    "ganalytics": {"enable": False},
}

# What a refusal is about. 404, 405 and 407 come from a wrong host or a proxy: no message would fare better.
_EVERYONE = {401, 403, 404, 405, 407, 429}
_ONCE_MORE = {408, 425}


class NotConnected(Exception):
    """No connection: nothing was sent."""


class NotSent(Exception):
    """The connection broke before the whole request was written: it cannot have been acted on."""


class NoAnswer(Exception):
    """The whole request was written and no answer came: it may have been acted on."""


class SendGridTransport:
    name = "sendgrid"
    idempotent = False

    def __init__(self, api_key: str, *, host: str, timeout: float, tls_context: ssl.SSLContext | None = None) -> None:
        """`host` is the API's base URL; `timeout` bounds a whole call, in seconds."""
        if not api_key:
            raise ValueError("sendgrid_api_key: must be set for the sendgrid transport")
        self._connections = _Connections(host, tls_context or ssl.create_default_context())
        self._timeout = timeout
        api = SendGridAPIClient(api_key, host=host)
        self._client = _KeptClient(self._connections, timeout, host, api.client.request_headers)

    def send(self, message: Outgoing) -> Receipt:
        try:
            response = self._client.mail.send.post(request_body=request_body(message), timeout=self._timeout)
        except NotConnected:
            return Receipt(SendOutcome.LANE_FAILURE, code="connection")
        except NotSent:
            return Receipt(SendOutcome.RETRY, code="connection-lost")
        except NoAnswer:
            return Receipt(SendOutcome.UNCERTAIN, code="no-answer")
        return _receipt(response.status_code, response.headers, response.body)

    def close(self) -> None:
        self._connections.close()


def request_body(message: Outgoing) -> dict[str, Any]:
    """The body of POST /v3/mail/send.

    `custom_args` is stored by SendGrid as data that is not personal, so it holds the random attempt id and nothing
    else; there are no categories. It stands in the personalization, the place where the API description types it.
    """
    sender = message.sender
    body: dict[str, Any] = {
        "personalizations": [
            {"to": [{"email": message.recipient}], "custom_args": {"attempt_id": str(message.attempt_id)}}
        ],
        "from": {"email": sender.address, "name": sender.name} if sender.name else {"email": sender.address},
        "subject": message.subject,
        "content": [{"type": "text/plain", "value": message.text}, {"type": "text/html", "value": message.html}],
        "headers": message.extra_headers,
        "tracking_settings": _TRACKING_OFF,
    }
    if sender.reply_to:
        body["reply_to"] = {"email": sender.reply_to}
    return body


def _receipt(status: int, headers: Mapping[str, str], body: bytes) -> Receipt:
    match status:
        case 202:
            return Receipt(SendOutcome.ACCEPTED, headers.get("X-Message-Id"), "202")
        case 200:  # sandbox mode: checked, and thrown away
            return Receipt(SendOutcome.REJECTED, code="sandbox")
        case 504:  # a gateway gave up waiting for a system that had the request
            return Receipt(SendOutcome.UNCERTAIN, code="504")
        case _ if status in _EVERYONE:
            return Receipt(SendOutcome.LANE_FAILURE, code=str(status), retry_after=_retry_after(headers))
        case _ if status in _ONCE_MORE or status >= 500:
            return Receipt(SendOutcome.RETRY, code=str(status), retry_after=_retry_after(headers))
        case _ if 400 <= status < 500:
            return Receipt(SendOutcome.REJECTED, code=f"{status}{_refused_field(body)}")
        case _:  # a redirect or worse: this is not the API
            return Receipt(SendOutcome.LANE_FAILURE, code=str(status))


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, at most an hour: `X-RateLimit-Reset` (a Unix time) or `Retry-After` (seconds or a date)."""
    try:
        if reset := headers.get("X-RateLimit-Reset"):
            wait = float(reset) - time.time()
        elif (after := headers.get("Retry-After")) is None:
            return None
        elif after.strip().isdigit():
            wait = float(after)
        else:
            wait = parsedate_to_datetime(after).timestamp() - time.time()
    except (ValueError, OverflowError):
        return None
    return min(max(wait, 1.0), _LONGEST_WAIT)


def _refused_field(body: bytes) -> str:
    """`:field` if the answer names the refused field. Its message is left out: it may quote the address."""
    found = re.search(rb'"field"\s*:\s*"([^"]*)"', body)
    name = found.group(1).decode(errors="replace") if found else ""
    return f":{name}" if _FIELD.fullmatch(name) else ""


@dataclass(frozen=True, slots=True)
class _Answer:
    """What the official client's `Response` reads from."""

    status: int
    body: bytes
    headers: http.client.HTTPMessage

    def getcode(self) -> int:
        return self.status

    def read(self) -> bytes:
        return self.body

    def info(self) -> http.client.HTTPMessage:
        return self.headers


class _Connections:
    """Kept HTTP connections to one host."""

    def __init__(self, base_url: str, tls_context: ssl.SSLContext) -> None:
        parts = urlsplit(base_url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("sendgrid_host: must be an absolute URL such as https://api.sendgrid.com")
        self._secure, self._host, self._port = parts.scheme == "https", parts.hostname, parts.port
        self._tls_context = tls_context
        self._idle = IdleConnections[http.client.HTTPConnection](
            sock=lambda connection: connection.sock, close=lambda connection: connection.close()
        )

    def request(self, request: Request, timeout: float) -> _Answer:
        """Raises NotConnected, NotSent or NoAnswer."""
        deadline = Deadline(timeout)
        connection = self._idle.take() or self._connect(deadline)
        try:
            _allow(connection, deadline)
            connection.request(request.get_method(), request.selector, request.data, dict(request.header_items()))
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise NotSent from error
        try:
            _allow(connection, deadline)
            response = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise NoAnswer from error
        try:
            body = response.read()
        except (OSError, http.client.HTTPException):
            body = b""  # the status has been given, and that is the answer
            connection.close()
        if connection.sock is not None:
            self._idle.put(connection)
        return _Answer(response.status, body, response.headers)

    def close(self) -> None:
        self._idle.close()

    def _connect(self, deadline: Deadline) -> http.client.HTTPConnection:
        timeout = deadline.remaining()
        connection = (
            http.client.HTTPSConnection(self._host, self._port, timeout=timeout, context=self._tls_context)
            if self._secure
            else http.client.HTTPConnection(self._host, self._port, timeout=timeout)
        )
        try:
            connection.connect()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise NotConnected from error
        return connection


def _allow(connection: http.client.HTTPConnection, deadline: Deadline) -> None:
    """Give the next step what is left of the call's time. Raises TimeoutError, or ConnectionError if it is closed."""
    if connection.sock is None:
        raise ConnectionError
    connection.sock.settimeout(deadline.remaining())


class _KeptClient(python_http_client.Client):  # type: ignore[misc]
    """The official HTTP client with its two seams filled: how a path step is built, and how a request is made."""

    def __init__(
        self,
        connections: _Connections,
        timeout: float,
        host: str,
        request_headers: dict[str, str],
        url_path: list[str] | None = None,
    ) -> None:
        super().__init__(host, request_headers=request_headers, version=3, url_path=url_path, timeout=timeout)
        self._connections = connections

    def _build_client(self, name: str | None = None) -> "_KeptClient":
        path = [*self._url_path, name] if name else self._url_path
        return _KeptClient(self._connections, self.timeout, self.host, dict(self.request_headers), path)

    def _make_request(self, opener: OpenerDirector, request: Request, timeout: float | None = None) -> _Answer:  # noqa: ARG002 - the client's signature
        return self._connections.request(request, timeout or self.timeout)
