"""The life cycles, each on one screen: what a submission, a referral and an email can be, and what may follow what.

A change that no table here allows is refused (`TransitionNotAllowed`). A submission's status has one writer,
`unit_of_work`. The statuses of referrals and emails are written by the step that changes them (`referral.close`,
`stages/deliver`, `withdrawal`, `operations/dead_letters`). Each is written in one unit of work with its audit record.
"""

from collections.abc import Mapping
from enum import StrEnum


class SubmissionStatus(StrEnum):
    """Where a submission stands."""

    RECEIVED = "received"  # kept; not yet looked at
    QUARANTINED = "quarantined"  # kept; software could not read it, a person must map it
    REJECTED = "rejected"  # the person was asked to correct it
    DUPLICATE = "duplicate"  # joined to the same person's earlier request
    VALID = "valid"  # waiting to be scored
    NEEDS_REVIEW = "needs_review"  # waiting for an expert
    CANDIDATE = "candidate"  # at least one provider's published criteria fit; referrals made
    NO_MATCH = "no_match"  # none fit; the person was told, with next steps
    WITHDRAWN = "withdrawn"  # "this wasn't me": everything stopped


S = SubmissionStatus

SUBMISSION_TRANSITIONS: Mapping[SubmissionStatus, frozenset[SubmissionStatus]] = {
    S.RECEIVED: frozenset({S.VALID, S.REJECTED, S.DUPLICATE, S.QUARANTINED, S.WITHDRAWN}),
    # A corrected field mapping sends it through validation again, as if just received. A later request that was joined
    # to it can stop both.
    S.QUARANTINED: frozenset({S.RECEIVED, S.WITHDRAWN}),
    # Final: a correction comes in as a submission of its own, with its own consent and record.
    S.REJECTED: frozenset(),
    # "This wasn't me" may arrive on any confirmation, the joined one included.
    S.DUPLICATE: frozenset({S.WITHDRAWN}),
    S.VALID: frozenset({S.CANDIDATE, S.NEEDS_REVIEW, S.NO_MATCH, S.WITHDRAWN}),
    # An expert decides, and the flow goes on as if scored. Further answers, or a condition named, are scored again.
    S.NEEDS_REVIEW: frozenset({S.CANDIDATE, S.NO_MATCH, S.VALID, S.WITHDRAWN}),
    # Declines and expiries do not take the outcome back: the answer the person was given stays true.
    S.CANDIDATE: frozenset({S.WITHDRAWN}),
    S.NO_MATCH: frozenset({S.WITHDRAWN}),
    S.WITHDRAWN: frozenset(),
}


class ReferralStatus(StrEnum):
    """Where one offer to one provider stands."""

    OFFERED = "offered"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


R = ReferralStatus

REFERRAL_TRANSITIONS: Mapping[ReferralStatus, frozenset[ReferralStatus]] = {
    R.OFFERED: frozenset({R.ACCEPTED, R.DECLINED, R.EXPIRED, R.WITHDRAWN}),
    # A person may withdraw after a provider accepted; the provider loses access.
    R.ACCEPTED: frozenset({R.WITHDRAWN}),
    R.DECLINED: frozenset(),
    R.EXPIRED: frozenset(),
    R.WITHDRAWN: frozenset(),
}


class EmailStatus(StrEnum):
    """Where one email stands. That a call is under way is a mark on the row (`attempt_id`), not a status."""

    QUEUED = "queued"
    HANDED_OVER = "handed_over"  # the transport took responsibility for it
    UNCERTAIN = "uncertain"  # the call's outcome is unknown: settled by a receipt or an operator, never by resending
    FAILED = "failed"  # refused for good, or given up
    CANCELLED = "cancelled"  # withdrawn before it was sent


E = EmailStatus

EMAIL_TRANSITIONS: Mapping[EmailStatus, frozenset[EmailStatus]] = {
    E.QUEUED: frozenset({E.HANDED_OVER, E.UNCERTAIN, E.FAILED, E.CANCELLED}),
    E.HANDED_OVER: frozenset(),
    # An operator or a receipt settles it one way or the other; sending it again is an operator's stated decision.
    E.UNCERTAIN: frozenset({E.HANDED_OVER, E.FAILED, E.QUEUED}),
    # A retried dead letter.
    E.FAILED: frozenset({E.QUEUED}),
    E.CANCELLED: frozenset(),
}


class TransitionNotAllowed(Exception):
    """A step wanted a change of status that the life cycle does not have."""

    def __init__(self, subject: str, before: str, after: str) -> None:
        super().__init__(f"a {subject} cannot go from {before} to {after}")


def check_submission(before: SubmissionStatus, after: SubmissionStatus) -> None:
    """Raise `TransitionNotAllowed` unless a submission may go from `before` to `after`."""
    if after not in SUBMISSION_TRANSITIONS[before]:
        raise TransitionNotAllowed("submission", before, after)


def check_referral(before: ReferralStatus, after: ReferralStatus) -> None:
    """Raise `TransitionNotAllowed` unless a referral may go from `before` to `after`."""
    if after not in REFERRAL_TRANSITIONS[before]:
        raise TransitionNotAllowed("referral", before, after)


def check_email(before: EmailStatus, after: EmailStatus) -> None:
    """Raise `TransitionNotAllowed` unless an email may go from `before` to `after`."""
    if after not in EMAIL_TRANSITIONS[before]:
        raise TransitionNotAllowed("email", before, after)
