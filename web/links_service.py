"""The pages behind the emails' links: from what the core says to what the page shows."""

from collections.abc import Callable, Mapping

from config.conditions import Evidence
from pipeline.consent.purposes import ConsentPurpose
from pipeline.consent.withdrawing import TakenBack
from pipeline.context import Context
from pipeline.secure_link import CODE_VALID, Audience
from pipeline.secure_pages import adding, answering, code, consenting, link, opening, session, stopping
from pipeline.secure_pages.person import Asked, PersonView, Recommended
from pipeline.secure_pages.provider import ReferralView
from pipeline.secure_pages.wording import Line
from pipeline.status import SubmissionStatus
from web.consent import Consents, Holder, ToConfirm, Withdrawal, Withdrawn
from web.outage import unless_unavailable
from web.services import (
    AnswersRead,
    Closed,
    CodeSent,
    Comparison,
    Decision,
    DeclineReason,
    EvidenceNote,
    Fact,
    Gate,
    LinkKind,
    Locked,
    Opened,
    OpenQuestion,
    ReasonNeeded,
    Reception,
    Recommendation,
    RecommendationsPage,
    ReferralPage,
    Responded,
    Session,
    Stage,
    Stopped,
    Visit,
    WrongFactor,
)

_STAGES = {
    SubmissionStatus.DUPLICATE: Stage.JOINED,
    SubmissionStatus.NEEDS_REVIEW: Stage.IN_REVIEW,
    SubmissionStatus.NO_MATCH: Stage.NO_MATCH,
    SubmissionStatus.CANDIDATE: Stage.ANSWERED,
}
"""Any other status is one in which work goes on."""


