"""What would have come of stored submissions under a draft of the network. Nothing is changed, nobody is told.

A draft may ask for one answer alone, so that which submissions turn out otherwise tells who gave it: whoever is shown
that has to go on record with each of them first (`disclose`). Counts name nobody, unless they are of a few people.

Both networks are judged in the same way: each submission, in the order received, goes to the best matches that its
consent allows at one time, whether or not they have room; that shows where a cap would be passed.
"""

import datetime as dt
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import Connection, select

from config.providers import Capacity, ProviderDocument
from pipeline.audit.actions import Action, Detail
from pipeline.capacity import calendar_at
from pipeline.models import Submission
from pipeline.scoring.compare import Outcome, compare
from pipeline.scoring.network import Network
from pipeline.scoring.rank import Standing, rank_again
from pipeline.status import SubmissionStatus
from pipeline.submission import Part, Sealed, read_sealed
from pipeline.unit_of_work import UnitOfWork
from pipeline.vault import SealBroken, Vault

SCORED = (SubmissionStatus.CANDIDATE, SubmissionStatus.NO_MATCH, SubmissionStatus.NEEDS_REVIEW)
PURPOSE = "what_if"
FEWEST_COUNTED = 11
"""Counts of fewer people say too much of each: CMS shows no cell of ten or less (its cell suppression policy)."""
_BATCH = 500
_TICK = dt.timedelta(microseconds=1)

Period = Literal["day", "week", "month"]


@dataclass(frozen=True, slots=True)
class Demand:
    """How many submissions a provider fits, how many it would be offered, and in how many periods that is too many."""

    fits: int = 0
    offers: int = 0
    over_capacity: Counter[Period] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class ProviderOutlook:
    """One provider under the network in force and under the draft; `gains` and `loses` count submissions it fits."""

    provider_id: str
    before: Demand
    after: Demand
    gains: int
    loses: int

    @property
    def newly_over_capacity(self) -> tuple[Period, ...]:
        """The periods of which more would be too full than are now."""
        return tuple(
            period
            for period in ("day", "week", "month")
            if self.after.over_capacity[period] > self.before.over_capacity[period]
        )


