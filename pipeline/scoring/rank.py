"""The order in which fitting providers are offered. Nothing about money enters."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

_LONGEST = datetime.min.replace(tzinfo=UTC)


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


def rank(fits: Iterable[Fit], waiting_since: Mapping[str, datetime]) -> tuple[Match, ...]:
    """One match per provider: higher score first, then who has waited longer, then the provider's id.

    The order does not depend on the order of `fits`. Of a provider's programs the highest score is taken, then the one
    listed first. Waiting times must all be aware of their zone.
    """
    best: dict[str, Fit] = {}
    for fit in fits:
        held = best.get(fit.provider_id)
        if held is None or (-fit.score, fit.position) < (-held.score, held.position):
            best[fit.provider_id] = fit
    ordered = sorted(
        best.values(), key=lambda fit: (-fit.score, waiting_since.get(fit.provider_id, _LONGEST), fit.provider_id)
    )
    return tuple(
        Match(fit.provider_id, fit.provider_version_id, fit.program_id, fit.score, place)
        for place, fit in enumerate(ordered, start=1)
    )
