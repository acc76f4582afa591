"""The order in which fitting providers are offered. Nothing about money enters."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from typing import Protocol, TypeVar
from uuid import UUID

_WHOLE = Fraction(1)
_LONGEST = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Standing:
    """How a provider stands among equals: its last new referral (`None`: never), and this month's toward its target."""

    last_offered_at: datetime | None = None
    month_referrals: int = 0
    target_per_month: int | None = None

    @property
    def share_of_target(self) -> Fraction:
        """1 for a provider without a target: it has no claim before those that are short of theirs."""
        return _WHOLE if self.target_per_month is None else Fraction(self.month_referrals, self.target_per_month)

    @property
    def turn(self) -> tuple[datetime, Fraction]:
        """Among equals the smallest comes first: the longest wait, then the lowest share of the target."""
        return self.last_offered_at or _LONGEST, self.share_of_target


NEW_STANDING = Standing()
"""Of a provider that was never offered anything."""


@dataclass(frozen=True, slots=True)
class Match:
    """A provider's best fitting program. `score` is 0 to 100, `rank` counts from 1."""

    provider_id: str
    provider_version_id: UUID
    program_id: str
    score: int
    rank: int


@dataclass(frozen=True, slots=True)
class Fit:
    """One program that fits; `position` is its place in the provider's own list."""

    provider_id: str
    provider_version_id: UUID
    program_id: str
    position: int
    score: int


def rank(fits: Iterable[Fit], standings: Mapping[str, Standing]) -> tuple[Match, ...]:
    """One match per provider: higher score, then the longest wait, then the lowest share of the target, then the id.

    The order does not depend on the order of `fits`. Of a provider's programs the highest score is taken, then the one
    listed first. Waiting times must all be aware of their zone.
    """
    best: dict[str, Fit] = {}
    for fit in fits:
        held = best.get(fit.provider_id)
        if held is None or (-fit.score, fit.position) < (-held.score, held.position):
            best[fit.provider_id] = fit
    return tuple(
        Match(fit.provider_id, fit.provider_version_id, fit.program_id, fit.score, place)
        for place, fit in enumerate(in_turn(best.values(), standings), start=1)
    )


def rank_again(matches: Iterable[Match], standings: Mapping[str, Standing]) -> tuple[Match, ...]:
    """The same order over matches that were ranked before, as their providers stand now."""
    return tuple(
        Match(match.provider_id, match.provider_version_id, match.program_id, match.score, place)
        for place, match in enumerate(in_turn(matches, standings), start=1)
    )


class _Scored(Protocol):
    @property
    def provider_id(self) -> str: ...

    @property
    def score(self) -> int: ...


ScoredT = TypeVar("ScoredT", bound=_Scored)


def in_turn(found: Iterable[ScoredT], standings: Mapping[str, Standing]) -> list[ScoredT]:
    """In the order of `rank`, for what holds at most one match of each provider."""
    return sorted(
        found,
        key=lambda one: (-one.score, standings.get(one.provider_id, NEW_STANDING).turn, one.provider_id),
    )
