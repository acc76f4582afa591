"""Program: offer load over HTTP and write down every answer. A process of its own, and no client library in the way.

One request at a time on each connection, all of them kept open, everything to be sent made up beforehand: so the client
takes little of the two cores, and the same of them whoever is asked.
"""

import asyncio
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self, cast

import orjson
import uvloop
from pydantic import SecretStr

from bench import people
from config.screening import Screening, load_screening
from config.settings import Settings
from config.sources import Adapter, Source, load_sources
from pipeline.intake.webflow import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign

API, HOOK = "api", "hook"
KEY, SECRET = "key-for-the-bench", "secret-for-the-bench"
KEY_VARIABLE, SECRET_VARIABLE = "CAREROUTE_SOURCE_NETWORK_SITE_KEY", "CAREROUTE_SOURCE_WEBFLOW_SITE_SECRET"
SENDER_ENVIRONMENT: Mapping[str, str] = {KEY_VARIABLE: KEY, SECRET_VARIABLE: SECRET}
"""What the web process has to know to take the senders for ours."""

NO_ANSWER = 0
_END_OF_HEAD = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is offered: so many from `first` on, every `hook_every`th as a webhook (0: none).

    `rate` is a second, 0: as fast as the answers come. At a rate, what finds no connection free is `unsent`.
    """

    port: int
    count: int
    first: int = 0
    connections: int = 24
    rate: float = 0.0
    hook_every: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """One request's. Times in seconds from the start; `status` 0: the connection ended. `id` is of a 2xx."""

    door: str
    number: int
    sent: float
    took: float
    status: int
    id: str | None
    retry_after: int | None


@dataclass(frozen=True, slots=True)
class Offered:
    """What came of a plan."""

    seconds: float
    answers: Sequence[Answer]
    unsent: int

    @classmethod
    def read(cls, path: Path) -> Self:
        found = orjson.loads(path.read_bytes())
        return cls(found["seconds"], [Answer(**each) for each in found["answers"]], found["unsent"])


@dataclass(frozen=True, slots=True)
class _Request:
    door: str
    number: int
    data: bytes


class _Connection(asyncio.Protocol):
    """One connection; knows only as much of HTTP/1.1 as our own servers answer with."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._answer: asyncio.Future[tuple[int, Mapping[str, str], bytes]] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is not one by inheritance

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionResetError())

    def data_received(self, data: bytes) -> None:
        self._received += data
        end = self._received.find(_END_OF_HEAD)
        if end < 0 or self._answer is None:
            return
        first, *lines = self._received[:end].decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        start = end + len(_END_OF_HEAD)
        length = int(headers.get("content-length", "0"))
        if len(self._received) - start >= length:
            body = bytes(self._received[start : start + length])
            self._received.clear()
            self._answer.set_result((int(first.split(" ")[1]), headers, body))

    async def ask(self, port: int, data: bytes) -> tuple[int, Mapping[str, str], bytes]:
        loop = asyncio.get_running_loop()
        if self._transport is None or self._transport.is_closing():
            self._received.clear()
            await loop.create_connection(lambda: self, "127.0.0.1", port)
        self._answer = loop.create_future()
        cast(asyncio.Transport, self._transport).write(data)
        return await self._answer


async def _offer(plan: Plan, requests: Sequence[_Request]) -> Offered:
    answers: list[Answer] = []
    started = time.perf_counter()
    unsent = 0

    async def ask(connection: _Connection, request: _Request) -> None:
        sent = time.perf_counter()
        try:
            status, headers, body = await connection.ask(plan.port, request.data)
        except OSError:
            status, headers, body = NO_ANSWER, {}, b""
        ended = time.perf_counter()
        identifier = orjson.loads(body)["id"] if 200 <= status < 300 else None
        retry_after = int(headers["retry-after"]) if "retry-after" in headers else None
        answers.append(
            Answer(request.door, request.number, sent - started, ended - sent, status, identifier, retry_after)
        )

    free = [_Connection() for _ in range(plan.connections)]
    if not plan.rate:
        waiting = iter(requests)

        async def one_after_the_other(connection: _Connection, waiting: Iterator[_Request]) -> None:
            for request in waiting:
                await ask(connection, request)

        await asyncio.gather(*(one_after_the_other(connection, waiting) for connection in free))
        return Offered(time.perf_counter() - started, answers, unsent)

    async def at_its_time(connection: _Connection, request: _Request) -> None:
        await ask(connection, request)
        free.append(connection)

    under_way = set()
    for place, request in enumerate(requests):
        await asyncio.sleep(started + place / plan.rate - time.perf_counter())
        if free:
            task = asyncio.create_task(at_its_time(free.pop(), request))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
        else:
            unsent += 1
    seconds = time.perf_counter() - started
    await asyncio.gather(*under_way)
    return Offered(seconds, answers, unsent)


def _requests(plan: Plan) -> list[_Request]:
    defaults = Settings.model_fields
    screening = load_screening(defaults["screening_file"].default)
    sources = load_sources(defaults["sources_file"].default, SENDER_ENVIRONMENT, screening)
    hooks = next(source for source in sources.by_id.values() if source.adapter is Adapter.WEBFLOW)
    return [
        _to_hook(number, hooks, screening) if plan.hook_every and number % plan.hook_every == 0 else _to_api(number)
        for number in range(plan.first, plan.first + plan.count)
    ]


def _to_api(number: int) -> _Request:
    headers = {"Authorization": f"Bearer {KEY}", "Idempotency-Key": f"key-{number}"}
    return _Request(API, number, _post("/v1/submissions", people.body(number), headers))


def _to_hook(number: int, source: Source, screening: Screening) -> _Request:
    """As Webflow sends the form that `sources.yaml` describes: boxes as one text, a consent as a ticked box."""
    data = {}
    for question, answer in orjson.loads(people.body(number))["answers"].items():
        consent = screening.question(question).consent is not None
        value = "true" if consent else ", ".join(answer) if isinstance(answer, list) else answer
        data[source.fields[question]] = value
    payload = {"triggerType": "form_submission", "payload": {"id": f"hook-{number}", "data": data}}
    body, timestamp = orjson.dumps(payload), str(int(time.time() * 1000))
    headers = {TIMESTAMP_HEADER: timestamp, SIGNATURE_HEADER: sign(body, timestamp, SecretStr(SECRET))}
    return _Request(HOOK, number, _post(f"/v1/hooks/{source.id}", body, headers))


def _post(path: str, body: bytes, headers: Mapping[str, str]) -> bytes:
    lines = {"Host": "127.0.0.1", "Content-Type": "application/json", "Content-Length": str(len(body)), **headers}
    head = f"POST {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return head.encode() + b"\r\n" + body


def main(output: Path, plan: Plan) -> None:
    """Offer by the plan, and write what came of it to `output`."""
    offered = uvloop.run(_offer(plan, _requests(plan)))
    output.write_bytes(orjson.dumps(asdict(offered)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Plan(**json.loads(sys.argv[2])))
