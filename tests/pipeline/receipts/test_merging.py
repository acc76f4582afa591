"""In whatever order and however often events come: the same end, by allowed steps only, and never back."""

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.receipts.events import EventKind
from pipeline.receipts.merging import RANK, SAYS, higher, status_after
from pipeline.status import EMAIL_TRANSITIONS, EmailStatus

E, K = EmailStatus, EventKind
Told = tuple[int, EventKind]
"""Which of an email's attempts, and what is told about it."""


def after(first: EmailStatus, events: Sequence[Told]) -> EmailStatus:
    status, told = first, dict[int, EmailStatus | None]()
    for attempt, kind in events:
        moved = status_after(status, told.get(attempt), kind)
        told[attempt] = higher(told.get(attempt), kind)
        if moved is not None:
            assert moved in EMAIL_TRANSITIONS[status]
            assert RANK[moved] > RANK.get(status, 0)
            status = moved
    return status


STARTS = st.sampled_from([E.QUEUED, E.HANDED_OVER, E.UNCERTAIN, E.FAILED, E.CANCELLED, E.SUPPRESSED])
EVENTS = st.lists(st.tuples(st.integers(1, 2), st.sampled_from(EventKind)), max_size=8)


@given(STARTS, EVENTS, st.randoms(use_true_random=False))
def test_any_order_and_any_repetition_come_to_the_same(
    first: EmailStatus, events: list[Told], shuffler: random.Random
) -> None:
    others = [*events, *shuffler.choices(events, k=3)] if events else []
    shuffler.shuffle(others)
    assert after(first, others) == after(first, events)


@pytest.mark.parametrize(
    ("first", "events", "last"),
    [
        (E.UNCERTAIN, [K.PROCESSED], E.HANDED_OVER),
        (E.UNCERTAIN, [K.DEFERRED], E.UNCERTAIN),
        (E.UNCERTAIN, [K.DELIVERED, K.PROCESSED], E.DELIVERED),
        (E.QUEUED, [K.DELIVERED], E.DELIVERED),
        (E.HANDED_OVER, [K.BOUNCED, K.DELIVERED], E.BOUNCED),
        (E.HANDED_OVER, [K.BLOCKED], E.BOUNCED),
        (E.DELIVERED, [K.BOUNCED], E.BOUNCED),
        (E.HANDED_OVER, [K.COMPLAINED, K.DELIVERED], E.COMPLAINED),
        (E.HANDED_OVER, [K.DROPPED], E.DROPPED),
        (E.FAILED, [K.PROCESSED], E.FAILED),
        (E.FAILED, [K.DELIVERED], E.DELIVERED),
        (E.CANCELLED, [K.DELIVERED, K.BOUNCED], E.CANCELLED),
        (E.SUPPRESSED, [K.PROCESSED], E.SUPPRESSED),
        (E.SUPPRESSED, [K.DELIVERED], E.DELIVERED),
        (E.HANDED_OVER, [K.UNSUBSCRIBED], E.HANDED_OVER),
    ],
)
def test_where_each_story_ends(first: EmailStatus, events: list[EventKind], last: EmailStatus) -> None:
    assert after(first, [(1, kind) for kind in events]) == last


@pytest.mark.parametrize("now", [E.QUEUED, E.HANDED_OVER, E.UNCERTAIN, E.DELIVERED])
@pytest.mark.parametrize("before", [E.BOUNCED, E.DROPPED])
@pytest.mark.parametrize("kind", list(EventKind))
def test_an_attempt_that_had_not_arrived_says_nothing_about_the_one_that_an_operator_asked_for(
    now: EmailStatus, before: EmailStatus, kind: EventKind
) -> None:
    assert status_after(now, before, kind) is None


def test_every_status_that_is_told_has_a_rank_of_its_own() -> None:
    assert set(SAYS.values()) == set(RANK)
    assert len(set(RANK.values())) == len(RANK)
