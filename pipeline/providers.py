"""Provider versions: publishing a reviewed file, and the compiled network that is in force.

A version is never changed, and takes effect at a time of its own, now or later. A provider that is no longer in the
file gets a version without a document: it is retired. A revision of the network and a time name exactly one set of
versions, so whatever was scored can be scored again.
"""

import datetime as dt
import hashlib
import threading
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import rfc8785
from sqlalchemy import Connection, func, select, update
from uuid_utils.compat import uuid7

from config.claims import claims_in_model
from config.providers import ProviderDocument, document_digest
from pipeline.audit.actions import Action, Detail
from pipeline.db import as_time, clock, database_time
from pipeline.models import NetworkRevision, ProviderVersion
from pipeline.scoring.network import Network
from pipeline.scoring.rank import Match
from pipeline.scoring.record import ProgramRecord
from pipeline.unit_of_work import UnitOfWork

RETIRED = ""
_RETIRED_DIGEST = hashlib.sha256(b"").hexdigest()
_NOTHING_KNOWN: Mapping[uuid.UUID, ProviderDocument] = {}
_EVER = dt.datetime.min.replace(tzinfo=dt.UTC)


class PublicationRefused(Exception):
    """Nothing was published; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Published:
    """What a publication changed, by provider id, and when that takes effect."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    retired: tuple[str, ...] = ()
    effective_at: dt.datetime | None = field(default=None, compare=False)

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.retired)


def publish(
    unit: UnitOfWork,
    documents: Iterable[ProviderDocument],
    effective_at: dt.datetime | None = None,
    seen: str | None = None,
) -> Published:
    """Make `documents` the network from `effective_at` on: new versions for what differs from what would be in force
    then, on record. Without differences, nothing. Publications go one after the other.

    Raises:
        PublicationRefused: `effective_at` has passed, so that what was scored since then could not be scored again by
            its time; or what would be in force then is no longer the set with the digest `seen`, the differences to
            which somebody has looked at: another was published, or a scheduled version took effect; or a text of a
            provider makes a claim that nobody may make (`config.claims`).
    """
    documents = list(documents)
    _refuse_claims(documents)
    connection = unit.connection
    revision = connection.execute(select(NetworkRevision.revision).with_for_update()).scalar_one()
    now = time_of_publication(connection)
    if effective_at is not None and effective_at < now:
        raise PublicationRefused(f"{effective_at:%Y-%m-%d %H:%M %Z} has passed: a change takes effect now or later")
    publication = _Publication(unit, revision + 1, now, effective_at or now)
    held = versions_in_force(connection, publication.effective_at)
    if seen is not None and seen != digest_of(held):
        raise PublicationRefused("the network has changed since: look at the differences again")
    published = publication.of({document.id: document for document in documents}, held)
    if published:
        connection.execute(update(NetworkRevision).values(revision=publication.revision))
        unit.record(
            None,
            Action.PROVIDERS_IMPORTED,
            {
                Detail.ADDED: len(published.added),
                Detail.CHANGED: len(published.changed),
                Detail.RETIRED: len(published.retired),
                Detail.NETWORK_REVISION: publication.revision,
                Detail.EFFECTIVE_AT: publication.effective_at.isoformat(),
            },
        )
    return published


def _refuse_claims(documents: Iterable[ProviderDocument]) -> None:
    """Whatever a document came by: what is read from a file is held to this already, with its line."""
    for document in documents:
        for location, message in claims_in_model(document):
            raise PublicationRefused(f"{document.id}, {'.'.join(map(str, location))}: {message}")


def time_of_publication(connection: Connection) -> dt.datetime:
    """Now, for who publishes; never before the publication before it, however the database's clock was set."""
    last = connection.execute(select(func.max(ProviderVersion.imported_at))).scalar()
    now = database_time(connection)
    return max(now, last) if last else now


