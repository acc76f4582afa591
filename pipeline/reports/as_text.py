"""A report for a terminal: a line a row, however long, since a narrow table would have to leave something out."""

import textwrap
from collections.abc import Iterator

from pipeline.reports.document import Cell, Report, Table, in_words

WIDTH = 100
"""Columns that running text takes where there is no terminal."""

_NARROWEST = 40


def as_text(report: Report, width: int = WIDTH) -> bytes:
    """With running text in lines of at most `width` columns."""
    return ("\n".join(_lines(report, width)) + "\n").encode("utf-8", "backslashreplace")


def too_wide(report: Report, width: int) -> bool:
    """Whether a table has lines that a terminal of `width` columns breaks."""
    return any(len(line) > width for table in report.tables for line in _rows(table))


def _lines(report: Report, columns: int) -> Iterator[str]:
    head = report.head
    yield head.title
    yield f"  {head.basis}"
    yield ""
    if head.about:
        yield from _wrapped(f"about     {', '.join(head.about)}", "            ", columns)
    yield f"  period    {in_words(head.period.start)} to {in_words(head.period.end)}"
    yield f"  made      {in_words(head.made_at)} by {_printable(head.made_by)}"
    yield f"  SHA-256   {report.digest} (of the JSON form)"
    yield ""
    width = max(map(len, report.summary), default=0)
    for name, cell in report.summary.items():
        yield f"  {name:<{width}}  {_told(cell)}"
    for table in report.tables:
        yield ""
        yield table.title
        yield from _rows(table)
    yield ""
    for note in report.notes:
        yield from _wrapped(note, "  ", columns)


def _rows(table: Table) -> Iterator[str]:
    if not table.rows:
        yield f"  {table.empty}"
        return
    rows = [[title.lower() for title in table.columns.values()], *([_told(cell) for cell in row] for row in table.rows)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  " + "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()


def _told(cell: Cell) -> str:
    return _printable(in_words(cell)) or "-"


def _printable(text: str) -> str:
    """Without what a terminal would obey."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _wrapped(text: str, indent: str, columns: int) -> list[str]:
    width = max(columns, _NARROWEST)
    return textwrap.wrap(_printable(text), width, initial_indent="  ", subsequent_indent=indent)
