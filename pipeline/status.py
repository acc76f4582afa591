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
    WITHDRAWN = "withdrawn"  # "this wasn't me", or consent taken back: everything stopped
    ERASED = "erased"  # its key is destroyed: what was said cannot be read by anybody


S = SubmissionStatus

SUBMISSION_TRANSITIONS: Mapping[SubmissionStatus, frozenset[SubmissionStatus]] = {
    S.RECEIVED: frozenset({S.VALID, S.REJECTED, S.DUPLICATE, S.QUARANTINED, S.WITHDRAWN, S.ERASED}),
    # A corrected field mapping sends it through validation again, as if just received. A later request that was joined
    # to it can stop both.
    S.QUARANTINED: frozenset({S.RECEIVED, S.WITHDRAWN, S.ERASED}),
    # A correction comes in as a submission of its own, with its own consent and record.
    S.REJECTED: frozenset({S.ERASED}),
    # "This wasn't me" may arrive on any confirmation, the joined one included.
    S.DUPLICATE: frozenset({S.WITHDRAWN, S.ERASED}),
    S.VALID: frozenset({S.CANDIDATE, S.NEEDS_REVIEW, S.NO_MATCH, S.WITHDRAWN, S.ERASED}),
    # An expert decides, and the flow goes on as if scored. Further answers, or a condition named, are scored again.
    S.NEEDS_REVIEW: frozenset({S.CANDIDATE, S.NO_MATCH, S.VALID, S.WITHDRAWN, S.ERASED}),
    # Declines and expiries do not take the outcome back: the answer the person was given stays true.
    S.CANDIDATE: frozenset({S.WITHDRAWN, S.ERASED}),
    S.NO_MATCH: frozenset({S.WITHDRAWN, S.ERASED}),
    S.WITHDRAWN: frozenset({S.ERASED}),
    # Final: nothing is left to act on. The records, and the proof that they are complete, stay.
    S.ERASED: frozenset(),
}


STOPPED = frozenset({S.WITHDRAWN, S.ERASED})
"""Nothing more is done about these, nobody is written to but to say so, and no page is behind their links."""


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
    DELIVERED = "delivered"  # the recipient's server took it, says the provider
    BOUNCED = "bounced"  # the recipient's server refused it, at once or afterwards
    DROPPED = "dropped"  # the provider took it and never tried to deliver it
    COMPLAINED = "complained"  # delivered, and reported as unwanted
    UNCERTAIN = "uncertain"  # the call's outcome is unknown: settled by a receipt or a stated policy, never blindly
    SUPPRESSED = "suppressed"  # not sent: its address is on the suppression list for this class of mail
    FAILED = "failed"  # refused for good, or given up
    CANCELLED = "cancelled"  # withdrawn before it was sent, or no longer of use


E = EmailStatus

_TOLD_BY_RECEIPTS = frozenset({E.DELIVERED, E.BOUNCED, E.DROPPED, E.COMPLAINED})

EMAIL_TRANSITIONS: Mapping[EmailStatus, frozenset[EmailStatus]] = {
    # A receipt may overtake the answer to the very call that sent it.
    E.QUEUED: frozenset({E.HANDED_OVER, E.UNCERTAIN, E.SUPPRESSED, E.FAILED, E.CANCELLED}) | _TOLD_BY_RECEIPTS,
    E.HANDED_OVER: _TOLD_BY_RECEIPTS,
    # A server may take a message and return it later.
    E.DELIVERED: frozenset({E.DROPPED, E.BOUNCED, E.COMPLAINED}),
    # An operator may send it again, once the address or the reason is put right. Worse news may still come; or the
    # provider's word about a newer attempt, which counts more: one that had been answered with an error went out too.
    E.BOUNCED: frozenset({E.QUEUED, E.DELIVERED, E.DROPPED, E.COMPLAINED}),
    E.DROPPED: frozenset({E.QUEUED, E.DELIVERED, E.BOUNCED, E.COMPLAINED}),
    E.COMPLAINED: frozenset(),
    # A receipt settles it, or after the hold the kind's policy: sent again once, or an operator is asked.
    E.UNCERTAIN: frozenset({E.HANDED_OVER, E.FAILED, E.QUEUED, E.CANCELLED}) | _TOLD_BY_RECEIPTS,
    # The suppression was lifted, and an operator retries; or a try before it, of unknown fate, had got through.
    E.SUPPRESSED: frozenset({E.QUEUED}) | _TOLD_BY_RECEIPTS,
    # A retried dead letter; or the provider delivers after all what it had answered with an error.
    E.FAILED: frozenset({E.QUEUED}) | _TOLD_BY_RECEIPTS,
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
