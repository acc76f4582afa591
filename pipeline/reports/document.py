"""What every report is made of. The formats show it; what it says is decided here and not by them."""

import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pipeline.reports.period import Period

Cell = str | int | dt.datetime | None


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under columns: name for programs → title for people. `empty` says what it means that there is no row."""

    name: str
    title: str
    columns: Mapping[str, str]
    rows: tuple[tuple[Cell, ...], ...]
    empty: str


@dataclass(frozen=True, slots=True)
class Head:
    """What a report is, what it is about, by whom and when it was made, and the rule that asks for it."""

    name: str
    title: str
    basis: str
    about: tuple[str, ...]
    period: Period
    made_by: str
    made_at: dt.datetime


@dataclass(frozen=True)
class Report:
    """The first of `tables` is the one that the report is about; `notes` say how to read it."""

    head: Head
    summary: Mapping[str, Cell]
    notes: tuple[str, ...]
    tables: tuple[Table, ...]

    @cached_property
    def json(self) -> bytes:
        """The report as a JSON file holds it."""
        return json.dumps(_document(self), indent=2, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"

    @property
    def digest(self) -> str:
        """SHA-256 of the JSON file, hex: `sha256sum` of a file that was kept tells whether it is this report."""
        return hashlib.sha256(self.json).hexdigest()

    def table(self, name: str | None) -> Table:
        """The table called `name`, else the first one. Raises `LookupError`."""
        for table in self.tables:
            if name in {None, table.name}:
                return table
        raise LookupError(name)


def plain(cell: Cell) -> str | int | None:
    """A cell for programs: times in RFC 3339, UTC."""
    return cell.astimezone(dt.UTC).isoformat() if isinstance(cell, dt.datetime) else cell


def in_words(cell: Cell) -> str:
    """A cell for people: times in UTC, to the second."""
    if isinstance(cell, dt.datetime):
        return f"{cell.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S} UTC"
    return "" if cell is None else str(cell)


def _document(report: Report) -> dict[str, Any]:
    head = report.head
    return {
        "report": head.name,
        "title": head.title,
        "basis": head.basis,
        "about": list(head.about),
        "period": {"from": plain(head.period.start), "to": plain(head.period.end)},
        "made_by": head.made_by,
        "made_at": plain(head.made_at),
        "summary": {name: plain(cell) for name, cell in report.summary.items()},
        "notes": list(report.notes),
        "tables": {
            table.name: [dict(zip(table.columns, map(plain, row), strict=True)) for row in table.rows]
            for table in report.tables
        },
    }
