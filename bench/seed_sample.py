"""A few real submissions, taken in and worked off by the pipeline itself: what the seeder makes its copies of.

Mostly candidates; each hundred has some that were refused, joined to another, or wait for people.
"""

import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson

from bench import people
from bench.failure import BenchFailed
from pipeline import ledger
from pipeline.audit.sequencer import open_sequencer
from pipeline.audit.signing import load_signer
from pipeline.context import Context
from pipeline.engine.drain import Engine
from pipeline.intake.accept import Arrival, Kept, accept
from pipeline.lanes import build_lanes

SIZE = 64
"""Divides what is usually asked for nearly without a rest, and has every outcome."""

_REJECTED = {"email": None, "date_of_birth": "someday"}
_NO_MATCH = {"condition": "hair_loss", "contraindications": ["active_cancer"]}
_IN_REVIEW = {"condition": "other", "condition_other": "Stiff person syndrome"}
_ACCEPTING_THREADS = 4


def work_off_sample(context: Context, first_person: int) -> list[uuid.UUID]:
    """The ids of `SIZE` submissions of new people, `first_person` and following; all that is due of them is done, and
    their records are in the log. Raises `BenchFailed` if a job is left.
    """
    with ThreadPoolExecutor(_ACCEPTING_THREADS) as pool:
        kept = list(pool.map(lambda arrival: accept(context, arrival, lambda _lane: None), _arrivals(first_person)))
    ids = [each.submission_id for each in kept if isinstance(each, Kept) and not each.repeated]
    lanes = build_lanes(context)
    engine = Engine(context.database, context.keys, lanes, serves=frozenset(lanes))
    while due := _due(context, tuple(lanes)):
        for lane in sorted(due):
            engine.drain(lane)
    _sequence(context)
    if len(ids) != SIZE:
        raise BenchFailed(f"{SIZE - len(ids)} of the {SIZE} submissions to be copied were taken for repeats")
    return ids


def _due(context: Context, lanes: tuple[str, ...]) -> set[str]:
    with context.database.read() as connection:
        return ledger.due_lanes(connection, lanes)


def _sequence(context: Context) -> None:
    sequencer = open_sequencer(context, load_signer(context.settings.effective_keys_dir))
    while sequencer.look():
        pass
    sequencer.sign()


def _arrivals(first_person: int) -> Iterator[Arrival]:
    for place in range(SIZE):
        number = first_person + place
        vendor_id = f"seed-{number}"
        if place == SIZE - 1:
            yield Arrival(people.SOURCE, b'{"answers": "none"}', vendor_id)
        else:
            change = _CHANGES.get(place)
            yield Arrival(people.SOURCE, _body(number, change(first_person) if change else {}), vendor_id)


def _again(first_person: int) -> dict[str, Any]:
    """The answers of the first person: a duplicate."""
    answers: dict[str, Any] = orjson.loads(people.body(first_person))["answers"]
    return answers


_CHANGES: dict[int, Callable[[int], dict[str, Any]]] = {
    10: lambda _first: _REJECTED,
    20: lambda _first: _REJECTED,
    30: _again,
    40: _again,
    50: lambda _first: _NO_MATCH,
    60: lambda _first: _IN_REVIEW,
}


def _body(number: int, changes: dict[str, Any]) -> bytes:
    answers = orjson.loads(people.body(number))["answers"] | changes
    return orjson.dumps({"answers": {name: value for name, value in answers.items() if value is not None}})
