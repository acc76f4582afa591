"""Writes down how a submission stands to programs, criterion by criterion, for `record` to read.

`p` lists provider versions: `p` provider id, `v` version id, `a` why it is closed (if so) and `g` programs, each with
`g` program id, `r` verdict, `s` score, `q` the questions that would decide it, each with the criterion that asks (only
for an unknown verdict), `c` criterion id → verdict, and `x` if it asks for an expert. Verdicts: `m` met, `u` unknown,
`b` unknown because just outside of the limits, `n` not met.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from typing import Any

from pipeline.scoring.availability import closed
from pipeline.scoring.compare import Comparison
from pipeline.scoring.criteria import deciding, judge
from pipeline.scoring.network import CompiledProgram, Network
from pipeline.scoring.questions import is_borderline, open_questions
from pipeline.scoring.verdict import Verdict

MOST_EXPLAINED = 50
"""Programs whose criteria are stored one by one. The others can be judged again, by the versions on record."""

BORDERLINE_LETTER = "b"
_LETTERS = tuple(verdict.letter for verdict in Verdict)


@dataclass(slots=True)
class Told:
    """What is written down, how many programs are left out, and what the doubts hang on."""

    left_out: int
    providers: list[dict[str, Any]] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)
    borderline: bool = False


def tell(compared: Comparison, network: Network, at: datetime) -> Told:
    """Write down the programs matched, those that fit, those in doubt and then any, up to `MOST_EXPLAINED`."""
    size = network.matcher.size
    matched = (number for number, _ in compared.shortlist)
    programs = _first_of(matched, compared.fitting, compared.in_doubt, range(size))
    told = Told(left_out=size - len(programs))
    telling = _Telling(compared, network, at, told)
    scores = network.matcher.scores(compared.sight, programs).tolist()
    verdicts = network.matcher.leaf_verdicts(compared.sight, programs)
    for number, points, leaves in zip(programs, scores, verdicts, strict=True):
        telling.add(number, points, leaves)
    return told


def _first_of(*programs: Iterable[int]) -> list[int]:
    """The first `MOST_EXPLAINED`, in the network's order."""
    chosen: set[int] = set()
    for number in chain(*programs):
        if len(chosen) == MOST_EXPLAINED:
            break
        chosen.add(number)
    return sorted(chosen)


@dataclass(slots=True)
class _Telling:
    compared: Comparison
    network: Network
    at: datetime
    told: Told
    provider: int = -1
    provider_is_open: bool = True

    def add(self, number: int, points: int, leaves: Sequence[Verdict]) -> None:
        program = self.network.programs[number]
        if program.provider != self.provider:
            self._begin_provider(program)
        self.told.providers[-1]["g"].append(self._program(number, points, leaves))

    def _begin_provider(self, program: CompiledProgram) -> None:
        entry: dict[str, Any] = {"p": program.document.id, "v": str(program.version_id)}
        reason = closed(program.document, self.at)
        if reason is not None:
            entry["a"] = reason.value
        entry["g"] = []
        self.told.providers.append(entry)
        self.provider, self.provider_is_open = program.provider, reason is None

    def _program(self, number: int, points: int, verdicts: Sequence[Verdict]) -> dict[str, Any]:
        program, sight = self.network.programs[number], self.compared.sight
        verdict = sight.verdict(number)
        letters = [_LETTERS[each] for each in verdicts]
        for place, leaf in program.with_margin:
            if verdicts[place] is Verdict.UNKNOWN and is_borderline(leaf, self.compared.facts, program.document):
                letters[place] = BORDERLINE_LETTER
        entry: dict[str, Any] = {"g": program.program.id, "r": verdict.letter, "s": points}
        if verdict is Verdict.UNKNOWN:
            entry["q"] = self._questions(program, verdicts, letters)
        entry["c"] = dict(zip(program.criterion_ids, letters, strict=True))
        if sight.review >> number & 1:
            entry["x"] = 1
        return entry

    def _questions(
        self, program: CompiledProgram, verdicts: Sequence[Verdict], letters: Sequence[str]
    ) -> dict[str, str]:
        """The questions that would decide a program, each with the criterion that asks it first."""
        questions: dict[str, str] = {}
        borderline = False
        for doubt in deciding(judge(program.program.eligibility, verdicts), Verdict.UNKNOWN):
            if letters[doubt.position] == BORDERLINE_LETTER:
                borderline = True
                continue
            for question in open_questions(doubt.criterion, self.compared.facts, program.document):
                questions.setdefault(question, program.criterion_ids[doubt.position])
        if self.provider_is_open:
            self.told.borderline |= borderline
            self.told.questions += questions
        return questions
