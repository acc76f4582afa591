"""The published network, compiled once and then asked about every submission."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from itertools import accumulate
from operator import or_
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from config.criteria import Leaf
from config.providers import Program, ProviderDocument
from pipeline.scoring.availability import Closed, closed, credentials_end
from pipeline.scoring.bits import bits_of
from pipeline.scoring.matcher import Matcher
from pipeline.scoring.rank import NEW_STANDING, Match, Standing

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class CompiledProgram:
    """One program; `position` is its place in the provider's own list, `criterion_ids` names its leaves in order.

    `with_margin` are the leaves that may be borderline, by their place in that order.
    """

    provider: int
    version_id: UUID
    version_text: str
    document: ProviderDocument
    program: Program
    position: int
    criterion_ids: tuple[str, ...]
    with_margin: tuple[tuple[int, Leaf], ...]


class Network:
    """All provider versions in force, and how their providers stand.

    A provider that is not in `standings` has never had a referral and so has waited longest.
    """

    def __init__(self, compiled: "_Compiled", standings: Mapping[str, Standing], revision: int) -> None:
        self._compiled = compiled
        self.standings = standings
        self.revision = revision

    @classmethod
    def of(
        cls,
        versions: Iterable[tuple[UUID, ProviderDocument]],
        standings: Mapping[str, Standing] | None = None,
        revision: int = 0,
    ) -> "Network":
        """Compile what is in force, at most one version of each provider.

        Raises:
            ValueError: two versions of the same provider.
        """
        return cls(_Compiled(sorted(versions, key=lambda version: version[1].id)), dict(standings or {}), revision)

    def with_standings(self, standings: Mapping[str, Standing]) -> "Network":
        """The same compiled network with newer standings."""
        return Network(self._compiled, standings, self.revision)

    @property
    def programs(self) -> Sequence[CompiledProgram]:
        """All programs, by provider id and then in the provider's own order."""
        return self._compiled.programs

    @property
    def documents(self) -> Mapping[UUID, ProviderDocument]:
        return self._compiled.documents

    @property
    def matcher(self) -> Matcher:
        return self._compiled.matcher

    def document(self, version_id: UUID) -> ProviderDocument:
        """Raises KeyError for a version that is not in force."""
        return self._compiled.documents[version_id]

    def closed_programs(self, at: datetime) -> int:
        """The set of programs (`bits`) whose providers are matched with nobody at this moment."""
        return self._compiled.closed_programs(at)

    def shortlist(self, programs: Sequence[int], scores: NDArray[np.int64], most: int) -> list[tuple[int, Match]]:
        """The best of these programs by their scores, one a provider, at most `most`, in the order of `rank`.

        Each with its number among the network's programs.
        """
        if not programs:
            return []
        compiled = self._compiled
        # One number orders a provider's programs: the higher score first, then the one listed first.
        numbers = np.array(programs, dtype=np.intp)
        worth = np.full(compiled.matcher.size, -1, dtype=np.int64)
        worth[numbers] = (scores + 1) * _MOST_PROGRAMS - compiled.positions[numbers]
        best = np.maximum.reduceat(worth, compiled.first_programs)
        fitting = np.flatnonzero(best >= 0)
        best_scores = -(-best[fitting] // _MOST_PROGRAMS) - 1
        turns = self._turns[fitting]
        # Another number orders the providers: the higher score first, then whose turn it is.
        merit = best_scores * len(best) - turns
        chosen = np.arange(len(merit))
        if len(merit) > most:
            chosen = np.argpartition(-merit, most - 1)[:most]
        chosen = chosen[np.argsort(-merit[chosen])]
        matches = []
        for place, index in enumerate(chosen.tolist(), start=1):
            provider, score = int(fitting[index]), int(best_scores[index])
            position = (score + 1) * _MOST_PROGRAMS - int(best[provider])
            number = int(compiled.first_programs[provider]) + position
            found = compiled.programs[number]
            matches.append((number, Match(found.document.id, found.version_id, found.program.id, score, place)))
        return matches

    @cached_property
    def _turns(self) -> NDArray[np.intp]:
        """Each provider's place among equals."""
        ids = self._compiled.provider_ids
        standings = [self.standings.get(provider_id, NEW_STANDING) for provider_id in ids]
        waits = [_since_epoch(each.last_offered_at) for each in standings]
        shares = [each.month_referrals / each.target_per_month if each.target_per_month else 1.0 for each in standings]
        turns = np.empty(len(ids), dtype=np.intp)
        turns[np.lexsort((shares, waits))] = np.arange(len(ids))
        return turns


_MOST_PROGRAMS = 1 << 20


class _Compiled:
    """What follows from the versions alone."""

    def __init__(self, versions: Sequence[tuple[UUID, ProviderDocument]]) -> None:
        self.provider_ids = [document.id for _, document in versions]
        if len(set(self.provider_ids)) < len(versions):
            raise ValueError("a network holds at most one version of each provider")
        self.documents = dict(versions)
        self.programs = tuple(
            _compile(number, version_id, document, position)
            for number, (version_id, document) in enumerate(versions)
            for position in range(len(document.programs))
        )
        self.matcher = Matcher([(each.document, each.program) for each in self.programs])
        self.positions = np.array([each.position for each in self.programs], dtype=np.int64)
        counts = [len(document.programs) for _, document in versions]
        self.first_programs = np.array([0, *accumulate(counts)][:-1], dtype=np.intp)
        self._paused, self._ends, self._expired = self._closings()

    def closed_programs(self, at: datetime) -> int:
        return self._paused | self._expired[bisect_right(self._ends, at)]

    def _closings(self) -> tuple[int, list[datetime], list[int]]:
        """The programs that are paused; the moments at which credentials expire; what has expired after each."""
        size = self.matcher.size
        paused = [number for number, each in enumerate(self.programs) if closed(each.document, _EPOCH) is Closed.PAUSED]
        ends: dict[datetime, list[int]] = {}
        for number, each in enumerate(self.programs):
            end = credentials_end(each.document)
            if end is not None:
                ends.setdefault(end, []).append(number)
        moments = sorted(ends)
        expired = accumulate((bits_of(ends[moment], size) for moment in moments), or_, initial=0)
        return bits_of(paused, size), moments, list(expired)


def _compile(number: int, version_id: UUID, document: ProviderDocument, position: int) -> CompiledProgram:
    program = document.programs[position]
    named = list(program.named_leaves())
    with_margin = tuple((place, leaf) for place, (_, _, leaf) in enumerate(named) if getattr(leaf, "borderline", None))
    names = tuple(name for name, _, _ in named)
    return CompiledProgram(number, version_id, str(version_id), document, program, position, names, with_margin)


def _since_epoch(moment: datetime | None) -> float:
    return -np.inf if moment is None else (moment - _EPOCH).total_seconds()
