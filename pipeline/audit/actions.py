"""Every action that is put on record, as `subject:action`, and the non-health facts a record may carry."""

import uuid
from dataclasses import dataclass
from enum import StrEnum


class Action(StrEnum):
    SUBMISSION_RECEIVED = "submission:received"
    SUBMISSION_REMAPPED = "submission:remapped"
    SUBMISSION_QUARANTINED = "submission:quarantined"
    SUBMISSION_VALIDATED = "submission:validated"
    SUBMISSION_REJECTED = "submission:rejected"
    SUBMISSION_JOINED = "submission:joined"
    SUBMISSION_SCORED = "submission:scored"
    SUBMISSION_WITHDRAWN = "submission:withdrawn"
    SUBMISSION_REVIEWED = "submission:reviewed"
    SUBMISSION_ANSWERED = "submission:answered"
    SUBMISSION_CONDITION_NAMED = "submission:condition_named"
    SUBMISSION_ERASED = "submission:erased"
    SUBMISSION_NOT_STORED = "submission:not_stored"

    CONSENT_GIVEN = "consent:given"
    CONSENT_WITHDRAWN = "consent:withdrawn"
    PERSON_LOOKED_UP = "person:looked_up"
    HOLD_PLACED = "hold:placed"
    HOLD_LIFTED = "hold:lifted"

    REFERRAL_OFFERED = "referral:offered"
    REFERRAL_ACCEPTED = "referral:accepted"
    REFERRAL_DECLINED = "referral:declined"
    REFERRAL_EXPIRED = "referral:expired"
    REFERRAL_WITHDRAWN = "referral:withdrawn"
    REFERRAL_EXHAUSTED = "referral:exhausted"

    EMAIL_QUEUED = "email:queued"
    EMAIL_HANDED_OVER = "email:handed_over"
    EMAIL_UNCERTAIN = "email:uncertain"
    EMAIL_FAILED = "email:failed"
    EMAIL_CANCELLED = "email:cancelled"
    EMAIL_SUPPRESSED = "email:suppressed"
    EMAIL_REFUSED = "email:refused"
    EMAIL_REQUEUED = "email:requeued"
    EMAIL_DEFERRED = "email:deferred"
    EMAIL_DELIVERED = "email:delivered"
    EMAIL_BOUNCED = "email:bounced"
    EMAIL_DROPPED = "email:dropped"
    EMAIL_COMPLAINED = "email:complained"

    SUPPRESSION_ADDED = "suppression:added"
    SUPPRESSION_LIFTED = "suppression:lifted"
    SUPPRESSION_LOOKED_UP = "suppression:looked_up"

    PAGE_OPENED = "page:opened"
    PAGE_UNLOCK_FAILED = "page:unlock_failed"
    PAGE_UNLOCKED = "page:unlocked"
    CODE_REQUESTED = "code:requested"
    LINK_REQUESTED = "link:requested"
    FACTS_DISCLOSED = "facts:disclosed"

    JOB_DIED = "job:died"
    JOB_RETRIED = "job:retried"
    JOB_DISCARDED = "job:discarded"
    LANE_PAUSED = "lane:paused"
    LANE_RESUMED = "lane:resumed"
    BREAKER_OPENED = "breaker:opened"
    BREAKER_CLOSED = "breaker:closed"
    LOG_OPENED = "log:opened"
    LOG_ARCHIVED = "log:archived"
    LOG_EXPORTED = "log:exported"
    REPORT_MADE = "report:made"
    ACTIVITY_REVIEWED = "activity:reviewed"
    KEY_ADDED = "key:added"
    KEY_PROMOTED = "key:promoted"
    KEY_REWRAPPED = "key:rewrapped"
    KEY_RETIRED = "key:retired"
    RETENTION_RUN = "retention:run"
    PROVIDERS_IMPORTED = "providers:imported"
    PROVIDERS_REHEARSED = "providers:rehearsed"


class Detail(StrEnum):
    """The allow-list of keys in a record's details. None may ever hold what a person said."""

    SOURCE = "source"
    STATUS = "status"
    PREVIOUS_STATUS = "previous_status"
    REVISION_OF = "revision_of"
    DUPLICATE_OF = "duplicate_of"
    PROBLEMS = "problems"
    MATCHES = "matches"
    SUBMISSIONS = "submissions"
    NETWORK = "network"
    REFERRAL = "referral"
    PROVIDER = "provider"
    PROVIDER_VERSION = "provider_version"
    RANK = "rank"
    SCORE = "score"
    EMAIL = "email"
    KIND = "kind"
    CAUSE = "cause"
    RECIPIENT = "recipient"
    TRANSPORT = "transport"
    FORM = "form"
    CONTENT_HASH = "content_hash"
    ATTEMPT_ID = "attempt_id"
    MAIL_CLASS = "mail_class"
    MESSAGE = "message"
    CODE = "code"
    LANE = "lane"
    UNTIL = "until"
    LINK = "link"
    PURPOSE = "purpose"
    ADDED = "added"
    CHANGED = "changed"
    RETIRED = "retired"
    NETWORK_REVISION = "network_revision"
    EFFECTIVE_AT = "effective_at"
    TEXT_VERSION = "text_version"
    TEXT_HASH = "text_hash"
    MATTER = "matter"
    ORIGIN = "origin"
    PREVIOUS_ORIGIN = "previous_origin"
    FIRST_LEAF = "first_leaf"
    END_LEAF = "end_leaf"
    FILE = "file"
    DIGEST = "digest"
    BEFORE = "before"
    REPORT = "report"
    SUBJECT = "subject"
    PERIOD_START = "period_start"
    PERIOD_END = "period_end"
    FINDING = "finding"
    KEYSET = "keyset"
    KEY = "key"
    COUNT = "count"
    RETENTION_CLASS = "retention_class"


class ActorKind(StrEnum):
    """Of what sort somebody is that did something, or whom something reached."""

    STAFF = "staff"
    PROVIDER = "provider"
    PERSON = "person"
    LINK = "link"
    SOURCE = "source"
    LANE = "lane"
    TRANSPORT = "transport"
    VISITOR = "visitor"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did it: a lane of the pipeline, a source, staff at the command line, a provider, the person, or a visitor."""

    kind: ActorKind
    id: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.id}"


def lane(name: str) -> Actor:
    return Actor(ActorKind.LANE, name)


def source(source_id: str) -> Actor:
    return Actor(ActorKind.SOURCE, source_id)


def staff(user: str) -> Actor:
    return Actor(ActorKind.STAFF, user)


def provider(provider_id: str) -> Actor:
    return Actor(ActorKind.PROVIDER, provider_id)


def visitor() -> Actor:
    """Somebody on a public page, of whom nothing is known."""
    return Actor(ActorKind.VISITOR, "unknown")


def person(submission_id: uuid.UUID) -> Actor:
    return Actor(ActorKind.PERSON, str(submission_id))
