"""Whether every rendering that shows a program says what has to be said about what the program offers."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from config.providers import Program, ProviderDocument
from config.screening import LANGUAGES
from pipeline.claims.emails import rendered_or_finding
from pipeline.claims.findings import Finding, FindingKind
from pipeline.claims.shown import shown_text, shows
from pipeline.email.compiling import TEMPLATES
from pipeline.email.contexts import Recommendation
from pipeline.email.details import RecommendationDetails
from pipeline.email.kinds import EmailKind, Form
from pipeline.email.render import render
from pipeline.email.samples import samples
from pipeline.scoring.explanation import PersonExplanation
from pipeline.scoring.notices import notices
from pipeline.secure_pages.person import Recommended
from pipeline.stages.letter_details import recommended_program

Rendering = Callable[[ProviderDocument, Program, str], str]
"""The text that a person reads of one program of a provider in a language."""


def notice_findings(
    documents: Iterable[ProviderDocument], renderings: Mapping[tuple[Path, str], Rendering]
) -> Iterator[Finding]:
    """Of every program, by itself, in every language. `renderings` by their template and what they are called.

    By itself, since beside others a program could pass by their notices.
    """
    for document in documents:
        for program in document.programs:
            for language in LANGUAGES:
                needed = notices(program, document, language)
                for (template, name), rendering in renderings.items() if needed else ():
                    text = rendering(document, program, language)
                    where = f"{name}, {language}, {document.id}/{program.id}"
                    for notice in needed:
                        if not shows(text, notice):
                            message = f"leaves out a notice that this program needs: “{notice}”"
                            yield Finding(template, 1, 1, FindingKind.NOTICE, where, message)


def unsendable(documents: Iterable[ProviderDocument]) -> Iterator[Finding]:
    """Programs about which the full email would not be sent, such as for a link in a text.

    Claims are looked for in the texts themselves, where they have a line.
    """
    for document in documents:
        for program in document.programs:
            for language in LANGUAGES:
                where = f"{Form.FULL}, {language}, {document.id}/{program.id}"
                context = _about(document, program, language)
                found = rendered_or_finding(EmailKind.RECOMMENDATION, language, context, Form.FULL, where)
                if isinstance(found, Finding):
                    yield found


def _text_of_email(document: ProviderDocument, program: Program, language: str) -> str:
    return render(EmailKind.RECOMMENDATION, language, _about(document, program, language), Form.FULL).text


def _html_of_email(document: ProviderDocument, program: Program, language: str) -> str:
    context = _about(document, program, language)
    return shown_text(render(EmailKind.RECOMMENDATION, language, context, Form.FULL).html)


EMAIL_RENDERINGS: Mapping[tuple[Path, str], Rendering] = {
    (TEMPLATES / EmailKind.RECOMMENDATION / "full.txt", "text"): _text_of_email,
    (TEMPLATES / EmailKind.RECOMMENDATION / "full.mjml", "html"): _html_of_email,
}


def _about(document: ProviderDocument, program: Program, language: str) -> Recommendation:
    [sample, *_] = samples(EmailKind.RECOMMENDATION, language, Form.FULL)
    if not isinstance(sample, Recommendation):
        raise TypeError("the samples of recommendations are of another kind")
    program_shown = recommended_program(as_recommended(document, program, language), language)
    details = RecommendationDetails("", None, None, expert_decided=False, programs=(program_shown,))
    return replace(sample, details=details)


def as_recommended(document: ProviderDocument, program: Program, language: str) -> Recommended:
    """A program as a person would get it; why it is listed depends on answers and is left out."""
    return Recommended(
        rank=1,
        document=document,
        program=program,
        locations=tuple(location.city for location in document.locations),
        explanation=PersonExplanation((), (), notices(program, document, language)),
        shared=False,
    )
