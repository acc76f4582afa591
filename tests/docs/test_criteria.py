"""The guide to the criteria: every example on the page is read as a provider file, and comes out as the page says."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from config.providers import ProviderDocument, load_providers
from config.settings import ROOT
from pipeline.db import utc_now
from pipeline.operations.provider_check import check_providers
from pipeline.scoring import Network, explain_to_staff, score
from pipeline.scoring.facts import Answer
from tests.config.shipped import CONDITIONS, SCREENING
from tests.pipeline.scoring.network_files import version_id

PAGE = (ROOT / "docs" / "criteria.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
CRITERIA = re.findall(r"`(\{(?:question|age|age_months|distance|region|budget|language|all|any|none|id): .*?\})`", PAGE)
NOW = utc_now()

# Whom the page's last table starts from; their age is reckoned from today.
SOMEBODY: dict[str, Answer] = {
    "language": "es",
    "date_of_birth": f"{NOW.year - 46}-01-01",
    "country": "US",
    "postal_code": "55401",
    "condition": "fibromyalgia",
    "diagnosis_confirmed": "yes",
    "onset_months": 30,
    "severity": 6,
    "prior_treatments": ["physical_therapy"],
    "contraindications": ["none"],
    "treatment_interests": ["study_participation"],
    "travel": "local",
}
CHANGES: dict[str, dict[str, Answer]] = {
    "nothing": {},
    "an effect of 3": {"severity": 3},
    "no answer on how long": {"onset_months": ""},
    "blood thinners": {"contraindications": ["anticoagulants"]},
    "earlier cell treatment": {"prior_treatments": ["physical_therapy", "cell_therapy"]},
}
REASONS = {
    "borderline": "borderline",
    "the person is asked just that": "information_missing",
    "the program's own rule": "expert_rule",
}


def loaded(text: str, folder: Path) -> ProviderDocument:
    file = folder / "providers.yaml"
    file.write_text(text, encoding="utf-8")
    (document,) = load_providers(file, SCREENING, CONDITIONS).providers
    return document


def test_both_provider_files_can_be_loaded_and_there_is_nothing_odd_about_them(tmp_path: Path) -> None:
    clinic, study = (loaded(block, tmp_path) for block in BLOCKS)
    assert (clinic.programs[0].kind, study.programs[0].kind) == ("clinic", "study")
    while_all_lasts = datetime(2026, 11, 22, 12, tzinfo=UTC)
    for block in BLOCKS:
        loaded(block, tmp_path)
        checked = check_providers(tmp_path / "providers.yaml", SCREENING, CONDITIONS, while_all_lasts)
        assert (checked.errors, checked.warnings) == ((), ())


@pytest.mark.parametrize("criterion", sorted(set(CRITERIA)))
def test_every_criterion_in_the_tables_can_be_loaded(criterion: str, tmp_path: Path) -> None:
    (text,) = (block for block in BLOCKS if "kind: clinic" in block)
    start, end = text.index("        prefer:"), text.index("        review_if:")
    loaded(f"{text[:start]}          - {criterion}\n{text[end:]}", tmp_path)


def test_the_tables_show_every_kind_of_criterion() -> None:
    kinds = ("equals", "one_of", "none_of", "overlaps", "at_least", "age_months", "region: licensed", "region: [")
    others = ("distance: travel", "miles", "budget", "language: spoken", "all:", "any:", "none:", "ask", "borderline")
    assert [kind for kind in (*kinds, *others) if not any(kind in criterion for criterion in CRITERIA)] == []


@pytest.mark.parametrize("difference", CHANGES)
def test_the_worked_example_comes_out_as_the_page_says(difference: str, tmp_path: Path) -> None:
    ((outcome, why),) = re.findall(rf"^\| {re.escape(difference)} \| ([a-z ]+)(?:[:,] (.*))? \|$", PAGE, re.MULTILINE)
    study = loaded(next(block for block in BLOCKS if "kind: study" in block), tmp_path)
    versions: dict[Any, ProviderDocument] = {version_id(study.id): study}
    found = score(SOMEBODY | CHANGES[difference], Network.of(versions.items()), NOW.date(), NOW)
    assert found.outcome.value.replace("_", " ") == outcome
    assert found.review_reasons == ((REASONS[why],) if outcome == "needs review" else ())
    (told,) = explain_to_staff(found.explanation, versions).programs
    assert [f"because of `{name}`" for name in told.deciding] == ([why] if outcome == "no match" else [])
