"""Takes submissions in from the API, from webhooks and from our own form: who sends, is it readable, keep it."""

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from uuid import UUID

from sqlalchemy import select
from starlette.concurrency import run_in_threadpool

from config.sources import Adapter
from pipeline.context import Context
from pipeline.db import utc_now
from pipeline.intake.accept import Arrival, Kept, KeyReused, Outcome, accept_many, recall
from pipeline.intake.admission import Admission, Door
from pipeline.intake.group_commit import GroupCommit
from pipeline.intake.json_api import read_submission
from pipeline.intake.mapping import MappingFailure
from pipeline.intake.payload import PayloadMistake, read_object
from pipeline.intake.reading import HOSTED_SOURCE
from pipeline.intake.webflow import SignatureRefused, SignatureRule, read_form, verify_signature
from pipeline.models import Submission
from pipeline.validation import STRUCTURAL, validate
from web.outage import as_told, unless_unavailable
from web.problems import FieldError, Unavailable
from web.services import Accepted, Conflict, Refusal, Refused, SubmissionStatus
from web.tally import ACCEPTED, REPEATED, Tally, refused

OVERLOADED = "overloaded"
_KEY_REUSED = "idempotency-key-reused"
_SIGNATURE = {
    SignatureRule.NO_LIVE_SECRET: "No secret is configured for this source.",
    SignatureRule.NO_SIGNATURE: "The header x-webflow-signature is missing.",
    SignatureRule.NO_TIMESTAMP: "The header x-webflow-timestamp is missing, or is not a number of milliseconds.",
    SignatureRule.STALE_TIMESTAMP: "The time in x-webflow-timestamp is more than five minutes from ours.",
    SignatureRule.WRONG_SIGNATURE: "The signature does not match the body and the timestamp.",
}


