"""The API that web forms and their owners use: push a submission, ask how it stands."""

from uuid import UUID

import orjson
from fastapi import APIRouter, Depends, FastAPI
from fastapi.security import HTTPBearer
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from web.direct_route import DirectRoute
from web.openapi import push_operation
from web.problems import Problem, ProblemError, standard
from web.request_id import request_id
from web.services import Accepted, Conflict, Refusal, Refused, Services
from web.visitors import media_type

_LONGEST_KEY = 255
_REFUSAL_STATUS = {
    Refusal.UNKNOWN_SENDER: 401,
    Refusal.UNKNOWN_SOURCE: 404,
    Refusal.BAD_SIGNATURE: 401,
    Refusal.STALE_SIGNATURE: 401,
    Refusal.MALFORMED: 400,
    Refusal.INVALID: 422,
}


_KEY_IS_NEEDED = [Depends(HTTPBearer(auto_error=False, scheme_name="Key of a source"))]
"""Describes the operations; what they read is `_bearer_key`."""


def install_push(app: FastAPI, services: Services) -> None:
    """The one operation under load, as a route of the application itself."""
    submissions = f"{services.settings.effective_public_url}/v1/submissions"

    async def push(request: Request) -> Response:
        """Store a screening submission. Answered once it is durable; processing follows."""
        key = _bearer_key(request)
        if media_type(request) != "application/json":
            raise HTTPException(415)
        result = await services.intake.accept_json(
            key, await request.body(), idempotency_key=_idempotency_key(request), request_id=request_id(request)
        )
        accepted = _accepted(result)
        status_url = f"{submissions}/{accepted.submission_id}"
        document = orjson.dumps(_document(accepted) | {"status_url": status_url})
        return Response(document, 202, {"Location": status_url}, "application/json")

    app.router.add_api_route(
        "/v1/submissions",
        push,
        methods=["POST"],
        status_code=202,
        dependencies=_KEY_IS_NEEDED,
        openapi_extra=push_operation(services.screening),
        route_class_override=DirectRoute,
    )


def api_router(services: Services) -> APIRouter:
    """The other routes under `/v1`."""
    router = APIRouter(prefix="/v1")

    @router.get("/submissions/{submission_id}", dependencies=_KEY_IS_NEEDED)
    def status(request: Request, submission_id: UUID) -> JSONResponse:
        """How a submission stands; 404 for everybody but the source that created it."""
        found = services.intake.status(_bearer_key(request), submission_id)
        if found is None:
            raise HTTPException(404)
        return JSONResponse(
            {
                "id": str(found.submission_id),
                "reference": found.reference,
                "status": found.status,
                "received_at": found.received_at.isoformat(),
                "updated_at": found.updated_at.isoformat(),
            }
        )

    @router.post("/hooks/{source}")
    async def hook(request: Request, source: str) -> JSONResponse:
        """Take in a webhook delivery. Signed by the source over the raw bytes; 200 once it is durable."""
        body = await request.body()
        headers = {name.lower(): value for name, value in request.headers.items()}
        result = await services.intake.accept_hook(source, body, headers, request_id=request_id(request))
        return JSONResponse(_document(_accepted(result)))

    return router


def _bearer_key(request: Request) -> str:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key:
        raise HTTPException(401, headers={"WWW-Authenticate": "Bearer"})
    return key


def _idempotency_key(request: Request) -> str | None:
    key = request.headers.get("idempotency-key")
    if key is not None and not (0 < len(key) <= _LONGEST_KEY and key.isascii() and key.isprintable()):
        detail = f"Idempotency-Key has to be 1 to {_LONGEST_KEY} printable ASCII characters."
        raise ProblemError(Problem(400, "idempotency-key", "Bad request", detail))
    return key


def _accepted(result: Accepted | Conflict | Refused) -> Accepted:
    match result:
        case Accepted():
            return result
        case Conflict():
            detail = "This Idempotency-Key was already used for a request with another body."
            raise ProblemError(Problem(422, "idempotency-key-reused", "Unprocessable content", detail))
        case Refused():
            status = _REFUSAL_STATUS[result.reason]
            headers = {"WWW-Authenticate": "Bearer"} if result.reason is Refusal.UNKNOWN_SENDER else {}
            title = standard(status).title
            raise ProblemError(Problem(status, result.reason, title, result.detail, result.errors, headers))


def _document(accepted: Accepted) -> dict[str, str]:
    return {"id": str(accepted.submission_id), "reference": accepted.reference, "status": accepted.status}
