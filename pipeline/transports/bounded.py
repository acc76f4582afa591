"""Sockets on which no step outlasts the deadline of the call it serves.

A timeout set on a socket bounds one read of it, or one address of a host: an answer that comes byte by byte, or a host
with several silent addresses, takes many of them. Here each step gets what is left of the call.
"""

import socket
import ssl
import threading
from concurrent.futures import Future
from typing import Any

from pipeline.transports.connections import Deadline


class BoundSocket(socket.socket):
    """Reads and writes raise TimeoutError at the deadline; files made of it (`makefile`) likewise."""

    deadline: Deadline | None = None
    """Of the call in progress; None: the timeout set on the socket counts."""

    def _allow(self) -> None:
        if self.deadline is not None:
            self.settimeout(self.deadline.remaining())

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        self._allow()
        return super().recv_into(*args, **kwargs)

    def send(self, *args: Any, **kwargs: Any) -> int:
        self._allow()
        return super().send(*args, **kwargs)

    def sendall(self, *args: Any, **kwargs: Any) -> None:
        self._allow()
        super().sendall(*args, **kwargs)


class BoundTlsSocket(BoundSocket, ssl.SSLSocket):
    def do_handshake(self, *args: Any, **kwargs: Any) -> None:
        self._allow()
        super().do_handshake(*args, **kwargs)


def connect(host: str, port: int, deadline: Deadline) -> BoundSocket:
    """A connection to the first address of `host` that answers. Raises OSError.

    The addresses are tried in the order given, each with an equal share of what is left: a silent one does not keep
    those behind it from being tried.
    """
    failure: OSError = ConnectionError()
    addresses = _look_up(host, port, deadline)
    for place, (family, kind, protocol, _, address) in enumerate(addresses):
        sock = BoundSocket(family, kind, protocol)
        try:
            sock.settimeout(deadline.remaining() / (len(addresses) - place))
            sock.connect(address)
            # Head and body of a request are two writes: the second must not wait until the first is acknowledged.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            sock.close()
            failure = error
        else:
            sock.deadline = deadline
            return sock
    raise failure


def secure(sock: BoundSocket, context: ssl.SSLContext, host: str) -> BoundTlsSocket:
    """TLS over a connection, within its deadline; `context` is one of `bounding`. Raises OSError, with `sock` closed.

    Raises ssl.SSLError, which is an OSError, if the other side is not who it should be.
    """
    tls = context.wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)
    if not isinstance(tls, BoundTlsSocket):
        tls.close()
        raise TypeError("tls_context: must be prepared by bounding()")
    tls.deadline = sock.deadline
    try:
        tls.do_handshake()
    except BaseException:
        tls.close()
        raise
    return tls


def bounding(context: ssl.SSLContext | None, *, used: bool = True) -> ssl.SSLContext:
    """The context, or one with the system's trusted authorities; its sockets are bounded from now on.

    `used`: whether there will be TLS at all. If not, it trusts nobody: loading the authorities takes 20 ms.
    """
    if context is None:
        context = ssl.create_default_context() if used else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.sslsocket_class = BoundTlsSocket
    return context


def serve(sock: socket.socket | None, deadline: Deadline) -> None:
    """Begin another call over a kept connection. Raises ConnectionError if it is closed."""
    if not isinstance(sock, BoundSocket):
        raise ConnectionError
    sock.deadline = deadline


def _look_up(host: str, port: int, deadline: Deadline) -> list[tuple[Any, ...]]:
    """The addresses of `host`, as `getaddrinfo` gives them. Raises OSError.

    The resolver cannot be interrupted, and waits for half a minute where no name server answers (resolv.conf(5): 5 s
    twice, for each of up to three). So it runs in a thread of its own, which is left to itself at the deadline.
    """
    found: Future[list[tuple[Any, ...]]] = Future()

    def look_up() -> None:
        try:
            found.set_result([*socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)])
        except (OSError, UnicodeError) as error:
            found.set_exception(error)

    threading.Thread(target=look_up, name="look-up", daemon=True).start()
    try:
        return found.result(deadline.remaining())
    except UnicodeError as error:  # an empty or overlong label: no such name
        raise OSError from error
