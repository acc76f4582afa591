"""A rendering that leaves a notice out is found; the shipped ones leave none out."""

from pathlib import Path

import pytest

from config.providers import Program, ProviderDocument, load_providers
from pipeline.claims.findings import FindingKind
from pipeline.claims.required import EMAIL_RENDERINGS, Rendering, notice_findings, unsendable
from pipeline.scoring.notices import notices
from tests.config.shipped import CONDITIONS, FOLDER, SCREENING
from tests.pipeline.scoring.network_files import program, provider

NETWORK = load_providers(FOLDER / "providers.yaml", SCREENING, CONDITIONS).providers
CONDITION = {"question": "condition", "equals": "fibromyalgia"}


def test_the_full_email_says_what_it_must_about_every_program() -> None:
    assert list(notice_findings(NETWORK, EMAIL_RENDERINGS)) == []
    assert list(unsendable(NETWORK)) == []


@pytest.mark.parametrize("left_out", ["not been approved", "UNDER FLORIDA LAW", "UNDER UTAH LAW", "voluntary", "(IRB)"])
def test_a_rendering_that_leaves_a_notice_out_is_found(left_out: str) -> None:
    def rendering(document: ProviderDocument, each: Program, language: str) -> str:
        shown = (notice for notice in notices(each, document, language) if left_out not in notice)
        return "\n".join(shown)

    renderings: dict[tuple[Path, str], Rendering] = {(Path("page.html"), "page"): rendering}
    found = list(notice_findings(NETWORK, renderings))
    assert found
    assert {each.kind for each in found} == {FindingKind.NOTICE}
    assert all(left_out in each.message for each in found)


def test_a_link_in_a_providers_text_is_found_before_an_email_is_refused_for_it() -> None:
    document = provider(program([CONDITION], summary={"en": "See https://elsewhere.example", "es": "Un examen."}))
    assert [(each.kind, "en" in each.where) for each in unsendable([document])] == [(FindingKind.LEAK, True)]
