"""A consent is taken back in the middle of the fan-out: nothing more leaves, and whoever knows of it is told."""

import json
import uuid
from collections import Counter
from dataclasses import replace

import pytest
from sqlalchemy import delete, event

from config.screening import AgreedText, ConsentText, Screening
from pipeline.audit import actions
from pipeline.audit.actions import Action
from pipeline.capacity import Room
from pipeline.consent import sharing_allowed
from pipeline.consent.ledger import read_standings, write_withdrawn
from pipeline.consent.purposes import PROVIDERS as PROVIDERS_AT_ALL
from pipeline.consent.purposes import ConsentPurpose, one_provider
from pipeline.consent.withdrawing import HowAsked, TakenBack, UnknownProvider, take_back_by_staff
from pipeline.context import Context
from pipeline.email.kinds import EmailKind
from pipeline.email.message import Outgoing
from pipeline.models import AuditEvent, ConsentEntry, ProviderLoad, Referral, SecureLink, SecureSession
from pipeline.operations.prepare import prepare
from pipeline.operations.quarantine import remap
from pipeline.referral import Candidate, Offers
from pipeline.scoring.rank import Match
from pipeline.secure_pages.answering import ProviderAnswer, answer_referral
from pipeline.secure_pages.code import send_code
from pipeline.secure_pages.link import Closed
from pipeline.secure_pages.opening import look
from pipeline.status import SubmissionStatus
from pipeline.unit_of_work import begin
from tests.pipeline.secure_pages.links import NEXT, PROVIDERS, Referred, nobody, referred
from tests.support.installations import Installation
from tests.support.racing import at_once
from tests.support.submissions import person, submit
from tests.support.transports import ScriptedTransport
from tests.support.work import drain, emails, jobs, make_due, run_sweep, status_of, table

STAFF = actions.staff("tests")
SHARE, CONTACT = ConsentPurpose.SHARE, ConsentPurpose.CONTACT


def take_back(context: Context, submission_id: uuid.UUID, purpose: ConsentPurpose, provider: str | None = None) -> bool:
    return take_back_by_staff(context, STAFF, submission_id, TakenBack(purpose, provider), HowAsked.PHONE)


def forget_consents(context: Context) -> None:
    """As if no consent had ever been given. Nothing less than dropping the guard of the ledger can do that."""
    with context.database.write() as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("ALTER TABLE consent_entry DISABLE TRIGGER USER")
        else:
            connection.exec_driver_sql("DROP TRIGGER consent_entry_refuses_delete")
        connection.execute(delete(ConsentEntry))


def desks(context: Context) -> set[str]:
    """The addresses of all providers."""
    with context.database.read() as connection:
        return {document.contact.email for document in context.networks.current(connection).documents.values()}


def referrals(context: Context) -> dict[str, str]:
    return {row.provider_id: row.status for row in table(context.database, Referral.table())}