@dataclass(frozen=True, slots=True)
class _Publication:
    unit: UnitOfWork
    revision: int
    now: dt.datetime
    effective_at: dt.datetime

    def of(self, wanted: Mapping[str, ProviderDocument], held_then: Iterable[ProviderVersion]) -> Published:
        known = {row.provider_id: row for row in held_then}
        number = _last_numbers(self.unit.connection)
        added: list[str] = []
        changed: list[str] = []
        for provider_id, document in sorted(wanted.items()):
            held, digest = known.get(provider_id), document_digest(document)
            if held is not None and held.digest == digest:
                continue
            (changed if held is not None and held.document != RETIRED else added).append(provider_id)
            text = rfc8785.dumps(document.model_dump(mode="json")).decode()
            self._insert(provider_id, number.get(provider_id, 0) + 1, digest, text)
        retired = [id_ for id_, row in known.items() if id_ not in wanted and row.document != RETIRED]
        for provider_id in retired:
            self._insert(provider_id, number[provider_id] + 1, _RETIRED_DIGEST, RETIRED)
        return Published(tuple(added), tuple(changed), tuple(retired), self.effective_at)

    def _insert(self, provider_id: str, version: int, digest: str, document: str) -> None:
        self.unit.insert(
            ProviderVersion.table(),
            id=uuid7(),
            provider_id=provider_id,
            version=version,
            digest=digest,
            document=document,
            effective_at=self.effective_at,
            imported_at=self.now,
            revision=self.revision,
        )


def _last_numbers(connection: Connection) -> dict[str, int]:
    """The last version number of each provider, in force, scheduled or retired."""
    last = select(ProviderVersion.provider_id, func.max(ProviderVersion.version)).group_by(ProviderVersion.provider_id)
    return dict(connection.execute(last).all())


def versions_in_force(connection: Connection, at: dt.datetime, revision: int | None = None) -> list[ProviderVersion]:
    """The version of each provider that had taken effect last by `at`, retired ones included, by provider id.

    With `revision`: as it was known then, without what was published later.
    """
    latest_first = func.row_number().over(
        partition_by=ProviderVersion.provider_id,
        order_by=(ProviderVersion.effective_at.desc(), ProviderVersion.version.desc()),
    )
    counted = select(ProviderVersion.table(), latest_first.label("place")).where(ProviderVersion.effective_at <= at)
    if revision is not None:
        counted = counted.where(ProviderVersion.revision <= revision)
    versions = counted.subquery()
    wanted = select(versions).where(versions.c.place == 1).order_by(versions.c.provider_id)
    return list(connection.execute(wanted))  # type: ignore[arg-type]


def digest_of(versions: Iterable[ProviderVersion]) -> str:
    """Names the set of versions that are not retired, as `NetworkInForce.digest` does."""
    return _digest_of_ids(row.id for row in versions if row.document != RETIRED)


def _digest_of_ids(version_ids: Iterable[uuid.UUID]) -> str:
    names = "\n".join(sorted(map(str, version_ids)))
    return hashlib.sha256(names.encode()).hexdigest()[:16]


def read_documents(connection: Connection, version_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, ProviderDocument]:
    """The documents of these versions as they were published, whatever is in force now, by version id."""
    rows = connection.execute(
        select(ProviderVersion.id, ProviderVersion.document).where(ProviderVersion.id.in_(set(version_ids)))
    )
    return {row.id: ProviderDocument.model_validate_json(row.document) for row in rows}


def current_revision(connection: Connection) -> int:
    """How often the network was published."""
    return connection.execute(select(NetworkRevision.revision)).scalar_one()


def _revision_and_time(connection: Connection) -> tuple[int, dt.datetime]:
    """How often the network was published, and the database's time, by one statement."""
    row = connection.exec_driver_sql(f"SELECT revision, {clock(connection)} FROM network_revision").one()  # noqa: S608 - our own SQL fragment
    return row[0], as_time(row[1])


def revision_at(connection: Connection, at: dt.datetime) -> int:
    """The network's revision at a time; 0 before the first publication."""
    known = select(func.max(ProviderVersion.revision)).where(ProviderVersion.imported_at <= at)
    return connection.execute(known).scalar() or 0


