"""The registry, the folders and the catalogue hold each other: nothing is missing and nothing is left over."""

import re
from dataclasses import fields

import pytest
from babel.messages import Catalog
from babel.messages.pofile import read_po
from jinja2.ext import babel_extract

from config.screening import LANGUAGES, DataClass
from pipeline.email.compiling import TEMPLATES
from pipeline.email.contexts import CONTEXTS
from pipeline.email.kinds import RULES, EmailKind
from pipeline.email.labels import health_label, labels_to_correct
from pipeline.email.render import forms
from pipeline.email.samples import samples
from pipeline.translation import LOCALE, translations
from tests.config.shipped import SCREENING

NOTICE, FULL = {"subject.txt", "body.txt", "body.mjml"}, {"full.txt", "full.mjml"}


def test_every_kind_has_a_folder_a_context_and_samples_and_every_folder_a_kind() -> None:
    folders = {folder.name: {file.name for file in folder.iterdir()} for folder in TEMPLATES.iterdir()}
    folders.pop("_base")
    assert folders == {kind: NOTICE | FULL if RULES[kind].full_form_holds else NOTICE for kind in EmailKind}
    assert {kind: context.kind for kind, context in CONTEXTS.items()} == {kind: kind for kind in EmailKind}
    for kind in EmailKind:
        for language in LANGUAGES:
            for form in forms(kind):
                assert {type(sample) for sample in samples(kind, language, form)} == {CONTEXTS[kind]}


def test_answers_and_providers_have_a_place_in_the_details_of_full_forms_alone() -> None:
    plain = {"reference", "link", "unsubscribe_link", "organisation", "fields", "expires_on", "code", "minutes_valid"}
    for kind, context in CONTEXTS.items():
        allowed = plain | {"details"} if RULES[kind].full_form_holds else plain
        assert {field.name for field in fields(context)} <= allowed, kind


@pytest.mark.parametrize("kind", EmailKind)
def test_links_and_codes_are_kept_out_of_the_repr(kind: EmailKind) -> None:
    for sample in samples(kind, "en"):
        for secret in ("link", "unsubscribe_link", "code"):
            if hasattr(sample, secret):
                assert getattr(sample, secret) not in repr(sample)


def test_questions_about_health_share_one_label_that_says_nothing() -> None:
    by_class = {each: [q for q in SCREENING.questions if q.data_class is each] for each in DataClass}
    contact, health = by_class[DataClass.CONTACT][0], by_class[DataClass.HEALTH]
    assert len(health) > 3
    for language in LANGUAGES:
        labels = labels_to_correct([health[0], contact, *health, contact], language)
        assert labels == (health_label(language), contact.label.in_language(language))


def catalogue() -> Catalog:
    with (LOCALE / "es" / "LC_MESSAGES" / "careroute.po").open("rb") as file:
        return read_po(file, locale="es", abort_invalid=True)


def message_ids() -> set[str]:
    found = {"One or more of the questions about your health"}
    for template in TEMPLATES.rglob("*.*"):
        with template.open("rb") as file:
            found |= {str(text) for _, _, text, _ in babel_extract(file, ["gettext"], [], {"trimmed": "true"})}
    return found


def test_every_text_is_translated_and_no_translation_is_left_over() -> None:
    translated = {str(message.id): message for message in catalogue() if message.id}
    assert set(translated) == message_ids()
    assert [key for key, message in translated.items() if not message.string or message.fuzzy] == []


def test_translations_keep_the_placeholders_and_bring_no_markup() -> None:
    for message in catalogue():
        placeholders = [sorted(re.findall(r"%\(\w+\)s|%", str(text))) for text in (message.id, message.string)]
        assert placeholders[0] == placeholders[1], message.id
        if message.id:  # texts stand in HTML as they are, attributes included
            assert not re.search(r"[<>&\"]", f"{message.id}{message.string}"), message.id


def test_a_language_without_a_catalogue_is_refused_rather_than_answered_in_english() -> None:
    with pytest.raises(FileNotFoundError):
        translations("fr")
