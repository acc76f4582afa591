"""Many workers at once: whatever they do, no provider gets more than it said, and what it said is used."""

from collections import Counter
from contextlib import ExitStack
from dataclasses import replace

from pipeline.context import Context
from pipeline.models import Job, ProviderLoad, Referral
from tests.support.networks import fitting, put_in_force
from tests.support.racing import at_once
from tests.support.submissions import person, submit
from tests.support.work import count, drain, engine, expire_referrals, make_due, run_sweep, statuses, table

WORKERS = 8
SUBMISSIONS = 200
CAPS = {
    "opens": {"max_open": 41, "max_per_day": 400},
    "days": {"max_open": 400, "max_per_day": 37},
    "weeks": {"max_open": 400, "max_per_day": 400, "max_per_week": 31},
    "months": {"max_open": 400, "max_per_day": 400, "max_per_month": 29},
    "roomy": {"max_open": 400, "max_per_day": 400},
}


def open_connections(context: Context) -> None:
    """One for each worker, one after the other: all at once may take a busy machine longer than a connection may."""
    with ExitStack() as opened:
        for _ in range(WORKERS):
            opened.enter_context(context.database.writer.connect())


def drain_with_all(context: Context, name: str) -> None:
    """Eight workers, each taking a few at a time, until nothing of the lane is due."""

    def work(_number: int) -> int:
        running = engine(context)
        lane = running.lanes[name]
        running.lanes, running.serves = {name: replace(lane, batch_size=4)}, frozenset()
        return running.drain(name)

    open_connections(context)
    worked = at_once(WORKERS, work)
    assert sum(bool(each) for each in worked) > 1


def check_loads(context: Context) -> dict[str, int]:
    """The loads are what the referrals say; returns how many each provider was offered."""
    referrals = table(context.database, Referral.table())
    offered = Counter(row.provider_id for row in referrals)
    opened = Counter(row.provider_id for row in referrals if row.status == "offered")
    assert {
        row.provider_id: (row.open_referrals, row.day_referrals, row.week_referrals, row.month_referrals)
        for row in table(context.database, ProviderLoad.table())
    } == {name: (opened[name], offered[name], offered[name], offered[name]) for name in CAPS}
    return dict(offered)


def test_eight_workers_fill_every_provider_and_overfill_none(postgresql_context: Context) -> None:
    context = postgresql_context
    put_in_force(context, *(fitting(name, capacity=caps) for name, caps in CAPS.items()))
    for number in range(SUBMISSIONS):
        submit(context, person(number))
    drain(context, "validate")
    drain_with_all(context, "score")
    assert statuses(context) == {"candidate": SUBMISSIONS}
    full = {"opens": 41, "days": 37, "weeks": 31, "months": 29}
    offered = check_loads(context)
    assert offered == full | {"roomy": offered["roomy"]}
    assert Counter(job.lane for job in table(context.database, Job.table()))["refer"] > 0

    expire_referrals(context.database)
    run_sweep(context)
    for _ in range(2):  # whoever came before a place was given back looks again
        make_due(context.database)
        drain_with_all(context, "refer")
    # Only open places became free: as many again for one, and nothing more for the others until their time comes.
    assert check_loads(context) == full | {"opens": 2 * 41, "roomy": SUBMISSIONS}
    assert count(context.database, Referral.table()) == sum(full.values()) + 41 + SUBMISSIONS
