"""The stored explanation as staff read it: every program and criterion, what decided, and what would decide."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from config.providers import Program, ProviderDocument
from pipeline.scoring.record import JudgedProgram, ProgramRecord, judged_program, leaves_by_id, read_explanation
from pipeline.scoring.staff_words import CLOSED, OUTCOMES, REVIEW_REASONS, describe
from pipeline.scoring.trees import deciding
from pipeline.scoring.verdict import Verdict


class Standing(StrEnum):
    """How the person stands to a program."""

    ELIGIBLE = "eligible"
    NEEDS_INFORMATION = "needs information"
    NOT_ELIGIBLE = "not eligible"
    CLOSED = "closed"


class Finding(StrEnum):
    """One criterion's verdict; `borderline` is unknown because the answer is just outside of the limits."""

    MET = "met"
    UNKNOWN = "unknown"
    BORDERLINE = "borderline"
    NOT_MET = "not met"


@dataclass(frozen=True, slots=True)
class StaffCriterion:
    """One leaf: where it stands (`section`, such as `exclusion`, and the `groups` around it) and what it came to.

    `words` is empty if the provider version is not at hand. An exclusion or a rule for review that is met applies.
    """

    id: str
    finding: Finding
    words: str = ""
    section: str = ""
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StaffQuestion:
    """A question of the form whose answer would decide a program; `ask` is the program's own wording of it, if any."""

    question: str
    criterion_id: str
    ask: str | None = None


@dataclass(frozen=True, slots=True)
class StaffProgram:
    """One program. `deciding` are the criteria through which one that is not eligible fails.

    `known` is whether the provider version it was judged by is at hand; without it there are no words, and nothing can
    be said of what decided.
    """

    provider_id: str
    provider_version_id: UUID
    program_id: str
    standing: Standing
    score: int
    criteria: tuple[StaffCriterion, ...]
    deciding: tuple[str, ...] = ()
    questions: tuple[StaffQuestion, ...] = ()
    closed: str | None = None
    expert_rule: bool = False
    known: bool = True


@dataclass(frozen=True, slots=True)
class StaffExplanation:
    """Everything on record about one assessment.

    `received_on` is an ISO day, `judged_at` an ISO moment in UTC. It and `revision` are `None` in what the first
    release stored. `left_out` is how many further programs were judged and are not on record.
    """

    outcome: str
    received_on: str
    judged_at: str | None
    revision: int | None
    review_reasons: tuple[str, ...]
    left_out: int
    programs: tuple[StaffProgram, ...]


def explain_to_staff(
    explanation: Mapping[str, Any], documents: Mapping[UUID, ProviderDocument] | None = None
) -> StaffExplanation:
    """All of it. `documents` are the provider versions it names; one that is missing is said to be."""
    known = documents or {}
    return StaffExplanation(
        outcome=OUTCOMES.get(explanation["o"], explanation["o"]),
        received_on=explanation["d"],
        judged_at=explanation.get("t"),
        revision=explanation.get("n"),
        review_reasons=tuple(REVIEW_REASONS.get(reason, reason) for reason in explanation["w"]),
        left_out=explanation.get("z", 0),
        programs=tuple(
            _program(record, known.get(record.provider_version_id)) for record in read_explanation(explanation)
        ),
    )


def staff_lines(told: StaffExplanation) -> tuple[str, ...]:
    """The explanation for a terminal."""
    return (*_header(told), *(line for program in told.programs for line in ("", *_program_lines(program))))


def _program(record: ProgramRecord, document: ProviderDocument | None) -> StaffProgram:
    program = _published(document, record.program_id)
    return StaffProgram(
        provider_id=record.provider_id,
        provider_version_id=record.provider_version_id,
        program_id=record.program_id,
        standing=Standing.CLOSED if record.closed else _STANDINGS[record.verdict],
        score=record.score,
        criteria=tuple(_criteria(record, program)),
        deciding=_deciding(judged_program(program, record)) if program is not None else (),
        questions=tuple(_questions(record, program)),
        closed=CLOSED.get(record.closed, record.closed) if record.closed else None,
        expert_rule=record.expert_rule,
        known=program is not None,
    )


