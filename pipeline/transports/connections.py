"""Keeping connections for the next message, and the total time a call may take."""

import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")

IDLE_SECONDS = 15.0
"""Well below the idle timeouts of mail servers (RFC 5321: 5 minutes) and HTTP front ends (about a minute), because a
connection that is closed while we write to it leaves us not knowing whether the message was accepted."""


@dataclass(slots=True)
class Deadline:
    """The end of one call, however many steps it has."""

    seconds: float
    _ends: float = field(init=False)

    def __post_init__(self) -> None:
        self._ends = time.monotonic() + self.seconds

    def remaining(self) -> float:
        """Seconds left. Raises TimeoutError when there are none."""
        left = self._ends - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


class IdleConnections(Generic[T]):
    """Open connections nobody is using; threads take one and put it back. The one used last is reused first."""

    def __init__(self, sock: Callable[[T], socket.socket | None], close: Callable[[T], None]) -> None:
        self._sock = sock
        self._close = close
        self._idle: deque[tuple[float, T]] = deque()
        self._lock = threading.Lock()
        self._closed = False

    def take(self) -> T | None:
        """A connection that looks alive, or None: then open one."""
        while True:
            with self._lock:
                if not self._idle:
                    return None
                since, connection = self._idle.pop()
            sock = self._sock(connection)
            if sock is not None and time.monotonic() - since < IDLE_SECONDS and _is_quiet(sock):
                return connection
            self._close(connection)

    def put(self, connection: T) -> None:
        with self._lock:
            if not self._closed:
                self._idle.append((time.monotonic(), connection))
                return
        self._close(connection)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            left, self._idle = self._idle, deque()
        for _, connection in left:
            self._close(connection)


def _is_quiet(sock: socket.socket) -> bool:
    """Between messages the other side has nothing to say; if it has, it is saying goodbye."""
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return not poll.poll(0)
