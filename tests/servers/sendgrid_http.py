"""The stand-in SendGrid's listening side: one event loop in a thread, one small protocol object per connection.

Made to cost little: a measurement asks it for hundreds of answers a second while the program measured shares the CPU.
"""

import asyncio
import json
import socket
import struct
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from email.utils import formatdate
from http import HTTPStatus
from typing import Any, cast

import httptools
import uvloop

from tests.servers.sendgrid_faults import Fault, ResetBeforeReading

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Request:
    """One request, read to its end, and the way to answer it. Everything here happens in the loop's thread."""

    __slots__ = ("body", "connection", "fault", "headers", "keep_alive", "method", "path")

    def __init__(self, connection: "Connection", fault: Fault | None) -> None:
        self.connection = connection
        self.fault = fault
        self.method = ""
        self.path = ""
        self.headers: dict[bytes, bytes] = {}
        self.body = b""
        self.keep_alive = True

    def header(self, name: str) -> str | None:
        value = self.headers.get(name.lower().encode())
        return None if value is None else value.decode("latin-1")

    def answer(self, status: int, content: object = None, headers: Mapping[str, str] | None = None) -> None:
        payload = b"" if content is None else json.dumps(content).encode()
        lines = [f"HTTP/1.1 {status} {_phrase(status)}", "Server: nginx", f"Content-Length: {len(payload)}"]
        lines.append(f"Date: {formatdate(usegmt=True)}")
        if payload:
            lines.append("Content-Type: application/json")
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        if not self.keep_alive:
            lines.append("Connection: close")
        self.connection.write("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + payload, last=not self.keep_alive)

    def reset(self) -> None:
        self.connection.reset()

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        """A client that hangs up by then changes nothing, as with the real one; an outage does."""
        asyncio.get_running_loop().call_later(seconds, lambda: None if self.connection.cut else act())


class Connection(asyncio.Protocol):
    def __init__(self, listener: "Listener") -> None:
        self._listener = listener
        self._request: Request | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._pieces: list[bytes] = []
        self.gone = False
        self.cut = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own are none by inheritance
        self._listener.connected(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone = True
        self._listener.open.discard(self)

    def data_received(self, data: bytes) -> None:
        if self.gone:
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.reset()

    def on_message_begin(self) -> None:
        self._pieces = []
        self._request = Request(self, self._listener.next_fault())
        if isinstance(self._request.fault, ResetBeforeReading):
            self.reset()

    def on_url(self, url: bytes) -> None:
        if self._request is not None:
            self._request.path += url.decode("latin-1")

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._request is not None:
            self._request.headers[name.lower()] = value

    def on_body(self, body: bytes) -> None:
        self._pieces.append(body)

    def on_message_complete(self) -> None:
        request = self._request
        if request is None or self.gone:
            return
        request.method = self._parser.get_method().decode()
        request.keep_alive = self._parser.should_keep_alive()
        request.body = b"".join(self._pieces)
        self._listener.handle(request)

    def write(self, data: bytes, *, last: bool) -> None:
        if not self.gone:
            self._transport.write(data)
            if last:
                self._transport.close()

    def reset(self) -> None:
        """RST rather than FIN: an abortive close, as when a process dies."""
        if not self.gone:
            self.gone = True
            self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            self._transport.abort()


class Listener:
    """A loopback port that can be closed and opened again. `handle` gets each request, `next_fault` its fault."""

    def __init__(self, port: int, *, next_fault: Callable[[], Fault | None], handle: Callable[[Request], None]) -> None:
        self.next_fault = next_fault
        self.handle = handle
        self.opened = 0
        self.open: set[Connection] = set()
        self._loop = uvloop.new_event_loop()
        self._server: asyncio.AbstractServer | None = None
        # Bound here, so that a port that is taken is told to who asked for it.
        first = self._bind(port)
        self.port = int(first.getsockname()[1])
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._do(self._listen(first))

    @property
    def listening(self) -> bool:
        return self._server is not None

    def connected(self, connection: Connection) -> None:
        self.opened += 1
        self.open.add(connection)

    def pause(self) -> None:
        """Refuse connections, and reset those there are."""
        self._do(self._stop())

    def resume(self) -> None:
        if not self.listening:
            self._do(self._listen(self._bind(self.port)))

    def call_later(self, seconds: float, act: Callable[[], None]) -> None:
        """From any thread."""
        self._loop.call_soon_threadsafe(self._loop.call_later, seconds, act)

    def resume_in_the_loop(self) -> None:
        """As `resume`, for `call_later`."""
        if not self.listening:
            self._loop.create_task(self._listen(self._bind(self.port)))

    def close(self) -> None:
        if not self._loop.is_closed():
            self._do(self._stop())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    @staticmethod
    def _bind(port: int) -> socket.socket:
        return socket.create_server(("127.0.0.1", port), backlog=512)

    async def _listen(self, sock: socket.socket) -> None:
        self._server = await self._loop.create_server(lambda: Connection(self), sock=sock, backlog=512)

    async def _stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for connection in list(self.open):
            connection.cut = True
            connection.reset()
        await asyncio.sleep(0.01)  # the loop closes sockets on its next rounds

    def _do(self, step: Any) -> None:
        done: Future[None] = asyncio.run_coroutine_threadsafe(step, self._loop)
        done.result(10)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
