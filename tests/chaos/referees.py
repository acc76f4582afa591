"""Providers' staff: now and then one opens a referral from their mail, asks for the code, and accepts or declines."""

import json
import random
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

_TIMEOUT_SECONDS = 8.0
_PATIENCE_SECONDS = 30.0
_TRIES = 6


@dataclass(slots=True)
class MailTail:
    """The provider's log of mails, read as it grows."""

    file: Path
    _position: int = 0

    def new(self) -> Iterator[Mapping[str, Any]]:
        """The mails that came since the last look."""
        if not self.file.exists():
            return
        with self.file.open("rb") as opened:
            opened.seek(self._position)
            for line in opened:
                if not line.endswith(b"\n"):
                    return
                self._position += len(line)
                yield json.loads(line)


@dataclass(slots=True)
class Referees:
    """They work from a thread of their own. `answered`: the answers that they were thanked for, by email id."""

    urls: Sequence[str]
    mails: Path
    addresses: frozenset[str]
    seed: int
    share: float
    answered: dict[str, str] = field(default_factory=dict)
    _ending: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._ending.set()
        if self._thread is not None:
            self._thread.join()

    def _work(self) -> None:
        chance, tail = random.Random(f"{self.seed}:referees"), MailTail(self.mails)
        waiting: list[Mapping[str, Any]] = []
        with httpx.Client(timeout=_TIMEOUT_SECONDS, trust_env=False) as client:
            while not self._ending.wait(0.3):
                found = [mail for mail in tail.new() if mail["to"] in self.addresses and "link" in mail]
                waiting += [mail for mail in found if chance.random() < self.share]
                if waiting:
                    client.cookies.clear()
                    self._answer(client, waiting.pop(0), tail, chance, waiting)

    def _answer(
        self,
        client: httpx.Client,
        mail: Mapping[str, Any],
        tail: MailTail,
        chance: random.Random,
        waiting: list[Mapping[str, Any]],
    ) -> None:
        path = f"/s/{mail['link']}"
        fields = chance.choice(({"decision": "accept"}, {"decision": "decline", "reason": "no_capacity"}))
        if self._post(client, f"{path}/code", {}, chance) != 200:
            return
        if (code := self._code(mail["to"], tail, chance, waiting)) is None:
            return
        if self._post(client, path, {"code": code}, chance) != 200:
            return
        if self._post(client, f"{path}/answer", fields, chance) == 200:
            self.answered[mail["email_id"]] = "accepted" if fields["decision"] == "accept" else "declined"

    def _code(
        self, address: str, tail: MailTail, chance: random.Random, waiting: list[Mapping[str, Any]]
    ) -> str | None:
        """From the next mail to that address that has one. What else comes meanwhile is not forgotten."""
        until = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < until and not self._ending.wait(0.1):
            code = None
            for mail in tail.new():
                if mail["to"] == address and "code" in mail:
                    code = mail["code"]
                elif mail["to"] in self.addresses and "link" in mail and chance.random() < self.share:
                    waiting.append(mail)
            if code is not None:
                return str(code)
        return None

    def _post(self, client: httpx.Client, path: str, fields: Mapping[str, str], chance: random.Random) -> int:
        """The status of the first answer that is none of a server in trouble; 0 when patience has run out."""
        for _ in range(_TRIES):
            try:
                answer = client.post(f"{chance.choice(self.urls)}{path}", data=dict(fields))
                if answer.status_code < 500:
                    return answer.status_code
            except httpx.HTTPError:
                pass
            if self._ending.wait(1.0):
                return 0
        return 0
