"""The web process: puts the application together over the real core, and serves it until SIGTERM."""

import gc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from config.log import configure_logging
from config.settings import Settings
from pipeline.context import Context, open_context
from pipeline.intake.admission import Admission
from pipeline.operations.opening import open_database
from tasks.app import create_app as create_celery_app
from tasks.wake import Waker
from web.app import create_app
from web.backlog import Backlog
from web.events_service import DatabaseReceipts
from web.health_service import DatabaseHealth
from web.intake_service import DatabaseIntake
from web.links_service import DatabaseLinks
from web.mailbox import can_be_browsed
from web.mailbox_service import DatabaseMailbox
from web.metrics_service import DatabaseMetrics
from web.services import Services
from web.status_link_service import DatabaseNewLinks
from web.tally import Tally
from web.unsubscribe_service import DatabaseUnsubscribing

_MOST_CONNECTIONS = 1000
_KEEP_ALIVE_SECONDS = 75  # longer than the proxies in front keep theirs, so that they never write to a closed one
_FINISH_SECONDS = 20


def run(settings: Settings, broker_url: str) -> None:
    """Serve until SIGTERM or SIGINT, then finish the requests in hand. Raises what `build` raises."""
    configure_logging(settings.log_format)
    app = build(settings, broker_url)
    # The collector leaves alone what is there to stay: going over it took a seventh of the processor time under load.
    gc.collect()
    gc.freeze()
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        lifespan="on",
        log_config=None,
        access_log=False,  # it would have the paths, and with them the secrets of links
        server_header=False,
        proxy_headers=True,
        forwarded_allow_ips=settings.forwarded_allow_ips,
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_FINISH_SECONDS,
    )


def build(settings: Settings, broker_url: str) -> FastAPI:
    """The application over the database of `settings`. Its lifespan writes the last counts and closes what it opened.

    Raises `SchemaProblem`, and what `open_context` raises.
    """
    with open_database(settings):
        context = open_context(settings)
    waker = Waker(create_celery_app(settings, broker_url), broker_url)
    tally = Tally(context.database, context.sources.by_id)
    admission = Admission(settings.backlog_limit, settings.backlog_limit_hooks)
    backlog = Backlog(context.database, admission)
    services = compose(context, waker, tally, admission)
    app = create_app(services)

    def close() -> None:
        backlog.close()
        services.intake.close()
        tally.close()
        waker.close()
        context.database.dispose()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        tally.start()
        backlog.start()
        try:
            yield
        finally:
            await run_in_threadpool(close)

    app.router.lifespan_context = lifespan
    return app


def compose(context: Context, wake: Callable[[str], None], tally: Tally, admission: Admission) -> Services:
    """What the application is built from, over an open core. `wake` is told the lanes that got work."""
    return Services(
        settings=context.settings,
        screening=context.screening,
        conditions=context.conditions,
        intake=DatabaseIntake(context, wake, tally, admission),
        links=DatabaseLinks(context, wake),
        new_links=DatabaseNewLinks(context, wake),
        unsubscribing=DatabaseUnsubscribing(context),
        health=DatabaseHealth(context.database),
        receipts=DatabaseReceipts(context, wake),
        metrics=DatabaseMetrics(context),
        mailbox=DatabaseMailbox(context) if can_be_browsed(context.settings) else None,
    )
