"""The timeout bounds a whole call, whatever the other side does with the time."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from functools import partial
from itertools import cycle
from typing import Any, Literal

import pytest

from pipeline.email.message import Outgoing
from pipeline.transports import Receipt, SendOutcome, Transport
from pipeline.transports.sendgrid import SendGridTransport
from pipeline.transports.smtp import SmtpServer, SmtpTransport
from tests.pipeline.transports.messages import message, send
from tests.servers.sendgrid import API_KEY, SendGridStandIn
from tests.servers.smtp import SmtpSink

TIMEOUT = 0.3
BETWEEN_BYTES = 0.02
SLACK = 0.7
"""Seconds: for a busy machine; far less than the answers below take, or a second address would."""

CONNECTION = Receipt(SendOutcome.UNAVAILABLE, code="connection")
LOST = Receipt(SendOutcome.UNAVAILABLE, code="connection-lost")
NO_ANSWER = Receipt(SendOutcome.UNCERTAIN, code="no-answer")


def over_http(port: int, *, host: str = "host.example", tls: ssl.SSLContext | None = None) -> Transport:
    url = f"{'https' if tls else 'http'}://{host}:{port}"
    return SendGridTransport(API_KEY, host=url, timeout=TIMEOUT, tls_context=tls)


def over_smtp(
    port: int, *, host: str = "host.example", how: Literal["tls", "starttls"] = "tls", tls: ssl.SSLContext | None = None
) -> Transport:
    server = SmtpServer(host, port, how if tls else "none", "", "")
    return SmtpTransport(server, timeout=TIMEOUT, tls_context=tls)


over_starttls = partial(over_smtp, how="starttls")


def timed(transport: Transport, mail: Outgoing | None = None) -> tuple[Receipt, float]:
    mail = mail or message()
    content = transport.encode(mail)
    began = time.monotonic()
    receipt = transport.send(mail, content)
    return receipt, time.monotonic() - began


@contextmanager
def silent_addresses(count: int) -> Iterator[list[tuple[str, int]]]:
    """Addresses that never answer: nobody takes what has come in, so Linux drops whoever comes next."""
    with ExitStack() as stack:
        found = []
        for last in range(count):
            server = stack.enter_context(socket.create_server((f"127.0.0.{last + 2}", 0), backlog=0))
            stack.enter_context(socket.create_connection(server.getsockname()))
            found.append(server.getsockname())
        yield found


def names(monkeypatch: pytest.MonkeyPatch, addresses: list[tuple[str, int]]) -> None:
    """What the resolver says of every name."""
    answer = [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", address) for address in addresses]
    monkeypatch.setattr("pipeline.transports.bounded.socket.getaddrinfo", lambda *_, **__: answer)


def dripping(
    before: list[bytes], drip: bytes, *, start: bytes = b"", tls: ssl.SSLContext | None = None
) -> AbstractContextManager[int]:
    """A server that says each of `before` and waits for a word after it, then `start`, then drips without an end."""

    def talk(sock: socket.socket) -> None:
        for words in before:
            sock.sendall(words)
            sock.recv(65536)
        sock.sendall(start)
        for byte in cycle(drip):
            sock.sendall(bytes([byte]))
            time.sleep(BETWEEN_BYTES)

    return serving(talk, tls)


@contextmanager
def sipping(tls: ssl.SSLContext | None) -> Iterator[int]:
    """A server that reads little by little, until nobody minds."""
    over = threading.Event()

    def talk(sock: socket.socket) -> None:
        while not over.wait(BETWEEN_BYTES) and sock.recv(16384):
            pass

    with serving(talk, tls) as port:
        try:
            yield port
        finally:
            over.set()


@contextmanager
def serving(talk: Callable[[socket.socket], None], tls: ssl.SSLContext | None) -> Iterator[int]:
    """A server for one connection, on the port given; it must have been closed in the end."""

    def serve(server: socket.socket) -> None:
        sock, _ = server.accept()
        with suppress(OSError), tls.wrap_socket(sock, server_side=True) if tls else sock as connection:
            talk(connection)

    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        thread = threading.Thread(target=serve, args=(server,), daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.close()
        thread.join(10)
        assert not thread.is_alive(), "the connection was not closed"


@pytest.mark.parametrize("over", [over_http, over_smtp])
def test_silent_addresses_share_the_time(over: Callable[..., Transport], monkeypatch: pytest.MonkeyPatch) -> None:
    with silent_addresses(4) as addresses, closing(over(1)) as transport:
        names(monkeypatch, addresses)
        receipt, seconds = timed(transport)
    assert receipt == CONNECTION
    assert TIMEOUT * 0.9 < seconds < TIMEOUT + SLACK


def test_a_silent_address_does_not_hide_the_one_behind_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with silent_addresses(1) as addresses, SendGridStandIn() as stand_in, SmtpSink() as sink:
        for over, port in ((over_http, int(stand_in.url.rpartition(":")[2])), (over_smtp, sink.port)):
            names(monkeypatch, [*addresses, ("127.0.0.1", port)])
            with closing(over(1)) as transport:
                assert timed(transport)[0].outcome is SendOutcome.ACCEPTED


@pytest.mark.parametrize("over", [over_http, over_smtp])
def test_a_name_nobody_resolves_in_time(over: Callable[..., Transport], monkeypatch: pytest.MonkeyPatch) -> None:
    given_up = threading.Event()

    def stuck(*_: Any, **__: Any) -> list[Any]:
        given_up.wait(10)
        return []

    monkeypatch.setattr("pipeline.transports.bounded.socket.getaddrinfo", stuck)
    with closing(over(1)) as transport:
        receipt, seconds = timed(transport)
    given_up.set()
    assert receipt == CONNECTION
    assert seconds < TIMEOUT + SLACK


@pytest.mark.parametrize("over", [over_http, over_smtp])
def test_no_name_at_all_is_nobody_there(over: Callable[..., Transport]) -> None:
    with closing(over(1, host=f"{'x' * 64}.example")) as transport:
        assert send(transport) == CONNECTION


ASKED = [b""]
"""Over HTTP the client speaks first."""
STATUS = b"HTTP/1.1 202 Accepted\r\n"
BODY = STATUS + b"Content-Length: 1000\r\n\r\n"
HEADER = b"X-More: of it\r\n"
SAID = [b"220 hi\r\n", b"250-hi\r\n250 STARTTLS\r\n", b"250 2.1.0 OK\r\n", b"250 2.1.5 OK\r\n", b"354 go on\r\n"]
HELLO = b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc"
"""The head of a server's longest TLS record, and in it of a ServerHello (RFC 8446, 4 and 5.1)."""


