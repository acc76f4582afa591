"""What is written down is looked through, and a claim planted anywhere is found at its line."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.claims.findings import Finding
from pipeline.claims.sources import (
    TEMPLATES,
    catalogue_findings,
    condition_findings,
    module_findings,
    provider_findings,
    screening_findings,
    template_findings,
)
from pipeline.translation import LOCALE
from tests.config.shipped import CONDITIONS, FOLDER, SCREENING


def providers(file: Path) -> Iterator[Finding]:
    return provider_findings(file, SCREENING, CONDITIONS)


@pytest.mark.parametrize(
    ("folder", "file", "was", "instead", "look"),
    [
        (TEMPLATES, "email/no-match/body.txt", "{% trans %}", "{% trans %}Proven. ", template_findings),
        (
            TEMPLATES,
            "email/joined/body.mjml",
            "{% trans %}",
            "{% trans %}pro{% if link %}ven{% endif %}",
            template_findings,
        ),
        (TEMPLATES, "web/recommendations.html", "{{ reason }}", "{{ reason }}: guaran<b>teed</b>", template_findings),
        (
            LOCALE,
            "es/LC_MESSAGES/careroute.po",
            'msgstr "Por ahora',
            'msgstr "Sin riesgos. Por ahora',
            catalogue_findings,
        ),
        (LOCALE, "es/LC_MESSAGES/web.po", 'msgstr "Este enlace', 'msgstr "Una cura. Este enlace', catalogue_findings),
        (FOLDER, "providers.yaml", "An examination with imaging.", "An FDA-registered examination.", providers),
        (FOLDER, "providers.yaml", "es: Pide un efecto claro", "es: Garantiza un efecto claro", providers),
        (FOLDER, "conditions.yaml", "en: Fibromyalgia", "en: Fibromyalgia cured", condition_findings),
        (FOLDER, "screening.yaml", "need to know this for safety.", "have no side effects.", screening_findings),
    ],
)
def test_a_planted_claim_is_found_where_it_is(
    tmp_path: Path, folder: Path, file: str, was: str, instead: str, look: Callable[[Path], Iterator[Finding]]
) -> None:
    text = (folder / file).read_text(encoding="utf-8")
    assert was in text
    planted = tmp_path / file
    planted.parent.mkdir(parents=True, exist_ok=True)
    planted.write_text(text.replace(was, instead, 1), encoding="utf-8")
    [finding] = look(planted if folder is FOLDER else tmp_path)
    line = text[: text.index(was)].count("\n") + 1
    # A catalogue's entry begins at its msgid.
    assert line - 2 <= finding.line <= line
    assert str(finding).startswith(f"{planted}:{finding.line}:")


def test_strings_of_modules_are_looked_through_and_docstrings_are_not(tmp_path: Path) -> None:
    module = tmp_path / "words.py"
    module.write_text('"""Guaranteed."""\n\nWORDS = (\n    "Good."\n    " It is proven."\n)\n', encoding="utf-8")
    [finding] = module_findings(["words.py"], tmp_path)
    assert (finding.line, "proven" in finding.message) == (4, True)
