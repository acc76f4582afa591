"""Emails: typed contexts in, rendered and addressed messages out.

    context  = Confirmation(reference, link, organisation)
    rendered = render(EmailKind.CONFIRMATION, "es", context)
    message  = compose(rendered, email_id, "person@example.org", Sender.from_settings(settings))

An email carries no health fact. It says that there is something to read, and links to it.
"""

from pipeline.email.contexts import (
    CONTEXTS,
    Confirmation,
    EmailContext,
    InReview,
    Joined,
    NoMatch,
    OneTimeCode,
    Organisation,
    PleaseCorrect,
    Recommendation,
    Referral,
)
from pipeline.email.kinds import EmailKind
from pipeline.email.labels import labels_to_correct
from pipeline.email.message import Outgoing, Sender, compose, to_bytes
from pipeline.email.render import Rendered, render, warm_up
from pipeline.email.samples import samples

__all__ = [
    "CONTEXTS",
    "Confirmation",
    "EmailContext",
    "EmailKind",
    "InReview",
    "Joined",
    "NoMatch",
    "OneTimeCode",
    "Organisation",
    "Outgoing",
    "PleaseCorrect",
    "Recommendation",
    "Referral",
    "Rendered",
    "Sender",
    "compose",
    "labels_to_correct",
    "render",
    "samples",
    "to_bytes",
    "warm_up",
]
