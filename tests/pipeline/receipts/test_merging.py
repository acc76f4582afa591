"""In whatever order and however often events come: the same end, by allowed steps only, and never back."""

import random
import uuid
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.receipts.events import EventKind
from pipeline.receipts.merging import DID_NOT_ARRIVE, RANK, SAYS, Standing, Told, status_after
from pipeline.status import EMAIL_TRANSITIONS, EmailStatus

E, K = EmailStatus, EventKind
ATTEMPTS = FIRST, SECOND, THIRD = [uuid.UUID(int=number) for number in (7, 3, 5)]  # in order, whatever their ids
Event = tuple[uuid.UUID, EventKind]
"""Which of an email's attempts, and what is told about it."""


def after(
    first: EmailStatus,
    events: Sequence[Event],
    *,
    accepted: frozenset[uuid.UUID] = frozenset(ATTEMPTS),
    given_up: frozenset[uuid.UUID] = frozenset(),
) -> EmailStatus:
    status, told = first, Told(ATTEMPTS, accepted, given_up)
    for attempt, kind in events:
        moved = told.tell(status, attempt, kind)
        if moved is not None:
            assert moved in EMAIL_TRANSITIONS[status]
            status = moved
    return status


STARTS = st.sampled_from([E.QUEUED, E.HANDED_OVER, E.UNCERTAIN, E.FAILED, E.CANCELLED, E.SUPPRESSED])
EVENTS = st.lists(st.tuples(st.sampled_from(ATTEMPTS), st.sampled_from(EventKind)), max_size=8)
SOME = st.frozensets(st.sampled_from(ATTEMPTS))


@given(STARTS, EVENTS, SOME, SOME, st.randoms(use_true_random=False))
def test_any_order_and_any_repetition_come_to_the_same(
    first: EmailStatus,
    events: list[Event],
    accepted: frozenset[uuid.UUID],
    given_up: frozenset[uuid.UUID],
    shuffler: random.Random,
) -> None:
    others = [*events, *shuffler.choices(events, k=3)] if events else []
    shuffler.shuffle(others)
    one, other = (after(first, each, accepted=accepted, given_up=given_up) for each in (events, others))
    assert one == other


@given(STARTS, EVENTS)
def test_that_an_email_did_not_arrive_is_the_newest_attempts_to_say(first: EmailStatus, events: list[Event]) -> None:
    told = {SAYS.get(kind) for attempt, kind in events if attempt == THIRD}
    assert after(first, events) not in DID_NOT_ARRIVE or told & DID_NOT_ARRIVE
    if first is not E.CANCELLED and E.DELIVERED in told and not told & DID_NOT_ARRIVE:
        assert after(first, events) in {E.DELIVERED, E.COMPLAINED}


BOTH = frozenset({FIRST, SECOND})
STORIES: dict[str, tuple[EmailStatus, frozenset[uuid.UUID], list[Event], EmailStatus]] = {
    "old bad news": (E.DELIVERED, BOTH, [(FIRST, K.DROPPED), (FIRST, K.BOUNCED)], E.DELIVERED),
    "old bad news first": (E.HANDED_OVER, BOTH, [(FIRST, K.BOUNCED), (SECOND, K.DELIVERED)], E.DELIVERED),
    "while the newer's fate is open": (E.UNCERTAIN, BOTH, [(FIRST, K.BLOCKED)], E.UNCERTAIN),
    "old good news": (E.UNCERTAIN, BOTH, [(FIRST, K.DELIVERED)], E.DELIVERED),
    "the newer is returned": (E.HANDED_OVER, BOTH, [(FIRST, K.DELIVERED), (SECOND, K.BOUNCED)], E.BOUNCED),
    "a copy is unwanted": (E.DELIVERED, BOTH, [(FIRST, K.COMPLAINED)], E.COMPLAINED),
    "the newer was refused": (E.FAILED, frozenset({FIRST}), [(FIRST, K.BOUNCED)], E.BOUNCED),
    "and went out all the same": (
        E.FAILED,
        frozenset({FIRST}),
        [(FIRST, K.BOUNCED), (SECOND, K.DELIVERED)],
        E.DELIVERED,
    ),
}


def test_what_is_older_than_an_attempt_given_up_is_old_although_the_newest_was_refused() -> None:
    known = {"accepted": frozenset({FIRST}), "given_up": frozenset({SECOND})}
    assert after(E.QUEUED, [(FIRST, K.BOUNCED)], **known) == E.QUEUED


@pytest.mark.parametrize("story", STORIES)
def test_news_of_several_attempts(story: str) -> None:
    first, accepted, events, last = STORIES[story]
    assert after(first, events, accepted=accepted) == after(first, events[::-1], accepted=accepted) == last


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
    assert after(first, [(THIRD, kind) for kind in events]) == last


@pytest.mark.parametrize("now", [E.QUEUED, E.HANDED_OVER, E.UNCERTAIN, E.DELIVERED])
@pytest.mark.parametrize("before", [E.BOUNCED, E.DROPPED])
@pytest.mark.parametrize("kind", list(EventKind))
def test_an_attempt_that_had_not_arrived_says_nothing_about_the_one_that_an_operator_asked_for(
    now: EmailStatus, before: EmailStatus, kind: EventKind
) -> None:
    assert status_after(now, before, kind, Standing.NEWEST) is None
    assert status_after(now, before, kind, Standing.GIVEN_UP) is None


def test_every_status_that_is_told_has_a_rank_of_its_own() -> None:
    assert set(SAYS.values()) == set(RANK)
    assert len(set(RANK.values())) == len(RANK)
