"""`/status-link`: somebody who lost the email asks for another link to the page of their request.

The answer is the same page, in the same time, whether or not anybody made a request with the address: an address must
not be found out by asking. What was typed is in the body of a POST, and never in an address or a log.
"""

import asyncio
from dataclasses import dataclass
from enum import StrEnum
from time import monotonic
from typing import Protocol

from fastapi import APIRouter, Depends
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from config.screening import LANGUAGES
from pipeline.validation import FieldProblem, Rule
from web.pages import Pages, choose_language
from web.problems import Unavailable
from web.rate_limit import RateLimit
from web.request_id import request_id
from web.visitors import PostedFields, client_address, refuse_other_sites

ADDRESS = "/status-link"
ANSWER_SECONDS = 0.5
"""When the answer goes out, counted from the request. The work, of which there is more if an email is queued, is done
well before that."""


@dataclass(frozen=True, slots=True)
class LinkRequest:
    """What was typed, and the language of the page. `reference` may be empty."""

    address: str
    reference: str
    language: str


class NewLinks(Protocol):
    """Sends a link to the page of a request to the address that the request was made with."""

    def send(self, asked: LinkRequest, request_id: str) -> bool:
        """Whether `address` is an email address. Nothing else is told: not if a request was made with it."""


class Notice(StrEnum):
    """Why the form comes back, other than for what is typed in it."""

    TOO_MANY = "too_many"
    UNAVAILABLE = "unavailable"


def status_link_router(new_links: NewLinks, pages: Pages, limit: RateLimit) -> APIRouter:
    """The routes of the page."""
    router = APIRouter(prefix=ADDRESS, include_in_schema=False)
    page = _Page(new_links, pages, limit)

    @router.get("")
    def empty_form(request: Request) -> Response:
        return page.form(request, LinkRequest("", "", choose_language(request)))

    @router.post("", dependencies=[Depends(refuse_other_sites)])
    async def ask(request: Request, fields: PostedFields) -> Response:
        answer_at = monotonic() + ANSWER_SECONDS
        asked = LinkRequest(_text(fields, "email"), _text(fields, "reference"), choose_language(request))
        response = await run_in_threadpool(page.take, request, asked)
        await asyncio.sleep(max(0.0, answer_at - monotonic()))
        return response

    return router


@dataclass(frozen=True, slots=True)
class _Page:
    new_links: NewLinks
    pages: Pages
    limit: RateLimit

    def take(self, request: Request, asked: LinkRequest) -> Response:
        if wait := self.limit.wait(client_address(request)):
            return self.form(request, asked, notice=Notice.TOO_MANY, status=429, retry_after=wait)
        try:
            sent = self.new_links.send(asked, request_id(request))
        except Unavailable as error:
            return self.form(request, asked, notice=Notice.UNAVAILABLE, status=503, retry_after=error.retry_after)
        if not sent:
            rule = Rule.NOT_AN_EMAIL if asked.address else Rule.REQUIRED
            problem = FieldProblem("email", rule).message(asked.language)
            return self.form(request, asked, error=problem, status=422)
        return self.pages.render("status_link_sent.html", asked.language, _about(request))

    def form(
        self,
        request: Request,
        asked: LinkRequest,
        *,
        error: str | None = None,
        notice: Notice | None = None,
        status: int = 200,
        retry_after: int | None = None,
    ) -> Response:
        """The form with what was typed."""
        context = {**_about(request), "asked": asked, "error": error, "notice": notice}
        headers = {"Retry-After": str(retry_after)} if retry_after else {}
        return self.pages.render("status_link.html", asked.language, context, status=status, headers=headers)


def _about(request: Request) -> dict[str, object]:
    asked = request.query_params.get("lang", "")
    return {"address": ADDRESS, "query": f"?lang={asked}" if asked in LANGUAGES else ""}


def _text(fields: FormData, name: str) -> str:
    value = fields.get(name)
    return value.strip() if isinstance(value, str) else ""
