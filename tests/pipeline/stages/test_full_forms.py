"""Facts leave in full forms only: by a transport cleared for them, to whom they are for, on record before they do."""

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Engine, event, update

from config.screening import DataClass
from pipeline.context import Context
from pipeline.email.kinds import RULES, EmailKind, Form
from pipeline.email.message import Outgoing
from pipeline.email.render import forms
from pipeline.models import AuditEvent, DeadJob, Email, ProviderMatch, SealedDocument
from pipeline.submission import Part, read_sealed
from tests.pipeline.stages.every_kind import BUDGET, DESK, FACTS, HEALTH, IDENTITY, EveryKind, every_kind
from tests.support.transports import ScriptedTransport
from tests.support.work import drain, table

FULL = {kind for kind in EmailKind if Form.FULL in forms(kind)}


def sent_by_kind(context: Context, transport: ScriptedTransport) -> dict[EmailKind, Outgoing]:
    kinds = {row.id: EmailKind(row.kind) for row in table(context.database, Email.table())}
    return {kinds[message.email_id]: message for message in transport.sent}


def recorded(context: Context, action: str) -> dict[uuid.UUID, dict[str, str]]:
    """The details of the records that name an email, by its id."""
    details = [json.loads(row.details) for row in table(context.database, AuditEvent.table()) if row.action == action]
    return {uuid.UUID(each["email"]): each for each in details if "email" in each}


@contextmanager
def counted(context: Context) -> Iterator[list[str]]:
    """The statements that are run meanwhile."""
    statements: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def test_facts_leave_in_full_forms_only_and_are_on_record_before_they_do(context: Context) -> None:
    assert FULL == FACTS.keys() == {kind for kind, rules in RULES.items() if rules.full_form_holds}
    waiting = every_kind(context)
    disclosed: list[bool] = []

    def look(message: Outgoing) -> None:
        facts = any(fact in message.text for facts in FACTS.values() for fact in facts)
        disclosed.append(not facts or message.email_id in recorded(context, "facts:disclosed"))

    cleared = ScriptedTransport(clearance=DataClass.HEALTH, during=look)
    drain(context, "email", transport=cleared)
    assert disclosed == [True] * len(cleared.sent)
    sent = sent_by_kind(context, cleared)
    for kind, message in sent.items():
        parts = (message.text, message.html)
        assert all((fact in part) == (kind in FULL) for fact in FACTS.get(kind, HEALTH) for part in parts), kind
        assert not any(each in part for each in (*IDENTITY, *BUDGET) for part in parts), kind
        assert ("/s/" in message.text) == (RULES[kind].has_link), kind
    told, handed_over = recorded(context, "facts:disclosed"), recorded(context, "email:handed_over")
    assert told.keys() == {sent[kind].email_id for kind in FULL}
    for kind in FULL:
        to_provider = kind is EmailKind.REFERRAL
        about = told[sent[kind].email_id]
        assert (about["purpose"], about["recipient"], about["transport"]) == (
            ("referral", "provider:blue-mesa", "scripted") if to_provider else ("own_request", "person", "scripted")
        )
        assert about["attempt_id"] == str(sent[kind].attempt_id)
        assert (sent[kind].recipient == DESK) == to_provider
    form = {kind: handed_over[message.email_id]["form"] for kind, message in sent.items()}
    assert form == {kind: "full" if kind in FULL else "notice" for kind in EmailKind}

    waiting.queue_again()
    for clearance in (DataClass.PUBLIC, DataClass.CONTACT):
        uncleared = ScriptedTransport(clearance=clearance)
        drain(context, "email", transport=uncleared)
        for kind, message in sent_by_kind(context, uncleared).items():
            assert not any(fact in f"{message.text} {message.html}" for fact in (*HEALTH, *IDENTITY)), kind
        waiting.queue_again()
    records = [row for row in table(context.database, AuditEvent.table()) if row.action == "facts:disclosed"]
    assert len(records) == len(FULL), "a notice tells nobody anything"


def test_a_transport_that_is_not_cleared_asks_the_database_for_nothing_more(sqlite_context: Context) -> None:
    waiting = every_kind(sqlite_context)
    found: dict[DataClass, list[str]] = {}
    for clearance in (DataClass.PUBLIC, DataClass.HEALTH):
        with counted(sqlite_context) as statements:
            drain(sqlite_context, "email", transport=ScriptedTransport(clearance=clearance))
        found[clearance] = statements
        waiting.queue_again()
    tables = (ProviderMatch.__tablename__, "provider_version")
    assert not [each for each in found[DataClass.PUBLIC] if any(f"FROM {name}" in each for name in tables)]
    more = len(found[DataClass.HEALTH]) - len(found[DataClass.PUBLIC])
    assert 0 < more <= 8, "in bulk, however many letters"


@pytest.mark.parametrize("how", ["program", "assessment", "address"])
def test_what_cannot_be_told_by_email_is_said_to_be_on_the_page(sqlite_context: Context, how: str) -> None:
    context = sqlite_context
    waiting = every_kind(context)
    _spoil(waiting, how)
    cleared = ScriptedTransport(clearance=DataClass.HEALTH)
    drain(context, "email", transport=cleared)
    assert table(context.database, DeadJob.table()) == []
    sent = sent_by_kind(context, cleared)
    assert sent.keys() == set(EmailKind)
    withheld = {"program": {EmailKind.RECOMMENDATION, EmailKind.REFERRAL}, "assessment": FULL}
    for kind in withheld.get(how, {EmailKind.RECOMMENDATION, EmailKind.REFERRAL}):
        assert not any(fact in f"{sent[kind].text} {sent[kind].html}" for fact in FACTS[kind]), kind
    assert {each["form"] for each in recorded(context, "email:handed_over").values()} <= {"notice", "full"}
    assert not any("evil" in f"{message.text} {message.html}" for message in cleared.sent)


def _spoil(waiting: EveryKind, how: str) -> None:
    """The matched program is not in its version; there is no assessment; an answer holds an address of the web."""
    context = waiting.context
    with context.database.write() as connection:
        if how == "program":
            connection.execute(update(ProviderMatch).values(program_id="gone"))
            return
        if how == "assessment":
            connection.execute(
                update(SealedDocument).where(SealedDocument.part == "assessment").values(part="decision:9")
            )
            return
        ids = {row.submission_id for row in table(context.database, SealedDocument.table()) if row.part == "assessment"}
        for id_, sealed in read_sealed(connection, ids, [Part.ANSWERS]).items():
            named = {"condition": "other", "condition_other": "see https://evil.example/x"}
            key = sealed.key(context.vault)
            said = {**sealed.open_json(context.vault, Part.ANSWERS), **named}
            connection.execute(
                update(SealedDocument)
                .where(SealedDocument.submission_id == id_, SealedDocument.part == "answers")
                .values(ciphertext=key.seal_json(Part.ANSWERS, said))
            )
