"""What handlers of form posts need to know about who sends them."""

from ipaddress import ip_address
from typing import Annotated

from fastapi import Depends
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request

_FORM_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data")


async def _posted_form(request: Request) -> FormData:
    if media_type(request) not in _FORM_TYPES:
        raise HTTPException(415)
    return await request.form()


PostedFields = Annotated[FormData, Depends(_posted_form)]
"""The fields of a posted form; anything that is not a form is answered with 415."""


def media_type(request: Request) -> str:
    """The media type of the body without its parameters, in lower case."""
    return request.headers.get("content-type", "").split(";")[0].strip().lower()


def client_address(request: Request) -> str:
    """The address the request comes from, as the server established it (proxies: see `forwarded_allow_ips`)."""
    return request.client.host if request.client else "unknown"


def is_loopback(host: str) -> bool:
    """Whether a name or an address always means the machine itself."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def refuse_other_sites(request: Request) -> None:
    """Answer 403 to a form that another site sends in the visitor's name.

    Browsers say so in Sec-Fetch-Site. Origin is of no use here: with our referrer policy it is always `null`.
    """
    if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        raise HTTPException(403)