@dataclass(frozen=True, slots=True)
class Moved:
    """A submission that would come out otherwise. That it would is a health fact by inference: see `disclose`."""

    submission_id: uuid.UUID
    reference: str


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a draft would change for `compared` submissions; `unreadable` ones have lost their key or were altered.

    `outcomes` counts (outcome now, outcome then). The others named would turn into ones with no match, with a match,
    and that wait for an expert.
    """

    compared: int
    unreadable: int
    outcomes: Counter[tuple[Outcome, Outcome]]
    newly_unmatched: tuple[Moved, ...]
    newly_matched: tuple[Moved, ...]
    newly_in_review: tuple[Moved, ...]
    providers: tuple[ProviderOutlook, ...]

    @property
    def moved(self) -> tuple[Moved, ...]:
        """All submissions that would come out otherwise."""
        return (*self.newly_unmatched, *self.newly_matched, *self.newly_in_review)


def latest_scored(connection: Connection, last: int) -> list[uuid.UUID]:
    """The last submissions that were scored and not withdrawn, in the order received."""
    # Ids are made in the order received, so the newest are found by the key alone.
    newest = select(Submission.id).where(Submission.status.in_(SCORED)).order_by(Submission.id.desc()).limit(last)
    return sorted(connection.execute(newest).scalars())


def what_if(
    connection: Connection,
    vault: Vault,
    submissions: Sequence[uuid.UUID],
    in_force: Network,
    draft: Network,
    *,
    recipients: int,
    at: dt.datetime,
    on_progress: Callable[[int], None] = lambda _done: None,
) -> Outlook:
    """Judge `submissions` again by both networks, as open at the moment `at`, and compare what comes of it.

    `recipients` is how many providers a consent lets have a submission at one time. `on_progress` is told how many
    submissions are done.
    """
    now, then = _Replay(in_force, recipients, at), _Replay(draft, recipients, at)
    tally = _Tally()
    for start in range(0, len(submissions), _BATCH):
        wanted = submissions[start : start + _BATCH]
        sealed = read_sealed(connection, wanted, [Part.ANSWERS])
        for submission_id in wanted:
            found = sealed.get(submission_id)
            answers = _open_answers(vault, found)
            if found is None or answers is None:
                tally.unreadable += 1
                continue
            tally.add(found, now.judge(found, answers), then.judge(found, answers))
        on_progress(min(start + _BATCH, len(submissions)))
    return tally.outlook(now, then)


def disclose(unit: UnitOfWork, submission_ids: Iterable[uuid.UUID]) -> None:
    """Put on record with each submission that somebody learns how it would come out. To be committed first."""
    ids = sorted(submission_ids)
    for start in range(0, len(ids), _BATCH):
        unit.lock(ids[start : start + _BATCH])
    for submission_id in ids:
        unit.record(submission_id, Action.FACTS_DISCLOSED, {Detail.PURPOSE: PURPOSE})


def _open_answers(vault: Vault, sealed: Sealed | None) -> dict[str, Any] | None:
    """The answers; `None` if they cannot be read."""
    if sealed is None or Part.ANSWERS not in sealed.parts:
        return None
    try:
        answers: dict[str, Any] = sealed.open_json(vault, Part.ANSWERS)
    except SealBroken:
        return None
    return answers


@dataclass(frozen=True, slots=True)
class _Result:
    outcome: Outcome
    fitting: frozenset[str]


class _Replay:
    """One network, judged as if submissions came in now one after the other."""

    def __init__(self, network: Network, recipients: int, at: dt.datetime) -> None:
        self._network = network.with_standings({})
        self._recipients = recipients
        self._at = at
        self._standings: dict[str, Standing] = {}
        self._offers: Counter[str] = Counter()
        self._fits: Counter[str] = Counter()
        self._periods: dict[str, Counter[tuple[Period, str]]] = {}
        self._last_offered_at = dt.datetime.min.replace(tzinfo=dt.UTC)
        self.documents = {document.id: document for document in network.documents.values()}

    def judge(self, sealed: Sealed, answers: dict[str, Any]) -> _Result:
        compared = compare(answers, self._network, sealed.received_at.date(), self._at)
        programs = self._network.programs
        fitting = frozenset(programs[number].document.id for number in compared.fitting)
        if compared.outcome is Outcome.CANDIDATE:
            self._fits.update(fitting)
            matches = rank_again((match for _, match in compared.shortlist), self._standings)
            for match in matches[: self._recipients]:
                self._offer(self.documents[match.provider_id], sealed.received_at)
        return _Result(compared.outcome, fitting if compared.outcome is Outcome.CANDIDATE else frozenset())

    def demand(self, provider_id: str) -> Demand:
        document = self.documents.get(provider_id)
        if document is None:
            return Demand()
        periods = self._periods.get(provider_id, Counter())
        over = Counter(period for (period, _), count in periods.items() if count > _cap(document.capacity, period))
        return Demand(self._fits[provider_id], self._offers[provider_id], over)

    def _offer(self, document: ProviderDocument, received_at: dt.datetime) -> None:
        here = calendar_at(document.time_zone, received_at)
        periods = self._periods.setdefault(document.id, Counter())
        periods.update((("day", here.day), ("week", here.week), ("month", here.month)))
        self._offers[document.id] += 1
        self._last_offered_at = max(received_at, self._last_offered_at + _TICK)
        month = periods["month", here.month]
        self._standings[document.id] = Standing(self._last_offered_at, month, document.capacity.target_per_month)


@dataclass(slots=True)
class _Tally:
    compared: int = 0
    unreadable: int = 0
    outcomes: Counter[tuple[Outcome, Outcome]] = field(default_factory=Counter)
    gains: Counter[str] = field(default_factory=Counter)
    losses: Counter[str] = field(default_factory=Counter)
    moved: dict[Outcome, list[Moved]] = field(default_factory=lambda: {outcome: [] for outcome in Outcome})

    def add(self, sealed: Sealed, now: _Result, then: _Result) -> None:
        self.compared += 1
        self.outcomes[now.outcome, then.outcome] += 1
        self.gains.update(then.fitting - now.fitting)
        self.losses.update(now.fitting - then.fitting)
        if now.outcome is not then.outcome:
            self.moved[then.outcome].append(Moved(sealed.submission_id, sealed.reference))

    def outlook(self, now: _Replay, then: _Replay) -> Outlook:
        providers = sorted(now.documents.keys() | then.documents.keys())
        return Outlook(
            compared=self.compared,
            unreadable=self.unreadable,
            outcomes=self.outcomes,
            newly_unmatched=tuple(self.moved[Outcome.NO_MATCH]),
            newly_matched=tuple(self.moved[Outcome.CANDIDATE]),
            newly_in_review=tuple(self.moved[Outcome.NEEDS_REVIEW]),
            providers=tuple(
                ProviderOutlook(each, now.demand(each), then.demand(each), self.gains[each], self.losses[each])
                for each in providers
            ),
        )


def _cap(capacity: Capacity, period: Period) -> float:
    caps = {"day": capacity.max_per_day, "week": capacity.max_per_week, "month": capacity.max_per_month}
    cap = caps[period]
    return float("inf") if cap is None else cap
