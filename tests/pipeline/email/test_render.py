"""Every kind, form and sample in every language, as the reader gets it."""

import re
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property

import pytest
from jinja2 import UndefinedError

from config.screening import LANGUAGES, DataClass
from pipeline.email import render as rendering
from pipeline.email.compiling import whole_text
from pipeline.email.contexts import Confirmation, EmailContext, OneTimeCode, Organisation, PleaseCorrect, Referral
from pipeline.email.kinds import RULES, EmailKind, Form, MailClass
from pipeline.email.render import Rendered, forms, render
from pipeline.email.samples import samples
from pipeline.protected import DisclosureRefused
from tests.config.shipped import CONDITIONS, SCREENING
from tests.pipeline.email.page import Page

FORBIDDEN = re.compile(
    r"hipaa|\beligib|\belegib|treatment recommended|tratamiento recomendado|guarantee|garantiza|\bcures?\b|\bcura\b",
    re.IGNORECASE,
)
NOTICE = {"en": "This is not medical advice", "es": "Esto no es un consejo médico"}
ORGANISATION = Organisation("Org", "Street 1", "care@org.example")


@dataclass(frozen=True)
class Case:
    kind: EmailKind
    form: Form
    language: str
    index: int

    def __str__(self) -> str:
        return f"{self.kind}-{self.form}-{self.language}-{self.index}"

    @cached_property
    def sample(self) -> EmailContext:
        return samples(self.kind, self.language, self.form)[self.index]

    @cached_property
    def email(self) -> Rendered:
        return render(self.kind, self.language, self.sample, self.form)

    @cached_property
    def page(self) -> Page:
        return Page(self.email.html)


CASES = [
    Case(kind, form, language, index)
    for kind in EmailKind
    for form in forms(kind)
    for language in LANGUAGES
    for index in range(len(samples(kind, language, form)))
]
NOTICES = [case for case in CASES if case.form is Form.NOTICE]
every_sample = pytest.mark.parametrize("case", CASES, ids=str)


def rendered(kind: EmailKind, language: str) -> Rendered:
    return render(kind, language, samples(kind, language)[0])


@every_sample
def test_every_email_is_well_formed_small_private_and_says_nothing_it_must_not(case: Case) -> None:
    sample, email, page = case.sample, case.email, case.page
    assert page.open == []
    assert page.remote == [], "opening an email must not call anyone"
    assert "@import" not in email.html
    assert len(email.html.encode()) < 60_000
    for part in (email.subject, email.text, email.html):
        assert not re.search(r"\{\{|\{%|<mj-|%\(|Undefined|None|<protected", part)
        assert not FORBIDDEN.search(part)
    link = getattr(sample, "link", None)
    for needed in (sample.organisation.name, link, getattr(sample, "code", None)):
        assert needed is None or (needed in page.text and needed in email.text)


@every_sample
def test_what_a_screen_reader_needs_is_there(case: Case) -> None:
    page = case.page
    assert page.languages == [case.language, case.language], "on the document, and on the part that webmail keeps"
    assert page.directions == ["ltr", "ltr"]
    assert page.title == case.email.subject
    assert page.levels[0] == "h1"
    assert page.levels.count("h1") == 1
    assert set(page.table_roles) == {"presentation"}
    assert 10 < len(page.preheader) < 90
    assert page.preheader not in page.text.replace(page.preheader, "", 1), "the preheader says something more"


@every_sample
def test_the_footer_is_that_of_its_class_of_mail(case: Case) -> None:
    sample, email = case.sample, case.email
    link, stop = getattr(sample, "link", None), getattr(sample, "unsubscribe_link", None)
    organisation = sample.organisation
    expected = [*([link, link] if link else []), f"mailto:{organisation.contact_email}", *([stop] if stop else [])]
    assert case.page.links == expected
    footer = email.text.rpartition("\n--\n")[2]
    assert organisation.name in footer
    assert organisation.contact_email in footer
    requested = RULES[case.kind].mail_class is MailClass.REQUESTED
    assert (stop is not None and stop in footer) == requested
    assert (organisation.postal_address in footer) == requested
    assert (organisation.postal_address in case.page.text) == requested


@every_sample
def test_a_subject_is_neutral_words_and_the_reference(case: Case) -> None:
    subject = case.email.subject
    assert subject.isprintable()
    assert subject.endswith(f" ({case.sample.reference})")
    assert len(subject) < 78
    assert case.sample.organisation.name not in subject
    assert getattr(case.sample, "code", "never") not in subject


@every_sample
def test_the_text_part_says_what_the_html_says(case: Case) -> None:
    page = " ".join([*case.page.text.split(), *case.page.links])
    sentences = [line.removeprefix("- ").rstrip(":").strip() for line in case.email.text.splitlines()]
    assert [sentence for sentence in sentences if sentence not in {"", "--"} and sentence not in page] == []
    assert "\n\n\n" not in case.email.text
    assert case.email.text == case.email.text.strip()


@pytest.mark.parametrize("case", NOTICES, ids=str)
def test_no_notice_names_a_condition_or_asks_a_question_about_health(case: Case) -> None:
    conditions = [each.label.in_language(case.language) for each in CONDITIONS.conditions]
    health = [question for question in SCREENING.questions if question.data_class is DataClass.HEALTH]
    questions = [question.label.in_language(case.language) for question in health]
    told = f"{case.email.subject} {case.email.text} {case.page.text}".casefold()
    assert [each for each in (*conditions, *questions) if each.casefold() in told] == []


