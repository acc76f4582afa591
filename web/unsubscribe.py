"""Unsubscribing by one click (RFC 8058), under `/u/{token}`: what the List-Unsubscribe header of an email names.

A GET shows a page and changes nothing: mail scanners follow links. A POST ends the mail, without login, cookie or
redirect, whether a mail program sends it or the button of that page.

No limit per address of the sender: mailbox providers post for all their users from a few. A token is checked by its
signature before anything is read, and one that was used already leads to no write.
"""

from dataclasses import dataclass
from typing import Protocol

from fastapi import APIRouter, Depends
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from config.screening import LANGUAGES
from web.pages import Pages, choose_language
from web.request_id import request_id
from web.visitors import PostedFields, refuse_other_sites

ONE_CLICK = ("List-Unsubscribe", "One-Click")
"""The one pair that the body of a POST has to hold (RFC 8058, 3.1)."""


@dataclass(frozen=True, slots=True)
class MailChoice:
    """Whether an address gets the mail that can be ended. Nothing of this is a fact about anybody.

    `stopped_otherwise`: whether none is sent there anyway, for a reason that cannot be taken back on a page.
    """

    language: str
    for_provider: bool
    ended: bool
    stopped_otherwise: bool = False


class Unsubscribing(Protocol):
    """What can be done with the token of an email; None for a token that was never given out."""

    def look(self, token: str) -> MailChoice | None:
        """How it stands. Changes nothing: mail scanners follow links."""

    def end(self, token: str, request_id: str) -> MailChoice | None:
        """No more mail that can be ended; durable before it answers, and the same when repeated."""

    def again(self, token: str, request_id: str) -> MailChoice | None:
        """Take `end` back."""


def unsubscribe_router(unsubscribing: Unsubscribing, pages: Pages) -> APIRouter:
    """The routes of one token."""
    router = APIRouter(prefix="/u/{token}", include_in_schema=False)

    def page(request: Request, token: str, choice: MailChoice | None, otherwise: str = "unsubscribe.html") -> Response:
        asked = request.query_params.get("lang", "")
        chosen = asked if asked in LANGUAGES else None
        context: dict[str, object] = {"address": f"/u/{token}", "query": f"?lang={chosen}" if chosen else ""}
        if choice is None:
            return pages.render("link_expired.html", choose_language(request), context, status=404)
        context |= {"choice": choice, "one_click": ONE_CLICK}
        return pages.render("unsubscribed.html" if choice.ended else otherwise, chosen or choice.language, context)

    @router.get("")
    def ask(request: Request, token: str) -> Response:
        return page(request, token, unsubscribing.look(token))

    @router.post("")
    def end(request: Request, token: str, fields: PostedFields) -> Response:
        name, value = ONE_CLICK
        if fields.get(name) != value:
            raise HTTPException(400)
        return page(request, token, unsubscribing.end(token, request_id(request)))

    @router.post("/again", dependencies=[Depends(refuse_other_sites)])
    def again(request: Request, token: str) -> Response:
        return page(request, token, unsubscribing.again(token, request_id(request)), "subscribed_again.html")

    return router
