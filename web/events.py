"""Where mail providers post what became of our emails."""

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse

from web.problems import Problem, ProblemError, standard
from web.receipts import EventsRefusal, EventsTaken, Receipts

SENDGRID_EVENTS = "/v1/events/sendgrid"
MAX_EVENTS_BYTES = 1024 * 1024
"""SendGrid posts what it has gathered when it comes to 768 KB."""

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
        body = await request.body()
        headers = {name.lower(): value for name, value in request.headers.items()}
        result = await run_in_threadpool(receipts.take, body, headers)
        if isinstance(result, EventsTaken):
            return JSONResponse({"events": result.events, "new": result.new})
        status = _STATUS[result.reason]
        raise ProblemError(Problem(status, result.reason, standard(status).title, result.detail))

    return router
