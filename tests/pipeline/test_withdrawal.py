"""Who is told that a referral is withdrawn: every provider that held the answers and knows of it, or may."""

import uuid

from sqlalchemy import update
from uuid_utils.compat import uuid7

from pipeline.context import Context
from pipeline.db import utc_now
from pipeline.email.kinds import EmailKind
from pipeline.models import Email, EmailAttempt
from pipeline.secure_pages.answering import ProviderAnswer, answer_referral
from pipeline.secure_pages.opening import look
from pipeline.secure_pages.stopping import stop
from pipeline.status import EmailStatus
from tests.pipeline.secure_pages.links import NEXT, PROVIDERS, Referred, nobody, referred
from tests.support.submissions import person
from tests.support.work import drain, emails


def set_status(context: Context, email_id: uuid.UUID, status: EmailStatus) -> None:
    with context.database.write() as connection:
        connection.execute(update(Email).where(Email.id == email_id).values(status=status.value))


def told(case: Referred) -> list[str]:
    """To whom it was sent that the referral is withdrawn."""
    found = [each for each in emails(case.context, case.submission_id) if each[0] == EmailKind.REFERRAL_WITHDRAWN]
    assert {status for _, _, status in found} <= {"handed_over"}
    return [recipient.removeprefix("provider:") for _, recipient, _ in found]


def invitations(case: Referred) -> dict[str, uuid.UUID]:
    return {each: case.link(case.provider_token(each)).id for each in PROVIDERS}


def test_who_may_have_the_invitation_is_told_and_who_never_got_it_is_not(context: Context) -> None:
    case = referred(context)
    woken: list[str] = []
    doubtful, returned, unsent = invitations(case).values()
    set_status(context, doubtful, EmailStatus.UNCERTAIN)
    set_status(context, returned, EmailStatus.BOUNCED)
    set_status(context, unsent, EmailStatus.QUEUED)
    for _ in range(2):
        stop(context, case.token(), "request", woken.append)
    assert woken == ["email"]
    drain(context)
    assert told(case) == [PROVIDERS[0]]
    standing = {to: status for kind, to, status in emails(context) if kind == EmailKind.REFERRAL}
    assert standing == {
        f"provider:{each}": status
        for each, status in zip(PROVIDERS, ("uncertain", "bounced", "cancelled"), strict=True)
    }


def test_an_opened_page_or_an_earlier_attempt_of_unknown_fate_counts_and_a_declined_referral_does_not(
    context: Context,
) -> None:
    case, other = referred(context), referred(context, **person(1))
    opened, tried, declined = PROVIDERS
    sent = invitations(case)
    look(context, case.provider_token(opened), None, "request")
    set_status(context, sent[opened], EmailStatus.BOUNCED)
    with context.database.write() as connection:
        attempt = {"transport": "sendgrid", "address_index": b"", "content_hash": b"", "started_at": utc_now()}
        connection.execute(
            EmailAttempt.table().insert().values(id=uuid7(), email_id=sent[tried], outcome="uncertain", **attempt)
        )
    set_status(context, sent[tried], EmailStatus.QUEUED)  # to be sent again
    session, answer = case.provider_session(declined), ProviderAnswer(accepts=False, reason="other")
    answer_referral(context, case.provider_token(declined), session, answer, None, "request", nobody)
    drain(context, "refer")
    stop(context, case.token(), "request", nobody)
    drain(context)
    assert told(case) == sorted([opened, tried])
    assert ("referral", f"provider:{NEXT}", "cancelled") in emails(context, case.submission_id), "asked, and never told"
    assert told(other) == []
