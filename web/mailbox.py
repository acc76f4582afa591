"""The mailbox folder in a browser, on the machine that runs the embedded stack.

    /mailbox?token=…         the address that the terminal prints: sets a cookie, and leads on without the token
    /mailbox?page=2          the list, newest first
    /mailbox/<id>?view=…     one email: as a mail program shows it, its text, its headers, its source
    /mailbox/<id>/html       its HTML alone, for the frame: no script, no form, nothing from elsewhere

Whoever does not hold the token, or is not on this machine, is told that there is no such page. An application without
a token, or with another transport than the mailbox, does not have these routes.
"""

import hmac
import uuid
from enum import StrEnum
from hashlib import sha256
from typing import Annotated, Protocol

from fastapi import APIRouter, Depends, HTTPException, Query
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from config.settings import MailTransport, Settings
from pipeline.operations.mailbox import MailPage, OpenedMail
from web.pages import Pages
from web.security import CONTENT_SECURITY_POLICY
from web.visitors import client_address, is_loopback

COOKIE = "careroute_mailbox"
FRAME_POLICY = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; "
    "img-src data:; form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
)
PAGE_POLICY = f"{CONTENT_SECURITY_POLICY}; frame-src 'self'"
_LANGUAGE = "en"


class View(StrEnum):
    HTML = "html"
    TEXT = "text"
    HEADERS = "headers"
    SOURCE = "source"


class MailFolder(Protocol):
    """The emails that were written to the folder."""

    def page(self, number: int) -> MailPage:
        """One page of the list; beyond the last page it is the last."""

    def open(self, email_id: uuid.UUID) -> OpenedMail | None:
        """`None` if it is not there."""


def can_be_browsed(settings: Settings) -> bool:
    """Whether the application has these routes."""
    return settings.mail_transport is MailTransport.MAILBOX and bool(settings.mailbox_token.get_secret_value())


def mailbox_router(settings: Settings, folder: MailFolder, pages: Pages) -> APIRouter:
    """The routes, over `folder`; to be included only if `can_be_browsed`."""
    door = _Door(settings.mailbox_token.get_secret_value())

    def find(email_id: uuid.UUID) -> OpenedMail:
        found = folder.open(email_id)
        if found is None:
            raise HTTPException(404)
        return found

    router = APIRouter(include_in_schema=False)

    @router.get("/mailbox")
    def show_list(
        request: Request,
        page: Annotated[int, Query()] = 1,
        given: Annotated[str | None, Query(alias="token")] = None,
    ) -> Response:
        """The list; with a token, the way in."""
        if given is not None:
            return door.let_in(request, given)
        door.check(request)
        return pages.render("mailbox.html", _LANGUAGE, {"found": folder.page(page)}, headers=_policy(PAGE_POLICY))

    @router.get("/mailbox/{email_id}", dependencies=[Depends(door.check)])
    def show_one(email_id: uuid.UUID, view: View = View.HTML) -> Response:
        """One email."""
        context = {"opened": find(email_id), "view": view.value, "views": [each.value for each in View]}
        return pages.render("mailbox_one.html", _LANGUAGE, context, headers=_policy(PAGE_POLICY))

    @router.get("/mailbox/{email_id}/html", dependencies=[Depends(door.check)])
    def show_html(email_id: uuid.UUID) -> Response:
        """The HTML part. Its links open in a new tab, which is out of the sandbox."""
        html = find(email_id).html.replace("<head>", '<head><base target="_blank">', 1)
        return HTMLResponse(html, headers={**_policy(FRAME_POLICY), "X-Frame-Options": "SAMEORIGIN"})

    return router


class _Door:
    """Who may see the mailbox. Every refusal looks as if there were no such page."""

    def __init__(self, token: str) -> None:
        self._token = token
        # What the browser keeps is not the token: cookies are sent to every port of this machine.
        self._cookie = sha256(b"careroute mailbox " + token.encode()).hexdigest()

    def check(self, request: Request) -> None:
        """Raises HTTPException for whoever is not on this machine or was not let in before."""
        if not (is_loopback(client_address(request)) and _same(request.cookies.get(COOKIE, ""), self._cookie)):
            raise HTTPException(404)

    def let_in(self, request: Request, given: str) -> Response:
        """A cookie, and on to the page without the token. Raises HTTPException."""
        if not (is_loopback(client_address(request)) and _same(given, self._token)):
            raise HTTPException(404)
        answer = RedirectResponse("/mailbox", 303)
        answer.set_cookie(COOKIE, self._cookie, path="/mailbox", httponly=True, samesite="strict")
        return answer


def _policy(policy: str) -> dict[str, str]:
    return {"Content-Security-Policy": policy}


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), expected.encode())
