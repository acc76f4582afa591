"""At most so many submissions in hand in this process, with their bodies: more are asked to come back at once.

Webhooks may be twice as many, so that they still come in when the others do not.
"""

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from pipeline.intake.admission import Door
from web.problems import Problems

_RETRY_AFTER_SECONDS = 5
_HOOKS = "/v1/hooks/"
_DOORS = {"/v1/submissions": Door.API, "/screening": Door.FORM}


class InFlightLimitMiddleware:
    """Counts POSTs to the doors until they are answered; everything else passes."""

    def __init__(self, app: ASGIApp, *, problems: Problems, limit: int) -> None:
        self.app = app
        self.problems = problems
        self.limit = limit
        self.in_hand = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        door = _door(scope)
        if door is None:
            await self.app(scope, receive, send)
            return
        if self.in_hand >= (2 * self.limit if door is Door.HOOK else self.limit):
            headers = {"Retry-After": str(_RETRY_AFTER_SECONDS)}
            await self.problems.for_status(Request(scope), 503, headers)(scope, receive, send)
            return
        self.in_hand += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self.in_hand -= 1


def _door(scope: Scope) -> Door | None:
    if scope["type"] != "http" or scope["method"] != "POST":
        return None
    return Door.HOOK if scope["path"].startswith(_HOOKS) else _DOORS.get(scope["path"])
