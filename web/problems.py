"""What a request that cannot be served gets: RFC 9457 problem+json, or a page for a browser.

No text here is taken from the request: answers, names and paths are never echoed.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from web.pages import Pages, choose_language
from web.request_id import request_id

MEDIA_TYPE = "application/problem+json"
_JSON_ONLY = ("/v1/", "/healthz", "/readyz", "/metrics", "/openapi.json")


class Unavailable(Exception):
    """The core cannot answer now (its database is gone); ask again after `retry_after` seconds."""

    def __init__(self, retry_after: int = 10) -> None:
        super().__init__("the core is unavailable")
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class FieldError:
    """One mistake of the sender: which field, and what to do about it. Never what was sent."""

    field: str
    message: str


@dataclass(frozen=True, slots=True)
class Problem:
    """One answer that says what is wrong: `slug` names the kind of problem, `errors` the fields and rules."""

    status: int
    slug: str
    title: str
    detail: str
    errors: tuple[FieldError, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)


class ProblemError(Exception):
    """Raised by a handler to answer with `problem`."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.slug)
        self.problem = problem


_KNOWN = {
    status: Problem(status, slug, title, detail)
    for status, slug, title, detail in (
        (400, "bad-request", "Bad request", "The request could not be read."),
        (401, "unauthorized", "Unauthorized", "A valid key is needed in the Authorization header: Bearer <key>."),
        (403, "forbidden", "Forbidden", "This request is not allowed."),
        (404, "not-found", "Not found", "There is nothing at this address."),
        (405, "method-not-allowed", "Method not allowed", "The Allow header lists the methods of this address."),
        (413, "too-large", "Content too large", "A request body may have at most 256 KiB."),
        (415, "unsupported-media-type", "Unsupported media type", "The Content-Type is not one this address reads."),
        (422, "invalid", "Unprocessable content", "Some fields are missing or not valid; see errors."),
        (429, "too-many-requests", "Too many requests", "Wait as long as the Retry-After header says."),
        (500, "unexpected", "Internal server error", "Something went wrong here. The request id helps us to find it."),
        (503, "unavailable", "Service unavailable", "Nothing was stored. Try again after the time in Retry-After."),
    )
}


class Problems:
    """Turns problems into responses and registers the handlers for those that frameworks raise."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    def respond(self, request: Request, problem: Problem) -> Response:
        """The problem as a page if a browser asked for one, else as problem+json."""
        if wants_html(request):
            return self._pages.render(
                "oops.html",
                choose_language(request),
                {
                    "status": problem.status,
                    "form_failed": request.url.path == "/screening" and request.method == "POST",
                    "request_id": request_id(request),
                },
                status=problem.status,
                headers=problem.headers,
            )
        document: dict[str, object] = {
            "type": f"urn:careroute:problem:{problem.slug}",
            "title": problem.title,
            "status": problem.status,
            "detail": problem.detail,
            "request_id": request_id(request),
        }
        if problem.errors:
            document["errors"] = [asdict(error) for error in problem.errors]
        return JSONResponse(document, problem.status, dict(problem.headers), MEDIA_TYPE)

    def for_status(self, request: Request, status: int, headers: Mapping[str, str] | None = None) -> Response:
        """The standard problem of an HTTP status."""
        return self.respond(request, standard(status, headers=headers))

    def install(self, app: FastAPI) -> None:
        """Answer HTTP errors, validation errors, problems raised by handlers, and an unavailable core."""
        handlers: dict[type[Exception], Callable[[Request, Any], Response]] = {
            HTTPException: lambda request, error: self.for_status(request, error.status_code, error.headers),
            RequestValidationError: self._not_valid,
            ProblemError: lambda request, error: self.respond(request, error.problem),
            Unavailable: lambda request, error: self.for_status(request, 503, {"Retry-After": str(error.retry_after)}),
        }
        for kind, handler in handlers.items():
            app.add_exception_handler(kind, handler)

    def _not_valid(self, request: Request, error: RequestValidationError) -> Response:
        # The rule's name, not pydantic's message: some messages quote what was sent.
        errors = tuple(
            FieldError(".".join(str(step) for step in mistake["loc"][1:]), f"Does not meet the rule {mistake['type']}.")
            for mistake in error.errors()
        )
        return self.respond(request, standard(422, errors=errors))


def standard(status: int, *, errors: tuple[FieldError, ...] = (), headers: Mapping[str, str] | None = None) -> Problem:
    """The problem of an HTTP status; one we have no words for is described by its class."""
    known = _KNOWN.get(status) or _KNOWN[500 if status >= 500 else 400]
    return Problem(status, known.slug, known.title, known.detail, errors, headers or {})


def wants_html(request: Request) -> bool:
    """Whether a browser asked for a page: APIs and probes always get JSON."""
    path = request.url.path
    return not path.startswith(_JSON_ONLY) and "text/html" in request.headers.get("accept", "")