@dataclass(frozen=True)
class NetworkInForce:
    """The provider versions in force, and a digest that names exactly this set of them."""

    digest: str
    revision: int
    documents: Mapping[uuid.UUID, ProviderDocument]

    @classmethod
    def of(cls, documents: Mapping[uuid.UUID, ProviderDocument], revision: int) -> "NetworkInForce":
        return cls(_digest_of_ids(documents), revision, documents)

    @cached_property
    def network(self) -> Network:
        """Compiled when first asked for, which takes about a second: who only writes to providers never does."""
        return Network.of(self.documents.items(), revision=self.revision)

    @cached_property
    def by_provider(self) -> Mapping[str, ProviderDocument]:
        return {document.id: document for document in self.documents.values()}

    def document_of(self, provider_id: str | None) -> ProviderDocument | None:
        """A provider's document; `None` for one that is retired or unknown."""
        return self.by_provider.get(provider_id) if provider_id else None

    def document_offering(self, match: Match | ProgramRecord) -> ProviderDocument | None:
        """The matched provider's document, if it still has the program; a study that has closed takes nobody."""
        document = self.by_provider.get(match.provider_id)
        has_it = document is not None and any(program.id == match.program_id for program in document.programs)
        return document if has_it else None


def read_network(connection: Connection, at: dt.datetime, revision: int | None = None) -> NetworkInForce:
    """The network in force at a time; with `revision` as it was known then, else as it is known now."""
    # The revision first: what is published while we read is left out, instead of being taken for part of it.
    known = current_revision(connection) if revision is None else revision
    return _as_network(versions_in_force(connection, at, known), known)


def draft_network(documents: Iterable[ProviderDocument]) -> NetworkInForce:
    """Documents that are not published, as if they were the network; their version ids follow from what they say."""
    versions = {uuid.UUID(document_digest(document)[:32]): document for document in documents}
    return NetworkInForce.of(versions, revision=0)


def _as_network(
    versions: Iterable[ProviderVersion], revision: int, known: Mapping[uuid.UUID, ProviderDocument] = _NOTHING_KNOWN
) -> NetworkInForce:
    """`known` versions need not be read again: they never change, and reading thousands takes seconds."""
    documents = {
        row.id: known.get(row.id) or ProviderDocument.model_validate_json(row.document)
        for row in versions
        if row.document != RETIRED
    }
    return NetworkInForce.of(documents, revision)


@dataclass(frozen=True, slots=True)
class _Held:
    """A network that is in force from `since` until just before `until`, if nothing is published."""

    in_force: NetworkInForce
    since: dt.datetime
    until: dt.datetime | None

    def covers(self, at: dt.datetime) -> bool:
        return self.since <= at and (self.until is None or at < self.until)


class NetworkCache:
    """The network in force, read again, in every process, when somebody publishes or a version takes effect."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: _Held | None = None

    def current(self, connection: Connection, at: dt.datetime | None = None) -> NetworkInForce:
        """The network in force at `at`, by default now. One short statement, unless it has to be read again.

        Now is by the database's clock: a process whose own is behind would find nobody to refer to.
        """
        return self._as_of(connection, at)[0]

    def current_and_time(self, connection: Connection) -> tuple[NetworkInForce, dt.datetime]:
        """As `current`, with the moment that was now."""
        return self._as_of(connection, None)

    def _as_of(self, connection: Connection, at: dt.datetime | None) -> tuple[NetworkInForce, dt.datetime]:
        revision, now = _revision_and_time(connection)
        moment = at or now
        with self._lock:
            held = self._held
            if held is not None and held.in_force.revision >= revision and held.covers(moment):
                return held.in_force, moment
            found = _read_held(connection, moment, revision, held.in_force.documents if held else _NOTHING_KNOWN)
            # What was in force some day, or will be, must not displace what every other caller asks for.
            if (held is None or moment >= held.since) and moment <= now:
                self._held = found
            return found.in_force, moment


def _read_held(
    connection: Connection, at: dt.datetime, revision: int, known: Mapping[uuid.UUID, ProviderDocument]
) -> _Held:
    versions = versions_in_force(connection, at, revision)
    scheduled = select(func.min(ProviderVersion.effective_at)).where(
        ProviderVersion.effective_at > at, ProviderVersion.revision <= revision
    )
    since = max((row.effective_at for row in versions), default=_EVER)
    return _Held(_as_network(versions, revision, known), since, connection.execute(scheduled).scalar())
