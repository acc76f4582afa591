"""Reads a YAML file into a pydantic model; a mistake names file, line, column, and what was expected.

The YAML is the core schema of YAML 1.2: only `true` and `false` are booleans (so an option may be called `no`),
dates stay text until the model asks for a date, and a number with a leading zero (a postal code) stays text.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from config.yaml_syntax import (
    CURLY_QUOTES,
    ODD_SPACE,
    in_curly_quotes,
    odd_space_in,
    syntax_mistake,
)
from config.yaml_words import problems_in_words

Location = tuple[str | int, ...]
ModelT = TypeVar("ModelT", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a configuration file. `line` and `column` count from 1; `path` is like `questions[3].type`."""

    file: Path
    line: int
    column: int
    path: str
    message: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.column}"
        return f"{where}: {self.path}: {self.message}" if self.path else f"{where}: {self.message}"


class ConfigurationMistake(Exception):
    """A configuration file cannot be used. `str()` is one line per problem, in the order of the file."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: (problem.line, problem.column)))
        super().__init__("\n".join(map(str, self.problems)))


class CannotBeRead(ConfigurationMistake):
    """There is no such file, or it may not be read: nothing in it is wrong. `str()` names no line."""

    def __init__(self, file: Path, reason: str) -> None:
        super().__init__([Problem(file, 1, 1, "", f"cannot be read: {reason}")])

    def __str__(self) -> str:
        [problem] = self.problems
        return f"{problem.file} {problem.message}"


@dataclass(frozen=True, slots=True)
class Read(Generic[ModelT]):
    """What a file says. `problem(location, message)` is a problem at the deepest part of a location the file has."""

    model: ModelT
    problem: Callable[[Location, str], Problem]


def load(path: Path, model: type[ModelT], context: object = None) -> ModelT:
    """Read `path` as a `model`. `context` is handed to the model's validators (`ValidationInfo.context`).

    The models should forbid extra keys. A model with `hide_input_in_errors` keeps what it found out of the messages.

    Raises:
        CannotBeRead: there is no such file, or it may not be read.
        ConfigurationMistake: the file is not YAML, has a key twice, or does not fit the model.
    """
    return read(path, model, context).model


def read(path: Path, model: type[ModelT], context: object = None) -> "Read[ModelT]":
    """As `load`, for who has more to say about the file.

    Raises:
        CannotBeRead, ConfigurationMistake: as `load`.
    """
    document = _Document(path)
    try:
        return Read(model.model_validate(document.value, context=context), document.problem)
    except ValidationError as error:
        found = problems_in_words(error.errors(include_url=False), model, document.value)
        raise ConfigurationMistake(document.problem(*each) for each in found) from None


def refuse(found: Iterable[tuple[Location, str]]) -> None:
    """For a model's validator: refuse each (location below this model, message), if there are any.

    Raises:
        ValidationError: pydantic joins its locations to the model's own, so that the line is the right one.
    """
    details = [
        InitErrorDetails(type=PydanticCustomError("configuration", "{why}", {"why": message}), loc=location, input=None)
        for location, message in found
    ]
    if details:
        raise ValidationError.from_exception_data("configuration", details)


class _Loader(yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader):  # type: ignore[misc]
    """A safe loader that knows only the scalars of YAML 1.2's core schema."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}


for _tag, _pattern, _first in (
    ("null", r"~|null|", "~n\0"),
    ("bool", r"true|false", "tf"),
    ("int", r"-?(?:0|[1-9][0-9]*)", "-0123456789"),
    ("float", r"-?(?:0|[1-9][0-9]*)\.[0-9]+", "-0123456789"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), list(_first))
_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile("^$"), [""])


class _Document:
    """One parsed file: its plain value, and where each key and item of it begins."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._marks: dict[Location, tuple[int, int]] = {(): (1, 1)}
        self._mistakes: list[Problem] = []
        try:
            text = path.read_text(encoding="utf-8")
            root = yaml.compose(text, Loader=_Loader)
        except OSError as error:
            raise CannotBeRead(path, str(error.strerror)) from None
        except UnicodeDecodeError:
            raise ConfigurationMistake([self.problem((), "expected text in UTF-8")]) from None
        except yaml.YAMLError as error:
            line, column, message = syntax_mistake(text, error)
            raise ConfigurationMistake([Problem(path, line, column, "", message)]) from None
        if root is None:
            raise ConfigurationMistake([self.problem((), "expected a mapping; the file is empty")])
        self._constructor = _Loader("")
        self.value = self._read(root, (), frozenset())
        if self._mistakes:
            raise ConfigurationMistake(self._mistakes)

    def problem(self, location: Location, message: str) -> Problem:
        """A problem at the deepest part of `location` that the file has."""
        known = location
        while known not in self._marks:
            known = known[:-1]
        line, column = self._marks[known]
        return Problem(self._path, line, column, _dotted(location), message)

    def _read(self, node: yaml.Node, location: Location, above: frozenset[int]) -> Any:
        if id(node) in above:
            self._mistakes.append(self.problem(location, "an alias must not contain itself"))
            return None
        above |= {id(node)}
        if isinstance(node, yaml.MappingNode):
            return {key: self._read(value, (*location, key), above) for key, value in self._entries(node, location)}
        if isinstance(node, yaml.SequenceNode):
            for index, item in enumerate(node.value):
                self._mark((*location, index), item)
            return [self._read(item, (*location, index), above) for index, item in enumerate(node.value)]
        self._look_at_characters(node, location)
        try:
            return self._constructor.construct_object(node)
        except yaml.YAMLError:
            self._mistakes.append(self.problem(location, f"expected plain data; found the tag {node.tag}"))
            return None

    def _entries(self, node: yaml.MappingNode, location: Location) -> Iterator[tuple[str, yaml.Node]]:
        first_lines: dict[str, int] = {}
        for key_node, value in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._mistakes.append(self.problem(location, "expected every key to be text"))
                continue
            # A key is text whatever it looks like, so that a mapping from `true` or `7` can be written plainly.
            key = str(key_node.value)
            self._look_at_characters(key_node, location)
            if key in first_lines:
                mark = key_node.start_mark
                message = f"the key is there twice; first on line {first_lines[key]}"
                path = _dotted((*location, key))
                self._mistakes.append(Problem(self._path, mark.line + 1, mark.column + 1, path, message))
                continue
            first_lines[key] = key_node.start_mark.line + 1
            self._mark((*location, key), key_node)
            yield key, value

    def _mark(self, location: Location, node: yaml.Node) -> None:
        self._marks[location] = (node.start_mark.line + 1, node.start_mark.column + 1)

    def _look_at_characters(self, node: yaml.Node, location: Location) -> None:
        """What word processors put in place of spaces and quotes is plain text to YAML, and never meant."""
        written = str(node.value)
        if getattr(node, "style", None) in {"'", '"', "|", ">"}:
            return
        message = CURLY_QUOTES if in_curly_quotes(written) else ODD_SPACE if odd_space_in(written) else None
        if message is not None:
            mark = node.start_mark
            self._mistakes.append(Problem(self._path, mark.line + 1, mark.column + 1, _dotted(location), message))


def _dotted(location: Location) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return text.removeprefix(".")
