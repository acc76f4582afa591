"""The hosted screening form: `GET /screening` shows it, `POST /screening` takes it in.

Whatever goes wrong, the answer is the form again with everything typed still in it.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from pipeline.validation import FieldProblem, validate
from web import form
from web.form_view import FormView
from web.pages import Pages, choose_language
from web.problems import Unavailable
from web.rate_limit import RateLimit
from web.request_id import request_id
from web.services import Accepted, Conflict, Services
from web.unexpected import log_unexpected
from web.visitors import PostedFields, client_address


class Notice(StrEnum):
    """What is said above the form when it comes back for another reason than its answers."""

    UNAVAILABLE = "unavailable"
    TOO_MANY = "too_many"
    HIDDEN_FIELD = "hidden_field"
    ALREADY_SENT = "already_sent"


def screening_router(services: Services, pages: Pages, limit: RateLimit) -> APIRouter:
    """The routes of the form."""
    router = APIRouter(include_in_schema=False)
    hosted = _HostedForm(services, pages)

    @router.get("/")
    def start() -> Response:
        return RedirectResponse("/screening", 307)

    @router.get("/screening")
    def empty_form(request: Request) -> Response:
        return hosted.show(form.blank_form(choose_language(request)))

    @router.post("/screening")
    def sent_form(request: Request, fields: PostedFields) -> Response:
        posted = form.read_form(fields, services.screening, choose_language(request))
        if posted.switch_to is not None:
            return hosted.show(posted.in_language(posted.switch_to))
        if wait := limit.wait(client_address(request)):
            return hosted.show(posted, notice=Notice.TOO_MANY, status=429, retry_after=wait)
        if posted.honeypot_filled:
            return hosted.show(posted, notice=Notice.HIDDEN_FIELD, status=422)
        return hosted.take_in(posted, request_id(request))

    return router


@dataclass(frozen=True, slots=True)
class _HostedForm:
    services: Services
    pages: Pages

    def take_in(self, posted: form.PostedForm, request_id: str) -> Response:
        """Validate and store; thanks, or the form again with what has to be corrected."""
        screening, received_on = self.services.screening, datetime.now(UTC).date()
        problems = validate(screening, self.services.conditions, posted.answers, received_on).problems
        if problems:
            return self.show(posted, problems=problems, status=422)
        try:
            stored = self._store(posted, request_id)
        except Unavailable as error:
            return self.show(posted, notice=Notice.UNAVAILABLE, status=503, retry_after=error.retry_after)
        except Exception as error:  # noqa: BLE001  an error page would lose what the person typed
            log_unexpected(error)
            return self.show(posted, notice=Notice.UNAVAILABLE, status=500)
        if isinstance(stored, Conflict):
            # The form was sent, changed and sent again: ask, with a new token, whether that is meant.
            again = posted.with_new_token()
            return self.show(again, notice=Notice.ALREADY_SENT, status=409, reference=stored.reference)
        return self.pages.render("thanks.html", posted.language, {"reference": stored.reference})

    def _store(self, posted: form.PostedForm, request_id: str) -> Accepted | Conflict:
        version = self.services.screening.version
        body = {"answers": posted.answers, "form_language": posted.language, "screening_version": version}
        return self.services.intake.accept_form(
            json.dumps(body, ensure_ascii=False, sort_keys=True).encode(),
            idempotency_key=posted.token,
            request_id=request_id,
        )

    def show(
        self,
        posted: form.PostedForm,
        *,
        problems: Iterable[FieldProblem] = (),
        notice: Notice | None = None,
        status: int = 200,
        retry_after: int | None = None,
        reference: str | None = None,
    ) -> Response:
        """The form with everything that was typed."""
        view = FormView(self.services.screening, self.services.conditions, posted.language)
        sections = view.sections(posted.typed, problems)
        context = {
            "sections": sections,
            "invalid": [field for section in sections for field in section.fields if field.error],
            "notice": notice,
            "reference": reference,
            "token": posted.token,
            "names": form,
        }
        headers = {"Retry-After": str(retry_after)} if retry_after else {}
        return self.pages.render("screening.html", posted.language, context, status=status, headers=headers)
