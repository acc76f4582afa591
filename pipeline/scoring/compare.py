"""Compares one submission with the whole network: who fits, who might, and whether people have to look first."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

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

    `shortlist` holds the best matches with their programs' numbers, whatever the outcome.
    """

    facts: Facts
    sight: Sight
    fitting: list[int]
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
    open_programs = ~network.closed_programs(at)
    eligible = sight.eligible & open_programs
    fitting = members_of(eligible, matcher.size)
    return Comparison(
        facts=facts,
        sight=sight,
        fitting=fitting,
        in_doubt=members_of(sight.unclear & open_programs, matcher.size),
        shortlist=network.shortlist(fitting, matcher.scores(sight, fitting), MOST_MATCHES),
        asks_for_expert=bool(eligible & sight.review),
    )
