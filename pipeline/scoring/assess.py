"""Judges one submission against the whole network, and writes down why."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from pipeline.scoring.compare import Comparison, Outcome, compare
from pipeline.scoring.facts import Answer
from pipeline.scoring.network import Network
from pipeline.scoring.rank import Match
from pipeline.scoring.telling import Told, tell


class ReviewReason(StrEnum):
    """Why a person has to look at it before anybody is sent anything."""

    FREE_TEXT_CONDITION = "free_text_condition"
    CONTRADICTION = "contradiction"
    EXPERT_RULE = "expert_rule"  # a program that fits asks for it
    BORDERLINE = "borderline"  # nobody fits, and somebody is missed by a little
    INFORMATION_MISSING = "information_missing"  # nobody fits yet, and answers could change that
    NOT_DECIDABLE = "not_decidable"  # nobody fits, and no answer to the form could tell


@dataclass(frozen=True, slots=True)
class Assessment:
    """`matches` are ranked, and empty unless the outcome is candidate. `explanation` is read by `record`.

    `questions` are those whose answers would decide a submission that needs information, in the order met.
    The explanation holds health facts by inference (a met criterion tells an answer), so it is stored encrypted.
    """

    outcome: Outcome
    matches: tuple[Match, ...]
    explanation: dict[str, Any]
    review_reasons: tuple[str, ...]
    questions: tuple[str, ...]


def score(
    answers: Mapping[str, Answer],
    network: Network,
    received_on: date,
    at: datetime,
    matched: Collection[tuple[UUID, str]] | None = None,
) -> Assessment:
    """Judge validated answers, as of the day they were received, by what was published and open at the moment `at`.

    Pure: the same answers, versions, standings and times give the same assessment, whatever order they come in. Which
    programs are matched, of more than fit in, depends on the standings: to judge a submission again as it was, give its
    matches (provider version and program) as `matched`, and the explanation is the same to the byte.
    """
    compared = compare(answers, network, received_on, at)
    outcome = compared.outcome
    if matched is not None:
        explained = [
            number for number, each in enumerate(network.programs) if (each.version_id, each.program.id) in matched
        ]
    else:
        explained = [number for number, _ in compared.shortlist] if outcome is Outcome.CANDIDATE else []
    told = tell(compared, network, at, explained)
    reasons = _review_reasons(compared, told)
    explanation: dict[str, Any] = {
        "d": received_on.isoformat(),
        "t": at.astimezone(UTC).isoformat(),
        "n": network.revision,
        "o": outcome.value,
        "w": list(reasons),
        "z": told.left_out,
        "p": told.providers,
    }
    return Assessment(
        outcome=outcome,
        matches=tuple(match for _, match in compared.shortlist) if outcome is Outcome.CANDIDATE else (),
        explanation=explanation,
        review_reasons=reasons,
        questions=tuple(told.questions),
    )


def _review_reasons(compared: Comparison, told: Told) -> tuple[str, ...]:
    """Never empty for a submission that needs review."""
    only_in_doubt, own_words = compared.is_only_in_doubt, compared.names_other_condition
    explained = told.borderline or told.questions or own_words
    found = {
        ReviewReason.FREE_TEXT_CONDITION: own_words,
        ReviewReason.CONTRADICTION: compared.contradicts_itself,
        ReviewReason.EXPERT_RULE: compared.asks_for_expert,
        ReviewReason.BORDERLINE: only_in_doubt and told.borderline,
        ReviewReason.INFORMATION_MISSING: only_in_doubt and bool(told.questions),
        ReviewReason.NOT_DECIDABLE: only_in_doubt and not explained,
    }
    return tuple(reason.value for reason, applies in found.items() if applies)
