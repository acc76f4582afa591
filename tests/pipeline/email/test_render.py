"""Every kind in every language, as the reader gets it."""

import re
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser

import pytest
from jinja2 import UndefinedError

from config.screening import LANGUAGES
from pipeline.email import render as rendering
from pipeline.email.contexts import Confirmation, OneTimeCode, Organisation, PleaseCorrect, Referral
from pipeline.email.kinds import EmailKind
from pipeline.email.render import Rendered, render
from pipeline.email.samples import samples
from tests.config.shipped import CONDITIONS, SCREENING

EVERY_SAMPLE = [
    pytest.param(kind, language, index, id=f"{kind}-{language}-{index}")
    for kind in EmailKind
    for language in LANGUAGES
    for index in range(len(samples(kind, language)))
]
FORBIDDEN = re.compile(
    r"hipaa|\beligib|\belegib|treatment recommended|tratamiento recomendado|guarantee|garantiza|\bcures?\b|\bcura\b",
    re.IGNORECASE,
)
NOTICE = {"en": "This is not medical advice", "es": "Esto no es un consejo médico"}
VOID = {"meta", "br", "img", "link", "hr", "input"}
ORGANISATION = Organisation("Org", "Street 1", "care@org.example")


class Page(HTMLParser):
    """Reads a page as a mail program would: its language, its visible text, its links, and whether tags nest."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.language: str | None = None
        self.remote: list[str] = []
        self.cells: list[str] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        if tag == "html":
            self.language = attributes.get("lang")
        if tag == "a":
            self.links.append(attributes["href"] or "")
        self.remote += [str(attributes[name]) for name in ("src", "background") if attributes.get(name)]
        if tag == "link":
            self.remote.append(str(attributes.get("href")))
        if tag == "td":
            self.cells.append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data
            if self.cells:
                self.cells[-1] += data


def rendered(kind: EmailKind, language: str, index: int = 0) -> Rendered:
    return render(kind, language, samples(kind, language)[index])


@pytest.mark.parametrize(("kind", "language", "index"), EVERY_SAMPLE)
def test_every_email_is_well_formed_small_private_and_says_nothing_it_must_not(
    kind: EmailKind, language: str, index: int
) -> None:
    sample, email = samples(kind, language)[index], rendered(kind, language, index)
    page = Page(email.html)
    assert page.language == language
    assert page.open == []
    assert page.remote == [], "opening an email must not call anyone"
    assert "@import" not in email.html
    assert len(email.html.encode()) < 60_000
    for part in (email.subject, email.text, email.html):
        assert not re.search(r"\{\{|\{%|<mj-|%\(|Undefined|None", part)
        assert not FORBIDDEN.search(part)
    link = getattr(sample, "link", None)
    mail_to = f"mailto:{sample.organisation.contact_email}"
    assert page.links == ([link, link, mail_to] if link else [mail_to])
    for needed in (sample.organisation.name, sample.organisation.postal_address, link, getattr(sample, "code", None)):
        assert needed is None or (needed in page.text and needed in email.text)


@pytest.mark.parametrize(("kind", "language", "index"), EVERY_SAMPLE)
def test_a_subject_is_neutral_words_and_the_reference(kind: EmailKind, language: str, index: int) -> None:
    sample = samples(kind, language)[index]
    subject = rendered(kind, language, index).subject
    assert subject.isprintable()
    assert subject.endswith(f" ({sample.reference})")
    assert len(subject) < 78
    assert sample.organisation.name not in subject
    assert getattr(sample, "code", "never") not in subject


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", EmailKind)
def test_the_text_part_says_what_the_html_says(kind: EmailKind, language: str) -> None:
    email = rendered(kind, language)
    page = " ".join(Page(email.html).text.split())
    sentences = [line.removeprefix("- ").rstrip(":").strip() for line in email.text.splitlines()]
    assert [sentence for sentence in sentences if sentence not in {"", "--"} and sentence not in page] == []
    assert "\n\n\n" not in email.text
    assert email.text == email.text.strip()


@pytest.mark.parametrize(("kind", "language", "index"), EVERY_SAMPLE)
def test_no_email_names_a_condition_or_asks_a_question_about_health(kind: EmailKind, language: str, index: int) -> None:
    email = rendered(kind, language, index)
    conditions = [each.label.in_language(language) for each in CONDITIONS.conditions]
    questions = [SCREENING.question(name).label.in_language(language) for name in SCREENING.health_ids]
    told = f"{email.subject} {email.text} {Page(email.html).text}".casefold()
    assert [each for each in (*conditions, *questions) if each.casefold() in told] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_notice_stands_where_it_is_about_treatment(language: str) -> None:
    with_notice = {kind for kind in EmailKind if NOTICE[language] in rendered(kind, language).text}
    assert with_notice == {kind for kind in EmailKind if NOTICE[language] in rendered(kind, language).html}
    assert with_notice == {
        *(EmailKind.CONFIRMATION, EmailKind.JOINED, EmailKind.IN_REVIEW, EmailKind.INFORMATION_NEEDED),
        *(EmailKind.RECOMMENDATION, EmailKind.NO_MATCH),
    }


@pytest.mark.parametrize("count", [1, 3])
def test_a_list_of_three_comes_out_as_three_inside_its_table(count: int) -> None:
    fields = ("Email <address>", "Date of birth", "Postal code")[:count]
    email = render(EmailKind.PLEASE_CORRECT, "en", PleaseCorrect("CR-1", "https://x.example/f", ORGANISATION, fields))
    cells = Page(email.html).cells
    assert [cell for cell in cells if cell in fields] == list(fields)
    assert email.html.count('<tr role="listitem">') == count
    # The rows stand in the table that was written for them, not before or after it.
    table = re.search(r'<table[^>]*>(\s*<tr role="listitem">.*?</tr>\s*)+</table>', email.html, re.DOTALL)
    assert table is not None
    assert table[0].count("<tr") == count
    assert re.findall(r"^- (.+)$", email.text, re.MULTILINE) == list(fields)


def test_html_is_escaped_and_text_is_not() -> None:
    nasty = Organisation('<b>&"Org"', "Street <1>", "care@org.example")
    email = render(EmailKind.CONFIRMATION, "en", Confirmation("CR-1", 'https://x.example/"><script>', nasty))
    assert "<script>" not in email.html
    assert "<b>" not in email.html
    assert '<b>&"Org"' in email.text
    Page(email.html)


def test_a_day_is_written_in_the_language_of_the_mail() -> None:
    referral = Referral("CR-1", "https://x.example/p", ORGANISATION, date(2026, 12, 1))
    assert "December 1, 2026" in render(EmailKind.REFERRAL, "en", referral).text
    assert "1 de diciembre de 2026" in render(EmailKind.REFERRAL, "es", referral).text


def test_the_code_is_said_to_expire_when_it_does() -> None:
    code = OneTimeCode("CR-1", "123456", ORGANISATION, minutes_valid=7)
    assert "7 minutes" in render(EmailKind.ONE_TIME_CODE, "en", code).text


def test_a_context_of_another_kind_and_an_unknown_language_are_refused() -> None:
    confirmation = samples(EmailKind.CONFIRMATION, "en")[0]
    with pytest.raises(TypeError, match="recommendation is rendered from Recommendation"):
        render(EmailKind.RECOMMENDATION, "en", confirmation)
    with pytest.raises(KeyError, match="fr"):
        render(EmailKind.CONFIRMATION, "fr", confirmation)


def test_a_template_cannot_name_what_its_context_does_not_have(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = rendering._environment("en", autoescape=True)
    templates = rendering._templates(EmailKind.CONFIRMATION, "en")
    leaking = replace(templates, html=environment.from_string("{{ condition }}"))
    monkeypatch.setattr(rendering, "_templates", lambda kind, language: leaking)
    with pytest.raises(UndefinedError, match="condition"):
        rendered(EmailKind.CONFIRMATION, "en")


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        ("en", "If we asked you for more answers, please give them on the page behind the link in that email."),
        (
            "es",
            "Si le pedimos más respuestas, respóndalas en la página a la que lleva el enlace de ese correo.",
        ),
    ],
)
def test_whoever_sent_the_form_again_learns_where_to_give_more_answers(language: str, sentence: str) -> None:
    assert sentence in rendered(EmailKind.JOINED, language).text


@pytest.mark.parametrize(("language", "claim"), [("en", "criteria"), ("es", "criterios")])
def test_results_are_not_said_to_fit_since_an_expert_may_have_chosen_them(language: str, claim: str) -> None:
    assert claim not in rendered(EmailKind.RECOMMENDATION, language).text


def test_mjml_is_compiled_once_for_a_process() -> None:
    rendering.warm_up()
    before = rendering._compiled.cache_info()
    for kind in EmailKind:
        for language in LANGUAGES:
            rendered(kind, language)
    assert rendering._compiled.cache_info().misses == before.misses
