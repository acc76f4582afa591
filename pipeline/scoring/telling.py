"""Writes down how a submission stands to programs, criterion by criterion, in the short keys that `record` explains."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from typing import Any

import numpy as np

from pipeline.scoring.availability import closed
from pipeline.scoring.compare import Comparison
from pipeline.scoring.network import CompiledProgram, Network
from pipeline.scoring.questions import is_borderline, open_questions
from pipeline.scoring.trees import deciding, judge
from pipeline.scoring.verdict import Verdict

MOST_EXPLAINED = 50
"""Programs whose criteria are stored one by one. The others can be judged again, by the versions on record."""

BORDERLINE_LETTER = "b"
_LETTERS = tuple(verdict.letter for verdict in Verdict)


@dataclass(slots=True)
class Told:
    """What is written down, how many programs are left out, and what the doubts about all of them hang on."""

    left_out: int
    providers: list[dict[str, Any]] = field(default_factory=list)
    questions: Mapping[str, None] = field(default_factory=dict)
    borderline: bool = False


def tell(compared: Comparison, network: Network, at: datetime, matched: Collection[int]) -> Told:
    """Write down the programs `matched`, those that fit, those in doubt and then any, up to `MOST_EXPLAINED`.

    Of those that fit and those in doubt the best scores come first, and of equal ones the first of the network, so that
    the same is told whoever's turn it is.
    """
    matcher = network.matcher
    programs = _first_of(
        matched,
        *(_best_first(network, compared, each) for each in (compared.fitting, compared.in_doubt)),
        range(matcher.size),
    )
    told = Told(left_out=matcher.size - len(programs))
    telling = _Telling(compared, network, at, told)
    scores = matcher.scores(compared.sight, programs).tolist()
    verdicts = matcher.leaf_verdicts(compared.sight, programs)
    for number, points, leaves in zip(programs, scores, verdicts, strict=True):
        telling.add(number, points, leaves)
    if compared.is_only_in_doubt:
        doubts = [telling.doubt(*each) for each in telling.with_verdicts(compared.in_doubt)]
        told.borderline = any(doubt.borderline for doubt in doubts)
        told.questions = dict.fromkeys(question for doubt in doubts for question in doubt.questions)
    return told


def _best_first(network: Network, compared: Comparison, programs: Sequence[int]) -> list[int]:
    scores = network.matcher.scores(compared.sight, programs)
    return [programs[index] for index in np.argsort(-scores, kind="stable")[:MOST_EXPLAINED].tolist()]


def _first_of(*programs: Iterable[int]) -> list[int]:
    """The first `MOST_EXPLAINED`, in the network's order."""
    chosen: set[int] = set()
    for number in chain(*programs):
        if len(chosen) == MOST_EXPLAINED:
            break
        chosen.add(number)
    return sorted(chosen)


@dataclass(frozen=True, slots=True)
class _Doubt:
    """What would decide a program: questions, each with the criterion that asks it first, or an expert."""

    questions: dict[str, str]
    borderline: bool


@dataclass(slots=True)
class _Telling:
    compared: Comparison
    network: Network
    at: datetime
    told: Told
    provider: int = -1

    def add(self, number: int, points: int, verdicts: Sequence[Verdict]) -> None:
        program = self.network.programs[number]
        if program.provider != self.provider:
            self.provider = program.provider
            self.told.providers.append(self._provider(program))
        self.told.providers[-1]["g"].append(self._program(number, points, verdicts))

    def with_verdicts(self, programs: Sequence[int]) -> Iterator[tuple[CompiledProgram, list[Verdict]]]:
        verdicts = self.network.matcher.leaf_verdicts(self.compared.sight, programs)
        return zip((self.network.programs[number] for number in programs), verdicts, strict=True)

    def _provider(self, program: CompiledProgram) -> dict[str, Any]:
        entry: dict[str, Any] = {"p": program.document.id, "v": str(program.version_id)}
        reason = closed(program.document, self.at)
        if reason is not None:
            entry["a"] = reason.value
        entry["g"] = []
        return entry

    def _program(self, number: int, points: int, verdicts: Sequence[Verdict]) -> dict[str, Any]:
        program, sight = self.network.programs[number], self.compared.sight
        verdict = sight.verdict(number)
        letters = [_LETTERS[each] for each in verdicts]
        for place in self._borderline(program, verdicts):
            letters[place] = BORDERLINE_LETTER
        entry: dict[str, Any] = {"g": program.program.id, "r": verdict.letter, "s": points}
        if verdict is Verdict.UNKNOWN:
            entry["q"] = self.doubt(program, verdicts).questions
        entry["c"] = dict(zip(program.criterion_ids, letters, strict=True))
        if sight.review >> number & 1:
            entry["x"] = 1
        return entry

    def _borderline(self, program: CompiledProgram, verdicts: Sequence[Verdict]) -> list[int]:
        """The leaves, by their place, that are unknown because the fact lies just outside of their limits."""
        return [
            place
            for place, leaf in program.with_margin
            if verdicts[place] is Verdict.UNKNOWN and is_borderline(leaf, self.compared.facts, program.document)
        ]

    def doubt(self, program: CompiledProgram, verdicts: Sequence[Verdict]) -> _Doubt:
        questions: dict[str, str] = {}
        margins = self._borderline(program, verdicts)
        borderline = False
        for leaf in deciding(judge(program.program.eligibility, verdicts), Verdict.UNKNOWN):
            if leaf.position in margins:
                borderline = True
                continue
            for question in open_questions(leaf.criterion, self.compared.facts, program.document):
                questions.setdefault(question, program.criterion_ids[leaf.position])
        return _Doubt(questions, borderline)