class DatabaseIntake:
    """Implements `web.services.Intake`. `wake` is told the lanes that got work; it never fails."""

    def __init__(self, context: Context, wake: Callable[[str], None], tally: Tally, admission: Admission) -> None:
        self._context = context
        self._tally = tally
        self._admission = admission
        self._commits = GroupCommit(lambda arrivals: accept_many(context, arrivals, wake))

    def close(self) -> None:
        self._commits.close()

    def accept_form(self, raw_body: bytes, *, idempotency_key: str, request_id: str) -> Accepted | Conflict:
        arrival = Arrival(HOSTED_SOURCE, raw_body, idempotency_key=idempotency_key, request_id=request_id)
        outcome = self._turned_away(arrival, Door.FORM)
        if outcome is None:
            try:
                outcome = self._commits.submit(arrival).result()
            except Exception as error:
                raise as_told(error) from error
        return self._told(arrival, outcome)

    async def accept_json(
        self, bearer_key: str, raw_body: bytes, *, idempotency_key: str | None, request_id: str
    ) -> Accepted | Conflict | Refused:
        source = self._context.sources.with_key(bearer_key)
        if source is None:
            return self._refuse(None, Refusal.UNKNOWN_SENDER, "No source has this key.")
        try:
            submission = read_submission(read_object(raw_body))
        except PayloadMistake as mistake:
            error = _field_error(mistake.field, mistake.rule, mistake.message)
            return self._refuse(
                source.id, Refusal.MALFORMED, "The body could not be read; see errors.", mistake.rule, [error]
            )
        screening, conditions = self._context.screening, self._context.conditions
        problems = validate(screening, conditions, submission.answers, utc_now().date()).problems
        structural = [
            _field_error(each.field, each.rule, each.message("en")) for each in problems if each.rule in STRUCTURAL
        ]
        if structural:
            # What is between us and the person (a consent, a birthday) is kept, and the person is asked to correct it.
            detail = "Some answers do not follow the schema in /openapi.json; see errors."
            return self._refuse(source.id, Refusal.INVALID, detail, errors=structural)
        arrival = Arrival(source.id, raw_body, submission.vendor_id, idempotency_key, request_id)
        return await self._keep(arrival, Door.API)

    async def accept_hook(
        self, source: str, raw_body: bytes, headers: Mapping[str, str], *, request_id: str
    ) -> Accepted | Refused:
        known = self._context.sources.by_id.get(source)
        if known is None or known.adapter is not Adapter.WEBFLOW:
            return self._refuse(source, Refusal.UNKNOWN_SOURCE, "There is no webhook at this address.")
        try:
            verify_signature(raw_body, headers, known.secrets, utc_now())
        except SignatureRefused as signature:
            stale = signature.rule is SignatureRule.STALE_TIMESTAMP
            reason = Refusal.STALE_SIGNATURE if stale else Refusal.BAD_SIGNATURE
            return self._refuse(source, reason, _SIGNATURE[signature.rule], signature.rule)
        kept = await self._keep(Arrival(source, raw_body, _webflow_id(raw_body), request_id=request_id), Door.HOOK)
        if isinstance(kept, Conflict):
            raise TypeError("a webhook has no idempotency key to reuse")
        return kept

    def status(self, bearer_key: str, submission_id: UUID) -> SubmissionStatus | None:
        source = self._context.sources.with_key(bearer_key)
        if source is None:
            return None
        return unless_unavailable(lambda: self._read_status(source.id, submission_id))

    def _read_status(self, source_id: str, submission_id: UUID) -> SubmissionStatus | None:
        statement = select(Submission.table()).where(Submission.id == submission_id, Submission.source == source_id)
        with self._context.database.read() as connection:
            row = connection.execute(statement).one_or_none()
        if row is None:
            return None
        return SubmissionStatus(row.id, row.reference, row.status, row.received_at, row.status_changed_at)

    async def _keep(self, arrival: Arrival, door: Door) -> Accepted | Conflict:
        """Without a thread for each that waits: there may be hundreds, and there are forty threads for all pages."""
        outcome = await run_in_threadpool(self._turned_away, arrival, door) if self._is_shut(door) else None
        if outcome is None:
            try:
                outcome = await self._commits.kept(arrival)
            except Exception as error:
                raise as_told(error) from error
        return self._told(arrival, outcome)

    def _is_shut(self, door: Door) -> bool:
        return self._admission.refusal(door) is not None

    def _turned_away(self, arrival: Arrival, door: Door) -> Outcome | None:
        """None: let it in. Where there is no room, only a repeat is answered; else raises `Unavailable`."""
        wait = self._admission.refusal(door)
        if wait is None:
            return None
        known = unless_unavailable(lambda: recall(self._context, arrival))
        if known is None:
            self._tally.count(arrival.source, refused(OVERLOADED))
            raise Unavailable(wait)
        return known

    def _told(self, arrival: Arrival, outcome: Outcome) -> Accepted | Conflict:
        match outcome:
            case KeyReused(reference):
                self._tally.count(arrival.source, refused(_KEY_REUSED))
                return Conflict(reference)
            case Kept() as kept:
                self._tally.count(arrival.source, REPEATED if kept.repeated else ACCEPTED)
                return Accepted(kept.submission_id, kept.reference, kept.status.value, kept.repeated)

    def _refuse(
        self,
        source_id: str | None,
        reason: Refusal,
        detail: str,
        rule: StrEnum | None = None,
        errors: Iterable[FieldError] = (),
    ) -> Refused:
        """Refuse, and count it by the rule that was broken."""
        self._tally.count(source_id, refused((rule or reason).value))
        return Refused(reason, detail, tuple(errors))


def _field_error(field: str, rule: StrEnum, message: str) -> FieldError:
    """The sender is a program: the name of the rule goes before the sentence."""
    return FieldError(field, f"{rule}: {message}")


def _webflow_id(raw_body: bytes) -> str | None:
    """Webflow's id of the submission, if it can be read. An authenticated body is kept even if it cannot."""
    try:
        return read_form(read_object(raw_body)).vendor_id
    except (PayloadMistake, MappingFailure):
        return None