def test_share_taken_back_while_one_referral_is_in_the_call_lets_nothing_more_leave(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.stages.deliver.ROUNDS", 1)
    context = installation.context(mail_concurrency=1)  # one email a slice: the others wait without a mark
    id_ = submit(context).submission_id
    drain(context, "validate", "score")
    addresses = desks(context)
    told: list[Outgoing] = []

    def withdraw_in_the_first_referrals_call(message: Outgoing) -> None:
        if message.recipient in addresses:
            told.append(message)
            if len(told) == 1:
                assert take_back(context, id_, SHARE)

    drain(context, transport=ScriptedTransport(during=withdraw_in_the_first_referrals_call))
    run_sweep(context)
    make_due(context.database)
    drain(context, transport=ScriptedTransport(during=withdraw_in_the_first_referrals_call))
    assert len(told) == 2, "the one in the call, and word to the same provider that it is withdrawn"
    standing = Counter((kind, status) for kind, _, status in emails(context, id_) if kind.startswith("referral"))
    assert standing == {
        ("referral", "handed_over"): 1,
        ("referral", "cancelled"): 2,
        ("referral-withdrawn", "handed_over"): 1,
    }
    assert set(referrals(context).values()) == {"withdrawn"}
    assert {row.open_referrals for row in table(context.database, ProviderLoad.table())} == {0}
    assert status_of(context, id_) is SubmissionStatus.WITHDRAWN
    assert jobs(context.database) == []
    withdrawn = Referred(context, id_).recorded(Action.CONSENT_WITHDRAWN)
    assert [(row.actor, row.reason) for row in withdrawn] == [("staff:tests", "phone")]


def test_an_offer_and_a_withdrawal_at_the_same_moment_leave_no_open_offer(postgresql_context: Context) -> None:
    context = postgresql_context
    for number in range(4):
        kept = submit(context, person(number))
        drain(context, "validate")
        at_once(2, lambda which, id_=kept.submission_id: _race(context, which, id_))  # type: ignore[misc]
        drain(context)
        assert status_of(context, kept.submission_id) is SubmissionStatus.WITHDRAWN
    assert set(referrals(context).values()) <= {"withdrawn"}
    assert not [each for each in emails(context) if each[0] == EmailKind.REFERRAL and each[2] != "cancelled"]


def _race(context: Context, which: int, submission_id: uuid.UUID) -> object:
    return drain(context, "score") if which else take_back(context, submission_id, SHARE)


def test_one_provider_loses_its_access_and_is_told_and_the_others_keep_theirs(context: Context) -> None:
    case = referred(context)
    first, *others = PROVIDERS
    token, session = case.provider_token(first), case.provider_session(first)
    link = case.link(token)
    assert take_back(context, case.submission_id, SHARE, first)
    assert not take_back(context, case.submission_id, SHARE, first), "done already"
    ended = {row.id for row in table(context.database, SecureLink.table()) if row.revoked_at is not None}
    assert ended == {link.id}
    assert table(context.database, SecureSession.table()) == []
    assert isinstance(look(context, token, session, "request"), Closed)
    assert isinstance(case.open(token, session=session), Closed)
    answer = ProviderAnswer(accepts=True)
    assert isinstance(answer_referral(context, token, session, answer, None, "request", nobody), Closed)
    drain(context)
    assert referrals(context) == {first: "withdrawn", **dict.fromkeys(others, "offered")}
    told = [to for kind, to, status in emails(context) if (kind, status) == ("referral-withdrawn", "handed_over")]
    assert told == [f"provider:{first}"]
    # A decline has the next one asked; the place of the first one stays empty, and it is not asked again.
    decline = ProviderAnswer(accepts=False, reason="other")
    other = case.provider_token(others[0])
    answer_referral(context, other, case.provider_session(others[0]), decline, None, "request", nobody)
    drain(context)
    assert referrals(context) == {first: "withdrawn", others[0]: "declined", others[1]: "offered", NEXT: "offered"}


def test_a_provider_that_was_excluded_before_it_was_asked_never_is(sqlite_context: Context) -> None:
    context = sqlite_context
    kept = submit(context)
    drain(context, "validate")
    take_back(context, kept.submission_id, SHARE, PROVIDERS[0])
    with pytest.raises(UnknownProvider):
        take_back(context, kept.submission_id, SHARE, "nobody-at-all")
    drain(context)
    assert set(referrals(context)) == {*PROVIDERS[1:], NEXT}


def test_without_contact_the_person_hears_no_more_and_the_request_goes_on(context: Context) -> None:
    kept = submit(context)
    drain(context, "validate", transport=ScriptedTransport())
    assert take_back(context, kept.submission_id, CONTACT)
    drain(context)
    assert [(kind, status) for kind, to, status in emails(context) if to == "person"] == [
        ("confirmation", "cancelled"),
        ("recommendation", "cancelled"),
    ]
    assert referrals(context) == dict.fromkeys(PROVIDERS, "offered")
    assert len([each for each in emails(context) if each[2] == "handed_over"]) == len(PROVIDERS)
    cancelled = Referred(context, kept.submission_id).recorded(Action.EMAIL_CANCELLED)
    assert [row.reason for row in cancelled] == [None, "no_live_consent"]


def test_whoever_is_not_written_to_about_a_request_and_asks_anew_hears_of_the_new_one(context: Context) -> None:
    first = submit(context).submission_id
    drain(context, "validate")
    assert take_back(context, first, CONTACT)
    anew, repeated = submit(context).submission_id, submit(context).submission_id
    drain(context, transport=ScriptedTransport())
    assert [status_of(context, each).value for each in (first, anew, repeated)] == ["candidate"] * 2 + ["duplicate"]
    assert to_person(context, first) == [("confirmation", "cancelled"), ("recommendation", "cancelled")]
    assert to_person(context, anew) == [("confirmation", "handed_over"), ("recommendation", "handed_over")]


def test_what_was_taken_back_before_the_form_is_read_is_not_given_by_reading_it(installation: Installation) -> None:
    """Before validation, and before a remap out of quarantine."""
    context = installation.context()
    lowered = installation.context(requests_per_recipient_per_day=1)
    usual = submit(context, person(1)).submission_id
    submit(context)
    drain(lowered, "validate")
    flooded = submit(context, condition="hair_loss").submission_id
    drain(lowered, "validate")
    assert status_of(context, flooded) is SubmissionStatus.QUARANTINED
    received = submit(context, person(3)).submission_id
    for each in (received, flooded):
        assert take_back(context, each, CONTACT)
        assert take_back(context, each, SHARE, PROVIDERS[0])
    remap(context.database, context.keys, STAFF, [flooded])
    drain(context, transport=ScriptedTransport())
    for each in (received, flooded):
        case = Referred(context, each)
        assert json.loads(case.recorded(Action.CONSENT_GIVEN)[-1].details)["purpose"] == "share"
        assert len(case.recorded(Action.CONSENT_GIVEN)) == 1
        with context.database.read() as connection:
            standings = read_standings(connection, [each], ConsentPurpose)
        assert not standings[each, CONTACT].live
        assert standings[each, SHARE].live
        assert not standings[each, SHARE].allows(one_provider(PROVIDERS[0]))
        assert {status for _, status in to_person(context, each)} == {"cancelled"}
    assert {status for _, status in to_person(context, usual)} == {"handed_over"}
    anew = submit(context, person(3)).submission_id
    drain(context)
    assert status_of(context, anew) is SubmissionStatus.CANDIDATE, "not joined to one of which nothing is heard"


def test_reading_a_form_of_which_nothing_was_taken_back_asks_nothing_of_the_ledger(sqlite_context: Context) -> None:
    for number in range(3):
        submit(sqlite_context, person(number))
    asked: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        asked.append(statement)

    event.listen(sqlite_context.database.writer, "before_cursor_execute", note)
    drain(sqlite_context, "validate")
    event.remove(sqlite_context.database.writer, "before_cursor_execute", note)
    about = [statement for statement in asked if "consent_entry" in statement]
    assert ["INSERT INTO consent_entry" in statement for statement in about] == [True]


def to_person(context: Context, submission_id: uuid.UUID) -> list[tuple[str, str]]:
    return [(kind, status) for kind, to, status in emails(context, submission_id) if to == "person"]


def test_nothing_is_shared_where_no_consent_was_ever_given(context: Context) -> None:
    """The checks of the sharing transactions by themselves, without a withdrawal that closes and cancels."""
    case = referred(context)
    token, session = case.provider_token(), case.provider_session()
    offered = submit(context, person(1)).submission_id
    drain(context, "validate", "score")
    valid = submit(context, person(2)).submission_id
    drain(context, "validate")
    shown, offers = len(case.recorded(Action.FACTS_DISCLOSED)), len(table(context.database, Referral.table()))
    forget_consents(context)
    assert isinstance(case.open(token, session=session), Closed)
    assert isinstance(send_code(context, token, None, "request", nobody), Closed)
    answer = ProviderAnswer(accepts=True)
    assert isinstance(answer_referral(context, token, session, answer, None, "request", nobody), Closed)
    drain(context)
    assert len(case.recorded(Action.FACTS_DISCLOSED)) == shown
    assert len(table(context.database, Referral.table())) == offers
    assert {status for _, _, status in emails(context, offered)} == {"cancelled"}
    assert emails(context, valid) == [
        ("confirmation", "person", "cancelled"),
        ("recommendation", "person", "cancelled"),
    ]
    exhausted = Referred(context, valid).recorded(Action.REFERRAL_EXHAUSTED)
    assert [row.reason for row in exhausted] == ["no_live_consent"]
    assert jobs(context.database) == [], "nothing asks again"


def test_a_change_of_the_text_does_not_change_what_was_agreed_to(sqlite_context: Context) -> None:
    context = sqlite_context
    known, unknown, taken_back = (submit(context, person(number)).submission_id for number in (1, 2, 3))
    drain(context, "validate")
    with begin(context.database, context.keys, STAFF) as unit:
        unit.lock([taken_back])
        write_withdrawn(unit, taken_back, SHARE, PROVIDERS_AT_ALL)
    now = context.screening.consent("consent_share")
    earlier = AgreedText(version=now.version, text=now.text, recipients_open=1, recipients_total=2)
    new = now.model_copy(update={"version": "2027-01-01"})
    kept = new.model_copy(update={"earlier": (earlier,)})
    for text, submission_id, offers in ((kept, known, 1), (new, unknown, 0), (now, taken_back, 0)):
        with begin(context.database, context.keys, STAFF) as unit:
            unit.lock([submission_id])
            in_force = context.networks.current(unit.connection)
            sharing = sharing_allowed(unit.connection, [submission_id])[submission_id]
            matches = [
                Match(document.id, version, document.programs[0].id, 70, rank)
                for rank, (version, document) in enumerate(in_force.documents.items(), start=1)
            ]
            room = Room(unit.connection, [match.provider_id for match in matches])
            changed = replace(context, screening=_with_share(context.screening, text))
            assert Offers(changed, unit, in_force, room, unit.now).make(Candidate(sharing, matches))
        made = [row for row in table(context.database, Referral.table()) if row.submission_id == submission_id]
        assert len(made) == offers
    for submission_id, reason in ((unknown, "consent_text_unknown"), (taken_back, "no_live_consent")):
        exhausted = Referred(context, submission_id).recorded(Action.REFERRAL_EXHAUSTED)
        assert [row.reason for row in exhausted] == [reason]


def test_what_came_in_before_there_was_a_ledger_gets_its_lines_once(
    installation: Installation, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.consent.backfill._BATCH", 2)
    kept = [submit(context, person(number)) for number in range(3)]
    withdrawn, rejected = submit(context, person(4)), submit(context, person(5), consent_share=None)
    drain(context)
    take_back(context, withdrawn.submission_id, SHARE)
    before = {(row.submission_id, row.purpose): _said(row) for row in table(context.database, ConsentEntry.table())}
    records = len([row for row in table(context.database, AuditEvent.table()) if row.action == "consent:given"])
    forget_consents(context)
    assert [prepare(installation.settings()).backfilled for _ in range(2)] == [3, 0]
    after = {(row.submission_id, row.purpose): _said(row) for row in table(context.database, ConsentEntry.table())}
    ids = {each.submission_id for each in kept}
    assert after == {key: said for key, said in before.items() if key[0] in ids}
    given = [row for row in table(context.database, AuditEvent.table()) if row.action == "consent:given"]
    assert [row.reason for row in sorted(given, key=lambda row: row.seq)].count("backfilled") == 6
    assert len(given) == records + 6
    assert rejected.submission_id not in {key[0] for key in after}


def _said(row: object) -> tuple[object, ...]:
    names = ("recipient", "decision", "text_version", "text_hash", "language", "source", "proof", "decided_at")
    return tuple(getattr(row, name) for name in names)


def _with_share(screening: Screening, text: ConsentText) -> Screening:
    questions = tuple(
        each.model_copy(update={"consent": text}) if each.id == "consent_share" else each
        for each in screening.questions
    )
    return Screening(version=screening.version, sections=screening.sections, questions=questions)
