"""How long it takes to judge one submission by networks of several sizes, and beside it how long others take.

Everything is measured in one process, in rounds: each round goes through all sizes and all others, so that a slow
minute of the machine is everybody's.
"""

import datetime as dt
import gc
import statistics
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

from bench.criteria_text import facts_for_zen
from bench.failure import BenchFailed
from bench.interpreter import Interpreter
from bench.memory import Compiled, measure_compiled
from bench.networks import Versions, made_up_answers, made_up_network, without_preferences
from config.conditions import Conditions
from config.providers import Program, ProviderDocument
from config.screening import Screening
from pipeline.scoring.assess import score
from pipeline.scoring.bits import members_of
from pipeline.scoring.facts import Answer, read_facts
from pipeline.scoring.geography import place
from pipeline.scoring.network import Network
from pipeline.scoring.surroundings import Surroundings
from pipeline.submission import Part
from pipeline.vault import DATA_KEY_BYTES, DataKey

try:
    from bench import zen_engine
except ModuleNotFoundError:
    zen_engine = None  # type: ignore[assignment]

CAREROUTE, INTERPRETER = "Careroute", "plain interpreter in Python"

_AT = dt.datetime(2026, 11, 2, 12, tzinfo=dt.UTC)
_CHECKED_PEOPLE = 3


@dataclass(frozen=True, slots=True)
class Plan:
    """How many programs, and how many people are judged in each of the rounds.

    Who takes long is asked about as many of the people as `other_seconds` allow in a round, and about one at least.
    """

    sizes: tuple[int, ...] = (100, 1000, 10_000)
    people: int = 200
    rounds: int = 5
    other_seconds: float = 2.0


QUICK_PLAN = Plan(people=100, rounds=1, other_seconds=0.5)


