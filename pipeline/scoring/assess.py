"""Judges one submission against the whole network, and writes down why."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from config.conditions import OTHER
from pipeline.scoring.facts import Answer, Facts, read_facts
from pipeline.scoring.network import Network
from pipeline.scoring.rank import Fit, Match, rank
from pipeline.scoring.verdict import Verdict


class Outcome(StrEnum):
    CANDIDATE = "candidate"
    NEEDS_REVIEW = "needs_review"
    NO_MATCH = "no_match"


class ReviewReason(StrEnum):
    """Why a person has to look at it before anybody is sent anything."""

    FREE_TEXT_CONDITION = "free_text_condition"
    CONTRADICTION = "contradiction"
    INFORMATION_MISSING = "information_missing"


@dataclass(frozen=True, slots=True)
class Assessment:
    """`matches` are ranked, and empty unless the outcome is candidate. `explanation` is read by `explanation`.

    The explanation holds health facts by inference (a met criterion tells an answer), so it is stored encrypted.
    """

    outcome: Outcome
    matches: tuple[Match, ...]
    explanation: dict[str, Any]
    review_reasons: tuple[str, ...]


def score(answers: Mapping[str, Answer], network: Network, received_on: date) -> Assessment:
    """Judge validated answers, as of the day they were received.

    Pure: the same answers, versions, waiting times and day give the same assessment, whatever order they come in.
    """
    facts = read_facts(answers, received_on)
    fits: list[Fit] = []
    told: list[dict[str, Any]] = []
    information_missing = False
    for provider in network.providers:
        programs: list[dict[str, Any]] = []
        for position, program in enumerate(provider.programs):
            judged = program.judge(facts)
            if judged.verdict is Verdict.MET:
                fit = Fit(provider.document.id, provider.version_id, program.program_id, position, judged.score)
                fits.append(fit)
            elif judged.verdict is Verdict.UNKNOWN:
                information_missing = True
            letters = map(_LETTERS.__getitem__, judged.verdicts)
            programs.append(
                {
                    "g": program.program_id,
                    "r": _LETTERS[judged.verdict],
                    "s": judged.score,
                    "c": dict(zip(program.criterion_ids, letters, strict=True)),
                }
            )
        told.append({"p": provider.document.id, "v": str(provider.version_id), "g": programs})
    reasons = _review_reasons(facts, only_unknown=information_missing and not fits)
    outcome = Outcome.NEEDS_REVIEW if reasons else Outcome.CANDIDATE if fits else Outcome.NO_MATCH
    matches = rank(fits, network.waiting_since) if outcome is Outcome.CANDIDATE else ()
    explanation = {"d": received_on.isoformat(), "o": outcome.value, "w": list(reasons), "p": told}
    return Assessment(outcome, matches, explanation, reasons)


_LETTERS = tuple(verdict.letter for verdict in Verdict)


def _review_reasons(facts: Facts, *, only_unknown: bool) -> tuple[str, ...]:
    contraindications = facts.answers.get("contraindications")
    found = {
        ReviewReason.FREE_TEXT_CONDITION: facts.answers.get("condition") == OTHER,
        ReviewReason.CONTRADICTION: isinstance(contraindications, list)
        and "none" in contraindications
        and len(set(contraindications)) > 1,
        ReviewReason.INFORMATION_MISSING: only_unknown,
    }
    return tuple(reason.value for reason, applies in found.items() if applies)
