"""`/metrics`: how everything stands, for Prometheus: for this machine and whoever has the token, else not there."""

import hmac
from ipaddress import ip_address

from fastapi import APIRouter
from pydantic import SecretStr
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from web.receipts import Metrics
from web.visitors import client_address

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def metrics_router(metrics: Metrics, token: SecretStr) -> APIRouter:
    """The one route. An empty `token` lets nobody in by token."""
    router = APIRouter(include_in_schema=False)

    @router.get("/metrics")
    def figures(request: Request) -> PlainTextResponse:
        if not (_has_token(request, token) or _is_local(request)):
            raise HTTPException(404)
        return PlainTextResponse(metrics.read(), media_type=MEDIA_TYPE)

    return router


def _has_token(request: Request, token: SecretStr) -> bool:
    wanted = token.get_secret_value()
    kind, _, given = request.headers.get("authorization", "").partition(" ")
    same = hmac.compare_digest(given.strip().encode("utf-8", "surrogatepass"), wanted.encode())
    return bool(wanted) and kind.lower() == "bearer" and same


def _is_local(request: Request) -> bool:
    """Whether it comes from this machine, and asks for this machine: what a proxy here passes on has the public name.

    The latter matters where a proxy does not say whom it asks for.
    """
    return _is_loopback(client_address(request)) and _is_loopback(request.url.hostname or "")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
