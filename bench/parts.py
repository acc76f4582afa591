"""RESULTS.md: one part for each thing that is measured, with what was wanted, what came out, and on which machine."""

import datetime as dt
import os
import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from itertools import takewhile
from pathlib import Path

_TOP = """# Results of the bench

Written by `make bench`, part by part; `ARGS="--only matching"` measures one part again. Absolute figures belong to the
machine and the hour that each part names at its end; what is claimed are the figures with something wanted beside them.
"""
_PART = re.compile(r"^## (.+)\n", re.MULTILINE)
_HEADER = ("| figure | wanted | came out | |", "| --- | --- | --- | --- |")
_REACHED, _MISSED, _AIMED = "reached", "**not reached**", "an aim, not reached yet"


@dataclass(frozen=True, slots=True)
class Figure:
    """Something promised, and what came of it. An aim is shown like the others, and nothing fails without it."""

    what: str
    wanted: str
    came_out: str
    reached: bool
    is_aim: bool = False

    @property
    def row(self) -> str:
        judgement = _REACHED if self.reached else _AIMED if self.is_aim else _MISSED
        return f"| {self.what} | {self.wanted} | {self.came_out} | {judgement} |"


@dataclass(frozen=True, slots=True)
class Chart:
    """A plot of a part, drawn into `plots/` beside the page: lines through points (x, y), by name."""

    name: str
    title: str
    x_label: str
    y_label: str
    series: Mapping[str, Sequence[tuple[float, float]]]
    log_x: bool = False
    log_y: bool = False

    @property
    def line(self) -> str:
        return f"![{self.title}](plots/{self.name}.svg)\n"


@dataclass(frozen=True, slots=True)
class Part:
    """`lines` are Markdown under the title; the charts come before them."""

    title: str
    figures: Sequence[Figure]
    lines: Sequence[str]
    charts: Sequence[Chart] = ()

    @property
    def reached(self) -> bool:
        return all(figure.reached or figure.is_aim for figure in self.figures)

    def text(self) -> str:
        table = [*_HEADER, *(each.row for each in self.figures), ""] if self.figures else []
        return "\n".join([*table, *(each.line for each in self.charts), *self.lines]).strip() + "\n"


def with_part(page: str, part: Part, titles: Sequence[str]) -> str:
    """The page with this part new and the others as they were, in the order of `titles`; others are dropped."""
    pieces = _PART.split(page)
    texts = {**dict(zip(pieces[1::2], pieces[2::2], strict=True)), part.title: part.text()}
    shown = {title: texts[title] for title in titles if title in texts}
    return "\n".join([_TOP, *_summary(shown), *(f"## {title}\n\n{text.strip()}\n" for title, text in shown.items())])


def _summary(texts: Mapping[str, str]) -> list[str]:
    """Every figure of every part in one table, as the parts have them."""
    rows = [f"| {title} {row}" for title, text in texts.items() for row in _rows(text)]
    if not rows:
        return []
    missed = sum(_MISSED in row for row in rows)
    head = f"{len(rows)} figures: {missed} missed.\n" if missed else f"{len(rows)} figures, none missed.\n"
    return [head, f"| part {_HEADER[0]}", f"| --- {_HEADER[1]}", *rows, ""]


def _rows(text: str) -> list[str]:
    """The rows of a part's table of figures."""
    lines = text.strip().splitlines()
    if tuple(lines[:2]) != _HEADER:
        return []
    return list(takewhile(lambda line: line.startswith("|"), lines[2:]))


def conditions(command: str, packages: Sequence[str], others: Mapping[str, str] | None = None) -> list[str]:
    """The machine, the versions, the day, and how to do it again, as the end of a part."""
    system = platform.uname()
    programs = [f"{name} {said}" for name, said in {"Python": platform.python_version(), **(others or {})}.items()]
    return [
        "### Conditions\n",
        f"- {dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M} UTC, {system.system} {system.release} {system.machine}",
        f"- {_processor()}; {_cores()} cores used of {os.cpu_count()}",
        f"- {', '.join(programs)}",
        f"- {', '.join(f'{name} {version(name)}' for name in packages)}",
        f"- Again: `{command}`",
    ]


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _processor() -> str:
    listed = Path("/proc/cpuinfo")
    if listed.exists():
        for line in listed.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "processor unknown"
