"""Writes down how a submission stands to programs, criterion by criterion, in the short keys that `record` explains."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.scoring.availability import closed
from pipeline.scoring.compare import Comparison
from pipeline.scoring.matcher import Outlook
from pipeline.scoring.network import CompiledProgram, Network
from pipeline.scoring.questions import is_borderline, open_questions
from pipeline.scoring.trees import deciding, judge
from pipeline.scoring.verdict import Verdict

MOST_EXPLAINED = 50
"""Programs whose criteria are stored one by one. The others can be judged again, by the versions on record."""

BORDERLINE_LETTER = "b"
_UNKNOWN = Verdict.UNKNOWN.letter


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
    programs = _to_tell(compared, network, matched)
    told = Told(left_out=network.matcher.size - len(programs))
    telling = _Telling(compared, network, at, told)
    for number, outlook in zip(programs, network.matcher.outlooks(compared.sight, programs), strict=True):
        telling.add(number, outlook)
    if compared.is_only_in_doubt:
        outlooks = network.matcher.outlooks(compared.sight, compared.in_doubt)
        doubts = [
            telling.doubt(network.programs[number], outlook)
            for number, outlook in zip(compared.in_doubt, outlooks, strict=True)
        ]
        told.borderline = any(doubt.borderline for doubt in doubts)
        told.questions = dict.fromkeys(question for doubt in doubts for question in doubt.questions)
    return told


def _to_tell(compared: Comparison, network: Network, matched: Collection[int]) -> Sequence[int]:
    """At most `MOST_EXPLAINED`, in the network's order."""
    every = range(network.matcher.size)
    if len(every) <= MOST_EXPLAINED:
        return every
    in_doubt_scores = network.matcher.scores(compared.sight, compared.in_doubt)
    wanted = (
        matched,
        _best_first(compared.fitting, compared.fitting_scores),
        _best_first(compared.in_doubt, in_doubt_scores),
        every,
    )
    chosen: set[int] = set()
    for number in chain(*wanted):
        if len(chosen) == MOST_EXPLAINED:
            break
        chosen.add(number)
    return sorted(chosen)


def _best_first(programs: Sequence[int], scores: NDArray[np.int64]) -> list[int]:
    return [programs[index] for index in np.argsort(-scores, kind="stable")[:MOST_EXPLAINED].tolist()]


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

    def add(self, number: int, outlook: Outlook) -> None:
        program = self.network.programs[number]
        if program.provider != self.provider:
            self.provider = program.provider
            self.told.providers.append(self._provider(number, program))
        self.told.providers[-1]["g"].append(self._program(program, outlook))

    def _provider(self, number: int, program: CompiledProgram) -> dict[str, Any]:
        entry: dict[str, Any] = {"p": program.document.id, "v": program.version_text}
        reason = closed(program.document, self.at) if self.compared.closed >> number & 1 else None
        if reason is not None:
            entry["a"] = reason.value
        entry["g"] = []
        return entry

    def _program(self, program: CompiledProgram, outlook: Outlook) -> dict[str, Any]:
        entry: dict[str, Any] = {"g": program.program.id, "r": outlook.verdict, "s": outlook.score}
        if outlook.verdict == _UNKNOWN:
            entry["q"] = self.doubt(program, outlook).questions
        entry["c"] = letters = dict(zip(program.criterion_ids, outlook.leaves, strict=True))
        for place in self._borderline(program, outlook):
            letters[program.criterion_ids[place]] = BORDERLINE_LETTER
        if outlook.asks_for_expert:
            entry["x"] = 1
        return entry

    def _borderline(self, program: CompiledProgram, outlook: Outlook) -> Sequence[int]:
        """The leaves, by their place, that are unknown because the fact lies just outside of their limits."""
        return [
            place
            for place, leaf in program.with_margin
            if outlook.leaves[place] == _UNKNOWN and is_borderline(leaf, self.compared.facts, program.document)
        ]

    def doubt(self, program: CompiledProgram, outlook: Outlook) -> _Doubt:
        questions: dict[str, str] = {}
        margins = self._borderline(program, outlook)
        borderline = False
        verdicts = map(Verdict.of_letter, outlook.leaves)
        for leaf in deciding(judge(program.program.eligibility, verdicts), Verdict.UNKNOWN):
            if leaf.position in margins:
                borderline = True
                continue
            for question in open_questions(leaf.criterion, self.compared.facts, program.document):
                questions.setdefault(question, program.criterion_ids[leaf.position])
        return _Doubt(questions, borderline)
