"""`/metrics`: how everything stands, for Prometheus: for this machine and whoever has the token, else not there."""

import hmac
from typing import Protocol

from fastapi import APIRouter
from pydantic import SecretStr
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from web.visitors import client_address, is_loopback

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_PASSED_ON = ("x-forwarded-for", "x-forwarded-host", "forwarded", "via")


class Metrics(Protocol):
    """How everything stands, for a monitoring system."""

    def read(self) -> str:
        """Prometheus' text exposition format. Holds counts and names of ours, nothing about anybody."""


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
    """Whether it comes from this machine, asks for this machine, and was not passed on by a proxy here.

    A proxy mostly passes the public name on as Host; one that does not adds a header that says whom it asks for.
    """
    if any(name in request.headers for name in _PASSED_ON):
        return False
    return is_loopback(client_address(request)) and is_loopback(request.url.hostname or "")
