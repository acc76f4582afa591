"""SendGrid's official client over connections of our own.

The client opens a connection per call, serialises the body itself, reads the environment's proxies anew each time and
cannot tell a request that never left from one whose answer was lost. Its two seams, how a path step is built and how a
request is made, are filled here for all of that: connections are kept, the bytes given are the bytes sent, and each
failure says how far the request got.
"""

import http.client
import logging
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import python_http_client
from python_http_client.client import Response
from sendgrid import SendGridAPIClient

from pipeline.transports.bounded import bounding, connect, secure, serve
from pipeline.transports.connections import Deadline, IdleConnections

# At DEBUG the client logs the API key.
logging.getLogger("python_http_client").setLevel(logging.WARNING)


class NotConnected(Exception):
    """No connection: nothing was sent."""


class NotSent(Exception):
    """The connection broke before the whole request was written: it cannot have been acted on."""


class NoAnswer(Exception):
    """The whole request was written and no answer came: it may have been acted on."""


@dataclass(frozen=True, slots=True)
class Answer:
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


class MailSend:
    """POST /v3/mail/send. Called from several threads at once."""

    def __init__(self, api_key: str, *, host: str, timeout: float, tls_context: ssl.SSLContext | None) -> None:
        """`host` is the API's base URL; `timeout` bounds a whole call, from the look-up of the host's name to the last
        byte of the answer, in seconds. `tls_context` replaces the system's trusted authorities.
        """
        self._connections = _Connections(host, tls_context)
        headers = dict(SendGridAPIClient(api_key, host=host).client.request_headers)
        headers["Content-Type"] = "application/json"
        self._endpoint = _KeptClient(self._connections, timeout, host, headers).mail.send

    def post(self, content: bytes) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers and body of the answer. Raises NotConnected, NotSent or NoAnswer."""
        response = self._endpoint.post(content)
        return response.status_code, response.headers, response.body

    def close(self) -> None:
        self._connections.close()


class _Connections:
    """Kept HTTP connections to one host."""

    def __init__(self, base_url: str, tls_context: ssl.SSLContext | None) -> None:
        parts = urlsplit(base_url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("sendgrid_host: must be an absolute URL such as https://api.sendgrid.com")
        self._secure, self._host, self._port = parts.scheme == "https", parts.hostname, parts.port
        self._tls_context = bounding(tls_context, used=self._secure)
        self._idle = IdleConnections[http.client.HTTPConnection](
            sock=lambda connection: connection.sock, close=lambda connection: connection.close()
        )

    def post(self, path: str, headers: Mapping[str, str], content: bytes, timeout: float) -> Answer:
        """Raises NotConnected, NotSent or NoAnswer."""
        deadline = Deadline(timeout)
        kept = self._idle.take()
        if kept is not None:
            try:
                return self._over(kept, path, headers, content, deadline)
            except NotSent:  # it was closed while nobody looked: that says nothing about the other side
                pass
        return self._over(self._connect(deadline), path, headers, content, deadline)

    def close(self) -> None:
        self._idle.close()

    def _over(
        self,
        connection: http.client.HTTPConnection,
        path: str,
        headers: Mapping[str, str],
        content: bytes,
        deadline: Deadline,
    ) -> Answer:
        try:
            serve(connection.sock, deadline)
            connection.request("POST", path, content, headers)
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise NotSent from error
        try:
            response = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise NoAnswer from error
        try:
            body = response.read()
        except (OSError, http.client.HTTPException):
            body = b""  # the status has been given, and that is the answer
            response.close()
            connection.close()
        if connection.sock is not None:
            self._idle.put(connection)
        return Answer(response.status, body, response.headers)

    def _connect(self, deadline: Deadline) -> http.client.HTTPConnection:
        connection = (
            http.client.HTTPSConnection(self._host, self._port, context=self._tls_context)
            if self._secure
            else http.client.HTTPConnection(self._host, self._port)
        )
        try:
            sock = connect(self._host, connection.port, deadline)
            connection.sock = secure(sock, self._tls_context, self._host) if self._secure else sock
        except OSError as error:
            raise NotConnected from error
        return connection


class _KeptClient(python_http_client.Client):  # type: ignore[misc]
    """The official HTTP client, whose `post` takes the body as bytes and goes over kept connections."""

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
        self._path = urlsplit(self._build_url(None)).path

    def post(self, content: bytes) -> Response:
        """Raises NotConnected, NotSent or NoAnswer."""
        return Response(self._connections.post(self._path, self.request_headers, content, self.timeout))

    def _build_client(self, name: str | None = None) -> "_KeptClient":
        path = [*self._url_path, name] if name else self._url_path
        return _KeptClient(self._connections, self.timeout, self.host, self.request_headers, path)
