"""What the guard found: where, what, and why it must not be so."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from config.claims import Claim
from config.yaml_file import Problem


class FindingKind(StrEnum):
    """`claim`: says what must not be said. `notice`: leaves out what must be. `leak`: tells or links to too much.

    `size`, `subject`: against the rules of emails. `template`: cannot be rendered.
    """

    CLAIM = "claim"
    NOTICE = "notice"
    LEAK = "leak"
    SIZE = "size"
    SUBJECT = "subject"
    TEMPLATE = "template"


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One thing wrong. `where` says which part of the file, or which rendering of it, that is."""

    file: Path
    line: int
    column: int
    kind: FindingKind
    where: str
    message: str

    def __str__(self) -> str:
        where = f" {self.where}:" if self.where else ""
        return f"{self.file}:{self.line}:{self.column}:{where} {self.message}"


def claimed(file: Path, text: str, claim: Claim, where: str = "") -> Finding:
    """A claim at its place in the text of a file."""
    line = text.count("\n", 0, claim.start) + 1
    column = claim.start - text.rfind("\n", 0, claim.start)
    return Finding(file, line, column, FindingKind.CLAIM, where, claim.message)


def of_problem(problem: Problem, kind: FindingKind = FindingKind.CLAIM) -> Finding:
    """A problem at its place in a configuration file."""
    return Finding(problem.file, problem.line, problem.column, kind, problem.path, problem.message)
