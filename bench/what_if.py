"""What-if over stored submissions: how long it takes to judge them all by the network in force and by a draft.

The submissions are stored the way all are, by accepting, validating and scoring them; no email is sent.
"""

import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import orjson

from bench import people
from bench.failure import BenchFailed
from bench.laboratory import Laboratory
from bench.networks import made_up_answers, made_up_draft, made_up_network
from bench.parts import Figure, Part, conditions
from bench.report import servers
from config.providers import ProviderDocument
from pipeline.audit import actions
from pipeline.context import Context
from pipeline.db import utc_now
from pipeline.engine.drain import Engine
from pipeline.intake.accept import VALIDATE_LANE, Arrival, accept
from pipeline.lanes import build_lanes
from pipeline.operations.what_if import Outlook, latest_scored, what_if
from pipeline.providers import draft_network, publish, read_network
from pipeline.stages.validate import SCORE_LANE
from pipeline.unit_of_work import begin

TITLE = "What-if over stored submissions"
WANTED_SECONDS = 15.0

_ACCEPTING_THREADS = 4


@dataclass(frozen=True, slots=True)
class Size:
    submissions: int = 10_000
    programs: int = 1000
    rounds: int = 3


QUICK_SIZE = Size(submissions=500, programs=1000, rounds=1)


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """Seconds of one what-if: reading and compiling both networks, then reading, opening and judging submissions."""

    compiling: float
    judging: float

    @property
    def total(self) -> float:
        return self.compiling + self.judging


@dataclass(frozen=True, slots=True)
class WhatIf:
    """`changed` is how many providers would fit other submissions than they do."""

    size: Size
    rehearsals: tuple[Rehearsal, ...]
    storing: float
    changed: int

    @property
    def median(self) -> Rehearsal:
        return sorted(self.rehearsals, key=lambda each: each.total)[len(self.rehearsals) // 2]


def measure_what_if(laboratory: Laboratory, size: Size) -> WhatIf:
    """Store submissions in a fresh database, then rehearse a draft. Raises `BenchFailed` if not all were compared."""
    with laboratory.fresh("what-if") as (context, _):
        versions = made_up_network(size.programs, context.conditions)
        draft = made_up_draft(versions)
        with begin(context.database, context.keys, actions.staff("bench")) as unit:
            publish(unit, [document for _, document in versions])
        started = time.perf_counter()
        _store(context, size.submissions)
        storing = time.perf_counter() - started
        rounds = [_rehearse(context, draft, size.submissions) for _ in range(size.rounds)]
    outlook = rounds[-1][1]
    changed = sum(1 for provider in outlook.providers if provider.gains or provider.loses)
    return WhatIf(size, tuple(rehearsal for rehearsal, _ in rounds), storing, changed)


def what_if_part(measured: WhatIf, laboratory: Laboratory, command: str) -> Part:
    size, median = measured.size, measured.median
    return Part(
        TITLE,
        (
            Figure(
                f"{size.submissions:,} stored submissions, {size.programs:,} programs, decryption included (median)",
                f"under {WANTED_SECONDS:.0f} s",
                f"{median.total:.1f} s",
                median.total < WANTED_SECONDS,
            ),
        ),
        (
            "Read from PostgreSQL, opened under each submission's own key, judged by the network in force and by a",
            "draft that differs in every tenth provider, in one process. Most people left out some answers.\n",
            "| round | networks read and compiled | submissions read, opened and judged | together |",
            "| ---: | ---: | ---: | ---: |",
            *(
                f"| {number} | {each.compiling:.2f} s | {each.judging:.2f} s | {each.total:.2f} s |"
                for number, each in enumerate(measured.rehearsals, 1)
            ),
            "",
            f"{measured.changed:,} providers would fit other submissions than they do. Accepting, validating and",
            f"scoring all submissions, in this one process, took {measured.storing:.0f} s.\n",
            *conditions(command, ("sqlalchemy", "psycopg", "numpy", "tink", "cryptography"), servers(laboratory)),
        ),
    )


def _rehearse(context: Context, documents: Iterable[ProviderDocument], submissions: int) -> tuple[Rehearsal, Outlook]:
    at = utc_now()
    recipients = context.screening.consent("consent_share").recipients_open
    started = time.perf_counter()
    with context.database.read() as connection:
        in_force, draft = read_network(connection, at).network, draft_network(documents).network
        compiled = time.perf_counter()
        wanted = latest_scored(connection, submissions)
        outlook = what_if(connection, context.vault, wanted, in_force, draft, recipients=recipients, at=at)
        ended = time.perf_counter()
    if outlook.compared != submissions:
        raise BenchFailed(f"{outlook.compared} of {submissions} submissions were compared")
    return Rehearsal(compiled - started, ended - compiled), outlook


def _store(context: Context, count: int) -> None:
    arrivals = (
        Arrival(people.SOURCE, body, vendor_id=f"person-{number}")
        for number, body in enumerate(_bodies(context, count))
    )
    with ThreadPoolExecutor(_ACCEPTING_THREADS) as pool:
        list(pool.map(lambda arrival: accept(context, arrival, lambda _lane: None), arrivals))
    engine = Engine(context.database, context.keys, build_lanes(context))
    for lane in (VALIDATE_LANE, SCORE_LANE):
        while engine.drain(lane):
            pass


def _bodies(context: Context, count: int) -> Iterable[bytes]:
    """People with a name and an address each, who are otherwise as varied as those that matching is measured with."""
    varied = made_up_answers(context.screening, context.conditions, count, complete=False)
    for number, answers in enumerate(varied):
        yield orjson.dumps({"answers": {**people.contact(number), **answers}})
