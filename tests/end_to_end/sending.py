"""Senders that do what senders do: send again until they get an answer."""

import random
import threading
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self
from uuid import UUID

import httpx

from tests.end_to_end.people import Request
from tests.end_to_end.running import Running

_GIVE_UP_SECONDS = 90.0


class Sender:
    """Posts requests one after the other from a thread of its own; inside the block it is at it."""

    def __init__(self, running: Running, requests: Sequence[Request], chance: random.Random, pause: float) -> None:
        """`pause` is the mean time between two requests, in seconds."""
        self._running = running
        self._requests = requests
        self._pauses = [chance.uniform(0, 2 * pause) for _ in requests]
        self._answers: dict[str, httpx.Response] = {}
        self._thread = threading.Thread(target=self._send_all, name="sender", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.join(None if error is None else 0)

    def accepted(self) -> Mapping[str, UUID]:
        """The id that each request was answered with, by its name. Any other answer than 2xx is an AssertionError."""
        refused = [(name, answer.status_code) for name, answer in self._answers.items() if not answer.is_success]
        assert not refused, f"refused: {refused}"
        assert len(self._answers) == len(self._requests), "the sender gave up"
        return {name: UUID(answer.json()["id"]) for name, answer in self._answers.items()}

    def _send_all(self) -> None:
        with self._running.client() as client:
            for request, pause in zip(self._requests, self._pauses, strict=True):
                answer = send_until_answered(client, request)
                if answer is None:
                    return
                self._answers[request.name] = answer
                time.sleep(pause)


def post(client: httpx.Client, request: Request) -> httpx.Response:
    return client.post(request.path, content=request.body, headers=dict(request.headers))


def send_until_answered(client: httpx.Client, request: Request) -> httpx.Response | None:
    """The first answer that is none of a server in trouble; `None` after a time that only a failure needs."""
    deadline = time.monotonic() + _GIVE_UP_SECONDS
    while time.monotonic() < deadline:
        try:
            answer = post(client, request)
            if answer.status_code < 500:
                return answer
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    return None
