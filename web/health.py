"""For whoever runs the process: is it alive, and can it do its work."""

from fastapi import APIRouter
from starlette.responses import JSONResponse

from web.services import Services


def health_router(services: Services) -> APIRouter:
    """`/healthz` (the process answers) and `/readyz` (what it needs answers too)."""
    router = APIRouter()

    @router.get("/healthz")
    def alive() -> JSONResponse:
        """The process answers."""
        return JSONResponse({"status": "ok"})

    @router.get("/readyz")
    def ready() -> JSONResponse:
        """200 when everything that is needed to take submissions in answers, else 503."""
        checks = services.health.ready()
        fine = all(checks.values())
        document = {"status": "ok" if fine else "unavailable", "checks": dict(checks)}
        return JSONResponse(document, 200 if fine else 503, {} if fine else {"Retry-After": "5"})

    return router
