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

    PAGE_OPENED = "page:opened"
    PAGE_UNLOCK_FAILED = "page:unlock_failed"
    PAGE_UNLOCKED = "page:unlocked"
    CODE_REQUESTED = "code:requested"
    FACTS_DISCLOSED = "facts:disclosed"

    JOB_DIED = "job:died"
    JOB_RETRIED = "job:retried"
    JOB_DISCARDED = "job:discarded"
    LANE_PAUSED = "lane:paused"
    LANE_RESUMED = "lane:resumed"
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
    MESSAGE = "message"
    CODE = "code"
    LANE = "lane"
    LINK = "link"
    PURPOSE = "purpose"
    ADDED = "added"
    CHANGED = "changed"
    RETIRED = "retired"
    NETWORK_REVISION = "network_revision"
    EFFECTIVE_AT = "effective_at"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did it: a lane of the pipeline, a source, staff at the command line, a provider, or the person."""

    kind: str
    id: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.id}"


def lane(name: str) -> Actor:
    return Actor("lane", name)


def source(source_id: str) -> Actor:
    return Actor("source", source_id)


def staff(user: str) -> Actor:
    return Actor("staff", user)


def provider(provider_id: str) -> Actor:
    return Actor("provider", provider_id)


def person(submission_id: uuid.UUID) -> Actor:
    return Actor("person", str(submission_id))
