import datetime as dt
import json
import uuid
from collections.abc import Sequence
from typing import Any

import pytest

from config.providers import ProviderDocument
from pipeline.audit import actions
from pipeline.capacity import Room
from pipeline.consent import sharing_allowed
from pipeline.context import Context
from pipeline.models import Referral
from pipeline.referral import LATEST_SECONDS, LOOK_AGAIN_SECONDS, SOONEST_SECONDS, Candidate, Offers
from pipeline.scoring.rank import Match
from pipeline.unit_of_work import begin
from tests.support.networks import fitting, put_in_force
from tests.support.submissions import submit
from tests.support.work import drain, jobs, table

HOUR = 3600.0
DENVER = "America/Denver"
WEEKDAYS = [{"days": ["mon", "tue", "wed", "thu", "fri"], "opens": "09:00", "closes": "17:00"}]
ROOMY = {"max_open": 9, "max_per_day": 9}


def clinic(provider_id: str = "clinic", zone: str = DENVER, **other: Any) -> ProviderDocument:
    return fitting(provider_id, time_zone=zone, **other)


def absent(first_day: str, last_day: str) -> dict[str, Any]:
    return {"absences": [{"first_day": first_day, "last_day": last_day}]}


def ready(context: Context) -> uuid.UUID:
    """A submission that only waits to be offered."""
    kept = submit(context)
    drain(context, "validate")
    return kept.submission_id


def offer(
    context: Context,
    submission_id: uuid.UUID,
    documents: Sequence[ProviderDocument],
    now: str,
    taken: int = 0,
    **so_far: Any,
) -> bool:
    """Offer to `documents`, which fit equally, at `now`; each has had `taken` referrals before."""
    put_in_force(context, *documents)
    with begin(context.database, context.keys, actions.lane("refer")) as unit:
        unit.now = dt.datetime.fromisoformat(now)
        unit.lock([submission_id])
        in_force = context.networks.current(unit.connection)
        versions = {document.id: version for version, document in in_force.documents.items()}
        matches = [
            Match(each.id, versions[each.id], each.programs[0].id, 70, rank)
            for rank, each in enumerate(documents, start=1)
        ]
        room = Room(unit.connection, [each.id for each in documents])
        for document in documents:
            for _ in range(taken):
                assert room.take(document, unit.now)
        sharing = sharing_allowed(unit.connection, [submission_id])[submission_id]
        made = Offers(context, unit, in_force, room, unit.now).make(Candidate(sharing, matches, **so_far))
        room.save()
        return made


def offered(context: Context) -> list[str]:
    return sorted(row.provider_id for row in table(context.database, Referral.table()))


def delays(context: Context) -> list[float]:
    """In how many seconds the lane `refer` will look, for each submission that waits."""
    found = jobs(context.database, "refer")
    return [round((job.due_at - job.created_at).total_seconds(), 1) for job in found]


@pytest.mark.parametrize(
    ("documents", "now", "taken", "expected"),
    [
        ([clinic(availability={"hours": WEEKDAYS})], "2026-11-17T18:00:00-07:00", 0, 15 * HOUR),
        ([clinic(availability=absent("2026-11-17", "2026-11-17"))], "2026-11-17T18:00:00-07:00", 0, 6 * HOUR),
        ([clinic(availability=absent("2026-11-01", "2026-11-30"))], "2026-11-17T18:00:00-07:00", 0, LATEST_SECONDS),
        ([clinic(capacity={"max_open": 9, "max_per_day": 1})], "2026-11-17T18:00:00-07:00", 1, 6 * HOUR),
        ([clinic(capacity={**ROOMY, "max_per_week": 1})], "2026-11-17T18:00:00-07:00", 1, 6 * HOUR),
        ([clinic(capacity={**ROOMY, "max_per_month": 1})], "2026-11-17T18:00:00-07:00", 1, 6 * HOUR),
        ([clinic(capacity={"max_open": 9, "max_per_day": 1})], "2026-11-01T00:00:00-06:00", 1, 25 * HOUR),
        ([clinic(capacity={"max_open": 9, "max_per_day": 1})], "2026-03-08T00:00:00-07:00", 1, 23 * HOUR),
        ([clinic(capacity={"max_open": 9, "max_per_day": 1})], "2026-11-17T23:59:50-07:00", 1, SOONEST_SECONDS),
        ([clinic(capacity={"max_open": 1, "max_per_day": 9})], "2026-11-17T18:00:00-07:00", 1, LOOK_AGAIN_SECONDS),
        # Full today and closed until nine tomorrow: midnight would be too soon.
        (
            [clinic(capacity={"max_open": 9, "max_per_day": 1}, availability={"hours": WEEKDAYS})],
            "2026-11-17T16:00:00-07:00",
            1,
            17 * HOUR,
        ),
        # The earliest of them all.
        (
            [
                clinic("a", capacity={"max_open": 9, "max_per_day": 1}),
                clinic("b", "Asia/Tokyo", capacity={"max_open": 9, "max_per_day": 1}),
                clinic(
                    "c", availability=absent("2026-11-17", "2026-11-20"), capacity={"max_open": 9, "max_per_day": 1}
                ),
            ],
            "2026-11-17T18:00:00+09:00",
            1,
            6 * HOUR,
        ),
    ],
)
def test_whoever_is_full_or_not_open_is_asked_again_no_sooner_than_needed(
    sqlite_context: Context,
    documents: list[ProviderDocument],
    now: str,
    taken: int,
    expected: float,
) -> None:
    assert offer(sqlite_context, ready(sqlite_context), documents, now, taken)
    assert offered(sqlite_context) == []
    assert delays(sqlite_context) == pytest.approx([expected], abs=1)


