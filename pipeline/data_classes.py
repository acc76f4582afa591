"""What every column of the database holds, how it is kept, and what an erasure does to it.

`public` is what may be read by whoever runs the system: ids, times, states, codes and counts. That a submission was
offered to a clinic stands there too: it says something about a person only together with who the person is, and no
readable column says that (decision 0010).

Tests hold this page against the tables, against what is stored of people whose every answer can be recognised, and
against what an erasure leaves. `docs/data-flow.md` is generated from it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from config.screening import DataClass
from pipeline import models
from pipeline.models import Base


class Kept(StrEnum):
    """The form in which a column keeps what it holds."""

    PLAIN = "readable"
    SEALED = "sealed under the submission's key"
    WRAPPED_KEY = "a key, wrapped by the vault keyset"
    KEYED_HASH = "keyed hash"
    COMMITMENT = "commitment under the submission's key"
    UNGUESSABLE = "SHA-256 of an unguessable token"
    DIGEST = "digest or signature"


class Fate(StrEnum):
    """What is left of a row, or of one column, when its submission was erased."""

    GOES = "deleted"
    EMPTIED = "emptied, where it is the person's"
    EMPTIED_LATER = "emptied 30 days after the email, where it is the person's"
    """So long its unsubscribe link has to work (15 USC 7704(a)(3)(A)(ii))."""
    STAYS = "stays"
    UNREADABLE = "stays, unreadable without the destroyed key"
    OUTLIVES = "stays, so that a wish not to be written to is kept"
    NOBODY = "about no submission"


@dataclass(frozen=True, slots=True)
class Held:
    """What one column holds. `fate` is its table's unless it has one of its own."""

    data_class: DataClass
    kept: Kept
    fate: Fate | None = None


@dataclass(frozen=True, slots=True)
class TableClasses:
    """One table: what its rows are in a few words, their fate, and its columns by name."""

    told: str
    fate: Fate
    columns: Mapping[str, Held]


_PLAIN = Held(DataClass.PUBLIC, Kept.PLAIN)
_TOKEN = Held(DataClass.PUBLIC, Kept.UNGUESSABLE)
_DIGEST = Held(DataClass.PUBLIC, Kept.DIGEST)
_HEALTH_SEALED = Held(DataClass.HEALTH, Kept.SEALED)
_HEALTH_HASH = Held(DataClass.HEALTH, Kept.KEYED_HASH)
_ADDRESS_HASH = Held(DataClass.CONTACT, Kept.KEYED_HASH)
_EMPTIED_ADDRESS_HASH = Held(DataClass.CONTACT, Kept.KEYED_HASH, Fate.EMPTIED)
_ADDRESS_HASH_FOR_NOW = Held(DataClass.CONTACT, Kept.KEYED_HASH, Fate.EMPTIED_LATER)
_COMMITMENT = Held(DataClass.HEALTH, Kept.COMMITMENT, Fate.UNREADABLE)
_SENT_BYTES = Held(DataClass.HEALTH, Kept.DIGEST)
"""Of an email: where its transport is cleared for facts, the bytes have some."""


def _table(model: type[Base], told: str, fate: Fate, plain: str, **others: Held) -> tuple[str, TableClasses]:
    """`plain` names the readable columns, `others` say what the rest hold."""
    return model.__tablename__, TableClasses(told, fate, dict.fromkeys(plain.split(), _PLAIN) | others)


