"""Requests that wait for an answer: small networks whose programs cannot be decided without it."""

from collections.abc import Mapping
from typing import Any

from pipeline.context import Context
from pipeline.email.kinds import EmailKind
from pipeline.secure_pages.adding import add_answers
from tests.pipeline.scoring.network_files import Criteria, program, provider
from tests.pipeline.secure_pages.links import BORN, Referred, referred
from tests.support.networks import put_in_force

LONG_ENOUGH = {"question": "onset_months", "at_least": 12}

_ROOM = {"max_open": 50, "max_per_day": 50}


def undecided(context: Context, *requires: Criteria, **answers: Any) -> Referred:
    """The shipped answers with `answers`, but none about the onset; judged by one program for each of `requires`."""
    wanted = requires or ([LONG_ENOUGH],)
    put_in_force(
        context,
        *(
            provider(program(each), id=f"provider-{number}", name=f"Clinic {number}", capacity=_ROOM)
            for number, each in enumerate(wanted)
        ),
    )
    return referred(context, **{"onset_months": None, **answers})


def opened(case: Referred, kind: EmailKind = EmailKind.INFORMATION_NEEDED) -> tuple[str, str]:
    """The token of the person's link in an email of this kind, and the key of a live session of it."""
    token = case.token(kind)
    return token, case.unlocked(token, BORN)


def send(case: Referred, token: str, session: str | None, given: Mapping[str, object]) -> Any:
    """Answer by a person's link."""
    return add_answers(case.context, token, session, given, None, "request", lambda _lane: None)