@dataclass(slots=True)
class Times:
    """Seconds that single submissions took."""

    seconds: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def p90(self) -> float:
        return sorted(self.seconds)[len(self.seconds) * 9 // 10]


@dataclass(slots=True)
class SizeTimes:
    """`eligibility`: which programs fit. `assessment`: that, ranking and explanation. `stored`: and sealing it."""

    eligibility: Times = field(default_factory=Times)
    assessment: Times = field(default_factory=Times)
    stored: Times = field(default_factory=Times)


@dataclass(frozen=True, slots=True)
class Matching:
    """`sides` judged the same people by the same criteria, and nothing else, of the largest of `sizes`."""

    plan: Plan
    sizes: Mapping[int, SizeTimes]
    sides: Mapping[str, Times]
    zen_version: str | None
    """`None` if zen-engine is not installed."""
    compiled: Sequence[Compiled]

    @property
    def largest(self) -> int:
        return max(self.sizes)

    def growth(self, times: Callable[[SizeTimes], Times]) -> float:
        """How the time grows from a size to the next, as a multiple of how the size does; the worst of all steps."""
        steps = zip(sorted(self.sizes), sorted(self.sizes)[1:], strict=False)
        return max(
            times(self.sizes[large]).median / times(self.sizes[small]).median * small / large for small, large in steps
        )

    @property
    def fastest_other(self) -> str | None:
        """The fastest way of zen-engine; `None` if it is not installed."""
        ways = [name for name in self.sides if name not in {CAREROUTE, INTERPRETER}]
        return min(ways, key=lambda name: self.sides[name].median, default=None)

    def ratio(self, side: str) -> float:
        """How many times as long as Careroute it takes."""
        return self.sides[side].median / self.sides[CAREROUTE].median


def measure_matching(screening: Screening, conditions: Conditions, plan: Plan) -> Matching:
    """Measure by a plan. Raises `BenchFailed` if the others do not come to the same verdicts."""
    compiled = [measure_compiled(size) for size in plan.sizes]
    versions = {size: made_up_network(size, conditions) for size in plan.sizes}
    networks = {size: Network.of(each) for size, each in versions.items()}
    people = list(made_up_answers(screening, conditions, plan.people, complete=False))
    complete = list(made_up_answers(screening, conditions, plan.people, complete=True))
    contest = Contest(without_preferences(versions[max(plan.sizes)]), complete, people)
    sizes = {size: SizeTimes() for size in plan.sizes}
    with _settled():
        contest.check()
        for network in networks.values():
            _judge_all(network, people[:_CHECKED_PEOPLE], SizeTimes())
        for _ in range(plan.rounds):
            for size, network in networks.items():
                _judge_all(network, people, sizes[size])
            contest.hold_round(plan.other_seconds)
    zen_version = None if zen_engine is None else version("zen-engine")
    return Matching(plan, sizes, contest.times, zen_version, compiled)


def _judge_all(network: Network, people: Sequence[Mapping[str, Answer]], times: SizeTimes) -> None:
    key = DataKey(uuid.UUID(int=0), bytes(DATA_KEY_BYTES))
    clock = time.perf_counter
    facts = [read_facts(answers, _AT.date()) for answers in people]
    for each in facts:
        started = clock()
        network.matcher.look(each)
        times.eligibility.seconds.append(clock() - started)
    for answers in people:
        started = clock()
        assessment = score(answers, network, _AT.date(), _AT)
        scored = clock()
        key.seal_json(Part.ASSESSMENT, assessment.explanation)
        times.assessment.seconds.append(scored - started)
        times.stored.seconds.append(clock() - started)


@dataclass(frozen=True, slots=True)
class _Side:
    """Somebody who judges; `asked` are the people as this side is told of them."""

    ask: Callable[[Any], Any]
    asked: Sequence[Any]
    eligible: Callable[[Any], list[int]]


class Contest:
    """Everybody judges the same people, who answered everything, by the same programs."""

    def __init__(
        self, versions: Versions, complete: Sequence[Mapping[str, Answer]], others: Sequence[Mapping[str, Answer]]
    ) -> None:
        self._network = Network.of(versions)
        facts = [read_facts(answers, _AT.date()) for answers in complete]
        programs = [(each.provider, each.document, each.program) for each in self._network.programs]
        self._interpreter = Interpreter([(document, program) for _, document, program in programs])
        self._others = [read_facts(answers, _AT.date()) for answers in others]
        self._sides = {
            CAREROUTE: _Side(self._network.matcher.look, facts, lambda sight: self._members(sight.eligible)),
            INTERPRETER: _Side(self._interpreter.ask, facts, list),
        }
        if zen_engine is not None:
            surroundings = _of_each_provider(programs)
            told = [facts_for_zen(each, surroundings) for each in facts]
            for way in zen_engine.WAYS:
                asked = way(programs)
                self._sides[f"zen-engine: {way.name}"] = _Side(asked.ask, told, asked.eligible)
        self.times = {name: Times() for name in self._sides}

    def check(self, people: int = _CHECKED_PEOPLE, names: Sequence[str] = ()) -> None:
        """Whether all sides, or those named, come to the same about so many people. Raises `BenchFailed`."""
        for position in range(people):
            ours = self._eligible(CAREROUTE, position)
            for name in names or self._sides:
                if self._eligible(name, position) != ours:
                    raise BenchFailed(f"{name} judges person {position} otherwise than Careroute")
        for position, facts in enumerate(self._others[:_CHECKED_PEOPLE]):
            sight = self._network.matcher.look(facts)
            found = self._members(sight.eligible), self._members(sight.unclear)
            if found != (self._interpreter.ask(facts), self._interpreter.unclear(facts)):
                raise BenchFailed(f"{INTERPRETER} judges person {position}, who left out answers, otherwise")

    def hold_round(self, seconds: float) -> None:
        for name, side in self._sides.items():
            self.times[name].seconds += _times(side, seconds)

    def _eligible(self, name: str, position: int) -> list[int]:
        side = self._sides[name]
        return side.eligible(side.ask(side.asked[position]))

    def _members(self, programs: int) -> list[int]:
        return members_of(programs, self._network.matcher.size)


def _of_each_provider(programs: Iterable[tuple[int, ProviderDocument, Program]]) -> Surroundings:
    """The locations of every provider, by its number."""
    documents = {number: document for number, document, _ in programs}
    return Surroundings(
        [
            tuple(place(each.country, each.postal_code) for each in documents[number].locations)
            for number in sorted(documents)
        ]
    )


def _times(side: _Side, seconds: float) -> Iterator[float]:
    clock = time.perf_counter
    until = clock() + seconds
    for facts in side.asked:
        started = clock()
        side.ask(facts)
        ended = clock()
        yield ended - started
        if ended > until:
            return


@contextmanager
def _settled() -> Iterator[None]:
    """The garbage collector does not look through networks that no worker would have at once."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
