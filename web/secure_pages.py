"""The pages behind the emails' links, all under `/s/{token}`.

A GET shows no fact and changes nothing but access records: mail scanners follow links. Facts are shown only in the
answer to a POST with the second factor, or with the short session that an earlier one opened.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, TypeAlias

from fastapi import APIRouter, Depends
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from config.screening import LANGUAGES
from web.consent import ToConfirm, Withdrawn, read_withdrawal
from web.form import read_date, read_form
from web.form_view import Field, date_parts
from web.open_questions import Questionnaire
from web.pages import Pages, choose_language
from web.rate_limit import RateLimit
from web.request_id import request_id
from web.services import (
    AnswersRead,
    Closed,
    CodeSent,
    Decision,
    Gate,
    Locked,
    Opened,
    ReasonNeeded,
    Reception,
    RecommendationsPage,
    ReferralPage,
    Responded,
    Services,
    Stopped,
    Visit,
    WrongFactor,
)
from web.visitors import PostedFields, client_address, refuse_other_sites

SESSION_COOKIE = "careroute_session"
_BIRTH = "date_of_birth"
_LONGEST_NOTE = 500

Result: TypeAlias = (
    Gate
    | Closed
    | Locked
    | WrongFactor
    | CodeSent
    | Opened
    | Responded
    | ReasonNeeded
    | AnswersRead
    | ToConfirm
    | Withdrawn
    | Stopped
)
Typed: TypeAlias = Mapping[str, Sequence[str]]


def secure_router(services: Services, pages: Pages, limit: RateLimit) -> APIRouter:
    """The routes of one secure link."""
    router = APIRouter(prefix="/s/{token}", include_in_schema=False)
    links = services.links
    shown = _SecurePages(services, pages, limit)

    def visit_of(request: Request, token: str) -> Visit:
        asked = request.query_params.get("lang", "")
        return Visit(
            token=token,
            session=request.cookies.get(SESSION_COOKIE),
            request_id=request_id(request),
            language=asked if asked in LANGUAGES else None,
        )

    AnyVisit = Annotated[Visit, Depends(visit_of)]  # noqa: N806  a type

    @router.get("")
    def gate(request: Request, visit: AnyVisit) -> Response:
        return shown.page(request, visit, links.look(visit))

    @router.post("", dependencies=[Depends(refuse_other_sites)])
    def open_page(request: Request, visit: AnyVisit, fields: PostedFields) -> Response:
        second_factor = _text(fields, "code") or read_date(fields, _BIRTH) or None
        return shown.limited(request, visit, lambda: links.open(visit, second_factor))

    @router.post("/code", dependencies=[Depends(refuse_other_sites)])
    def send_code(request: Request, visit: AnyVisit) -> Response:
        return shown.limited(request, visit, lambda: links.send_code(visit))

    @router.post("/answer", dependencies=[Depends(refuse_other_sites)])
    def answer(request: Request, visit: AnyVisit, fields: PostedFields) -> Response:
        decision = _decision(fields)
        note = _text(fields, "note")[:_LONGEST_NOTE]
        reason = _text(fields, "reason") or None
        return shown.limited(request, visit, lambda: links.respond(visit, decision, reason, note), note=note)

    @router.post("/answers", dependencies=[Depends(refuse_other_sites)])
    def add_answers(request: Request, visit: AnyVisit, fields: PostedFields) -> Response:
        posted = read_form(fields, services.screening, choose_language(request))
        return shown.limited(request, visit, lambda: links.add_answers(visit, posted.answers), typed=posted.typed)

    @router.post("/consent", dependencies=[Depends(refuse_other_sites)])
    def withdraw_consent(request: Request, visit: AnyVisit, fields: PostedFields) -> Response:
        withdrawal = read_withdrawal(fields)
        return shown.limited(request, visit, lambda: links.withdraw_consent(visit, withdrawal))

    @router.post("/stop", dependencies=[Depends(refuse_other_sites)])
    def stop(request: Request, visit: AnyVisit) -> Response:
        return shown.limited(request, visit, lambda: links.stop(visit))

    return router


@dataclass(frozen=True, slots=True)
class _SecurePages:
    """From a result to its page. Facts are on it only if the result is an opened page.

    `note` and `typed` are what was just typed into the page: they are there again if it comes back.
    """

    services: Services
    pages: Pages
    limit: RateLimit

    def limited(
        self, request: Request, visit: Visit, act: Callable[[], Result], note: str = "", typed: Typed | None = None
    ) -> Response:
        wait = self.limit.wait(client_address(request))
        return self.page(request, visit, Locked(wait) if wait else act(), note, typed)

    def page(
        self, request: Request, visit: Visit, result: Result, note: str = "", typed: Typed | None = None
    ) -> Response:
        template, status, context = _page_for(result)
        language = visit.language or _language_of(result) or choose_language(request)
        context |= {
            "address": f"/s/{visit.token}",
            "query": f"?lang={visit.language}" if visit.language else "",
            "birth": date_parts(_BIRTH, language, {}, "bday"),
            "note": note,
            "questions": self._questions(result, language, typed),
        }
        headers = {"Retry-After": str(result.retry_after)} if isinstance(result, Locked) and result.retry_after else {}
        response = self.pages.render(template, language, context, status=status, headers=headers)
        if isinstance(result, Opened) and result.session is not None:
            response.set_cookie(
                SESSION_COOKIE,
                result.session.key,
                max_age=result.session.seconds,
                path=f"/s/{visit.token}",
                secure=self.services.settings.effective_public_url.startswith("https://"),
                httponly=True,
                samesite="strict",
            )
        return response

    def _questions(self, result: Result, language: str, typed: Typed | None) -> tuple[Field, ...]:
        questionnaire = Questionnaire(self.services.screening, self.services.conditions, language)
        match result:
            case Opened(page=RecommendationsPage() as page):
                return questionnaire.fields(page.questions)
            case AnswersRead():
                return questionnaire.fields(result.page.questions, typed, result.problems)
            case _:
                return ()


def _page_for(result: Result) -> tuple[str, int, dict[str, object]]:
    """Template, status and what the template needs besides what every secure page has."""
    match result:
        case Gate() | CodeSent() | WrongFactor():
            return _gate(result)
        case Opened(page=RecommendationsPage() as page):
            return "recommendations.html", 200, {"page": page, "reception": None}
        case AnswersRead(page=page, reception=reception):
            status = 422 if reception in {Reception.TO_CORRECT, Reception.NOTHING_NEW} else 200
            return "recommendations.html", status, {"page": page, "reception": reception}
        case Opened(page=ReferralPage() as page):
            return "referral.html", 200, {"page": page, "reason_needed": False}
        case ReasonNeeded():
            return "referral.html", 422, {"page": result.page, "reason_needed": True}
        case Responded():
            return "responded.html", 200, {"responded": result}
        case ToConfirm() | Withdrawn():
            template = "consent_to_confirm.html" if isinstance(result, ToConfirm) else "consent_withdrawn.html"
            return template, 200, {"asked": result}
        case Stopped():
            return "stopped.html", 200, {}
        case Locked():
            return "too_many_attempts.html", 429, {"retry_after": result.retry_after}
        case _:
            return "link_expired.html", 404, {}


def _gate(result: Gate | CodeSent | WrongFactor) -> tuple[str, int, dict[str, object]]:
    match result:
        case Gate():
            return "secure_gate.html", 200, {"gate": result, "sent": None, "attempts_left": None}
        case CodeSent():
            return "secure_gate.html", 200, {"gate": result.gate, "sent": result, "attempts_left": None}
        case WrongFactor():
            return "secure_gate.html", 422, {"gate": result.gate, "sent": None, "attempts_left": result.attempts_left}


def _language_of(result: Result) -> str | None:
    match result:
        case WrongFactor() | CodeSent():
            return result.gate.language
        case Opened() | ReasonNeeded() | AnswersRead():
            return result.page.language
        case _:
            return result.language


def _decision(fields: FormData) -> Decision:
    try:
        return Decision(_text(fields, "decision"))
    except ValueError:
        raise HTTPException(400) from None


def _text(fields: FormData, name: str) -> str:
    value = fields.get(name)
    return value.strip() if isinstance(value, str) else ""
