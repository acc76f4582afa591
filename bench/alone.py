"""What each part of the work takes by itself: processor time of one thread on one core, a submission, email or record.

Inserting is the exception: most of it is the database's work, so there it is the time from begin to commit.
"""

import statistics
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from uuid_utils.compat import uuid7

from bench import mail
from bench.doors import arrival
from bench.failure import BenchFailed
from bench.laboratory import Laboratory
from bench.parts import Part, conditions
from bench.report import servers
from pipeline.audit import actions
from pipeline.audit.actions import Action, Detail
from pipeline.audit.record import Entry, row
from pipeline.context import Context
from pipeline.db import utc_now
from pipeline.intake.reading import read_answers
from pipeline.scoring.assess import score
from pipeline.submission import Part as DocumentPart
from pipeline.submission import new_reference
from pipeline.unit_of_work import begin
from pipeline.validation import validate

TITLE = "The parts alone"
RECORDS_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class AlonePlan:
    people: int = 400
    rounds: int = 5
    insertions: int = 10


QUICK_ALONE_PLAN = AlonePlan(people=40, rounds=1, insertions=1)


@dataclass(slots=True)
class Alone:
    """Microseconds by what was done, one of each round."""

    rounds: dict[str, list[float]] = field(default_factory=dict)

    def note(self, what: str, microseconds: float) -> None:
        self.rounds.setdefault(what, []).append(microseconds)


def measure_alone(laboratory: Laboratory, plan: AlonePlan) -> Alone:
    """Raises `BenchFailed`."""
    alone = Alone()
    with laboratory.fresh("alone") as (context, _):
        acts = _Cases.of(context, plan.people).acts()
        for act in acts.values():
            act(0)  # what is compiled or read once a process
        for _ in range(plan.rounds):
            for what, act in acts.items():
                alone.note(what, _each(range(plan.people), act))
            alone.note("record: inserting, 1,000 in a transaction", _insert(context, plan.insertions))
    costs = mail.measure_costs(mail.MailPlan(rounds=plan.rounds, renderings=max(1, plan.people // 20)))
    for rendering in costs.rendering:
        alone.note("rendering an email: subject, text and HTML", rendering)
    return alone


@dataclass(frozen=True, slots=True)
class _Cases:
    """What the parts are given, made beforehand, by the number of the person."""

    context: Context
    bodies: Sequence[bytes]
    raw: Sequence[Mapping[str, Any]]
    answers: Sequence[Mapping[str, Any]]
    ids: Sequence[uuid.UUID]
    wrapped: Sequence[bytes]
    sealed: Sequence[bytes]

    @classmethod
    def of(cls, context: Context, count: int) -> "_Cases":
        arrivals = [arrival(number) for number in range(count)]
        today = utc_now().date()
        raw = [read_answers(context.sources, context.screening, each.source, each.body) for each in arrivals]
        checked = [validate(context.screening, context.conditions, each, today) for each in raw]
        if any(each.problems for each in checked):
            raise BenchFailed("the made-up people are not valid")
        answers = [each.answers for each in checked]
        ids = [uuid7() for _ in answers]
        keys = [context.vault.new_data_key(id_) for id_ in ids]
        sealed = [key.seal_json(DocumentPart.ANSWERS, each) for (key, _), each in zip(keys, answers, strict=True)]
        return cls(context, [each.body for each in arrivals], raw, answers, ids, [key[1] for key in keys], sealed)

    def acts(self) -> dict[str, Callable[[int], object]]:
        context, vault, now = self.context, self.context.vault, utc_now()
        with context.database.read() as connection:
            network = context.networks.current(connection).network
        keys = [vault.data_key(id_, each) for id_, each in zip(self.ids, self.wrapped, strict=True)]
        lane = actions.lane("bench")
        entries = [
            Entry(lane, Action.EMAIL_QUEUED, id_, now, details={Detail.EMAIL: str(id_), Detail.RANK: 1})
            for id_ in self.ids
        ]
        source = arrival(0).source
        return {
            "reading a body": lambda n: read_answers(context.sources, context.screening, source, self.bodies[n]),
            "validating its answers": lambda n: validate(
                context.screening, context.conditions, self.raw[n], now.date()
            ),
            "scoring them, with ranking and explanation": lambda n: score(self.answers[n], network, now.date(), now),
            "encryption: new data key, wrapped": lambda n: vault.new_data_key(self.ids[n]),
            "encryption: unwrapping a data key": lambda n: vault.data_key(self.ids[n], self.wrapped[n]),
            "encryption: compressing and sealing the answers": lambda n: keys[n].seal_json(
                DocumentPart.ANSWERS, self.answers[n]
            ),
            "encryption: opening the answers": lambda n: keys[n].open_json(DocumentPart.ANSWERS, self.sealed[n]),
            "encryption: a blind index": lambda n: vault.blind_index("email", f"person{n}@mail.example"),
            "record: canonical form, hash and MAC": lambda n: row(
                entries[n], self.ids[n], n + 1, context.keys.authenticate
            ),
        }


def _insert(context: Context, transactions: int) -> float:
    """Microseconds a record, from begin to the end of a durable commit."""
    seconds = 0.0
    for _ in range(transactions):
        ids = [uuid7() for _ in range(RECORDS_AT_ONCE // 10)]
        with begin(context.database, context.keys, actions.lane("bench")) as unit:
            for id_ in ids:
                unit.add_submission(
                    id=id_,
                    reference=new_reference(),
                    source="bench",
                    received_at=unit.now,
                    screening_version="bench",
                    revision_of=None,
                )
        started = time.perf_counter()
        with begin(context.database, context.keys, actions.lane("bench")) as unit:
            for id_ in ids:
                for rank in range(10):
                    unit.record(id_, Action.EMAIL_QUEUED, {Detail.EMAIL: str(id_), Detail.RANK: rank})
        seconds += time.perf_counter() - started
    return seconds * 1e6 / (transactions * RECORDS_AT_ONCE)


def _each(numbers: Sequence[int], act: Callable[[int], object]) -> float:
    """Microseconds of processor time each: what others do on the machine does not count."""
    started = time.thread_time()
    for number in numbers:
        act(number)
    return (time.thread_time() - started) * 1e6 / len(numbers)


def alone_part(alone: Alone, laboratory: Laboratory, command: str) -> Part:
    packages = ("pydantic", "orjson", "cryptography", "tink", "jinja2", "sqlalchemy", "psycopg")
    return Part(
        TITLE,
        (),
        (
            "Processor time on one core, mean over many people, median of the rounds. Of inserting a record it is the",
            "time from begin to a durable commit, its numbering, hash and MAC included.\n",
            "| what | once | a second and core |",
            "| --- | ---: | ---: |",
            *(_row(what, statistics.median(rounds)) for what, rounds in sorted(alone.rounds.items())),
            "",
            *conditions(command, packages, servers(laboratory)),
        ),
    )


def _row(what: str, microseconds: float) -> str:
    return f"| {what} | {microseconds:.1f} µs | {1e6 / microseconds:,.0f} |"
