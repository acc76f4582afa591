"""Which notices a program needs, by what it offers and where."""

from typing import Any

import pytest

from config.claims import claims_in
from pipeline.scoring.geography import _zip_table
from pipeline.scoring.notices import _ZIP_CODES, notices
from tests.pipeline.scoring.network_files import program, provider

CONDITION = {"question": "condition", "equals": "fibromyalgia"}
MIAMI = {"id": "miami", "city": "Miami", "country": "US", "postal_code": "33130"}
LOS_ANGELES = {"id": "la", "city": "Los Angeles", "country": "US", "postal_code": "90015"}
PROVO = {"id": "provo", "city": "Provo", "country": "US", "postal_code": "84601"}
AUSTIN = {"id": "austin", "city": "Austin", "country": "US", "postal_code": "78701"}
BERLIN = {"id": "berlin", "city": "Berlin", "country": "DE", "postal_code": "33130"}
STUDY: dict[str, Any] = {
    "kind": "study",
    "irb": {"name": "Fictional Board", "number": "F-1", "approved_on": "2026-01-01"},
}
LAWS = {"FLORIDA": "Florida", "CALIFORNIA": "California", "UTAH": "Utah"}


@pytest.mark.parametrize(
    ("locations", "licensed_in", "states"),
    [
        ([AUSTIN], [], []),
        ([MIAMI], [], ["FLORIDA"]),
        ([AUSTIN, LOS_ANGELES], [], ["CALIFORNIA"]),
        ([MIAMI, LOS_ANGELES, PROVO], [], ["CALIFORNIA", "FLORIDA", "UTAH"]),
        ([AUSTIN], ["US-FL", "US-TX"], ["FLORIDA"]),
        ([BERLIN], [], []),
    ],
)
@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("product", ["no_product", "approved_use", "unapproved_therapy", "investigational"])
def test_state_notices_by_product_and_place(
    product: str, language: str, locations: list[object], licensed_in: list[str], states: list[str]
) -> None:
    other: dict[str, Any] = STUDY if product == "investigational" else {}
    document = provider(program([CONDITION], product=product, **other), locations=locations, licensed_in=licensed_in)
    shown = notices(document.programs[0], document, language)
    marks = {"en": "THIS NOTICE MUST BE PROVIDED", "es": "La ley de"}
    by_state = [notice for notice in shown if marks[language] in notice]
    assert len(by_state) == (len(states) if product == "unapproved_therapy" else 0)
    for notice, state in zip(by_state, states, strict=False):
        if language == "en":  # the law's own words
            assert notice.startswith(f"THIS NOTICE MUST BE PROVIDED TO YOU UNDER {state} LAW. This ")
            assert "approved by the United States Food and Drug Administration. You are encouraged to consult" in notice
        else:
            assert notice.startswith(f"La ley de {LAWS[state]} exige este aviso")
            assert "aprobadas por la Administración de Alimentos y Medicamentos" in notice
    assert [claim.message for notice in shown for claim in claims_in(notice)] == []


def test_states_are_told_by_zip_codes_as_the_whole_table_tells_them() -> None:
    by_prefix: dict[str, set[str | None]] = {}
    for code, (_, state) in _zip_table().items():
        by_prefix.setdefault(code[:3], set()).add(state)
    for state, ranges in _ZIP_CODES.items():
        inside = {prefix for prefix in by_prefix if any(int(prefix) in each for each in ranges)}
        assert inside == {prefix for prefix, states in by_prefix.items() if state in states}
        # For some ZIP codes the table has no place, and so no state.
        assert all(by_prefix[prefix] <= {state, None} for prefix in inside)
