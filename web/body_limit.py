"""No request body over 256 KiB, whatever its Content-Length claims or leaves out; a few paths take more."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from web.problems import Problem, ProblemError, Problems, standard

MAX_BODY_BYTES = 256 * 1024


class BodyLimitMiddleware:
    """Refuses a body announced as too large at once, and one that turns out too large while it is read."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        problems: Problems,
        limit: int = MAX_BODY_BYTES,
        larger: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        """`larger` are the limits of paths that take more than `limit`."""
        self.app = app
        self.problems = problems
        self.limit = limit
        self.larger = larger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope)
        limit = self.larger.get(scope["path"], self.limit)
        announced = request.headers.get("content-length", "")
        if announced.isdecimal() and int(announced[:20]) > limit:
            await self.problems.respond(request, _too_large(limit))(scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            if message["type"] == "http.request":
                received += len(message.get("body", b""))
                if received > limit:
                    # Reaches the handler that is reading the body, and from there the problem handlers.
                    raise ProblemError(_too_large(limit))
            return message

        await self.app(scope, counted, send)


def _too_large(limit: int) -> Problem:
    return replace(standard(413), detail=f"A request body may have at most {limit // 1024} KiB.")
