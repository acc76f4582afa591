"""The tables, by room: submissions, work (jobs), outreach (referrals, links), mail, providers, audit, privacy."""

from pipeline.models.audit import (
    ActivityReview,
    AuditAnchoring,
    AuditArchive,
    AuditCheckpoint,
    AuditEvent,
    AuditLog,
    AuditPending,
    AuditSeries,
    AuditTile,
)
from pipeline.models.base import Base
from pipeline.models.mail import Email, EmailAttempt, MailEvent, MailTally, Suppression, TransportBreaker
from pipeline.models.outreach import OneTimeCode, ProviderLoad, Referral, SecureLink, SecureSession
from pipeline.models.privacy import ConsentEntry, Erasure, LegalHold
from pipeline.models.providers import NetworkRevision, ProviderVersion
from pipeline.models.submissions import (
    Assessment,
    DataKey,
    Duplicate,
    IntakeKey,
    PersonIndex,
    ProviderMatch,
    Quarantine,
    RecentRequest,
    Review,
    SealedDocument,
    SourceTally,
    Submission,
)
from pipeline.models.work import DeadJob, Heartbeat, Job, KeyFingerprint, LanePause

__all__ = [
    "ActivityReview",
    "Assessment",
    "AuditAnchoring",
    "AuditArchive",
    "AuditCheckpoint",
    "AuditEvent",
    "AuditLog",
    "AuditPending",
    "AuditSeries",
    "AuditTile",
    "Base",
    "ConsentEntry",
    "DataKey",
    "DeadJob",
    "Duplicate",
    "Email",
    "EmailAttempt",
    "Erasure",
    "Heartbeat",
    "IntakeKey",
    "Job",
    "KeyFingerprint",
    "LanePause",
    "LegalHold",
    "MailEvent",
    "MailTally",
    "NetworkRevision",
    "OneTimeCode",
    "PersonIndex",
    "ProviderLoad",
    "ProviderMatch",
    "ProviderVersion",
    "Quarantine",
    "RecentRequest",
    "Referral",
    "Review",
    "SealedDocument",
    "SecureLink",
    "SecureSession",
    "SourceTally",
    "Submission",
    "Suppression",
    "TransportBreaker",
]
