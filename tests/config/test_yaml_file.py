from datetime import date
from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict, model_validator

from config.yaml_file import CannotBeRead, ConfigurationMistake, load, refuse


class Item(BaseModel):
    model_config = ConfigDict(extra="forbid")
    id: str
    day: date | None = None


class File(BaseModel):
    model_config = ConfigDict(extra="forbid")
    items: tuple[Item, ...]
    names: dict[str, str] = {}

    @model_validator(mode="after")
    def _no_item_is_called_bad(self) -> "File":
        refuse(((("items", index, "id"), "bad") for index, item in enumerate(self.items) if item.id == "bad"))
        return self


class Hidden(File):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


def mistakes(tmp_path: Path, text: str, model: type[BaseModel] = File) -> list[tuple[int, int, str, str]]:
    path = tmp_path / "file.yaml"
    path.write_text(text)
    with pytest.raises(ConfigurationMistake) as caught:
        load(path, model)
    assert all(line.startswith(f"{path}:") for line in str(caught.value).splitlines())
    return [(each.line, each.column, each.path, each.message) for each in caught.value.problems]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("items:\n  - id: [a]\n", (2, 5, "items[0].id", "expected text")),
        ("items:\n  - id: 7\n", (2, 5, "items[0].id", 'expected text; found 7: put it in quotes, "7"')),
        ("items:\n  - {day: 2026-11-01}\n", (2, 5, "items[0].id", "expected this key; it is missing")),
        ("items:\n  - id: a\n    dai: x\n", (3, 5, "items[0].dai", "unknown key; expected one of id, day")),
        ("items:\n  - id: a\n    id: b\n", (3, 5, "items[0].id", "the key is there twice; first on line 2")),
        ("items: []\nitems: []\n", (2, 1, "items", "the key is there twice; first on line 1")),
        ("items:\n- id: ok\n- id: bad\n", (3, 3, "items[1].id", "bad")),
        ("items: &all\n  - id: *all\n", (2, 5, "items[0].id", "an alias must not contain itself")),
        ("? [a]\n: b\n", (1, 1, "", "expected every key to be text")),
        ("", (1, 1, "", "expected a mapping; the file is empty")),
        ("items: [\n", (1, 8, "", "[ is not closed: ] is missing")),
        ("items:\n- id:\u00a0a\n", (2, 3, "items[0]", "a space that is not an ordinary one")),
        ("items: [{id: a}]\nnames: {a: b\u00a0}\n", (2, 12, "names.a", "a space that is not an ordinary one")),
        ("items: [{id: a}]\nnames: {\u00a0a: b}\n", (2, 9, "names", "a space that is not an ordinary one")),
        ("items:\n- id: “a”\n", (2, 7, "items[0].id", "curly quotes: use straight ones")),
        ("items:\n- id: “a, b\n", (2, 7, "items[0].id", "curly quotes: use straight ones")),
        ("items:\n- !!python/name:os.system x\n", (2, 3, "items[0]", "expected plain data")),
    ],
)
def test_a_mistake_names_line_column_path_and_what_was_expected(
    tmp_path: Path, text: str, expected: tuple[int, int, str, str]
) -> None:
    line, column, path, message = mistakes(tmp_path, text)[0]
    assert (line, column, path) == expected[:3]
    assert message.startswith(expected[3])


def test_all_mistakes_are_reported_in_the_order_of_the_file(tmp_path: Path) -> None:
    found = mistakes(tmp_path, "items:\n- id: 1\n- id: 2\nextra: x\n")
    assert [line for line, *_ in found] == [2, 3, 4]


def test_unreadable_files_are_mistakes(tmp_path: Path) -> None:
    latin = tmp_path / "latin.yaml"
    latin.write_bytes("items: [{id: ñ}]".encode("latin-1"))
    with pytest.raises(ConfigurationMistake, match=r"latin.yaml:1:1: expected text in UTF-8"):
        load(latin, File)
    absent = tmp_path / "absent.yaml"
    with pytest.raises(CannotBeRead) as caught:
        load(absent, File)
    assert str(caught.value) == f"{absent} cannot be read: No such file or directory"


def test_what_was_found_can_be_hidden(tmp_path: Path) -> None:
    assert mistakes(tmp_path, "items: s3cret\n", Hidden)[0][3] == "expected a list, such as [a, b]"


def test_words_that_yaml_1_1_would_change_stay_as_written(tmp_path: Path) -> None:
    path = tmp_path / "file.yaml"
    path.write_text("items: [{id: no, day: 2026-11-01}, {id: 02139}, {id: 12:30}]\nnames: {true: on, 7: off}\n")
    file = load(path, File)
    assert [item.id for item in file.items] == ["no", "02139", "12:30"]
    assert file.items[0].day == date(2026, 11, 1)
    assert file.names == {"true": "on", "7": "off"}


def test_what_is_only_prose_may_have_any_space_and_quote(tmp_path: Path) -> None:
    path = tmp_path / "file.yaml"
    path.write_text("items: []\nnames: {a: 50\u00a0km, b: the “good” one, c: “Good” and more, d: '“all”'}\n")
    assert load(path, File).names["c"] == "“Good” and more"
