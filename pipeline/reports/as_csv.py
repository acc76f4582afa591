"""One table of a report as CSV (RFC 4180), in UTF-8 with the byte order mark that spreadsheets look for.

A spreadsheet takes a cell that begins like a formula for one, and runs it. Such text gets an apostrophe in front, which
spreadsheets do not show (https://owasp.org/www-community/attacks/CSV_Injection).
"""

import csv
import io

from pipeline.reports.document import Cell, Table, plain

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_BYTE_ORDER_MARK = "\ufeff"


def as_csv(table: Table) -> bytes:
    """The names of the columns, then the rows; times in RFC 3339, UTC."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(table.columns)
    writer.writerows([_safe(cell) for cell in row] for row in table.rows)
    return (_BYTE_ORDER_MARK + text.getvalue()).encode("utf-8", "backslashreplace")


def _safe(cell: Cell) -> str | int | None:
    told = plain(cell)
    # Blanks in front do not keep a spreadsheet from it.
    if isinstance(told, str) and (told.startswith(FORMULA_STARTS) or told.lstrip().startswith(FORMULA_STARTS)):
        return f"'{told}"
    return told
