"""What an answer of SendGrid's v3 Mail Send means for the message, and for those behind it.

Sources: SendGrid's pages "Mail Send: Errors", "How to use the SendGrid v3 API: Errors" and "Rate limits".

    202                     accepted: it is queued there
    200                     sandbox mode: checked and thrown away, so never sent
    400, 413, other 4xx     about this message: refused for good
    401, 403, 404, 405 …    about whoever asks, or where: everyone would be refused until somebody puts it right
    429                     too many requests: everyone waits until the time it names
    500, 502, 503           not accepted: only a 202 says that a message is queued; these say that it failed, that no
                            sound answer came from behind the gateway, or that nobody is there. The first two do not
                            prove that no mail was left behind. They are sent again all the same: holding every message
                            of an incident until a receipt comes or does not would delay them all.
    504                     uncertain: a gateway gave up waiting for a system that has the request and may yet act on it
"""

import math
import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from pipeline.transports.receipt import Receipt, SendOutcome

LONGEST_WAIT = 3600.0
REPAIR_SECONDS = 300.0
"""How long the lane rests when somebody has to change a setting: often enough to notice that it was done."""

_FIELD = re.compile(r"[A-Za-z0-9_.\[\]]{1,60}")
_ONCE_MORE = {408, 425}
_EVERYONE: Mapping[int, str] = {
    401: "401 unauthorized: check CAREROUTE_SENDGRID_API_KEY",
    402: "402 payment required: check the SendGrid account",
    403: "403 forbidden: check the API key's Mail Send permission and the verified sender of CAREROUTE_MAIL_FROM",
    404: "404 not found: check CAREROUTE_SENDGRID_HOST",
    405: "405 method not allowed: check CAREROUTE_SENDGRID_HOST",
    406: "406 not acceptable: check CAREROUTE_SENDGRID_HOST",
    407: "407 proxy authentication required: check the proxy on the way to SendGrid",
    415: "415 unsupported media type: check CAREROUTE_SENDGRID_HOST",
    429: "429 too many requests",
    451: "451 data residency: check the region of CAREROUTE_SENDGRID_HOST and of the API key",
}
_NO_CREDITS = "401 no credits left: check the plan of the SendGrid account"


def judge(status: int, headers: Mapping[str, str], body: bytes) -> Receipt:
    """The receipt for an answer."""
    match status:
        case 202:
            return Receipt(SendOutcome.ACCEPTED, headers.get("X-Message-Id"), "202")
        case 200:
            return Receipt(SendOutcome.REJECTED, code="sandbox")
        case 504:
            return Receipt(SendOutcome.UNCERTAIN, code="504")
        case 429:
            return Receipt(SendOutcome.LANE_FAILURE, code=_EVERYONE[429], retry_after=_retry_after(headers))
        case _ if status in _EVERYONE:
            # SendGrid says 401 too when the plan's mails are used up.
            code = _NO_CREDITS if status == 401 and b"credits" in body.lower() else _EVERYONE[status]
            return Receipt(SendOutcome.LANE_FAILURE, code=code, retry_after=_retry_after(headers) or REPAIR_SECONDS)
        case _ if status in _ONCE_MORE:
            return Receipt(SendOutcome.RETRY, code=str(status), retry_after=_retry_after(headers))
        case _ if 400 <= status < 500:
            return Receipt(SendOutcome.REJECTED, code=f"{status}{_refused_field(body)}")
        case _ if status >= 500:
            return Receipt(SendOutcome.UNAVAILABLE, code=str(status), retry_after=_retry_after(headers))
        case _ if status >= 300:
            code = f"{status} redirected: check CAREROUTE_SENDGRID_HOST"
            return Receipt(SendOutcome.LANE_FAILURE, code=code, retry_after=REPAIR_SECONDS)
        case _:  # a success of no known meaning
            return Receipt(SendOutcome.UNCERTAIN, code=str(status))


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, at most an hour: `X-RateLimit-Reset` (a Unix time) or `Retry-After` (seconds or a date)."""
    try:
        if reset := headers.get("X-RateLimit-Reset"):
            wait = float(reset) - _their_time(headers)
        elif (after := headers.get("Retry-After")) is None:
            return None
        elif after.strip().isdigit():
            wait = float(after)
        else:
            wait = parsedate_to_datetime(after).timestamp() - _their_time(headers)
    except (ValueError, OverflowError):
        return None
    if not math.isfinite(wait):
        return None
    return min(max(wait, 1.0), LONGEST_WAIT)


def _their_time(headers: Mapping[str, str]) -> float:
    """The answer's `Date`, as a Unix time: by our clock, if it is slow, a rest of seconds would be one of minutes."""
    try:
        return parsedate_to_datetime(headers.get("Date", "")).timestamp()
    except (ValueError, OverflowError):
        return time.time()


def _refused_field(body: bytes) -> str:
    """`:field` if the answer names the refused field. Its message is left out: it may quote the address."""
    found = re.search(rb'"field"\s*:\s*"([^"]*)"', body)
    name = found.group(1).decode(errors="replace") if found else ""
    return f":{name}" if _FIELD.fullmatch(name) else ""
