"""What publishing a provider file would change, provider by provider, for a person to look at first."""

import datetime as dt
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, Literal

import yaml
from sqlalchemy import Connection, func, select

from config.providers import ProviderDocument, document_digest
from pipeline.models import ProviderVersion
from pipeline.providers import RETIRED, digest_of, time_of_publication, versions_in_force

_LONGEST = 100  # characters of a value that are shown
_LABELS = ("id", "number", "question")
_CRITERIA_WITHOUT_QUESTION = ("age", "age_months", "distance", "region", "budget", "language", "all", "any", "none")


@dataclass(frozen=True, slots=True)
class Change:
    """One provider. `lines` say what differs: `programs / knee / require / age / at_least: 21 → 18`."""

    provider_id: str
    kind: Literal["added", "changed", "retired"]
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Scheduled:
    """A version that was published before and takes effect at a later time, in place of what is published now."""

    provider_id: str
    effective_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Preview:
    """What `publish` would do. `compared_with` is the digest of the versions that would be in force otherwise."""

    compared_with: str
    changes: tuple[Change, ...]
    replaced_later: tuple[Scheduled, ...]


def preview(
    connection: Connection, documents: Iterable[ProviderDocument], effective_at: dt.datetime | None = None
) -> Preview:
    """The changes, by provider id, against what would be in force at `effective_at` (now without it)."""
    at = effective_at or time_of_publication(connection)
    versions = versions_in_force(connection, at)
    changes = tuple(_changes(versions, documents))
    replaced_later = _replaced_later(connection, at, {change.provider_id for change in changes})
    return Preview(digest_of(versions), changes, replaced_later)


def _changes(versions: Iterable[ProviderVersion], documents: Iterable[ProviderDocument]) -> Iterator[Change]:
    known = {row.provider_id: row for row in versions}
    wanted = {document.id: document for document in documents}
    for provider_id in sorted(known.keys() | wanted.keys()):
        row, document = known.get(provider_id), wanted.get(provider_id)
        in_force = row is not None and row.document != RETIRED
        if document is None:
            if in_force:
                yield Change(provider_id, "retired")
        elif row is None or not in_force:
            yield Change(provider_id, "added", (_introduced(document),))
        elif row.digest != document_digest(document):
            # Read and written again, so that both have their keys in the order of the file.
            before = ProviderDocument.model_validate_json(row.document).model_dump(mode="json")
            lines = _in_object(before, document.model_dump(mode="json"), ())
            yield Change(provider_id, "changed", tuple(lines))


def _introduced(document: ProviderDocument) -> str:
    return f"{document.name}: {', '.join(f'{program.kind} {program.id}' for program in document.programs)}"


def _replaced_later(connection: Connection, at: dt.datetime, providers: Collection[str]) -> tuple[Scheduled, ...]:
    next_one = (
        select(ProviderVersion.provider_id, func.min(ProviderVersion.effective_at).label("effective_at"))
        .where(ProviderVersion.effective_at > at)
        .group_by(ProviderVersion.provider_id)
        .order_by(ProviderVersion.provider_id)
    )
    rows = connection.execute(next_one)
    return tuple(Scheduled(row.provider_id, row.effective_at) for row in rows if row.provider_id in providers)


_Path = tuple[str, ...]


def _differences(before: Any, after: Any, path: _Path) -> Iterator[str]:
    if before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        yield from _in_object(before, after, path)
    elif isinstance(before, list) and isinstance(after, list):
        yield from _in_list(before, after, path)
    elif before is None and isinstance(after, list):
        yield from _in_list([], after, path)
    elif after is None and isinstance(before, list):
        yield from _in_list(before, [], path)
    elif before is None and isinstance(after, dict):
        yield f"{_told(path)}: added {_brief(after)}"
    elif after is None and isinstance(before, dict):
        yield f"{_told(path)}: removed {_brief(before)}"
    else:
        yield f"{_told(path)}: {_brief(before)} → {_brief(after)}"


def _in_object(before: Mapping[str, Any], after: Mapping[str, Any], path: _Path) -> Iterator[str]:
    for key in dict.fromkeys((*before, *after)):
        named_after_it = key in _CRITERIA_WITHOUT_QUESTION and path[-1:] == (key,)
        yield from _differences(before.get(key), after.get(key), path if named_after_it else (*path, key))


def _in_list(before: Sequence[Any], after: Sequence[Any], path: _Path) -> Iterator[str]:
    """Item by item: one that stands in both unchanged, wherever, is passed over; the rest are told apart by name."""
    gone = [item for item in _named(before) if item[1] not in after]
    new = [item for item in _named(after) if item[1] not in before]
    names = {name for name, _ in new if name is not None}
    for name, item in gone:
        if name is None or name not in names:
            yield f"{_told(path)}: removed {_brief(item)}"
    held = {name: item for name, item in gone if name is not None}
    for name, item in new:
        if name is not None and name in held:
            yield from _differences(held[name], item, (*path, name))
        else:
            yield f"{_told(path)}: added {_brief(item)}"
    if not gone and not new and before != after:
        order = (" ".join(name or _brief(item) for name, item in _named(items)) for items in (before, after))
        yield f"{_told(path)}: order {' → '.join(order)}"


def _named(items: Sequence[Any]) -> list[tuple[str | None, Any]]:
    """Items with the names they go by in their list: an id, or what a criterion is about (`severity`, `severity_2`)."""
    taken: set[str] = set()
    named: list[tuple[str | None, Any]] = []
    for item in items:
        name = _name(item)
        if name is not None:
            name = next(each for each in _numbered(name) if each not in taken)
            taken.add(name)
        named.append((name, item))
    return named


def _name(item: Any) -> str | None:
    if not isinstance(item, dict):
        return None
    return next(
        (str(item[label]) for label in _LABELS if item.get(label)),
        next((kind for kind in _CRITERIA_WITHOUT_QUESTION if kind in item), None),
    )


def _numbered(name: str) -> Iterator[str]:
    yield name
    for number in count(2):
        yield f"{name}_{number}"


def _told(path: _Path) -> str:
    return " / ".join(path)


def _brief(value: Any) -> str:
    """A value as it is written in the file, on one line, shortened."""
    if value is None:
        return "not set"
    if isinstance(value, dict | list):
        flow = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, sort_keys=False, width=10**6)
        text = flow.strip()
    else:
        text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