@pytest.mark.parametrize(
    ("before", "start", "drip", "receipt"),
    [
        (ASKED, b"HTTP/1.1 ", b"2", NO_ANSWER),
        (ASKED, b"", b"HTTP/1.1 100 Continue\r\n\r\n", NO_ANSWER),
        (ASKED, STATUS, HEADER, NO_ANSWER),
        (ASKED, BODY, HEADER, Receipt(SendOutcome.ACCEPTED, code="202")),
    ],
    ids=["status line", "100 again and again", "headers", "body"],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_an_http_answer_byte_by_byte_ends_with_the_time(
    tls: tuple[ssl.SSLContext, ssl.SSLContext],
    scheme: str,
    before: list[bytes],
    start: bytes,
    drip: bytes,
    receipt: Receipt,
) -> None:
    offered, trusting = tls if scheme == "https" else (None, None)
    with dripping(before, drip, start=start, tls=offered) as port:
        assert_in_time(over_http(port, host="127.0.0.1", tls=trusting), receipt)


@pytest.mark.parametrize(
    ("before", "drip", "receipt"),
    [
        (SAID[:0], b"220-not yet\r\n", CONNECTION),
        (SAID[:1], b"250-X-MORE\r\n", CONNECTION),
        (SAID[:2], b"250-2.1.0 perhaps\r\n", LOST),
        (SAID, b"250-2.0.0 perhaps\r\n", NO_ANSWER),
    ],
    ids=["greeting", "EHLO", "MAIL", "final reply"],
)
def test_an_smtp_reply_byte_by_byte_ends_with_the_time(before: list[bytes], drip: bytes, receipt: Receipt) -> None:
    with dripping(before, drip) as port:
        assert_in_time(over_smtp(port, host="127.0.0.1"), receipt)


@pytest.mark.parametrize(
    ("over", "before"),
    [(over_http, []), (over_smtp, []), (over_starttls, [*SAID[:2], b"220 go\r\n"])],
    ids=["https", "tls", "starttls"],
)
def test_a_handshake_byte_by_byte_ends_with_the_time(
    tls: tuple[ssl.SSLContext, ssl.SSLContext], over: Callable[..., Transport], before: list[bytes]
) -> None:
    with dripping(before, b"\x00", start=HELLO) as port:
        assert_in_time(over(port, host="127.0.0.1", tls=tls[1]), CONNECTION)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_request_read_sip_by_sip_ends_with_the_time_and_is_not_in_doubt(
    tls: tuple[ssl.SSLContext, ssl.SSLContext], scheme: str
) -> None:
    offered, trusting = tls if scheme == "https" else (None, None)
    mail = replace(message(), html="x" * 20_000_000)
    with sipping(tls=offered) as port:
        assert_in_time(over_http(port, host="127.0.0.1", tls=trusting), LOST, mail)


def assert_in_time(transport: Transport, receipt: Receipt, mail: Outgoing | None = None) -> None:
    with closing(transport):
        found, seconds = timed(transport, mail)
    assert found == receipt
    assert TIMEOUT * 0.9 < seconds < TIMEOUT + SLACK
