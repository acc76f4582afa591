"""RESULTS.md: one part for each thing that is measured, with what was wanted, what came out, and on which machine."""

import datetime as dt
import os
import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

_TOP = """# Results of the bench

Written by `make bench`, part by part; `ARGS="--only matching"` measures one part again. Absolute figures belong to the
machine and the hour that each part names at its end; what is claimed are the figures with something wanted beside them.
"""
_PART = re.compile(r"^## (.+)\n", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Figure:
    """Something promised, and what came of it."""

    what: str
    wanted: str
    came_out: str
    reached: bool


@dataclass(frozen=True, slots=True)
class Part:
    """`lines` are Markdown under the title."""

    title: str
    figures: Sequence[Figure]
    lines: Sequence[str]

    @property
    def reached(self) -> bool:
        return all(figure.reached for figure in self.figures)

    def text(self) -> str:
        rows = [
            f"| {each.what} | {each.wanted} | {each.came_out} | {'reached' if each.reached else '**not reached**'} |"
            for each in self.figures
        ]
        table = ["| figure | wanted | came out | |", "| --- | --- | --- | --- |", *rows]
        return "\n".join([*table, "", *self.lines]).strip() + "\n"


def with_part(page: str, part: Part, titles: Sequence[str]) -> str:
    """The page with this part new and the others as they were, in the order of `titles`; others are dropped."""
    pieces = _PART.split(page)
    texts = {**dict(zip(pieces[1::2], pieces[2::2], strict=True)), part.title: part.text()}
    return "\n".join([_TOP, *(f"## {title}\n\n{texts[title].strip()}\n" for title in titles if title in texts)])


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
