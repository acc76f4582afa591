"""Provider versions: publishing a reviewed file, and the compiled network that is in force.

A version is never changed. A provider that is no longer in the file gets a version without a document: it is retired.
"""

import datetime as dt
import hashlib
import threading
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import rfc8785
from sqlalchemy import Connection, func, select
from uuid_utils.compat import uuid7

from config.providers import ProviderDocument, document_digest
from pipeline.audit.actions import Action, Detail
from pipeline.models import ProviderLoad, ProviderVersion
from pipeline.scoring.network import Network
from pipeline.unit_of_work import UnitOfWork

RETIRED = ""
_RETIRED_DIGEST = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True, slots=True)
class Published:
    """What a publication changed, by provider id."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    retired: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.retired)


def publish(unit: UnitOfWork, documents: Iterable[ProviderDocument]) -> Published:
    """Make `documents` the network: new versions for what differs, on record. Without differences, nothing."""
    newest = {row.provider_id: row for row in newest_versions(unit.connection)}
    wanted = {document.id: document for document in documents}
    added: list[str] = []
    changed: list[str] = []
    for provider_id, document in sorted(wanted.items()):
        known = newest.get(provider_id)
        digest = document_digest(document)
        if known is not None and known.digest == digest:
            continue
        (changed if known is not None and known.document != RETIRED else added).append(provider_id)
        text = rfc8785.dumps(document.model_dump(mode="json")).decode()
        _insert_version(unit, provider_id, (known.version if known else 0) + 1, digest, text)
    retired = sorted(id_ for id_, row in newest.items() if id_ not in wanted and row.document != RETIRED)
    for provider_id in retired:
        _insert_version(unit, provider_id, newest[provider_id].version + 1, _RETIRED_DIGEST, RETIRED)
    published = Published(tuple(added), tuple(changed), tuple(retired))
    if published:
        unit.record(
            None,
            Action.PROVIDERS_IMPORTED,
            {Detail.ADDED: len(added), Detail.CHANGED: len(changed), Detail.RETIRED: len(retired)},
        )
    return published


def newest_versions(connection: Connection) -> list[ProviderVersion]:
    """The newest version of each provider, retired ones included, by provider id."""
    newest = (
        select(ProviderVersion.provider_id, func.max(ProviderVersion.version).label("version"))
        .group_by(ProviderVersion.provider_id)
        .subquery()
    )
    rows = connection.execute(
        select(ProviderVersion.table())
        .join(
            newest,
            (newest.c.provider_id == ProviderVersion.provider_id) & (newest.c.version == ProviderVersion.version),
        )
        .order_by(ProviderVersion.provider_id)
    )
    return list(rows)  # type: ignore[arg-type]


def _insert_version(unit: UnitOfWork, provider_id: str, version: int, digest: str, document: str) -> None:
    unit.insert(
        ProviderVersion.table(),
        id=uuid7(),
        provider_id=provider_id,
        version=version,
        digest=digest,
        document=document,
        effective_at=unit.now,
        imported_at=unit.now,
    )


@dataclass(frozen=True)
class NetworkInForce:
    """The provider versions in force, and a digest that names exactly this set of them."""

    digest: str
    documents: Mapping[uuid.UUID, ProviderDocument]

    @cached_property
    def network(self) -> Network:
        """Compiled when first asked for, which takes about a second: who only writes to providers never does."""
        return Network.of(self.documents.items())

    @cached_property
    def by_provider(self) -> Mapping[str, ProviderDocument]:
        return {document.id: document for document in self.documents.values()}

    def document_of(self, provider_id: str | None) -> ProviderDocument | None:
        """A provider's document; `None` for one that is retired or unknown."""
        return self.by_provider.get(provider_id) if provider_id else None


class NetworkCache:
    """The network in force, read again, in every process, when the set of versions changes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stamp: tuple[int, dt.datetime | None] | None = None
        self._current: NetworkInForce | None = None

    def current(self, connection: Connection) -> NetworkInForce:
        row = connection.execute(select(func.count(), func.max(ProviderVersion.imported_at))).one()
        stamp = (row[0], row[1])
        with self._lock:
            if self._current is None or stamp != self._stamp:
                self._current, self._stamp = _read_in_force(connection), stamp
            return self._current


def _read_in_force(connection: Connection) -> NetworkInForce:
    documents = {
        row.id: ProviderDocument.model_validate_json(row.document)
        for row in newest_versions(connection)
        if row.document != RETIRED
    }
    names = "\n".join(sorted(str(version_id) for version_id in documents))
    return NetworkInForce(hashlib.sha256(names.encode()).hexdigest()[:16], documents)


def waiting_since(connection: Connection) -> dict[str, dt.datetime]:
    """Since when each provider has had no new referral; absent: never had one."""
    rows = connection.execute(select(ProviderLoad.provider_id, ProviderLoad.last_offered_at))
    return {row.provider_id: row.last_offered_at for row in rows if row.last_offered_at is not None}
