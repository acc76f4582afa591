"""Where mail providers post what became of our emails."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse

from web.problems import Problem, ProblemError, standard

SENDGRID_EVENTS = "/v1/events/sendgrid"
MAX_EVENTS_BYTES = 1024 * 1024
"""SendGrid posts what it has gathered when it comes to 768 KB."""


class EventsRefusal(StrEnum):
    """Why a post of events was not taken."""

    NO_KEY = "no-event-key"
    BAD_SIGNATURE = "bad-signature"
    MALFORMED = "malformed"


@dataclass(frozen=True, slots=True)
class EventsRefused:
    """Nothing was stored. `detail` is one sentence about what to do."""

    reason: EventsRefusal
    detail: str


@dataclass(frozen=True, slots=True)
class EventsTaken:
    """So many events could be read, and so many of them were not known yet. All are stored durably."""

    events: int
    new: int


class Receipts(Protocol):
    """Takes what mail providers report. One durable transaction before it answers."""

    def refusal(self, headers: Mapping[str, str]) -> EventsRefused | None:
        """Why no body could make a post with these headers taken, if so. Reads no body and waits for nothing."""

    def take(self, raw_body: bytes, headers: Mapping[str, str]) -> EventsTaken | EventsRefused:
        """Store the events of a signed post; `headers` have lower-case names."""


_STATUS = {
    EventsRefusal.NO_KEY: 404,
    EventsRefusal.BAD_SIGNATURE: 401,
    EventsRefusal.MALFORMED: 400,
}


def events_router(receipts: Receipts) -> APIRouter:
    """The address of SendGrid's Event Webhook. It posts again, for 24 hours, whatever is not answered with 2xx."""
    router = APIRouter()

    @router.post(SENDGRID_EVENTS)
    async def sendgrid(request: Request) -> JSONResponse:
        """Take in signed events. 200 once they are durable; what follows from them is done later."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        if (refused := receipts.refusal(headers)) is not None:
            raise _problem(refused)  # nobody makes us hold a large body who does not even claim to be a provider
        result = await run_in_threadpool(receipts.take, await request.body(), headers)
        if isinstance(result, EventsRefused):
            raise _problem(result)
        return JSONResponse({"events": result.events, "new": result.new})

    return router


def _problem(refused: EventsRefused) -> ProblemError:
    status = _STATUS[refused.reason]
    return ProblemError(Problem(status, refused.reason, standard(status).title, refused.detail))
