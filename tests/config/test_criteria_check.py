"""Criteria held against a form and a list of conditions, and region codes against the world."""

import pytest

from config.criteria import AgeRange, Distance, Leaf, Region, SpokenLanguage
from config.criteria_check import leaf_mistakes, region_mistake
from config.screening import Screening
from tests.config.shipped import CONDITIONS, SCREENING


@pytest.mark.parametrize("region", ["US", "US-TX", "US-DC", "US-PR", "US-GU", "MX", "DE"])
def test_regions_that_licences_are_issued_for(region: str) -> None:
    assert region_mistake(region) is None


@pytest.mark.parametrize(
    ("region", "expected"),
    [
        ("Texas", "perhaps US-TX; found 'Texas'"),
        ("tx", "perhaps US-TX"),
        ("us-tx", "perhaps US-TX"),
        ("Puerto Rico", "perhaps US-PR"),
        ("mexico", "perhaps MX"),
        ("PR", "expected US-PR, as ZIP codes count as the US"),
        ("US-XX", "a country such as MX, or a US state such as US-TX; found 'US-XX'"),
        ("MX-JAL", "a US state such as US-TX"),
        ("US-", "a US state such as US-TX"),
        ("", "a US state such as US-TX"),
    ],
)
def test_anything_else_is_told_with_the_code_that_may_be_meant(region: str, expected: str) -> None:
    assert expected in str(region_mistake(region))


@pytest.mark.parametrize(
    ("leaf", "needed"),
    [
        (AgeRange.model_validate({"age": {"at_least": 18}}), "date_of_birth"),
        (SpokenLanguage(language="spoken"), "language"),
        (Distance(distance="travel"), "travel"),
        (Distance(distance="10 km"), "postal_code"),
        (Region(region=("MX",)), "country"),
    ],
)
def test_a_criterion_needs_its_question_on_the_form(leaf: Leaf, needed: str) -> None:
    assert list(leaf_mistakes(leaf, SCREENING, CONDITIONS)) == []
    questions = tuple(question for question in SCREENING.questions if question.id != needed)
    form = Screening.model_construct(version="1", sections=(), questions=questions)
    [(_, message)] = leaf_mistakes(leaf, form, CONDITIONS)
    assert message == f"expected the form to have the question {needed}"
