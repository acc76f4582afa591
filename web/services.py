"""What the handlers need from the core, as plain values and protocols.

Handlers know nothing of the database: :func:`web.app.create_app` is given one :class:`Services`. Every answer that is
expected to happen is a value; only :class:`web.problems.Unavailable` is raised, when the core cannot work at all now.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from config.conditions import Conditions, EvidenceLevel
from config.providers import ProgramKind
from config.screening import Screening
from config.settings import Settings
from pipeline.validation import Answer, FieldProblem
from web.consent import Consents, ToConfirm, Withdrawal, Withdrawn
from web.events import Receipts
from web.mailbox import MailFolder
from web.metrics import Metrics
from web.problems import FieldError
from web.status_link import NewLinks
from web.unsubscribe import Unsubscribing


@dataclass(frozen=True, slots=True)
class Accepted:
    """Stored durably, now or (`repeated`) by an earlier request with the same key and the same content."""

    submission_id: UUID
    reference: str
    status: str
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Conflict:
    """The key was already used for other content, which was stored under `reference`."""

    reference: str


@dataclass(frozen=True, slots=True)
class SubmissionStatus:
    """What a source may know of its submission."""

    submission_id: UUID
    reference: str
    status: str
    received_at: datetime
    updated_at: datetime


class Refusal(StrEnum):
    """Why a push from outside was not taken in."""

    UNKNOWN_SENDER = "unknown-sender"
    UNKNOWN_SOURCE = "unknown-source"
    BAD_SIGNATURE = "bad-signature"
    STALE_SIGNATURE = "stale-signature"
    MALFORMED = "malformed"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing was stored. `detail` is one sentence for the sender, `errors` name fields and rules."""

    reason: Refusal
    detail: str
    errors: tuple[FieldError, ...] = ()


class Intake(Protocol):
    """Takes submissions in. What a call has answered is durable."""

    def accept_form(self, raw_body: bytes, *, idempotency_key: str, request_id: str) -> Accepted | Conflict:
        """Store a submission of the hosted form whose answers have passed validation."""

    async def accept_json(
        self, bearer_key: str, raw_body: bytes, *, idempotency_key: str | None, request_id: str
    ) -> Accepted | Conflict | Refused:
        """Store a submission pushed as JSON by the source that owns `bearer_key`."""

    async def accept_hook(
        self, source: str, raw_body: bytes, headers: Mapping[str, str], *, request_id: str
    ) -> Accepted | Refused:
        """Store a webhook delivery of `source`; `headers` have lower-case names."""

    def close(self) -> None:
        """Finish what is in hand; nothing is taken in any more."""

    def status(self, bearer_key: str, submission_id: UUID) -> SubmissionStatus | None:
        """The status, or None when the key or the submission is unknown or they do not belong together."""


class LinkKind(StrEnum):
    """Whose page is behind a secure link, and so which second factor opens it."""

    PERSON = "person"
    PROVIDER = "provider"


@dataclass(frozen=True, slots=True)
class Gate:
    """A live link, not opened: nothing of this is a fact about anybody."""

    kind: LinkKind
    language: str
    session_open: bool = False


@dataclass(frozen=True, slots=True)
class Closed:
    """The link is unknown, expired or withdrawn; which of them is nobody's business."""

    language: str | None = None


@dataclass(frozen=True, slots=True)
class Locked:
    """Too many wrong second factors; may be tried again after `retry_after` seconds, if at all."""

    retry_after: int | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True)
class WrongFactor:
    """The second factor did not match."""

    gate: Gate
    attempts_left: int


@dataclass(frozen=True, slots=True)
class CodeSent:
    """A one-time code is on its way to the contact registered for the provider."""

    gate: Gate
    minutes_valid: int


@dataclass(frozen=True, slots=True)
class Session:
    """A short session for one link, opened by the second factor."""

    key: str
    seconds: int


@dataclass(frozen=True, slots=True)
class EvidenceNote:
    """The evidence statement shown with a recommendation; citation, reviewer and day unless not established."""

    level: EvidenceLevel
    citation: str | None = None
    reviewer: str | None = None
    reviewed_on: date | None = None


@dataclass(frozen=True, slots=True)
class Recommendation:
    """One provider whose published criteria fit, in the language of the page.

    `not_known` says which criteria could not be judged from the answers; `notices` are what has to be said about what
    the program offers, a paragraph each; `shared` says whether the provider has been given the person's answers,
    `stopped` that the person took that back.
    """

    rank: int
    provider_name: str
    program_name: str
    program_kind: ProgramKind
    summary: str
    locations: tuple[str, ...]
    reasons: tuple[str, ...]
    not_known: tuple[str, ...]
    notices: tuple[str, ...]
    shared: bool
    stopped: bool = False


class Stage(StrEnum):
    """How far a person's request is, as the person is told."""

    WORKING = "working"
    JOINED = "joined"
    IN_REVIEW = "in_review"
    NO_MATCH = "no_match"
    ANSWERED = "answered"


@dataclass(frozen=True, slots=True)
class OpenQuestion:
    """A question of the form whose answer would decide, in the words to ask it in, with the answer so far."""

    question_id: str
    wording: str
    answer: Answer | None