class DatabaseLinks:
    """Implements `web.services.SecureLinks`. `wake` is told the lanes that got work; it never fails."""

    def __init__(self, context: Context, wake: Callable[[str], None]) -> None:
        self._context = context
        self._wake = wake

    def look(self, visit: Visit) -> Gate | Stopped | Closed | Locked:
        match unless_unavailable(lambda: opening.look(self._context, visit.token, visit.session, visit.request_id)):
            case opening.Gated(found, session_open):
                return _gate(found, session_open=session_open)
            case stopping.Stopped(found):
                return Stopped(found.language)
            case other:
                return _no_entry(other)

    def send_code(self, visit: Visit) -> CodeSent | Closed | Locked:
        result = unless_unavailable(
            lambda: code.send_code(self._context, visit.token, visit.language, visit.request_id, self._wake)
        )
        match result:
            case code.CodeQueued(found):
                return CodeSent(_gate(found), int(CODE_VALID.total_seconds()) // 60)
            case other:
                return _no_entry(other)

    def open(self, visit: Visit, second_factor: str | None) -> Opened | WrongFactor | Closed | Locked:
        result = unless_unavailable(
            lambda: opening.open_page(
                self._context, visit.token, visit.session, second_factor, visit.language, visit.request_id
            )
        )
        match result:
            case opening.Opened(view, key):
                begun = Session(key, int(session.SESSION.total_seconds())) if key else None
                return Opened(person_page(view) if isinstance(view, PersonView) else _referral_page(view), begun)
            case opening.Wrong(found):
                return WrongFactor(_gate(found), found.attempts_left)
            case other:
                return _no_entry(other)

    def respond(
        self, visit: Visit, decision: Decision, reason: str | None, note: str
    ) -> Responded | ReasonNeeded | Gate | Closed | Locked:
        answer = answering.ProviderAnswer(decision is Decision.ACCEPT, reason, note)
        result = unless_unavailable(
            lambda: answering.answer_referral(
                self._context, visit.token, visit.session, answer, visit.language, visit.request_id, self._wake
            )
        )
        match result:
            case answering.Answered(found, reference, accepted, already):
                stands = Decision.ACCEPT if accepted else Decision.DECLINE
                return Responded(found.language, reference, stands, already)
            case answering.ReasonMissing(view):
                return ReasonNeeded(_referral_page(view))
            case session.SessionEnded(found):
                return _gate(found)
            case other:
                return _no_entry(other)

    def add_answers(
        self, visit: Visit, answers: Mapping[str, object]
    ) -> AnswersRead | Gate | Stopped | Closed | Locked:
        result = unless_unavailable(
            lambda: adding.add_answers(
                self._context, visit.token, visit.session, answers, visit.language, visit.request_id, self._wake
            )
        )
        match result:
            case adding.Received(reception, view, problems):
                return AnswersRead(person_page(view), Reception(reception.value), problems)
            case session.SessionEnded(found):
                return _gate(found)
            case stopping.Stopped(found):
                return Stopped(found.language)
            case other:
                return _no_entry(other)

    def withdraw_consent(
        self, visit: Visit, withdrawal: Withdrawal
    ) -> ToConfirm | Withdrawn | Stopped | Gate | Closed | Locked:
        what = TakenBack(ConsentPurpose(withdrawal.consent.value), withdrawal.provider_id)
        result = unless_unavailable(
            lambda: consenting.withdraw_consent(
                self._context,
                visit.token,
                visit.session,
                what,
                visit.request_id,
                self._wake,
                confirmed=withdrawal.confirmed,
            )
        )
        match result:
            case consenting.ToConfirm(found, _, name):
                return ToConfirm(found.language, withdrawal, name)
            case consenting.Withdrawn(found, _, name):
                return Withdrawn(found.language, withdrawal, name)
            case stopping.Stopped(found):
                return Stopped(found.language)
            case session.SessionEnded(found):
                return _gate(found)
            case other:
                return _no_entry(other)

    def stop(self, visit: Visit) -> Stopped | Closed:
        match unless_unavailable(lambda: stopping.stop(self._context, visit.token, visit.request_id, self._wake)):
            case stopping.Stopped(found):
                return Stopped(found.language)
            case link.Closed():
                return Closed()


def _gate(found: link.Link, *, session_open: bool = False) -> Gate:
    kind = LinkKind.PERSON if found.audience is Audience.PERSON else LinkKind.PROVIDER
    return Gate(kind, found.language, session_open)


def _no_entry(result: link.Closed | link.Locked) -> Closed | Locked:
    # Closed never names the link's language: that would tell that there was a link.
    return Locked(result.seconds, result.link.language) if isinstance(result, link.Locked) else Closed()


def person_page(view: PersonView) -> RecommendationsPage:
    """What the page shows of what the core says."""
    return RecommendationsPage(
        language=view.language,
        reference=view.reference,
        stage=_STAGES.get(view.status, Stage.WORKING),
        condition=view.condition,
        evidence=_evidence(view.evidence) if view.evidence else None,
        recommendations=tuple(_recommendation(each, view.language) for each in view.recommended),
        recipients_open=view.recipients_open,
        recipients_total=view.recipients_total,
        questions=tuple(map(_question, view.questions)),
        expert_decided=view.expert_decided,
        consents=Consents(
            contact=view.contact,
            sharing=view.sharing,
            holders=tuple(Holder(each.document.id, each.document.name) for each in view.recommended if each.shared),
        ),
    )


def _question(found: Asked) -> OpenQuestion:
    return OpenQuestion(found.question.id, found.wording, found.answer)


def _evidence(evidence: Evidence) -> EvidenceNote:
    return EvidenceNote(evidence.level, evidence.citation, evidence.reviewer, evidence.reviewed_on)


def _recommendation(found: Recommended, language: str) -> Recommendation:
    program = found.program
    return Recommendation(
        rank=found.rank,
        provider_name=found.document.name,
        program_name=program.name.in_language(language),
        program_kind=program.kind,
        summary=program.summary.in_language(language),
        locations=found.locations,
        reasons=found.explanation.reasons,
        not_known=found.explanation.not_known,
        notices=found.explanation.notices,
        shared=found.shared,
        stopped=found.stopped,
    )


def _referral_page(view: ReferralView) -> ReferralPage:
    return ReferralPage(
        language=view.language,
        reference=view.reference,
        provider_name=view.document.name,
        program_name=view.program.name.in_language(view.language),
        received_on=view.received_on,
        answer_by=view.answer_by,
        contact=_facts(view.contact),
        facts=_facts(view.facts),
        comparison=Comparison(view.comparison.met, view.comparison.not_known, view.comparison.borderline),
        decline_reasons=tuple(
            DeclineReason(reason.value, label.in_language(view.language))
            for reason, label in answering.DECLINE_REASONS.items()
        ),
        accepted=view.accepted,
    )


def _facts(lines: tuple[Line, ...]) -> tuple[Fact, ...]:
    return tuple(Fact(line.label, line.value) for line in lines)
