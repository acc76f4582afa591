"""Provider versions as they were published, whatever is in force now."""

import uuid
from collections.abc import Iterable

from sqlalchemy import Connection, select

from config.providers import ProviderDocument
from pipeline.models import ProviderVersion


def read_documents(connection: Connection, version_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, ProviderDocument]:
    """The documents of these versions, by version id."""
    rows = connection.execute(
        select(ProviderVersion.id, ProviderVersion.document).where(ProviderVersion.id.in_(set(version_ids)))
    )
    return {row.id: ProviderDocument.model_validate_json(row.document) for row in rows}
