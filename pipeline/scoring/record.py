"""Reads the stored explanation of one assessment, of this release or an earlier one.

The explanation holds verdicts by criterion id; what the criteria say is in the immutable provider version it names.
Its keys are short, since it is encrypted and stored with every submission:

`d` day of receipt, `t` moment judged, `n` network revision, `o` outcome, `w` reasons for review, `z` how many programs
are left out, `p` provider versions, each with `p` provider id, `v` version id, `a` why it is closed (only if it is) and
`g` programs, each with `g` program id, `r` verdict, `s` score, `c` criterion id → verdict, `q` question → criterion
that it would decide (only if `r` is unknown) and `x` 1 if a rule asks for an expert. Verdicts are `m` met, `u` unknown,
`b` unknown because just outside of the limits, `n` not met. The first release wrote no `t`, `n`, `z`, `a`, `q`, `x`
and `b`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from config.criteria import Leaf
from config.providers import Program
from pipeline.scoring.trees import Judged, JudgedLeaf, judge
from pipeline.scoring.verdict import Verdict

_BORDERLINE = "b"


@dataclass(frozen=True, slots=True)
class ProgramRecord:
    """What the explanation says about one program of one provider version.

    `borderline` are criteria that are unknown because the answer is just outside of their limits. `questions` are those
    that would decide a program that needs information, each with the criterion it is about. `closed` says why the
    provider was matched with nobody at that time; `expert_rule`, that the program's own rule asks for an expert.
    """

    provider_id: str
    provider_version_id: UUID
    program_id: str
    verdict: Verdict
    score: int
    criteria: Mapping[str, Verdict]
    borderline: frozenset[str] = frozenset()
    questions: Mapping[str, str] = field(default_factory=dict)
    closed: str | None = None
    expert_rule: bool = False


@dataclass(frozen=True, slots=True)
class JudgedProgram:
    """A program's criteria with the verdicts on record, joined as they were when they were recorded."""

    eligibility: tuple[Judged, ...]
    preferences: tuple[Judged, ...]
    review_rules: tuple[Judged, ...]
    criterion_ids: tuple[str, ...]
    borderline: frozenset[str]

    def id_of(self, leaf: JudgedLeaf) -> str:
        return self.criterion_ids[leaf.position]

    def is_borderline(self, leaf: JudgedLeaf) -> bool:
        return self.id_of(leaf) in self.borderline

    @property
    def told(self) -> tuple[Judged, ...]:
        """What the person and the provider hear about: not the rules for whom an expert looks at."""
        return (*self.eligibility, *self.preferences)


def read_explanation(explanation: Mapping[str, Any]) -> Iterator[ProgramRecord]:
    """Every program in the order it was judged."""
    for provider in explanation["p"]:
        for program in provider["g"]:
            letters: Mapping[str, str] = program["c"]
            yield ProgramRecord(
                provider_id=provider["p"],
                provider_version_id=UUID(provider["v"]),
                program_id=program["g"],
                verdict=Verdict.of_letter(program["r"]),
                score=program["s"],
                criteria={name: _verdict(letter) for name, letter in letters.items()},
                borderline=frozenset(name for name, letter in letters.items() if letter == _BORDERLINE),
                questions=program.get("q", {}),
                closed=provider.get("a"),
                expert_rule=bool(program.get("x")),
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


def judged_program(program: Program, record: ProgramRecord) -> JudgedProgram:
    """The program as it was published, with the verdicts of `record`."""
    names = tuple(name for name, _, _ in program.named_leaves())
    eligible, preferred = len(program.eligibility), len(program.prefer)
    judged = judge(
        (*program.eligibility, *program.prefer, *program.review_if), [record.criteria[name] for name in names]
    )
    return JudgedProgram(
        eligibility=judged[:eligible],
        preferences=judged[eligible : eligible + preferred],
        review_rules=judged[eligible + preferred :],
        criterion_ids=names,
        borderline=record.borderline,
    )


def leaves_by_id(program: Program) -> dict[str, Leaf]:
    """A program's leaves under the ids that explanations use."""
    return {name: leaf for name, _, leaf in program.named_leaves()}


def _verdict(letter: str) -> Verdict:
    return Verdict.UNKNOWN if letter == _BORDERLINE else Verdict.of_letter(letter)
