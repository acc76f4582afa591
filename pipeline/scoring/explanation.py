"""Tells the one stored explanation to three readers: the person, the provider and the staff.

The person reads why a program is listed, what is not known and what has to be said about what it offers. The provider
reads how the answers compare with its own criteria, and nothing about others. The staff read all of it
(`pipeline.scoring.staff`).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from config.criteria import Neither, subject
from config.providers import ProviderDocument
from pipeline.scoring import words
from pipeline.scoring.notices import notices
from pipeline.scoring.record import ProgramRecord, judged_program, program_record, read_explanation
from pipeline.scoring.staff import (
    StaffCriterion,
    StaffExplanation,
    StaffProgram,
    StaffQuestion,
    explain_to_staff,
    staff_lines,
)
from pipeline.scoring.trees import Judged, JudgedLeaf
from pipeline.scoring.verdict import Verdict

__all__ = [
    "PersonExplanation",
    "ProgramRecord",
    "ProviderExplanation",
    "StaffCriterion",
    "StaffExplanation",
    "StaffProgram",
    "StaffQuestion",
    "explain_to_person",
    "explain_to_provider",
    "explain_to_staff",
    "notices",
    "read_explanation",
    "staff_lines",
]

_NEEDS_REVIEW = "needs_review"


@dataclass(frozen=True, slots=True)
class PersonExplanation:
    """Why this program is shown, what could not be compared, and what has to be said about what it offers."""

    reasons: tuple[str, ...]
    not_known: tuple[str, ...]
    notices: tuple[str, ...]

    @property
    def lines(self) -> list[str]:
        return [*self.reasons, *self.not_known, *self.notices]


@dataclass(frozen=True, slots=True)
class ProviderExplanation:
    """A program's own published criteria by how the answers compare with them; names of criteria, never an answer."""

    met: tuple[str, ...] = ()
    not_known: tuple[str, ...] = ()
    borderline: tuple[str, ...] = ()

    @property
    def lines(self) -> list[str]:
        return [*self.met, *self.not_known, *self.borderline]


def explain_to_person(
    explanation: Mapping[str, Any],
    document: ProviderDocument,
    provider_version_id: UUID,
    program_id: str,
    language: str,
) -> PersonExplanation:
    """Plain words about one program. `document` is the provider version the match names.

    Raises:
        LookupError: the explanation or the document does not have this program.
    """
    program = document.program(program_id)
    judged = judged_program(program, program_record(explanation, provider_version_id, program_id))
    # Nobody is shown what waits for an expert, so whoever reads such an explanation has been looked at by one.
    looked_at = explanation["o"] == _NEEDS_REVIEW
    return PersonExplanation(
        reasons=_once(reason for each in judged.told for reason in _reasons(each, language)),
        not_known=_once(
            words.just_outside(leaf.criterion, language, looked_at=looked_at)
            if judged.is_borderline(leaf)
            else words.not_known(leaf.criterion, language)
            for leaf in _unknown_leaves(judged.told)
        ),
        notices=notices(program, document, language),
    )


def explain_to_provider(
    explanation: Mapping[str, Any],
    document: ProviderDocument,
    provider_version_id: UUID,
    program_id: str,
    language: str,
) -> ProviderExplanation:
    """Which of its own published criteria fit and which are open: no answer, no score, nothing about others.

    What the person can pay is left out, as on the rest of the page: it would weaken the person's side of the talk.

    Raises:
        LookupError: the explanation or the document does not have this program.
    """
    program = document.program(program_id)
    judged = judged_program(program, program_record(explanation, provider_version_id, program_id))
    still_open = [leaf for leaf in _unknown_leaves(judged.told) if _concerns_provider(leaf)]
    return ProviderExplanation(
        met=_once(name for each in judged.told for name in _met_criteria(each, language)),
        not_known=_once(
            words.criterion(each.criterion, language) for each in still_open if not judged.is_borderline(each)
        ),
        borderline=_once(
            words.criterion(each.criterion, language) for each in still_open if judged.is_borderline(each)
        ),
    )


def _reasons(judged: Judged, language: str) -> Iterator[str]:
    if judged.verdict is not Verdict.MET:
        return
    if isinstance(judged, JudgedLeaf):
        yield words.fits(judged.criterion, language)
    elif judged.criterion.person is not None:
        yield judged.criterion.person.in_language(language)
    elif isinstance(judged.criterion, Neither):
        yield words.NOTHING_EXCLUDED.in_language(language)
    else:
        for part in judged.parts:
            yield from _reasons(part, language)


def _met_criteria(judged: Judged, language: str) -> Iterator[str]:
    if judged.verdict is not Verdict.MET:
        return
    if isinstance(judged, JudgedLeaf):
        if _concerns_provider(judged):
            yield words.met_criterion(judged.criterion, language)
    elif isinstance(judged.criterion, Neither):
        yield words.NO_EXCLUSION.in_language(language)
    else:
        for part in judged.parts:
            yield from _met_criteria(part, language)


def _unknown_leaves(judged: Iterable[Judged]) -> Iterator[JudgedLeaf]:
    """Those that leave the criteria they stand under open."""
    for each in judged:
        if each.verdict is not Verdict.UNKNOWN:
            continue
        if isinstance(each, JudgedLeaf):
            yield each
        else:
            yield from _unknown_leaves(each.parts)


def _concerns_provider(leaf: JudgedLeaf) -> bool:
    return subject(leaf.criterion) != "budget"


def _once(lines: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(lines))
