from collections.abc import Callable, Mapping
from enum import StrEnum
from itertools import product

import pytest

from pipeline.status import (
    EMAIL_TRANSITIONS,
    REFERRAL_TRANSITIONS,
    SUBMISSION_TRANSITIONS,
    EmailStatus,
    ReferralStatus,
    SubmissionStatus,
    TransitionNotAllowed,
    check_email,
    check_referral,
    check_submission,
)

LIVES = [
    pytest.param(SubmissionStatus, SUBMISSION_TRANSITIONS, check_submission, {"erased"}, id="submission"),
    pytest.param(
        ReferralStatus, REFERRAL_TRANSITIONS, check_referral, {"declined", "expired", "withdrawn"}, id="referral"
    ),
    pytest.param(EmailStatus, EMAIL_TRANSITIONS, check_email, {"complained", "cancelled"}, id="email"),
]
FIRST = {SubmissionStatus: "received", ReferralStatus: "offered", EmailStatus: "queued"}


@pytest.mark.parametrize(("statuses", "transitions", "check", "final"), LIVES)
def test_each_life_leads_from_its_beginning_to_an_end_through_every_status(
    statuses: type[StrEnum],
    transitions: Mapping[StrEnum, frozenset[StrEnum]],
    check: Callable[[StrEnum, StrEnum], None],
    final: set[str],
) -> None:
    assert transitions.keys() == set(statuses)
    assert {status.value for status, after in transitions.items() if not after} == final
    reached, fresh = set[StrEnum](), {statuses(FIRST[statuses])}
    while fresh:
        reached |= fresh
        fresh = {after for status in fresh for after in transitions[status]} - reached
    assert reached == set(statuses)
    for before, after in product(statuses, repeat=2):
        if after in transitions[before]:
            check(before, after)
        else:
            with pytest.raises(TransitionNotAllowed, match=f"cannot go from {before} to {after}"):
                check(before, after)


def test_what_the_design_rules_out_is_ruled_out() -> None:
    for sent in (EmailStatus.HANDED_OVER, EmailStatus.DELIVERED, EmailStatus.COMPLAINED):
        assert EmailStatus.QUEUED not in EMAIL_TRANSITIONS[sent]  # never sent twice
    assert SUBMISSION_TRANSITIONS[SubmissionStatus.WITHDRAWN] == {SubmissionStatus.ERASED}
    assert all(SubmissionStatus.ERASED in SUBMISSION_TRANSITIONS[each] for each in set(SubmissionStatus) - {"erased"})
    # Nothing is forgotten: whatever waits can still be ended by the person it is about.
    waits = {
        SubmissionStatus.RECEIVED,
        SubmissionStatus.VALID,
        SubmissionStatus.NEEDS_REVIEW,
        SubmissionStatus.CANDIDATE,
    }
    assert all(SubmissionStatus.WITHDRAWN in SUBMISSION_TRANSITIONS[status] for status in waits)
