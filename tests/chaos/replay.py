"""Providers' room at every moment of a run, recomputed from the records of offers and answers.

Records are taken in the order of their commits, which is the database's: whoever takes a place holds a lock on the
provider until the commit.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import groupby
from uuid import UUID
from zoneinfo import ZoneInfo

from config.providers import Capacity
from pipeline.audit.actions import Action
from tests.chaos.evidence import Evidence, Record

_ENDS = frozenset(
    {Action.REFERRAL_ACCEPTED, Action.REFERRAL_DECLINED, Action.REFERRAL_EXPIRED, Action.REFERRAL_WITHDRAWN}
)


def overfilled(evidence: Evidence) -> Iterator[tuple[UUID | None, str]]:
    """Each time that a provider had more than its capacity, by the submission that was too many; and wrong loads."""
    by_provider: dict[str, list[Record]] = defaultdict(list)
    for record in evidence.records:
        if record.action == Action.REFERRAL_OFFERED or record.action in _ENDS:
            by_provider[record.details["provider"]].append(record)
    for provider, records in by_provider.items():
        capacity, zone = evidence.capacities[provider]
        replay = _Replay(provider, capacity, ZoneInfo(zone))
        yield from replay.run(sorted(records, key=lambda record: record.committed_at))
        if len(replay.open) != evidence.loads.get(provider, 0):
            yield None, f"{provider} is counted {evidence.loads.get(provider, 0)} open, and has {len(replay.open)}"


class _Replay:
    def __init__(self, provider: str, capacity: Capacity, zone: ZoneInfo) -> None:
        self.open: set[str] = set()
        self._provider = provider
        self._capacity = capacity
        self._zone = zone
        self._new: Counter[tuple[str, str]] = Counter()

    def run(self, records: list[Record]) -> Iterator[tuple[UUID | None, str]]:
        for _, transaction in groupby(records, key=lambda record: record.committed_at):
            together = list(transaction)
            # What ends in a transaction makes room for what begins in it.
            self.open -= {record.details["referral"] for record in together if record.action in _ENDS}
            for record in together:
                if record.action == Action.REFERRAL_OFFERED:
                    yield from self._offer(record)

    def _offer(self, record: Record) -> Iterator[tuple[UUID | None, str]]:
        day = record.committed_at.astimezone(self._zone).date()
        year, week, _ = day.isocalendar()
        periods = {"day": day.isoformat(), "week": f"{year}-{week}", "month": f"{day:%Y-%m}"}
        self.open.add(record.details["referral"])
        if len(self.open) > self._capacity.max_open:
            yield record.about, f"{self._provider} has {len(self.open)} open, and room for {self._capacity.max_open}"
        for name, period in periods.items():
            self._new[name, period] += 1
            most = getattr(self._capacity, f"max_per_{name}")
            if most is not None and self._new[name, period] > most:
                yield record.about, f"{self._provider} has {self._new[name, period]} in {period}, and takes {most}"
