"""The web application: every route and every layer around them, on one screen."""

from fastapi import FastAPI
from starlette.middleware import Middleware

from web.api import api_router, install_push
from web.body_limit import BodyLimitMiddleware
from web.events import MAX_EVENTS_BYTES, SENDGRID_EVENTS, events_router
from web.health import health_router
from web.in_flight import InFlightLimitMiddleware
from web.mailbox import mailbox_router
from web.metrics import metrics_router
from web.pages import Pages
from web.problems import Problems
from web.rate_limit import RateLimit
from web.request_id import RequestIdMiddleware
from web.screening_pages import screening_router
from web.secure_pages import secure_router
from web.security import SecurityHeadersMiddleware
from web.services import Services
from web.static_files import STATIC, VersionedFiles
from web.status_link import status_link_router
from web.unexpected import UnexpectedErrorMiddleware
from web.unsubscribe import unsubscribe_router


def create_app(services: Services) -> FastAPI:
    """The application over `services`; nothing is global, so that several can live in one process."""
    settings = services.settings
    pages = Pages(settings)
    problems = Problems(pages)
    limit = RateLimit(settings.rate_limit_per_minute)
    app = FastAPI(
        title="Careroute",
        description="Takes in screening submissions for a provider network.",
        docs_url=None,  # the bundled viewer loads scripts from elsewhere
        redoc_url=None,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # spans would hold paths, and paths hold links
        middleware=[  # from the outside in
            Middleware(RequestIdMiddleware),
            Middleware(SecurityHeadersMiddleware, https=settings.effective_public_url.startswith("https://")),
            Middleware(UnexpectedErrorMiddleware, problems=problems),
            Middleware(InFlightLimitMiddleware, problems=problems, limit=settings.intake_in_flight),
            Middleware(BodyLimitMiddleware, problems=problems, larger={SENDGRID_EVENTS: MAX_EVENTS_BYTES}),
        ],
    )
    problems.install(app)
    install_push(app, services)  # first, as routes are tried in turn
    app.include_router(api_router(services))
    app.include_router(screening_router(services, pages, limit))
    app.include_router(secure_router(services, pages, limit))
    app.include_router(status_link_router(services.new_links, pages, limit))
    app.include_router(unsubscribe_router(services.unsubscribing, pages))
    app.include_router(health_router(services))
    app.include_router(events_router(services.receipts))
    app.include_router(metrics_router(services.metrics, settings.metrics_token))
    if services.mailbox is not None:
        app.include_router(mailbox_router(settings, services.mailbox, pages))
    app.mount("/static", VersionedFiles(directory=STATIC))
    return app
