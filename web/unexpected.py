"""The last resort: an exception nobody handled is logged without its message and answered with a plain 500.

Messages and tracebacks may quote answers (a database error lists its parameters), so only the kinds of the
exceptions and the places in our code are logged, and nothing is passed on to the server's own error log.
"""

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.engine.stage import whereabouts
from web.problems import Problems

_MOST_CAUSES = 5
_log = structlog.get_logger("web.unexpected")


class UnexpectedErrorMiddleware:
    """Catches what the handlers below it let through."""

    def __init__(self, app: ASGIApp, *, problems: Problems) -> None:
        self.app = app
        self.problems = problems

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except ClientDisconnect:
            _log.info("client went away before the request was complete")
        except Exception as error:  # noqa: BLE001  this is the place for all of them
            log_unexpected(error)
            if not started:
                await self.problems.for_status(Request(scope), 500)(scope, receive, send)


def log_unexpected(error: BaseException) -> None:
    """One error line: the kinds of the exception and its causes, and where each was raised."""
    causes: list[dict[str, str]] = []
    cause: BaseException | None = error
    while cause is not None and len(causes) < _MOST_CAUSES:
        causes.append(whereabouts(cause))
        cause = cause.__cause__ or cause.__context__
    _log.error("unexpected error", causes=causes)
