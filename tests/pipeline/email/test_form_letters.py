"""A form letter that is filled in is what rendering gives, for every kind; and nobody gets what is another reader's."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from config.screening import LANGUAGES
from pipeline.email import compiling, form_letters, render
from pipeline.email.contexts import EmailContext
from pipeline.email.kinds import EmailKind
from pipeline.email.samples import samples

OWN = {
    "reference": "CR-2222-ZZZZ",
    "link": "https://screening.careroute.example/s/http-www_mailto-0123456789-0123456789-01234",
    "unsubscribe_link": "https://screening.careroute.example/u/_-_-_-_-_-0123456789-0123456789-0123456789-01234",
}
"""Of another reader; an ending may well spell something that is looked for."""


def of_another_reader(context: EmailContext) -> EmailContext:
    own: dict[str, Any] = {name: value for name, value in OWN.items() if hasattr(context, name)}
    return replace(context, **own)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", EmailKind)
def test_what_is_filled_in_is_what_rendering_gives(kind: EmailKind, language: str) -> None:
    for sample in samples(kind, language):
        for context in (sample, of_another_reader(sample), sample):
            assert form_letters.write(kind, language, context) == render.render(kind, language, context)


def test_each_kind_is_written_once_for_all_its_readers() -> None:
    form_letters._form_letter.cache_clear()
    for kind in EmailKind:
        sample = samples(kind, "en")[0]
        for context in (sample, of_another_reader(sample)):
            form_letters.write(kind, "en", context)
    written = form_letters._form_letter.cache_info()
    assert written.misses == written.hits == len(EmailKind) - len(form_letters._ONE_OF_A_KIND)


@pytest.fixture
def recompiled(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    remembered = (render._templates, render._environment, render._compiled, form_letters._form_letter)
    for each in remembered:
        each.cache_clear()
    yield monkeypatch
    for each in remembered:
        each.cache_clear()


def test_a_template_that_does_more_with_a_value_than_to_show_it_is_rendered_for_each_reader(
    recompiled: pytest.MonkeyPatch,
) -> None:
    """Shown in small letters, a stand-in could not be found again, and everybody would get the same one."""

    def read(path: str) -> str:
        text = (compiling.TEMPLATES / path).read_text(encoding="utf-8")
        return text.replace("{% block body -%}", "{% block body -%}{{ reference|lower }} ")

    recompiled.setattr(compiling, "_read", read)
    sample = samples(EmailKind.RECOMMENDATION, "en")[0]
    other = of_another_reader(sample)
    assert sample.reference.lower() in form_letters.write(EmailKind.RECOMMENDATION, "en", sample).text
    assert other.reference.lower() in form_letters.write(EmailKind.RECOMMENDATION, "en", other).text
