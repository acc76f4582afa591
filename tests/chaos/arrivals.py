"""What is sent: people of every sort by every door, in an order that follows from the seed."""

import random
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import urlencode

from tests.end_to_end.people import Request, raw_to_hook, to_api, to_form, to_hook
from tests.support.submissions import person
from web.form import TOKEN


class Door(StrEnum):
    """How it is sent, by the id of the source in `sources.yaml`."""

    API = "network-site"
    HOOK = "webflow-site"
    FORM = "screening"


class Sort(StrEnum):
    """What it should come to."""

    FITTING = "fitting"
    NOT_FITTING = "not fitting"
    TO_REVIEW = "to review"
    INCOMPLETE = "incomplete"
    TWIN = "twin"  # the same person and condition as an earlier one
    REVISION = "revision"  # an earlier one's vendor id, with another body
    UNREADABLE = "unreadable"


ENDS: Mapping[Sort, frozenset[str]] = {
    # Whichever of two twins comes first is processed, and the other one joined to it.
    Sort.FITTING: frozenset({"candidate", "duplicate"}),
    Sort.TWIN: frozenset({"candidate", "duplicate"}),
    Sort.NOT_FITTING: frozenset({"no_match"}),
    Sort.TO_REVIEW: frozenset({"needs_review"}),
    Sort.INCOMPLETE: frozenset({"rejected"}),
    # What it revises may come after it, or never.
    Sort.REVISION: frozenset({"quarantined", "candidate"}),
    Sort.UNREADABLE: frozenset({"quarantined"}),
}
"""Where a submission of each sort may stand in the end."""

_SORTS = {
    Sort.FITTING: 70,
    Sort.NOT_FITTING: 5,
    Sort.TO_REVIEW: 6,
    Sort.INCOMPLETE: 7,
    Sort.TWIN: 6,
    Sort.REVISION: 3,
    Sort.UNREADABLE: 3,
}
_FATES = {"ana": 84, "bounce": 3, "block": 2, "drop": 2, "defer": 4, "spam": 1, "silent": 4}
"""What becomes of the mail to a person, told by the address (see `sendgrid_events`)."""

_CHANGES: Mapping[Sort, Mapping[str, Any]] = {
    Sort.NOT_FITTING: {"severity": 0},
    Sort.TO_REVIEW: {"condition": "other", "condition_other": "something rare"},
    Sort.INCOMPLETE: {"consent_share": None},
}


@dataclass(frozen=True, slots=True)
class Arrival:
    """One submission. `name` is the sender's own id of it, `address` the person's; `answers` empty if unreadable."""

    number: int
    name: str
    door: Door
    sort: Sort
    address: str
    answers: Mapping[str, Any]

    def request(self) -> Request:
        """As it is sent now: a signature says when."""
        if self.sort is Sort.UNREADABLE:
            return raw_to_hook(
                self.name, f'{{"triggerType": "form_submission", "payload": {{"id": "{self.name}"'.encode()
            )
        match self.door:
            case Door.API:
                return to_api(self.name, self.answers)
            case Door.HOOK:
                return to_hook(self.name, self.answers)
            case Door.FORM:
                fields = {**to_form(self.answers), TOKEN: self.name}
                headers = {"content-type": "application/x-www-form-urlencoded", "accept": "text/html"}
                return Request(self.name, "/screening", urlencode(fields, doseq=True).encode(), headers)


def arrivals(seed: int) -> Iterator[Arrival]:
    """One after the other, without end."""
    chance = random.Random(f"{seed}:arrivals")
    earlier: list[Arrival] = []
    number = 0
    while True:
        number += 1
        sort = chance.choices(list(_SORTS), list(_SORTS.values()))[0]
        if sort in {Sort.TWIN, Sort.REVISION} and not earlier:
            sort = Sort.FITTING
        made = _arrival(chance, number, sort, earlier)
        if sort is Sort.FITTING:
            earlier = [*earlier[-200:], made]
        yield made


def _arrival(chance: random.Random, number: int, sort: Sort, earlier: list[Arrival]) -> Arrival:
    door = chance.choices(list(Door), [45, 40, 15])[0]
    # The hosted form takes nothing incomplete; only the webhook takes what it cannot read.
    if sort is Sort.UNREADABLE or (sort is Sort.INCOMPLETE and door is Door.FORM):
        door = Door.HOOK
    name = str(uuid.UUID(int=chance.getrandbits(128), version=4))
    if sort is Sort.TWIN:
        first = earlier.pop(chance.randrange(len(earlier)))
        return Arrival(number, name, door, sort, first.address, first.answers)
    address = f"{chance.choices(list(_FATES), list(_FATES.values()))[0]}.{number}@example.org"
    changes = {**_CHANGES.get(sort, {}), "language": chance.choice(("en", "es"))}
    answers = {**person(number, **changes), "email": address}
    if sort is Sort.REVISION and (known := [each for each in earlier if each.door is not Door.FORM]):
        first = chance.choice(known)
        return Arrival(number, first.name, first.door, sort, address, answers)
    return Arrival(number, name, door, sort, address, {} if sort is Sort.UNREADABLE else answers)
