"""Past the bound nobody is kept waiting for ever: they are asked to come back, and lose nothing."""

import asyncio

import httpx2
import pytest
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from pipeline.context import Context
from pipeline.intake.admission import Admission
from pipeline.models import SourceTally, Submission
from tests.support.submissions import answers, body, person
from tests.support.work import count, drain, table
from tests.web import fakes
from tests.web.fakes import COMPLETE_FORM
from tests.web.real_app import RealApp, webflow_body
from web.backlog import Backlog
from web.in_flight import InFlightLimitMiddleware
from web.pages import Pages
from web.problems import Problems
from web.request_id import RequestIdMiddleware


@pytest.fixture
def app(context: Context) -> RealApp:
    """With room for two jobs that wait, and for four with webhooks'."""
    app = RealApp(context, admission=Admission(2, 4))
    app.push(body(person(1)), idempotency_key="one")
    app.push(body(person(2)), idempotency_key="two")
    Backlog(context.database, app.admission).look()
    return app


def test_the_api_and_the_form_ask_to_come_back_and_hooks_still_come_in(app: RealApp) -> None:
    refused = app.push(body(person(3)))
    assert (refused.status_code, refused.headers["content-type"]) == (503, "application/problem+json")
    assert 30 <= int(refused.headers["retry-after"]) <= 60
    assert refused.json()["type"] == "urn:careroute:problem:unavailable"
    form = app.client.post("/screening", data=COMPLETE_FORM | {"form_language": "es"})
    assert form.status_code == 503
    assert int(form.headers["retry-after"]) >= 30
    assert '<html lang="es"' in form.text
    assert "¡Ups!" in form.text
    assert 'value="ada@example.org"' in form.text
    assert app.hook(webflow_body(answers())).status_code == 200
    assert app.client.get("/readyz").status_code == 200
    app.tally.flush()
    rows = table(app.context.database, SourceTally.table())
    counted = {(row.source, row.outcome): row._mapping["count"] for row in rows}
    assert counted["network-site", "refused:overloaded"] == counted["screening", "refused:overloaded"] == 1
    assert count(app.context.database, Submission.table()) == 3


def test_what_was_kept_before_is_answered_as_before_and_what_was_refused_is_kept_once_there_is_room(
    app: RealApp,
) -> None:
    again = app.push(body(person(1)), idempotency_key="one")
    assert again.status_code == 202
    assert app.push(body(person(9)), idempotency_key="one").status_code == 422
    assert app.push(body(person(3)), idempotency_key="three").status_code == 503
    drain(app.context)
    Backlog(app.context.database, app.admission).look()
    assert app.push(body(person(3)), idempotency_key="three").status_code == 202
    assert count(app.context.database, Submission.table()) == 3


def test_so_many_are_in_hand_at_once_and_hooks_are_turned_away_last() -> None:
    """Those in hand are not answered before the event."""

    async def run() -> tuple[list[int], list[int]]:
        answer_now = asyncio.Event()

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["method"] == "POST":
                await answer_now.wait()
            await Response("")(scope, receive, send)

        limited = InFlightLimitMiddleware(app, problems=Problems(Pages(fakes.settings())), limit=1)
        asgi = httpx2.ASGITransport(RequestIdMiddleware(limited))
        async with httpx2.AsyncClient(transport=asgi, base_url="http://testserver") as client:

            async def ask(method: str, path: str) -> int:
                answer = await client.request(method, path)
                assert (answer.headers.get("retry-after") == "5") == (answer.status_code == 503)
                return answer.status_code

            async def begun(path: str) -> asyncio.Task[int]:
                task, before = asyncio.create_task(ask("POST", path)), limited.in_hand
                while limited.in_hand == before:  # noqa: ASYNC110 - it has no event for it
                    await asyncio.sleep(0)
                return task

            in_hand = [await begun("/v1/submissions")]
            at_once = [await ask("POST", "/v1/submissions"), await ask("POST", "/screening")]
            in_hand.append(await begun("/v1/hooks/any"))
            at_once += [await ask("POST", "/v1/hooks/any"), await ask("GET", "/screening")]
            answer_now.set()
            return at_once, [*(await asyncio.gather(*in_hand)), await ask("POST", "/screening")]

    assert asyncio.run(run()) == ([503, 503, 503, 200], [200, 200, 200])