@dataclass(frozen=True, slots=True)
class RecommendationsPage:
    """What the person sees behind their link.

    `recommendations`, best first, are there once it is answered, `questions` while it is in review and answers to them
    would decide it. With `expert_decided`, an expert chose the former, and not all of their criteria need fit.
    So many providers see the answers: `recipients_open` at one time, `recipients_total` ever.
    """

    language: str
    reference: str
    stage: Stage
    condition: str | None = None
    evidence: EvidenceNote | None = None
    recommendations: tuple[Recommendation, ...] = ()
    recipients_open: int = 0
    recipients_total: int = 0
    questions: tuple[OpenQuestion, ...] = ()
    expert_decided: bool = False
    consents: Consents = field(default_factory=Consents)


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of a referral: a question's label and the answer in words."""

    label: str
    value: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """A program's own published criteria by how the answers compare with them; names of criteria, never an answer."""

    met: tuple[str, ...] = ()
    not_known: tuple[str, ...] = ()
    borderline: tuple[str, ...] = ()


class Decision(StrEnum):
    """A provider's answer to a referral."""

    ACCEPT = "accept"
    DECLINE = "decline"


@dataclass(frozen=True, slots=True)
class DeclineReason:
    """One reason a provider may give, and what it is called in the language of the page."""

    id: str
    label: str


@dataclass(frozen=True, slots=True)
class ReferralPage:
    """What the provider sees behind its link: the minimum it needs to answer.

    `answer_by` comes in the provider's time zone; once `accepted`, the page is only for reading.
    """

    language: str
    reference: str
    provider_name: str
    program_name: str
    received_on: date
    answer_by: datetime
    contact: tuple[Fact, ...]
    facts: tuple[Fact, ...]
    comparison: Comparison
    decline_reasons: tuple[DeclineReason, ...]
    accepted: bool = False


@dataclass(frozen=True, slots=True)
class Opened:
    """The page behind a link and, when it was just opened, the session that keeps it open."""

    page: RecommendationsPage | ReferralPage
    session: Session | None = None


@dataclass(frozen=True, slots=True)
class Responded:
    """The referral has this answer; `already` when it had been answered before."""

    language: str
    reference: str
    decision: Decision
    already: bool = False


@dataclass(frozen=True, slots=True)
class ReasonNeeded:
    """A referral was declined without one of the reasons on its page; nothing was recorded."""

    page: ReferralPage


class Reception(StrEnum):
    """What became of answers that the person sent later."""

    ADDED = "added"
    NOTHING_NEW = "nothing_new"
    TO_CORRECT = "to_correct"
    NOT_ASKED = "not_asked"


@dataclass(frozen=True, slots=True)
class AnswersRead:
    """The person's later answers were looked at; `page` is as things stand now."""

    page: RecommendationsPage
    reception: Reception
    problems: tuple[FieldProblem, ...] = ()


@dataclass(frozen=True, slots=True)
class Stopped:
    """Everything about the person's request has been stopped."""

    language: str


@dataclass(frozen=True, slots=True)
class Visit:
    """One request to a secure page. `language` is set when the visitor chose another one than the link's."""

    token: str
    session: str | None
    request_id: str
    language: str | None = None


class SecureLinks(Protocol):
    """The pages behind the emails' links. Unknown, expired and withdrawn links all answer Closed."""

    def look(self, visit: Visit) -> Gate | Stopped | Closed | Locked:
        """What to ask for. Changes nothing but access records."""

    def send_code(self, visit: Visit) -> CodeSent | Closed | Locked:
        """Send a provider a new one-time code."""

    def open(self, visit: Visit, second_factor: str | None) -> Opened | WrongFactor | Closed | Locked:
        """The page, if the session is live or the second factor (ISO date of birth, or code) matches."""

    def respond(
        self, visit: Visit, decision: Decision, reason: str | None, note: str
    ) -> Responded | ReasonNeeded | Gate | Closed | Locked:
        """Record the provider's answer; a Gate when the session has ended. `note` may be empty and is a health fact."""

    def add_answers(
        self, visit: Visit, answers: Mapping[str, object]
    ) -> AnswersRead | Gate | Stopped | Closed | Locked:
        """Take the person's answers to the page's questions, by question id; a Gate when the session has ended."""

    def withdraw_consent(
        self, visit: Visit, withdrawal: Withdrawal
    ) -> ToConfirm | Withdrawn | Stopped | Gate | Closed | Locked:
        """Take a consent back once it is confirmed; a Gate when the session has ended."""

    def stop(self, visit: Visit) -> Stopped | Closed:
        """Stop everything ("this wasn't me"). Needs only the link: a stranger knows no second factor."""


class Health(Protocol):
    """Whether this process can do its work."""

    def ready(self) -> Mapping[str, bool]:
        """Each thing that is needed, and whether it answers."""


@dataclass(frozen=True, slots=True)
class Services:
    """All that the web application is built from."""

    settings: Settings
    screening: Screening
    conditions: Conditions
    intake: Intake
    links: SecureLinks
    new_links: NewLinks
    unsubscribing: Unsubscribing
    health: Health
    receipts: Receipts
    metrics: Metrics
    mailbox: MailFolder | None = None
