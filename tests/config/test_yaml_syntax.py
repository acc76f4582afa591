"""What is not YAML: one row a mistake, with the place to mend and the words for it."""

from pathlib import Path

import pytest
from pydantic import BaseModel

from config.yaml_file import ConfigurationMistake, load


class Anything(BaseModel):
    """The file is refused before a model is asked."""


@pytest.mark.parametrize(
    ("text", "place", "expected"),
    [
        ("a:\n\tb: 1\n", (2, 1), "a tab: indent with spaces only"),
        ("a:\n  b: 1\n  \tc: 2\n", (3, 3), "a tab: indent with spaces only"),
        ("a:\n  - x: 1\n  -\ty: 2\n \tz: 3\n", (3, 4), "a tab: indent with spaces only"),
        (
            "a:\n          - {x: 1}\n         - {x: 2}\n",
            (3, 10),
            "column 10, the lines before it in column 11: lines of one",
        ),
        (
            "a:\n         - {x: 1}\n          - {x: 2}\n",
            (3, 11),
            "column 11, the lines before it in column 10: lines of one",
        ),
        ("a:\n    b: 1\n   c: 2\n", (3, 4), "column 4, the lines before it in column 5: keys that belong together"),
        ("a:\n    b: 1\n     c: 2\n", (3, 6), "column 6, the lines before it in column 5: keys that belong together"),
        ("a:\n  - b: 1\n    c: 2\n   d: 3\n", (4, 4), "column 4, the lines before it in column 5"),
        ('a:\n  b: "hello\n  c: 2\n', (2, 6), "this quote is never closed"),
        ('a:\n  b: "hello\n  c: "2"\n', (2, 6), "this quote is never closed"),
        ("a:\n  b: 'hello\n  c: 'x'\n", (2, 6), "this quote is never closed"),
        ('a:\n  - {b: "Austin, c: US, d: "78205"}\n', (2, 9), "this quote is never closed"),
        ("a: 'don't'\n", (1, 9), "this text stands after the closing quote: put all of it between double quotes"),
        ('a: "C:\\quux"\n', (1, 7), "a backslash means something else between double quotes"),
        ("a:\n  name: Example: Clinic\n", (2, 9), "a text with a colon and a space needs quotes"),
        ("a:\n  - name: Example: Clinic\n", (2, 11), "a text with a colon and a space needs quotes"),
        ("a: {name: Example: Clinic, b: 1}\n", (1, 11), "a text with a colon and a space needs quotes"),
        ("a: {b: 1 c: 2}\n", (1, 8), "a comma is missing before c, or this is one text"),
        ("a: [{b: 1} {c: 2}]\n", (1, 12), "a comma is missing before this"),
        ("a: [b,,c]\n", (1, 7), "there is one comma too many: remove it"),
        (
            "a:\n  b: 1\n \u00a0c: 2\n",
            (3, 2),
            "a space that is not an ordinary one, as word processors make it: type it again",
        ),
        ("a:\n  b:\u00a01\n  c: 2\n", (2, 5), "a space that is not an ordinary one"),
        ("a:\n  b: “One: two”\n", (2, 6), "curly quotes: use straight ones"),
        ("a:\n  b: [x, y\n  c: 2\n", (2, 6), "[ is not closed: ] is missing"),
        ("a:\n  - {b: 1, c: 2\n  - {d: 1}\n", (2, 5), "{ is not closed: } is missing"),
        ("a:\n  - {b: [1, c: 2}\n", (2, 9), "[ is not closed: ] is missing"),
        ("a:\n  - {b: 1, c: {d: 1}\n  - {e: 1}\n", (2, 5), "{ is not closed: } is missing"),
        ("a: [\n", (1, 4), "[ is not closed: ] is missing"),
        ("a:\n  - {b: 1}}\n", (2, 11), "there is one } too many: remove it"),
        ("a:\n  b:1\n  c: 2\n", (2, 5), "a space is missing after the colon"),
        ("a:\n  -x: 1\n  - y: 2\n", (2, 4), "a space is missing after the dash"),
        ("a:\n  b:x y\n  c: 2\n  - d\n", (2, 5), "a space is missing after the colon"),
        ("a:\n  b: 1\n  c\n  d: 2\n", (3, 3), "a colon is missing in this line"),
        ("a:\n  - b: {c: 1}, d: 2\n", (2, 14), "a comma joins only what is within { } or [ ]"),
        ("a:\n  {b: 1}\n  - {c: 1}\n", (2, 3), "a dash is missing, as the line below has one"),
        ("a:\n    {b: 1}\n  - {c: 1}\n", (2, 5), "a dash is missing, as the line below has one"),
        ("a: & b\n", (1, 4), "a text that begins with & needs quotes"),
        ("a: - b\n", (1, 4), "a list begins on a line of its own: begin a new line before this dash"),
        ("a: {? [x]}\nb: ? c\n", (2, 4), "this line does not go on from the one before it"),
        ("a: @home\n", (1, 4), "a text that begins with @ needs quotes"),
        ("a: *star\n", (1, 4), "a text that begins with * needs quotes"),
        ("a: > 50\n", (1, 4), "a text that begins with > needs quotes"),
        ("a: x\u0007\n", (1, 5), "a character that cannot be seen: remove it"),
    ],
)
def test_a_mistake_is_told_where_it_is_to_be_mended(
    tmp_path: Path, text: str, place: tuple[int, int], expected: str
) -> None:
    file = tmp_path / "file.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationMistake) as caught:
        load(file, Anything)
    [problem] = caught.value.problems
    assert ((problem.line, problem.column), expected in problem.message) == (place, True), str(problem)
