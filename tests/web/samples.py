"""Pages with invented contents, for the tests of the secure pages."""

from datetime import UTC, date, datetime

from config.conditions import EvidenceLevel
from config.providers import ProgramKind
from web.services import (
    Comparison,
    DeclineReason,
    EvidenceNote,
    Fact,
    OpenQuestion,
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
                summary="A controlled study.",
                locations=("Chicago, IL", "Milwaukee, WI"),
                reasons=("Sees people with fibromyalgia", "Within the distance you can travel"),
                not_known=("Whether you take blood thinners",),
                notices=("This is research, says the notice.", "Approval by a board is not approval by the FDA."),
                shared=True,
            ),
            Recommendation(
                rank=2,
                provider_name="Harbor Clinic",
                program_name="First conversation",
                program_kind=ProgramKind.CLINIC,
                summary="On site or by video.",
                locations=("Boston, MA",),
                reasons=("Sees people with fibromyalgia",),
                not_known=(),
                notices=("It is not approved, says the notice.",),
                shared=False,
            ),
        ),
        recipients_open=3,
        recipients_total=5,
    )


def open_questions() -> RecommendationsPage:
    return RecommendationsPage(
        language="en",
        reference=REFERENCE,
        stage=Stage.IN_REVIEW,
        questions=(
            OpenQuestion("diagnosis_confirmed", "Has a doctor confirmed the diagnosis?", "in_progress"),
            OpenQuestion("onset_months", "Since when is it so?", None),
            OpenQuestion("prior_treatments", "What has been tried so far?", None),
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
        comparison=Comparison(("Condition", "Age (18 to 65)"), ("Earlier treatments",), ("Distance to travel",)),
        decline_reasons=(
            DeclineReason("no_capacity", "No capacity at the moment"),
            DeclineReason("outside_scope", "Outside what we do"),
        ),
        accepted=accepted,
    )
