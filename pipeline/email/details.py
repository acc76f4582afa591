"""The facts that the full forms of emails hold. Protected until a transport is cleared for them; in no `repr`."""

from dataclasses import dataclass
from datetime import date

from config.conditions import EvidenceLevel


@dataclass(frozen=True, slots=True, repr=False)
class RecommendedProgram:
    """One program, in the words of the person's page. `kind`: study, clinic or consultation."""

    provider_name: str
    program_name: str
    kind: str
    summary: str
    locations: tuple[str, ...]
    reasons: tuple[str, ...]
    not_known: tuple[str, ...]
    notices: tuple[str, ...]
    """What has to stand beside it (`pipeline.scoring.notices`): never left out."""


@dataclass(frozen=True, slots=True, repr=False)
class RecommendationDetails:
    """What the results page lists, best first. `expert_decided`: an expert chose them.

    `evidence` is what is known about treating the condition, with its source; None for one that is not in the list.
    """

    condition: str
    evidence: EvidenceLevel | None
    source: str | None
    expert_decided: bool
    programs: tuple[RecommendedProgram, ...]


@dataclass(frozen=True, slots=True, repr=False)
class InformationNeededDetails:
    """The questions whose answers would decide, as the page asks them."""

    questions: tuple[str, ...]


@dataclass(frozen=True, slots=True, repr=False)
class Fact:
    """A question's label and the answer in words."""

    label: str
    value: str


@dataclass(frozen=True, slots=True, repr=False)
class ReferralDetails:
    """What a provider needs to say whether it takes the referral; who the person is stays on the page.

    `met`, `borderline` and `not_known` are the provider's own published criteria by how the answers compare.
    """

    program_name: str
    received_on: date
    facts: tuple[Fact, ...]
    met: tuple[str, ...]
    borderline: tuple[str, ...]
    not_known: tuple[str, ...]


Details = RecommendationDetails | InformationNeededDetails | ReferralDetails
