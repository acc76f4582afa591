"""The smallest core that the pages and the API can be built on: everything is kept in memory."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from uuid import UUID, uuid5

from config.conditions import load_conditions
from config.screening import load_screening
from config.settings import ROOT, Settings
from web.consent import ToConfirm, Withdrawal, Withdrawn
from web.events import EventsRefusal, EventsRefused
from web.services import (
    Accepted,
    AnswersRead,
    Closed,
    CodeSent,
    Conflict,
    Gate,
    Locked,
    Opened,
    ReasonNeeded,
    Refusal,
    Refused,
    Responded,
    Services,
    Stopped,
    SubmissionStatus,
    Visit,
    WrongFactor,
)
from web.services import Decision as ProviderDecision
from web.status_link import LinkRequest
from web.unsubscribe import MailChoice

NAMESPACE = UUID("6c1d7f5e-3a40-4b8b-9d2c-2f7a3f1b0a11")
KEY = "key-of-the-source"


@dataclass
class MemoryIntake:
    """Keeps bodies by key, as the real intake does in the database."""

    bodies: dict[str, bytes] = field(default_factory=dict)
    refusal: Refused | None = None
    failure: Exception | None = None

    def accept_form(self, raw_body: bytes, *, idempotency_key: str, request_id: str) -> Accepted | Conflict:
        return self._store(idempotency_key, raw_body)

    async def accept_json(
        self, bearer_key: str, raw_body: bytes, *, idempotency_key: str | None, request_id: str
    ) -> Accepted | Conflict | Refused:
        if bearer_key != KEY:
            return Refused(Refusal.UNKNOWN_SENDER, "No source has this key.")
        return self.refusal or self._store(idempotency_key or request_id, raw_body)

    async def accept_hook(
        self, source: str, raw_body: bytes, headers: Mapping[str, str], *, request_id: str
    ) -> Accepted | Refused:
        stored = self.refusal or self._store(request_id, raw_body)
        assert not isinstance(stored, Conflict)
        return stored

    def close(self) -> None:
        """Nothing is in hand."""

    def status(self, bearer_key: str, submission_id: UUID) -> SubmissionStatus | None:
        if bearer_key != KEY or submission_id not in {uuid5(NAMESPACE, key) for key in self.bodies}:
            return None
        then = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
        return SubmissionStatus(submission_id, "CR-TEST-0001", "received", then, then)

    def _store(self, key: str, body: bytes) -> Accepted | Conflict:
        if self.failure is not None:
            raise self.failure
        repeated = key in self.bodies
        if self.bodies.setdefault(key, body) != body:
            return Conflict("CR-TEST-0001")
        return Accepted(uuid5(NAMESPACE, key), "CR-TEST-0001", "received", repeated)


@dataclass
class ScriptedLinks:
    """Answers every call with what the test put there, and notes the visits."""

    looked: Gate | Closed | Locked = field(default_factory=Closed)
    code: CodeSent | Closed | Locked = field(default_factory=Closed)
    opened: Opened | WrongFactor | Closed | Locked = field(default_factory=Closed)
    responded: Responded | ReasonNeeded | Gate | Closed | Locked = field(default_factory=Closed)
    read: AnswersRead | Gate | Stopped | Closed | Locked = field(default_factory=Closed)
    stopped: Stopped | Closed = field(default_factory=Closed)
    consented: ToConfirm | Withdrawn | Stopped | Gate | Closed | Locked = field(default_factory=Closed)
    calls: list[tuple[str, Visit, tuple[object, ...]]] = field(default_factory=list)

    def look(self, visit: Visit) -> Gate | Closed | Locked:
        self.calls.append(("look", visit, ()))
        return self.looked

    def send_code(self, visit: Visit) -> CodeSent | Closed | Locked:
        self.calls.append(("send_code", visit, ()))
        return self.code

    def open(self, visit: Visit, second_factor: str | None) -> Opened | WrongFactor | Closed | Locked:
        self.calls.append(("open", visit, (second_factor,)))
        return self.opened

    def respond(
        self, visit: Visit, decision: ProviderDecision, reason: str | None, note: str
    ) -> Responded | ReasonNeeded | Gate | Closed | Locked:
        self.calls.append(("respond", visit, (decision, reason, note)))
        return self.responded

    def add_answers(
        self, visit: Visit, answers: Mapping[str, object]
    ) -> AnswersRead | Gate | Stopped | Closed | Locked:
        self.calls.append(("add_answers", visit, (answers,)))
        return self.read

    def withdraw_consent(
        self, visit: Visit, withdrawal: Withdrawal
    ) -> ToConfirm | Withdrawn | Stopped | Gate | Closed | Locked:
        self.calls.append(("withdraw_consent", visit, (withdrawal,)))
        return self.consented

    def stop(self, visit: Visit) -> Stopped | Closed:
        self.calls.append(("stop", visit, ()))
        return self.stopped


class NoNewLinks:
    """Knows nobody."""

    def send(self, asked: LinkRequest, request_id: str) -> bool:
        return "@" in asked.address


@dataclass
class MemoryUnsubscribing:
    """One token, and whether it was used; `choice` None: no token is known."""

    choice: MailChoice | None = None

    def look(self, token: str) -> MailChoice | None:
        return self.choice

    def end(self, token: str, request_id: str) -> MailChoice | None:
        self.choice = self.choice and replace(self.choice, ended=True)
        return self.choice

    def again(self, token: str, request_id: str) -> MailChoice | None:
        self.choice = self.choice and replace(self.choice, ended=False)
        return self.choice


@dataclass
class FixedHealth:
    """Says what it was told to say."""

    checks: Mapping[str, bool] = field(default_factory=lambda: {"database": True})

    def ready(self) -> Mapping[str, bool]:
        return self.checks


class NoReceipts:
    """Knows no key."""

    def refusal(self, headers: Mapping[str, str]) -> EventsRefused:
        return self.take(b"", headers)

    def take(self, raw_body: bytes, headers: Mapping[str, str]) -> EventsRefused:
        return EventsRefused(EventsRefusal.NO_KEY, "No key is configured.")


class FixedMetrics:
    def read(self) -> str:
        return "careroute_up 1\n"


@cache
def settings(public_url: str = "http://testserver", rate_limit_per_minute: int = 10_000) -> Settings:
    return Settings(public_url=public_url, rate_limit_per_minute=rate_limit_per_minute)


screening = cache(lambda: load_screening(ROOT / "config" / "screening.yaml"))
conditions = cache(lambda: load_conditions(ROOT / "config" / "conditions.yaml"))


def services(
    *,
    intake: MemoryIntake | None = None,
    links: ScriptedLinks | None = None,
    unsubscribing: MemoryUnsubscribing | None = None,
    health: FixedHealth | None = None,
    with_settings: Settings | None = None,
) -> Services:
    """Services over the project's own questions and conditions."""
    return Services(
        settings=with_settings or settings(),
        screening=screening(),
        conditions=conditions(),
        intake=intake or MemoryIntake(),
        links=links or ScriptedLinks(),
        new_links=NoNewLinks(),
        unsubscribing=unsubscribing or MemoryUnsubscribing(),
        health=health or FixedHealth(),
        receipts=NoReceipts(),
        metrics=FixedMetrics(),
    )


COMPLETE_FORM: dict[str, str | list[str]] = {
    "form_language": "en",
    "form_token": "0d6c3f5e-1f7e-4c57-9a55-5b5b2f8c5a10",
    "language": "en",
    "submitter": "self",
    "first_name": "Ada",
    "last_name": "Example",
    "date_of_birth-year": "1975",
    "date_of_birth-month": "3",
    "date_of_birth-day": "28",
    "email": "ada@example.org",
    "country": "US",
    "postal_code": "60601",
    "condition": "fibromyalgia",
    "diagnosis_confirmed": "yes",
    "severity": "6",
    "contraindications": ["none"],
    "treatment_interests": ["undecided"],
    "consent_contact": "2026-11-01",
    "consent_share": "2026-11-01",
}
