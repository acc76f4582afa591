"""Claims in what is written down: templates, catalogues, words in modules, questions, conditions and providers."""

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from babel.messages.catalog import Message
from babel.messages.pofile import read_po
from pydantic import BaseModel

from config.claims import claims_in, claims_in_model
from config.conditions import Conditions
from config.providers import ProviderFile, References
from config.screening import Screening
from config.settings import ROOT
from config.yaml_file import CannotBeRead, ConfigurationMistake, read
from pipeline.claims.findings import Finding, FindingKind, claimed, of_problem
from pipeline.translation import LOCALE

TEMPLATES = ROOT / "templates"
SCRIPTS = ROOT / "web" / "static"
_WRITTEN_BY_MODULES = (
    *("web", "pipeline/email", "pipeline/secure_pages", "pipeline/validation"),
    *(f"pipeline/scoring/{name}.py" for name in ("words", "notices", "explanation", "questions", "telling")),
)
"""Modules and folders of modules whose words people read."""
_JINJA = re.compile(r"\{[%{#].*?[%}#]\}", re.DOTALL)


def template_findings(folder: Path = TEMPLATES) -> Iterator[Finding]:
    """Of every template of emails and pages, and of every script of the pages."""
    for file in template_files(folder):
        yield from _in_template(file)


def template_files(folder: Path = TEMPLATES) -> Iterator[Path]:
    """What `template_findings` reads."""
    for suffix in ("txt", "mjml", "html", "js"):
        yield from sorted(folder.rglob(f"*.{suffix}"))


def _in_template(file: Path) -> Iterator[Finding]:
    source = file.read_text(encoding="utf-8")
    # With its tags, for what they say; without, for words that they stand in.
    without_tags = _JINJA.sub(lambda tag: re.sub(r"[^\n]", " ", tag[0]), source)
    yield from {claimed(file, source, claim) for text in (source, without_tags) for claim in claims_in(text)}


def catalogue_findings(folder: Path = LOCALE) -> Iterator[Finding]:
    """Of every entry of every catalogue, in both of its languages."""
    for file in sorted(folder.rglob("*.po")):
        with file.open("rb") as opened:
            catalogue = read_po(opened)
        for message in catalogue:
            for text in _texts(message) if message.id else ():
                for claim in claims_in(text):
                    yield Finding(file, message.lineno or 1, 1, FindingKind.CLAIM, "", claim.message)


def _texts(message: Message) -> Iterator[str]:
    for part in (message.id, message.string):
        yield from [part] if isinstance(part, str) else part or ()


def module_findings(paths: Iterable[str] = _WRITTEN_BY_MODULES, root: Path = ROOT) -> Iterator[Finding]:
    """Of the strings in modules that write for people; docstrings are for others."""
    for path in paths:
        for file in sorted((root / path).rglob("*.py")) if (root / path).is_dir() else [root / path]:
            yield from _in_module(file)


def _in_module(file: Path) -> Iterator[Finding]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in alone:
            for claim in claims_in(node.value):
                yield Finding(file, node.lineno, node.col_offset + 1, FindingKind.CLAIM, "", claim.message)


def screening_findings(file: Path) -> Iterator[Finding]:
    """Of the questions. Raises `ConfigurationMistake`."""
    return _in_model(file, Screening)


def condition_findings(file: Path) -> Iterator[Finding]:
    """Of the conditions, and of what is said about the evidence. Raises `ConfigurationMistake`."""
    return _in_model(file, Conditions)


def provider_findings(file: Path, screening: Screening, conditions: Conditions) -> Iterator[Finding]:
    """Of a provider file: whatever its reader refuses, claims among it. Raises `CannotBeRead`."""
    try:
        read(file, ProviderFile, context=References(screening, conditions))
    except CannotBeRead:
        raise
    except ConfigurationMistake as mistake:
        yield from map(of_problem, mistake.problems)


def _in_model(file: Path, model: type[BaseModel]) -> Iterator[Finding]:
    found = read(file, model)
    for location, message in claims_in_model(found.model):
        yield of_problem(found.problem(location, message))