@pytest.mark.parametrize("case", NOTICES, ids=str)
def test_a_notice_is_short_and_in_words_that_most_people_read_with_ease(case: Case) -> None:
    body = case.email.text.rpartition("\n--\n")[0]
    prose = [line.removeprefix("- ") for line in body.splitlines() if not re.search(r"//|@|^ *\d+$", line)]
    sentences = [each for line in prose for each in re.split(r"(?<=[.?!:])\s", line) if len(each.split()) > 1]
    words = re.findall(r"[^\W\d_]+", " ".join(sentences).replace(case.sample.organisation.name, "Red"))
    per_sentence, per_word = len(words) / len(sentences), sum(map(syllables, words)) / len(words)
    assert len(words) < 230
    assert max(len(sentence.split()) for sentence in sentences) <= 28
    if case.language == "en":  # Flesch and Kincaid: years of school
        assert 0.39 * per_sentence + 11.8 * per_word - 15.59 < 8
    else:  # Szigriszt's scale for Spanish: from 55 the reading is called normal, from 65 fairly easy
        assert 206.835 - 62.3 * per_word - per_sentence > 55


def syllables(word: str) -> int:
    """Groups of vowels, as machines count for both formulas; the silent e at the end of an English word is none."""
    return max(1, len(re.findall(r"[aeiouyáéíóúü]+", word.lower())) - bool(re.search(r"[^aeiouyl]e$", word)))


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_notice_stands_where_it_is_about_treatment(language: str) -> None:
    with_notice = {kind for kind in EmailKind if NOTICE[language] in rendered(kind, language).text}
    assert with_notice == {kind for kind in EmailKind if NOTICE[language] in rendered(kind, language).html}
    assert with_notice == {
        *(EmailKind.CONFIRMATION, EmailKind.JOINED, EmailKind.IN_REVIEW, EmailKind.INFORMATION_NEEDED),
        *(EmailKind.RECOMMENDATION, EmailKind.NO_MATCH),
    }


@pytest.mark.parametrize("count", [1, 3])
def test_a_list_of_three_comes_out_as_three_inside_its_list(count: int) -> None:
    fields = ("Email <address>", "Date of birth", "Postal code")[:count]
    email = render(EmailKind.PLEASE_CORRECT, "en", PleaseCorrect("CR-1", "https://x.example/f", ORGANISATION, fields))
    assert Page(email.html).items == list(fields)
    assert len(re.findall(r"<ul[^>]*>( *<li[^>]*>[^<]*</li> *)+</ul>", email.html)) == 1
    assert re.findall(r"^- (.+)$", email.text, re.MULTILINE) == list(fields)


def test_html_is_escaped_and_text_is_not() -> None:
    nasty = Organisation('<b>&"Org"', "Street <1>", "care@org.example")
    email = render(EmailKind.CONFIRMATION, "en", Confirmation("CR-<i>", 'https://x.example/"><script>', nasty))
    for tag in ("<script>", "<b>", "<i>"):
        assert tag not in email.html
    assert '<b>&"Org"' in email.text
    assert Page(email.html).open == []


@pytest.mark.parametrize("kind", [kind for kind in EmailKind if RULES[kind].full_form_holds])
def test_facts_that_are_still_protected_are_refused_by_the_full_form_and_not_needed_by_the_notice(
    kind: EmailKind,
) -> None:
    protected = samples(kind, "en")[0]
    render(kind, "en", protected)
    with pytest.raises(DisclosureRefused):
        render(kind, "en", protected, Form.FULL)


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
    templates = rendering._templates(EmailKind.CONFIRMATION, "en", Form.NOTICE)
    leaking = replace(templates, html=environment.from_string("{{ condition }}"))
    monkeypatch.setattr(rendering, "_templates", lambda *_: leaking)
    with pytest.raises(UndefinedError, match="condition"):
        rendered(EmailKind.CONFIRMATION, "en")


def test_a_text_that_does_not_stand_on_a_base_is_refused() -> None:
    with pytest.raises(ValueError, match=r"private\.txt: must extend"):
        whole_text("_base/private.txt")


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


PROMISES = re.compile(r"\bwrite to you\b|another email|will (?:get|write)|le escrib|otro correo", re.IGNORECASE)
UNLESS = re.compile(r"^Unless you asked us to stop|^Si no nos pidió que dejáramos de escribirle")
INVITES = re.compile(r"\bwrite (?:to (?!you\b)|and )|\bescriba a |\bescríbanos\b", re.IGNORECASE)
NO_HEALTH = {
    "en": "Please do not put health details in an email.",
    "es": "Por favor, no incluya datos de salud en un correo.",
}


@every_sample
def test_no_further_email_is_promised_to_somebody_who_may_have_ended_them(case: Case) -> None:
    sentences = re.split(r"(?<=[.?!])\s", f"{case.page.preheader} {case.email.text}")
    assert [each for each in sentences if PROMISES.search(each) and not UNLESS.search(each)] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_whoever_is_invited_to_write_is_asked_to_leave_health_out(language: str) -> None:
    bodies = {case: case.email.text.rpartition("\n--\n")[0] for case in CASES if case.language == language}
    inviting = {case for case, body in bodies.items() if INVITES.search(body)}
    assert {case.kind for case in inviting} == {EmailKind.JOINED, EmailKind.NO_MATCH}
    assert inviting == {case for case, body in bodies.items() if NO_HEALTH[language] in body}


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
