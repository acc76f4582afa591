"""What publishing a provider file would change, provider by provider, for a person to look at first."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection

from config.providers import ProviderDocument, document_digest
from pipeline.providers import RETIRED, newest_versions

_LONGEST = 100  # characters of a value that are shown


@dataclass(frozen=True, slots=True)
class Change:
    """One provider. `lines` are the differences of a changed one: `programs[0].name.en: "old" → "new"`."""

    provider_id: str
    kind: Literal["added", "changed", "retired"]
    lines: tuple[str, ...] = ()


def provider_changes(connection: Connection, documents: Iterable[ProviderDocument]) -> list[Change]:
    """The changes, by provider id; the same that `publish` makes."""
    newest = {row.provider_id: row for row in newest_versions(connection)}
    wanted = {document.id: document for document in documents}
    changes = []
    for provider_id in sorted(newest.keys() | wanted.keys()):
        known, document = newest.get(provider_id), wanted.get(provider_id)
        in_force = known is not None and known.document != RETIRED
        if document is None:
            if in_force:
                changes.append(Change(provider_id, "retired"))
        elif known is None or not in_force:
            changes.append(Change(provider_id, "added"))
        elif known.digest != document_digest(document):
            before, after = json.loads(known.document), document.model_dump(mode="json")
            changes.append(Change(provider_id, "changed", tuple(_differences(before, after, ""))))
    return changes


def _differences(before: Any, after: Any, path: str) -> Iterator[str]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted(before.keys() | after.keys()):
            yield from _differences(before.get(key), after.get(key), f"{path}.{key}" if path else key)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from _differences(one, other, f"{path}[{index}]")
    elif before != after:
        yield f"{path}: {_brief(before)} → {_brief(after)}"


def _brief(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
