"""Compares one submission with the whole network: who fits, who might, and whether people have to look first."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from config.conditions import OTHER
from pipeline.scoring.bits import members_of
from pipeline.scoring.facts import Answer, Facts, read_facts
from pipeline.scoring.matcher import Sight
from pipeline.scoring.network import Network
from pipeline.scoring.rank import Match

MOST_MATCHES = 25
"""More than a consent ever lets see a submission, so that declines and full calendars leave somebody to turn to."""


class Outcome(StrEnum):
    CANDIDATE = "candidate"
    NEEDS_REVIEW = "needs_review"
    NO_MATCH = "no_match"


@dataclass(frozen=True, slots=True)
class Comparison:
    """`fitting` are the programs that fit, `in_doubt` those that may; both without providers that are closed.

    `closed` is the set (`bits`) of the programs of those. `fitting_scores` are in the order of `fitting`. `shortlist`
    holds the best matches with their programs' numbers, whatever the outcome.
    """

    facts: Facts
    sight: Sight
    closed: int
    fitting: list[int]
    fitting_scores: NDArray[np.int64]
    in_doubt: list[int]
    shortlist: list[tuple[int, Match]]
    asks_for_expert: bool

    @property
    def is_only_in_doubt(self) -> bool:
        """Nobody fits yet, and somebody may."""
        return bool(self.in_doubt) and not self.fitting

    @property
    def names_other_condition(self) -> bool:
        """The condition is in the person's own words, which software does not take for one of the list."""
        return self.facts.answers.get("condition") == OTHER

    @property
    def contradicts_itself(self) -> bool:
        """`none` stands beside another contraindication."""
        chosen = self.facts.answers.get("contraindications")
        return isinstance(chosen, list) and "none" in chosen and len(set(chosen)) > 1

    @property
    def outcome(self) -> Outcome:
        people_first = (
            self.names_other_condition,
            self.contradicts_itself,
            self.asks_for_expert,
            self.is_only_in_doubt,
        )
        if any(people_first):
            return Outcome.NEEDS_REVIEW
        return Outcome.CANDIDATE if self.fitting else Outcome.NO_MATCH


def compare(answers: Mapping[str, Answer], network: Network, received_on: date, at: datetime) -> Comparison:
    """Compare validated answers, as of the day they were received, with what was published and open at `at`."""
    facts = read_facts(answers, received_on)
    matcher = network.matcher
    sight = matcher.look(facts)
    closed = network.closed_programs(at)
    eligible = sight.eligible & ~closed
    fitting = members_of(eligible, matcher.size)
    fitting_scores = matcher.scores(sight, fitting)
    return Comparison(
        facts=facts,
        sight=sight,
        closed=closed,
        fitting=fitting,
        fitting_scores=fitting_scores,
        in_doubt=members_of(sight.unclear & ~closed, matcher.size),
        shortlist=network.shortlist(fitting, fitting_scores, MOST_MATCHES),
        asks_for_expert=bool(eligible & sight.review),
    )
