"""Pages with invented contents, for the tests of the secure pages."""

from datetime import UTC, date, datetime

from config.conditions import EvidenceLevel
from config.providers import ProductStatus, ProgramKind
from web.services import (
    DeclineReason,
    EvidenceNote,
    Fact,
    Recommendation,
    RecommendationsPage,
    ReferralPage,
    Stage,
)

CONDITION = "Fibromyalgia"
REFERENCE = "CR-7KQ2-M4XD"


def recommendations(language: str = "en") -> RecommendationsPage:
    return RecommendationsPage(
        language=language,
        reference=REFERENCE,
        stage=Stage.ANSWERED,
        condition=CONDITION,
        evidence=EvidenceNote(
            EvidenceLevel.UNDER_STUDY, "Journal of Examples 12 (2025)", "R. Viewer", date(2026, 11, 1)
        ),
        recommendations=(
            Recommendation(
                rank=1,
                provider_name="Lakeside Pain Institute",
                program_name="Study with adipose cells",
                program_kind=ProgramKind.STUDY,
                product=ProductStatus.INVESTIGATIONAL,
                summary="A controlled study.",
                locations=("Chicago, IL", "Milwaukee, WI"),
                reasons=("Sees people with fibromyalgia", "Within the distance you can travel"),
                not_known=("Whether you take blood thinners",),
                shared=True,
                board="Example IRB, 2026-114",
            ),
            Recommendation(
                rank=2,
                provider_name="Harbor Clinic",
                program_name="First conversation",
                program_kind=ProgramKind.CLINIC,
                product=ProductStatus.UNAPPROVED_THERAPY,
                summary="On site or by video.",
                locations=("Boston, MA",),
                reasons=("Sees people with fibromyalgia",),
                not_known=(),
                shared=False,
            ),
        ),
    )


def referral(*, accepted: bool = False) -> ReferralPage:
    return ReferralPage(
        language="en",
        reference=REFERENCE,
        provider_name="Lakeside Pain Institute",
        program_name="Study with adipose cells",
        received_on=date(2026, 11, 22),
        answer_by=datetime(2026, 11, 27, 17, 0, tzinfo=UTC),
        contact=(Fact("Name", "Ada Example"), Fact("Email address", "ada@example.org")),
        facts=(Fact("Age", "51"), Fact("Condition", CONDITION)),
        decline_reasons=(
            DeclineReason("no_capacity", "No capacity at the moment"),
            DeclineReason("outside_scope", "Outside what we do"),
        ),
        accepted=accepted,
    )