def test_when_it_opens_it_is_offered(context: Context) -> None:
    office = clinic(availability={"hours": WEEKDAYS})
    submission = ready(context)
    offer(context, submission, [office], "2026-11-17T08:59:59-07:00")
    assert offered(context) == []
    offer(context, submission, [office], "2026-11-17T09:00:00-07:00")
    assert offered(context) == ["clinic"]


PAUSED = clinic("paused", availability={"paused": True})
EXPIRED = clinic("expired", credentials=[{"name": "Licence", "number": "1", "expires_on": "2026-11-16"}])
MOMENT = "2026-11-17T00:00:00-07:00"


@pytest.mark.parametrize("shut", [PAUSED, EXPIRED])
def test_a_provider_that_is_shut_is_passed_over_and_not_waited_for(context: Context, shut: ProviderDocument) -> None:
    assert offer(context, ready(context), [shut, clinic("open")], MOMENT)
    assert offered(context) == ["open"]
    assert delays(context) == []


def test_a_licence_counts_until_its_last_day_ends_where_the_provider_is(context: Context) -> None:
    offer(context, ready(context), [EXPIRED], "2026-11-16T23:59:59-07:00")
    assert offered(context) == ["expired"]


@pytest.mark.parametrize("shut", [PAUSED, EXPIRED])
def test_when_all_that_are_left_are_shut_the_request_stays_open(context: Context, shut: ProviderDocument) -> None:
    assert offer(context, ready(context), [clinic("declined"), shut], MOMENT, seen=frozenset({"declined"}))
    assert offered(context) == []
    assert delays(context) == pytest.approx([LOOK_AGAIN_SECONDS], abs=1)


def test_while_somebody_has_it_nobody_waits_for_a_provider_that_is_shut(context: Context) -> None:
    assert offer(context, ready(context), [clinic("has"), PAUSED], MOMENT, held=1, seen=frozenset({"has"}))
    assert delays(context) == []


@pytest.mark.parametrize(
    ("held", "seen", "more"), [(0, 0, 3), (1, 1, 2), (2, 3, 1), (3, 3, 0), (1, 4, 1), (0, 4, 1), (2, 5, 0), (0, 5, 0)]
)
def test_under_one_consent_three_hold_it_at_a_time_and_five_ever_see_it(
    sqlite_context: Context, held: int, seen: int, more: int
) -> None:
    names = [f"p{number}" for number in range(9)]
    documents = [clinic(each) for each in names] + [clinic("full", capacity={"max_open": 1, "max_per_day": 1})]
    made = offer(sqlite_context, ready(sqlite_context), documents, MOMENT, held=held, seen=frozenset(names[:seen]))
    assert made == (held + more > 0)
    assert len(offered(sqlite_context)) == more
    assert not set(offered(sqlite_context)) & set(names[:seen])
    assert delays(sqlite_context) == []


def test_equals_have_their_turn_and_the_record_names_the_stored_rank(context: Context) -> None:
    documents = [clinic(each) for each in ("a", "b", "c", "d")]
    with begin(context.database, context.keys, actions.lane("refer")) as unit:
        room = Room(unit.connection, ["a", "b"])
        for document in documents[:2]:
            room.take(document, dt.datetime.fromisoformat("2026-11-10T00:00:00Z"))
        room.save()
    offer(context, ready(context), documents, MOMENT)
    assert offered(context) == ["a", "c", "d"]
    assert ranks_on_record(context) == {"c": 3, "d": 4, "a": 1}


def ranks_on_record(context: Context) -> dict[str, int]:
    """The ranks in the records of offers, by provider."""
    with context.database.read() as connection:
        rows = connection.exec_driver_sql("SELECT details FROM audit_event WHERE action = 'referral:offered'")
        found = [json.loads(row.details) for row in rows]
    return {each["provider"]: each["rank"] for each in found}
