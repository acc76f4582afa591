"""Posting over HTTP as web forms do: several at once, each again with the same body and key until it is answered."""

import threading
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import httpx

from embedded.demo_forms import Delivery

_FORMS = 6
"""How many post at the same time."""
_TRIES = 5
_TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Answered:
    """A 2xx answer: what the form's log would hold."""

    number: int
    submission_id: uuid.UUID
    reference: str
    status_code: int


@dataclass(frozen=True, slots=True)
class NotAnswered:
    """A delivery that never got a 2xx; `why` is a status code or the kind of error."""

    number: int
    why: str


Result = Answered | NotAnswered


class Poster:
    """Posts deliveries to one web process. `posted` counts those that are through, for a progress display."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = threading.Lock()
        self.posted = 0

    def post(self, deliveries: Iterable[Delivery], stopping: Callable[[], bool] = lambda: False) -> Sequence[Result]:
        """Post them all; the results are in the order of the deliveries."""
        with httpx.Client(base_url=self._url, timeout=_TIMEOUT_SECONDS, trust_env=False) as client:

            def one(delivery: Delivery) -> Result:
                result = _deliver(client, delivery, stopping)
                with self._lock:
                    self.posted += 1
                return result

            with ThreadPoolExecutor(_FORMS, thread_name_prefix="form") as pool:
                return list(pool.map(one, deliveries))


def _deliver(client: httpx.Client, delivery: Delivery, stopping: Callable[[], bool]) -> Result:
    why = "stopped"
    for attempt in range(_TRIES):
        if stopping():
            break
        if attempt:
            time.sleep(0.5 * 2**attempt)
        try:
            response = client.post(delivery.path, content=delivery.body, headers=delivery.signed())
        except httpx.TransportError as error:
            why = type(error).__name__
            continue
        if response.is_success:
            document = response.json()
            return Answered(
                delivery.number, uuid.UUID(document["id"]), str(document["reference"]), response.status_code
            )
        why = f"status {response.status_code}"
        if response.is_client_error and response.status_code != httpx.codes.TOO_MANY_REQUESTS:
            break
    return NotAnswered(delivery.number, why)
