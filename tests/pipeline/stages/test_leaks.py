"""A template that says or links to more than it may is refused when it would be sent, by every kind of email."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from jinja2 import UndefinedError

from pipeline.context import Context
from pipeline.email import compiling, form_letters, render
from pipeline.email.kinds import EmailKind
from pipeline.email.samples import samples
from pipeline.models import AuditEvent, DeadJob, Email
from pipeline.protected import DisclosureRefused
from tests.pipeline.stages.every_kind import HEALTH, IDENTITY, every_kind
from tests.support.transports import ScriptedTransport
from tests.support.work import drain, jobs, table

Plant = Callable[[Path], None]


def _change(pattern: str, before: str, after: str) -> Plant:
    def plant(folder: Path) -> None:
        for path in folder.glob(pattern):
            path.write_text(path.read_text(encoding="utf-8").replace(before, after), encoding="utf-8")

    return plant


def _append(pattern: str, what: str) -> Plant:
    def plant(folder: Path) -> None:
        for path in folder.glob(pattern):
            path.write_text(path.read_text(encoding="utf-8").rstrip() + what, encoding="utf-8")

    return plant


LINKED = set(EmailKind) - {EmailKind.REFERRAL_WITHDRAWN, EmailKind.ONE_TIME_CODE}
SOME = {EmailKind.CONFIRMATION, EmailKind.RECOMMENDATION, EmailKind.REFERRAL_WITHDRAWN, EmailKind.ONE_TIME_CODE}
"""One of each sort: a link, facts, neither, a code. Compiling all of them takes long."""
CONTACT = "mailto:{{ organisation.contact_email }}"
PLANTS: dict[str, tuple[Plant, set[EmailKind]]] = {
    "facts in the subject": (_append("*/subject.txt", " {{ details.condition }}"), set(EmailKind)),
    "the link in the subject": (_append("*/subject.txt", " {{ link }}"), set(EmailKind)),
    "a number in the subject": (_append("*/subject.txt", " 7"), set(EmailKind)),
    "facts in the text": (_change("*/body.txt", "{% block body -%}", "{% block body -%}{{ details }}"), set(EmailKind)),
    "a fact in the text": (
        _change("*/body.txt", "{% block body -%}", "{% block body -%}{{ details.programs|tojson }}"),
        set(EmailKind),
    ),
    "facts decide what is said": (
        _change("*/body.txt", "{% block body -%}", "{% block body -%}{% if details %}.{% endif %}"),
        set(EmailKind),
    ),
    "facts in the HTML": (_change("*/body.mjml", "<h1>", "<h1>{{ details|attr('condition') }}"), set(EmailKind)),
    "an answer in the HTML": (_change("*/body.mjml", "<h1>", "<h1>{{ answers.condition }}"), set(EmailKind)),
    "the link with a query": (
        _change("*/*.mjml", 'href="{{ link }}"', 'href="{{ link }}?about={{ reference }}"'),
        LINKED,
    ),
    "the link in the text with a query": (_change("*/*.txt", "{{ link }}", "{{ link }}?about={{ reference }}"), LINKED),
    "a subject in the address to write to": (
        _change("_base/*.mjml", f'href="{CONTACT}"', f'href="{CONTACT}?subject={{{{ reference }}}}"'),
        set(EmailKind),
    ),
    "an image that calls": (
        _change("*/*.mjml", "<h1>", '<h1><img src="https://count.example/{{ reference }}.gif" />'),
        set(EmailKind),
    ),
    "another site": (_change("*/*.txt", "{% block body -%}", "{% block body -%}https://x.example/ "), set(EmailKind)),
}


def forget() -> None:
    """What was compiled before."""
    for remembered in (render._templates, render._environment, render._compiled, form_letters._form_letter):
        remembered.cache_clear()


@pytest.fixture
def templates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the templates, which emails are made from in this test."""
    copied = tmp_path / "templates"
    shutil.copytree(compiling.TEMPLATES, copied)

    monkeypatch.setattr(compiling, "TEMPLATES", copied)
    monkeypatch.setattr(render, "TEMPLATES", copied)
    forget()
    yield copied
    forget()


def leaks(templates: Path, name: str) -> set[EmailKind]:
    """The kinds that a plant is in."""
    plant, kinds = PLANTS[name]
    original = templates.with_name("original")
    if not original.exists():
        shutil.copytree(templates, original)
    shutil.rmtree(templates)
    shutil.copytree(original, templates)
    plant(templates)
    forget()
    return kinds


def test_every_leak_is_found_by_rendering_samples(templates: Path) -> None:
    for name in PLANTS:
        kinds = leaks(templates, name) & SOME
        found = set()
        for kind in SOME:
            sample = samples(kind, "en")[0]
            try:
                form_letters.write(kind, "en", sample)
            except (DisclosureRefused, UndefinedError, TypeError):
                found.add(kind)
        assert found == kinds, name


def test_a_leak_in_any_kind_is_refused_and_on_record_without_the_fact(sqlite_context: Context, templates: Path) -> None:
    context = sqlite_context
    waiting = every_kind(context)
    for name in ("facts in the subject", "facts in the text", "the link with a query"):
        kinds = leaks(templates, name)
        before = {row.id for row in table(context.database, AuditEvent.table())}
        transport = ScriptedTransport()
        drain(context, "email", transport=transport)
        emails = table(context.database, Email.table())
        leaked = {row.id for row in emails if EmailKind(row.kind) in kinds}
        assert leaked
        assert leaked.isdisjoint(message.email_id for message in transport.sent), name
        assert {row.id for row in emails if row.status == "failed"} == leaked, name
        dead = table(context.database, DeadJob.table())
        assert {(row.target_id, row.reason) for row in dead} == {(id_, "leak_refused") for id_ in leaked}, name
        records = [row for row in table(context.database, AuditEvent.table()) if row.id not in before]
        assert sum(row.action == "email:refused" for row in records) == len(leaked), name
        assert not any(word in str((records, dead)) for word in (*HEALTH, *IDENTITY)), name
        assert jobs(context.database, "email") == []
        with context.database.write() as connection:
            connection.execute(DeadJob.table().delete())
        waiting.queue_again()
