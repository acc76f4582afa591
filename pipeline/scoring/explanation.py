"""Tells the one stored explanation to three readers: the person, the provider and the staff.

The explanation holds verdicts by criterion id; what the criteria say is in the immutable provider version it names.
Its short keys, since it is encrypted and stored with every submission:
`d` day of receipt, `o` outcome, `w` reasons for review, `p` provider versions, each with `p` provider id, `v` version
id and `g` programs, each with `g` program id, `r` verdict, `s` score and `c` criterion id → verdict. Verdicts are `m`
met, `u` unknown, `n` not met.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from config.criteria import Group, Leaf, Neither, children
from config.providers import Program, ProviderDocument
from pipeline.scoring import words
from pipeline.scoring.criteria import joined
from pipeline.scoring.verdict import Verdict


@dataclass(frozen=True, slots=True)
class ProgramRecord:
    """What the explanation says about one program of one provider version."""

    provider_id: str
    provider_version_id: UUID
    program_id: str
    verdict: Verdict
    score: int
    criteria: Mapping[str, Verdict]


@dataclass(frozen=True, slots=True)
class PersonExplanation:
    """Why this program is shown, what could not be compared, and what has to be said about what it offers."""

    reasons: tuple[str, ...]
    not_known: tuple[str, ...]
    notices: tuple[str, ...]

    @property
    def lines(self) -> list[str]:
        return [*self.reasons, *self.not_known, *self.notices]


def read_explanation(explanation: Mapping[str, Any]) -> Iterator[ProgramRecord]:
    """Every program in the order it was judged."""
    for provider in explanation["p"]:
        for program in provider["g"]:
            yield ProgramRecord(
                provider_id=provider["p"],
                provider_version_id=UUID(provider["v"]),
                program_id=program["g"],
                verdict=Verdict.of_letter(program["r"]),
                score=program["s"],
                criteria={name: Verdict.of_letter(letter) for name, letter in program["c"].items()},
            )


def program_record(explanation: Mapping[str, Any], provider_version_id: UUID, program_id: str) -> ProgramRecord:
    """What is stored about one program.

    Raises:
        LookupError: the explanation does not name it.
    """
    for record in read_explanation(explanation):
        if record.provider_version_id == provider_version_id and record.program_id == program_id:
            return record
    raise LookupError(f"the explanation does not name program {program_id} of version {provider_version_id}")


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
    judged = _judged(program, program_record(explanation, provider_version_id, program_id))
    return PersonExplanation(
        reasons=_once(reason for criterion in judged for reason in _reasons(criterion, language)),
        not_known=_once(
            words.NOT_KNOWN.in_language(language).format(noun=words.noun(leaf, language))
            for criterion in judged
            for leaf in _unknown_leaves(criterion)
        ),
        notices=notices(program, language),
    )


def explain_to_provider(
    explanation: Mapping[str, Any],
    document: ProviderDocument,
    provider_version_id: UUID,
    program_id: str,
    language: str,
) -> tuple[str, ...]:
    """Which of its own published criteria fit and which are open: no answer, no score, nothing about others.

    Raises:
        LookupError: the explanation or the document does not have this program.
    """
    judged = _judged(document.program(program_id), program_record(explanation, provider_version_id, program_id))
    met = _once(line for criterion in judged for line in _met_criteria(criterion, language))
    return met + _once(
        words.CRITERION_UNKNOWN.in_language(language).format(noun=words.noun(leaf, language))
        for criterion in judged
        for leaf in _unknown_leaves(criterion)
    )


def explain_to_staff(explanation: Mapping[str, Any]) -> tuple[str, ...]:
    """Everything on record, one line per program and per criterion, by id."""
    lines = [f"{explanation['o']} on {explanation['d']}", *(f"review: {reason}" for reason in explanation["w"])]
    for record in read_explanation(explanation):
        said = _STAFF[record.verdict]
        lines.append(f"{record.provider_id} / {record.program_id}: {said}, score {record.score}")
        lines += [f"  {name}: {_STAFF[verdict]}" for name, verdict in record.criteria.items()]
    return tuple(lines)


def notices(program: Program, language: str) -> tuple[str, ...]:
    """What has to stand beside a program wherever the person sees it."""
    needed = [words.NOT_MEDICAL_ADVICE.in_language(language)]
    if (notice := words.PRODUCT_NOTICES.get(program.product)) is not None:
        needed.append(notice.in_language(language))
    if program.irb is not None:
        irb = words.IRB_NOTICE.in_language(language)
        needed.append(irb.format(board=program.irb.name, number=program.irb.number))
    return tuple(needed)


_STAFF = {Verdict.MET: "met", Verdict.UNKNOWN: "unknown", Verdict.NOT_MET: "not met"}


@dataclass(frozen=True, slots=True)
class _Judged:
    """A criterion with its verdict, and a group's parts with theirs."""

    criterion: Leaf | Group
    verdict: Verdict
    parts: tuple["_Judged", ...]


def _judged(program: Program, record: ProgramRecord) -> tuple[_Judged, ...]:
    """The program's criteria with the verdicts on record, joined as they were when they were recorded."""
    verdicts = [record.criteria[name] for name, _, _ in program.named_leaves()]
    positions = iter(verdicts)
    return tuple(_judge(criterion, positions) for criterion in (*program.require, *program.prefer))


def _judge(criterion: Leaf | Group, verdicts: Iterator[Verdict]) -> _Judged:
    if not isinstance(criterion, Group):
        return _Judged(criterion, next(verdicts), ())
    parts = tuple(_judge(part, verdicts) for part in children(criterion)[1])
    return _Judged(criterion, joined(criterion)([part.verdict for part in parts]), parts)


def _reasons(judged: _Judged, language: str) -> Iterator[str]:
    if judged.verdict is not Verdict.MET:
        return
    criterion = judged.criterion
    if not isinstance(criterion, Group):
        yield words.fits(criterion, language)
    elif criterion.person is not None:
        yield criterion.person.in_language(language)
    elif isinstance(criterion, Neither):
        yield words.NOTHING_EXCLUDED.in_language(language)
    else:
        for part in judged.parts:
            yield from _reasons(part, language)


def _met_criteria(judged: _Judged, language: str) -> Iterator[str]:
    if judged.verdict is not Verdict.MET:
        return
    criterion = judged.criterion
    if not isinstance(criterion, Group):
        yield words.CRITERION_FITS.in_language(language).format(noun=words.noun(criterion, language))
    elif isinstance(criterion, Neither):
        yield words.NO_EXCLUSION.in_language(language)
    else:
        for part in judged.parts:
            yield from _met_criteria(part, language)


def _unknown_leaves(judged: _Judged) -> Iterator[Leaf]:
    if judged.verdict is not Verdict.UNKNOWN:
        return
    if not isinstance(judged.criterion, Group):
        yield judged.criterion
    for part in judged.parts:
        yield from _unknown_leaves(part)


def _once(lines: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(lines))
