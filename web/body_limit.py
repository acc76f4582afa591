"""No request body over 256 KiB, whatever its Content-Length claims or leaves out."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from web.problems import Problems

MAX_BODY_BYTES = 256 * 1024


class BodyLimitMiddleware:
    """Refuses a body announced as too large at once, and one that turns out too large while it is read."""

    def __init__(self, app: ASGIApp, *, problems: Problems, limit: int = MAX_BODY_BYTES) -> None:
        self.app = app
        self.problems = problems
        self.limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope)
        announced = request.headers.get("content-length", "")
        if announced.isdecimal() and int(announced[:20]) > self.limit:
            await self.problems.for_status(request, 413)(scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            if message["type"] == "http.request":
                received += len(message.get("body", b""))
                if received > self.limit:
                    # Reaches the handler that is reading the body, and from there the problem handlers.
                    raise HTTPException(413)
            return message

        await self.app(scope, counted, send)