def _published(document: ProviderDocument | None, program_id: str) -> Program | None:
    programs = document.programs if document is not None else ()
    return next((program for program in programs if program.id == program_id), None)


def _criteria(record: ProgramRecord, program: Program | None) -> Iterator[StaffCriterion]:
    if program is None:
        for name in record.criteria:
            yield StaffCriterion(name, _finding(record, name))
        return
    for name, (section, *path), leaf in program.named_leaves():
        groups = tuple(_GROUPS[str(key)] for key in path if key in _GROUPS)
        yield StaffCriterion(name, _finding(record, name), describe(leaf), str(section), groups)


def _finding(record: ProgramRecord, name: str) -> Finding:
    return Finding.BORDERLINE if name in record.borderline else _FINDINGS[record.criteria[name]]


def _deciding(judged: JudgedProgram) -> tuple[str, ...]:
    return tuple(dict.fromkeys(judged.id_of(leaf) for leaf in deciding(judged.eligibility, Verdict.NOT_MET)))


def _questions(record: ProgramRecord, program: Program | None) -> Iterator[StaffQuestion]:
    leaves = leaves_by_id(program) if program is not None else {}
    for question, name in record.questions.items():
        leaf = leaves.get(name)
        yield StaffQuestion(question, name, leaf.ask.en if leaf is not None and leaf.ask is not None else None)


def _header(told: StaffExplanation) -> Iterator[str]:
    judged = f", judged at {told.judged_at}" if told.judged_at is not None else ""
    network = f", network revision {told.revision}" if told.revision is not None else ""
    yield f"{told.outcome}: received on {told.received_on}{judged}{network}"
    for reason in told.review_reasons:
        yield f"  for review: {reason}"
    if told.left_out:
        yield f"  {told.left_out} further programs were judged; their details are not kept"


def _program_lines(program: StaffProgram) -> Iterator[str]:
    yield f"{program.provider_id} / {program.program_id}: {_standing(program)}, score {program.score}"
    if not program.known:
        yield f"  version {program.provider_version_id} is not at hand: criteria by id only"
    if program.expert_rule:
        yield "  its own rule asks for an expert"
    if program.deciding:
        yield f"  because of: {', '.join(program.deciding)}"
    for asked in program.questions:
        yield f"  would decide: {asked.question}, for {asked.criterion_id}" + (f" ({asked.ask})" if asked.ask else "")
    section = ""
    for criterion in program.criteria:
        if criterion.section != section:
            section = criterion.section
            yield f"  {_SECTIONS[section]}"
        yield f"    {criterion.finding:<10}  {_said(criterion)}"


def _standing(program: StaffProgram) -> str:
    return f"{program.standing} ({program.closed})" if program.closed else program.standing.value


def _said(criterion: StaffCriterion) -> str:
    if not criterion.groups and criterion.words.startswith(f"{criterion.id} "):
        return criterion.words
    said = [criterion.id, *criterion.groups, criterion.words]
    return ": ".join(part for part in said if part)


_GROUPS = {"all": "all of", "any": "any of", "none": "none of"}
_SECTIONS = {
    "require": "required",
    "inclusion": "inclusion: every one has to be met",
    "exclusion": "exclusion: none may be met",
    "prefer": "preferred",
    "review_if": "an expert looks at who is eligible and meets, or may meet, one of",
}
_STANDINGS = {
    Verdict.MET: Standing.ELIGIBLE,
    Verdict.UNKNOWN: Standing.NEEDS_INFORMATION,
    Verdict.NOT_MET: Standing.NOT_ELIGIBLE,
}
_FINDINGS = {Verdict.MET: Finding.MET, Verdict.UNKNOWN: Finding.UNKNOWN, Verdict.NOT_MET: Finding.NOT_MET}
