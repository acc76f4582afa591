"""The button "This wasn't me" on a person's page. It needs only the link: a stranger knows no second factor."""

from collections.abc import Callable
from dataclasses import dataclass

from pipeline.consent.withdrawing import joined_to
from pipeline.context import Context
from pipeline.db import utc_now
from pipeline.secure_pages.link import Closed, Link, find_link, lock_link
from pipeline.unit_of_work import begin
from pipeline.withdrawal import withdraw


@dataclass(frozen=True, slots=True)
class Stopped:
    """Nothing more happens about the request of this link."""

    link: Link


def stop(context: Context, token: str, request_id: str, wake: Callable[[str], None]) -> Stopped | Closed:
    """Stop everything about the request behind a person's live link. The same link says so again when asked again.

    Of a request that was joined to an earlier one, that is both: the work goes on in the earlier one. Providers that
    know of it are told by email.
    """
    with context.database.read() as connection:
        found = find_link(connection, token, utc_now())
    if found is None or found.provider_id is not None:
        return Closed()
    with begin(context.database, context.keys, found.owner, request_id) as unit:
        stopped = [found.submission_id, *joined_to(unit.connection, found.submission_id)]
        unit.lock(stopped)
        link = lock_link(unit, found)
        if link is None:
            return Closed()
        for submission_id in stopped:
            withdraw(context, unit, submission_id, link.id)
    for lane in unit.fed_lanes:
        wake(lane)
    return Stopped(found)
