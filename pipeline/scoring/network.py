"""The published network, compiled once and then asked about every submission."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import count
from uuid import UUID

from config.providers import Program, ProviderDocument
from pipeline.scoring.criteria import Check, Combination, compile_leaf, compile_tree
from pipeline.scoring.facts import Facts
from pipeline.scoring.geography import Place, place
from pipeline.scoring.verdict import Verdict

NEUTRAL_SCORE = 50
"""The score of a program that prefers nobody: neither ahead of those with preferences nor behind them."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """How one submission stands to one program. `verdicts` are the leaves' in the order of `criterion_ids`."""

    verdict: Verdict
    score: int
    verdicts: tuple[Verdict, ...]


@dataclass(frozen=True, slots=True)
class CompiledProgram:
    """One program's criteria as functions; `checks` are its leaves, required ones first."""

    program_id: str
    criterion_ids: tuple[str, ...]
    checks: tuple[Check, ...]
    requirements: tuple[Combination, ...]
    preferences: tuple[tuple[int, Combination], ...]
    total_weight: int

    def judge(self, facts: Facts) -> Judgement:
        verdicts = tuple([check(facts) for check in self.checks])
        verdict = min([requirement(verdicts) for requirement in self.requirements])
        return Judgement(verdict, self._score(verdicts), verdicts)

    def _score(self, verdicts: tuple[Verdict, ...]) -> int:
        """0 to 100: the share of preferred weight that is met, where what is not known counts half."""
        if not self.preferences:
            return NEUTRAL_SCORE
        halves = sum([weight * preference(verdicts) for weight, preference in self.preferences])
        return (100 * halves + self.total_weight) // (2 * self.total_weight)


@dataclass(frozen=True, slots=True)
class CompiledProvider:
    """One provider version, ready to judge."""

    version_id: UUID
    document: ProviderDocument
    programs: tuple[CompiledProgram, ...]


@dataclass(frozen=True, slots=True)
class Network:
    """All provider versions in force. `waiting_since` says since when a provider has had no new referral.

    A provider that is not in `waiting_since` has never had one and so has waited longest.
    """

    providers: tuple[CompiledProvider, ...]
    waiting_since: Mapping[str, datetime] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        versions: Iterable[tuple[UUID, ProviderDocument]],
        waiting_since: Mapping[str, datetime] | None = None,
    ) -> "Network":
        """Compile what is in force, at most one version of each provider.

        Raises:
            ValueError: two versions of the same provider.
        """
        ordered = sorted(versions, key=lambda version: version[1].id)
        if len({document.id for _, document in ordered}) < len(ordered):
            raise ValueError("a network holds at most one version of each provider")
        return cls(tuple(_compile_provider(*version) for version in ordered), dict(waiting_since or {}))

    def with_waiting_since(self, waiting_since: Mapping[str, datetime]) -> "Network":
        """The same compiled network with newer waiting times."""
        return replace(self, waiting_since=dict(waiting_since))

    def document(self, version_id: UUID) -> ProviderDocument:
        """Raises KeyError for a version that is not in force."""
        for provider in self.providers:
            if provider.version_id == version_id:
                return provider.document
        raise KeyError(version_id)


def _compile_provider(version_id: UUID, document: ProviderDocument) -> CompiledProvider:
    languages = frozenset(document.languages)
    locations = tuple(place(location.country, location.postal_code) for location in document.locations)
    programs = tuple(_compile_program(program, languages, locations) for program in document.programs)
    return CompiledProvider(version_id, document, programs)


def _compile_program(program: Program, languages: frozenset[str], locations: tuple[Place, ...]) -> CompiledProgram:
    named = list(program.named_leaves())
    positions = count()
    requirements = tuple(compile_tree(criterion, positions) for criterion in program.require)
    preferences = tuple((criterion.weight or 1, compile_tree(criterion, positions)) for criterion in program.prefer)
    return CompiledProgram(
        program_id=program.id,
        criterion_ids=tuple(name for name, _, _ in named),
        checks=tuple(compile_leaf(leaf, languages, locations) for _, _, leaf in named),
        requirements=requirements,
        preferences=preferences,
        total_weight=sum(weight for weight, _ in preferences),
    )
