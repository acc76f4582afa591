import ast
import csv
import datetime as dt
import hashlib
import inspect
import io
import json
import re
from dataclasses import replace
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.reports import access, activity, breach, disclosures, making, thresholds
from pipeline.reports.as_csv import FORMULA_STARTS, as_csv
from pipeline.reports.as_html import as_html
from pipeline.reports.as_json import as_json
from pipeline.reports.as_text import as_text, too_wide
from pipeline.reports.document import Cell, Head, Report, Table, plain
from pipeline.reports.period import Period

START = dt.datetime(2026, 1, 1, 12, 30, tzinfo=dt.UTC)
COLUMNS = {"at": "When", "who": "Who", "count": "Times"}


def report(*rows: tuple[Cell, ...], about: str = "CR-7K4M-2QXD") -> Report:
    period = Period(START, START + dt.timedelta(days=1))
    head = Head("access", "Access", "45 CFR 164.312(b)", (about,), period, "staff:ana", START)
    tables = (
        Table("access", "Access", COLUMNS, rows, "Nobody looked."),
        Table("other", "Other", {"x": "X"}, (), "There is none."),
    )
    return Report(head, {"displays": len(rows)}, ("A note.",), tables)


TEXT = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(
    ["=1+1", "+49 30", "-x", "@sum(A1)", "\t=1", "\r=1", "\n=1", " =1", "＝1", "a\nb", 'a"b,c', "'x", ""]
)
CELLS = st.one_of(TEXT, st.integers(-9, 9), st.none(), st.just(START))


@given(rows=st.lists(st.tuples(CELLS, CELLS, CELLS), max_size=5))
def test_a_table_comes_back_from_csv_as_it_was_and_nothing_in_it_runs(rows: list[tuple[Cell, ...]]) -> None:
    written = as_csv(report(*rows).table(None))
    header, *read = csv.reader(io.StringIO(written.decode("utf-8-sig"), newline=""))
    assert header == list(COLUMNS)
    told = [["" if plain(cell) is None else str(plain(cell)) for cell in row] for row in rows]
    assert [[cell.removeprefix("'") for cell in row] for row in read] == [
        [cell.removeprefix("'") for cell in row] for row in told
    ]
    for row, cells in zip(rows, read, strict=True):
        for cell, shown in zip(row, cells, strict=True):
            assert isinstance(cell, int) or not shown.lstrip().startswith(FORMULA_STARTS)


@given(text=TEXT)
def test_html_shows_text_as_text_and_loads_nothing(text: str) -> None:
    page = as_html(report((START, f"<script>{text}</script>", 3), about=f"<b>{text}"), "Ana & Co").decode()
    assert "<script" not in page
    assert "<b>" not in page
    assert "Ana &amp; Co" in page
    assert re.findall(r"\s(?:src|href)=|url\(|@import", page) == []


def test_html_says_what_it_is_by_whom_when_of_which_period_and_its_digest() -> None:
    shown = report((START, "staff:ana", 3), (None, None, None))
    page = re.sub(r"\s+", " ", as_html(shown, "Example Network").decode())
    for told in (
        "<title>Access · Example Network</title>",
        "45 CFR 164.312(b)",
        "2026-01-01 12:30:00 UTC to 2026-01-02 12:30:00 UTC",
        "by staff:ana",
        shown.digest,
        '<th scope="col" class="number">Times</th>',
        '<th scope="col" >Who</th>',
        "There is none.",
        "A note.",
        "@media print",
        "break-inside: avoid",
        "table-header-group",
    ):
        assert told in page, told
    assert page.count("<tr>") == 3


def test_the_digest_is_that_of_the_json_file() -> None:
    shown = report((START, "staff:ana", 3))
    assert hashlib.sha256(as_json(shown)).hexdigest() == shown.digest
    read = json.loads(as_json(shown))
    assert read["tables"] == {
        "access": [{"at": "2026-01-01T12:30:00+00:00", "who": "staff:ana", "count": 3}],
        "other": [],
    }
    assert (read["made_by"], read["period"]["from"]) == ("staff:ana", "2026-01-01T12:30:00+00:00")
    assert report((START, "staff:ana", 4)).digest != shown.digest


def test_text_has_a_line_a_row_and_nothing_that_a_terminal_obeys() -> None:
    shown = as_text(report((START, "\x1b[31mred\nline", 3))).decode()
    assert "2026-01-01 12:30:00 UTC  ?[31mred?line  3" in shown
    assert not any(letter != "\n" and not letter.isprintable() for letter in shown)


@given(width=st.integers(40, 200))
def test_notes_are_as_wide_as_the_terminal_and_a_wider_table_is_told(width: int) -> None:
    shown = replace(report((START, "x" * 60, 3)), notes=("A note of many words. " * 30,))
    lines = as_text(shown, width).decode().splitlines()
    table = [line for line in lines if "xxx" in line or line.startswith("  when ")]
    assert too_wide(shown, width) is any(len(line) > width for line in table)
    notes = [line for line in lines if "words" in line]
    assert width - 8 < max(map(len, notes)) <= width


def test_a_digest_breaks_in_print_so_that_the_other_columns_fit() -> None:
    signed = Table("sign_offs", "Sign-offs", {"at": "When", "digest": "SHA-256"}, ((START, "ab" * 32),), "None.")
    page = as_html(replace(report(), tables=(signed,)), "Example Network").decode()
    assert f'<td class="digest">{"ab" * 32}</td>' in page
    assert "td.digest { overflow-wrap: anywhere;" in page


@pytest.mark.parametrize("module", [access, activity, breach, disclosures, making, thresholds])
def test_what_is_printed_for_persons_names_no_command(module: ModuleType) -> None:
    """Nor an option: whoever is handed a report has no command line."""
    tree = ast.parse(inspect.getsource(module))
    documented = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    told = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documented
    ]
    assert told
    assert [text for text in told if "`" in text or "--" in text or "careroute" in text] == []
