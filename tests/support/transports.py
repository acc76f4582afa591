"""A transport that does as it is told."""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from config.screening import DataClass
from pipeline.email.message import Outgoing, to_bytes
from pipeline.transports.receipt import Receipt, SendOutcome

ACCEPTED = Receipt(SendOutcome.ACCEPTED, provider_message_id="m-1", code="202")


@dataclass
class ScriptedTransport:
    """Answers with the receipts of `script` in turn, then accepts everything. An exception in it is raised.

    `sent` holds what was handed to it, whatever the answer; `during` is called in the middle of each call.
    """

    script: Iterable[Receipt | Exception] = ()
    idempotent: bool = False
    name: str = "scripted"
    clearance: DataClass = DataClass.PUBLIC
    confirms: bool = False
    during: Callable[[Outgoing], object] = lambda _message: None
    sent: list[Outgoing] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._answers = iter(self.script)

    def encode(self, message: Outgoing) -> bytes:
        return to_bytes(message)

    def send(self, message: Outgoing, content: bytes) -> Receipt:
        with self._lock:
            self.sent.append(message)
            answer = next(self._answers, ACCEPTED)
        self.during(message)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self) -> None:
        return