TABLES: Mapping[str, TableClasses] = dict(
    (
        # --- a submission ---
        _table(
            models.Submission,
            "what came in, and where it stands",
            Fate.STAYS,
            "id reference source status status_changed_at audit_seq received_at screening_version revision_of",
        ),
        _table(
            models.DataKey,
            "the key of a submission's sealed documents",
            Fate.GOES,
            "submission_id",
            wrapped_key=Held(DataClass.HEALTH, Kept.WRAPPED_KEY),
        ),
        _table(
            models.SealedDocument,
            "body, answers, problems, assessment, reasons, decision",
            Fate.GOES,
            "submission_id part",
            ciphertext=_HEALTH_SEALED,
        ),
        _table(
            models.IntakeKey,
            "what makes a repeated delivery recognisable",
            Fate.STAYS,
            "source kind submission_id",
            key_index=_HEALTH_HASH,
            body_index=Held(DataClass.HEALTH, Kept.KEYED_HASH, Fate.EMPTIED),
        ),
        _table(
            models.PersonIndex,
            "by which a person's submissions are found",
            Fate.GOES,
            "submission_id received_at",
            person=_ADDRESS_HASH,
            email=_ADDRESS_HASH,
        ),
        _table(
            models.RecentRequest,
            "one person's latest request for one condition",
            Fate.GOES,
            "submission_id received_at held_until",
            fingerprint=_HEALTH_HASH,
        ),
        _table(models.Duplicate, "joined to an earlier one", Fate.GOES, "submission_id duplicate_of"),
        _table(
            models.Quarantine,
            "could not be read; waits for staff",
            Fate.GOES,
            "submission_id source reason quarantined_at",
        ),
        _table(models.Review, "waits for an expert", Fate.GOES, "submission_id reasons queued_at"),
        _table(
            models.Assessment,
            "that it was scored, and the outcome",
            Fate.GOES,
            "submission_id outcome network_digest network_revision judged_at assessed_at",
        ),
        _table(
            models.ProviderMatch,
            "whose criteria fit, in order",
            Fate.GOES,
            "submission_id rank provider_id provider_version_id program_id score",
        ),
        _table(
            models.SourceTally,
            "how much a web form sent",
            Fate.NOBODY,
            "source outcome count last_at",
        ),
        # --- consent, holds, erasure ---
        _table(
            models.ConsentEntry,
            "what was agreed to, or taken back",
            Fate.STAYS,
            "id submission_id purpose recipient decision text_version language source decided_at recorded_at",
            text_hash=_DIGEST,
            proof=_COMMITMENT,
        ),
        _table(models.LegalHold, "must not be erased", Fate.STAYS, "submission_id matter placed_by placed_at"),
        _table(models.Erasure, "whose key was destroyed", Fate.STAYS, "submission_id cause erased_at"),
        # --- outreach ---
        _table(
            models.Referral,
            "offered to a provider",
            Fate.STAYS,
            "id submission_id provider_id provider_version_id status created_at expires_at remind_at closed_at",
        ),
        _table(
            models.ProviderLoad,
            "how much of a provider's capacity is taken",
            Fate.NOBODY,
            "provider_id open_referrals day day_referrals week week_referrals month month_referrals last_offered_at",
        ),
        _table(
            models.SecureLink,
            "the link in an email, closed by an erasure",
            Fate.STAYS,
            "id audience submission_id referral_id created_at expires_at revoked_at failed_attempts",
            token_hash=_TOKEN,
        ),
        _table(models.OneTimeCode, "a code sent to a provider", Fate.GOES, "id link_id created_at expires_at used_at"),
        _table(models.SecureSession, "an opened page", Fate.GOES, "link_id expires_at", token_hash=_TOKEN),
        # --- mail ---
        _table(
            models.Email,
            "one message for one recipient",
            Fate.STAYS,
            "id submission_id kind recipient cause subject_id language status created_at attempt_id transport "
            "handed_over_at provider_message_id detail",
            content_hash=_SENT_BYTES,
        ),
        _table(
            models.EmailAttempt,
            "one try to send it",
            Fate.STAYS,
            "id email_id transport started_at outcome code provider_message_id",
            address_index=_ADDRESS_HASH_FOR_NOW,
            content_hash=_SENT_BYTES,
        ),
        _table(
            models.MailEvent,
            "what a mail provider reported",
            Fate.STAYS,
            "id transport event code occurred_at received_at attempt_id provider_message_id email_id applied_at",
            event_key=_DIGEST,
            address_index=_EMPTIED_ADDRESS_HASH,
        ),
        _table(models.MailTally, "how many of each event", Fate.NOBODY, "transport event count last_at"),
        _table(
            models.Suppression,
            "an address that is not written to",
            Fate.OUTLIVES,
            "mail_class reason since email_id",
            address_index=_ADDRESS_HASH,
        ),
        _table(
            models.TransportBreaker,
            "whether a transport rests",
            Fate.NOBODY,
            "transport state reason trips since probe_at",
        ),
        # --- the record ---
        _table(
            models.AuditEvent,
            "one step on record",
            Fate.STAYS,
            "id occurred_at actor action submission_id seq request_id job_id attempt reason details canonical_version",
            health_ciphertext=Held(DataClass.HEALTH, Kept.SEALED, Fate.UNREADABLE),
            health_commitment=_COMMITMENT,
            leaf_hash=_DIGEST,
            mac=_DIGEST,
        ),
        _table(models.AuditPending, "not yet in the log", Fate.STAYS, "event_id refused"),
        _table(models.AuditLog, "a Merkle log", Fate.NOBODY, "number origin size opened_at sequenced_at"),
        _table(
            models.AuditTile,
            "up to 256 hashes of a log",
            Fate.STAYS,
            "log level tile_index event_ids lowest_event highest_event",
            hashes=_DIGEST,
        ),
        _table(models.AuditCheckpoint, "a log's signed size and root", Fate.NOBODY, "log size signed_at", note=_DIGEST),
        _table(
            models.AuditAnchoring, "the last checkpoint outside", Fate.NOBODY, "anchor log size anchored_at problem"
        ),
        _table(
            models.AuditArchive,
            "records moved to a file",
            Fate.NOBODY,
            "log first_leaf end_leaf before file_name archived_at",
            digest=_DIGEST,
        ),
        _table(models.AuditSeries, "the last number of records about no submission", Fate.NOBODY, "name seq"),
        _table(
            models.ActivityReview,
            "a sign-off of a period",
            Fate.NOBODY,
            "id period_start period_end reviewer finding signed_at",
            report_digest=_DIGEST,
        ),
        # --- work ---
        _table(
            models.Job,
            "what has to be done",
            Fate.GOES,
            "id lane source submission_id target_id generation attempts due_at created_at lease_until lease_token "
            "isolated suspicion last_error",
        ),
        _table(
            models.DeadJob,
            "what was given up, until somebody retries or discards it",
            Fate.GOES,
            "id lane submission_id target_id attempts reason died_at",
        ),
        _table(models.LanePause, "a lane that rests", Fate.NOBODY, "lane reason since until"),
        _table(models.Heartbeat, "when a duty last ran", Fate.NOBODY, "name at"),
        _table(
            models.KeyFingerprint,
            "which keysets this database was written with",
            Fate.NOBODY,
            "purpose registered_at",
            fingerprint=_DIGEST,
        ),
        # --- providers ---
        _table(
            models.ProviderVersion,
            "a provider as it was published",
            Fate.NOBODY,
            "id provider_id version document effective_at imported_at revision",
            digest=_DIGEST,
        ),
        _table(models.NetworkRevision, "how often the network was published", Fate.NOBODY, "id revision"),
    )
)
"""Every table, by name, in reading order."""


def columns() -> Iterator[tuple[str, str, Held]]:
    """Every classified column: table, column, what it holds."""
    for table, classes in TABLES.items():
        for column, held in classes.columns.items():
            yield table, column, held
