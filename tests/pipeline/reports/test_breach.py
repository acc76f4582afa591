import datetime as dt
import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import delete, select
from uuid_utils.compat import uuid7

from pipeline.audit import actions
from pipeline.audit.actions import Action, Detail
from pipeline.context import Context
from pipeline.models import AuditEvent, DataKey, PersonIndex, Submission
from pipeline.protected_parts import open_answers
from pipeline.reports import breach, residence
from pipeline.reports.breach import Sought
from pipeline.reports.document import Report
from pipeline.reports.period import Period
from pipeline.reports.residence import read_reachable
from pipeline.reports.thresholds import THRESHOLDS, reached
from pipeline.status import SubmissionStatus
from pipeline.unit_of_work import begin
from tests.pipeline.erasure.cases import erase, set_columns
from tests.pipeline.reports.history import AUDITOR, OPENED, begun, opened_by_one_provider, rows, until_now
from tests.pipeline.secure_pages.links import PROVIDERS
from tests.support.submissions import person, submit
from tests.support.work import drain, table


def scope_of(
    context: Context, sought: Sought | None = None, period: Period | None = None, *, opened: bool | None = None
) -> Report:
    """The report; `opened` False with residence, True with contacts."""
    sought = sought or Sought()
    making = begun(context, breach.NAME, period=period)
    with context.database.snapshot() as connection:
        scope = breach.read_scope(connection, making, sought)
    found = None
    if opened is not None:
        found = dict(read_reachable(context, AUDITOR, scope.submission_ids, with_contacts=opened))
    with context.database.snapshot() as connection:
        return breach.report(connection, making, sought, scope, found)


def test_whose_facts_reached_whom_is_told_by_recipient_with_times_and_classes(context: Context) -> None:
    case = opened_by_one_provider(context, times=2)
    report = scope_of(context)
    told = {line["recipient"]: (line["times"], line["classes"], line["way"]) for line in rows(report)}
    # Notice forms: the carrier learned the person's address and nothing else; the person's own page is left out.
    assert told[OPENED] == (2, "contact and health", "secure page")
    assert told["transport:mailbox"][1:] == ("contact", "email")
    assert set(told) == {OPENED, "transport:mailbox"}
    (line,) = (line for line in rows(report) if line["recipient"] == OPENED)
    assert line["first"] < line["last"]
    assert report.summary["individuals"] == 1

    assert {line["recipient"] for line in rows(scope_of(context, Sought(provider_id=PROVIDERS[0])))} == {OPENED}
    assert rows(scope_of(context, Sought(provider_id=PROVIDERS[1]))) == []
    own = scope_of(context, Sought(actor=f"person:{case.submission_id}"))
    assert {line["recipient"] for line in rows(own)} == {"person"}
    link = case.link(case.provider_token(PROVIDERS[0])).id
    assert {line["recipient"] for line in rows(scope_of(context, Sought(link=link)))} == {OPENED}
    later = Period(line["last"] + dt.timedelta(microseconds=1), line["last"] + dt.timedelta(days=1))
    assert OPENED not in {each["recipient"] for each in rows(scope_of(context, period=later))}


def test_individuals_are_people_and_not_requests(sqlite_context: Context) -> None:
    context = sqlite_context
    kept = [
        submit(context, person(1, condition="knee_osteoarthritis")),
        submit(context, person(1, condition="fibromyalgia")),
        submit(context, person(2)),
        submit(context, person(3)),
    ]
    drain(context)
    erased = kept[3].submission_id
    with context.database.write() as connection:
        connection.execute(delete(PersonIndex).where(PersonIndex.submission_id == erased))
        connection.execute(delete(DataKey).where(DataKey.submission_id == erased))
    show_to(context, "provider:alpha", *(each.submission_id for each in kept))
    report = scope_of(context, Sought(provider_id="alpha"), opened=True)
    assert (report.summary["individuals"], report.summary["requests"]) == (3, 4)
    assert report.summary["requests counted as one individual each"] == 1
    residents = {line["region"]: line["individuals"] for line in rows(report, "residents")}
    assert residents == {"US-CA": 2, "not known": 1}
    assert [line["email"] for line in rows(report, "contacts")] == [
        "ana.1@example.org",
        "ana.1@example.org",
        "ana.2@example.org",
    ]


@pytest.mark.parametrize("contacts", [False, True])
def test_no_answer_is_opened_before_that_is_committed(
    sqlite_context: Context, monkeypatch: pytest.MonkeyPatch, *, contacts: bool
) -> None:
    context = sqlite_context
    kept = submit(context)
    drain(context)
    show_to(context, "provider:alpha", kept.submission_id)
    opened: list[list[Any]] = []

    def watched(*arguments: Any) -> Any:
        opened.append(disclosures_to(context, kept.submission_id, str(AUDITOR)))
        return open_answers(*arguments)

    monkeypatch.setattr(residence, "open_answers", watched)
    report = scope_of(context, Sought(provider_id="alpha"), opened=contacts)
    kind = "contacts" if contacts else "residence"
    assert opened == [[{"purpose": "breach", "recipient": str(AUDITOR), "kind": kind}]]
    assert ("contacts" in [each.name for each in report.tables]) is contacts
    assert ("maria.lopez@example.org" in report.json.decode()) is contacts


def lose_key(context: Context, submission_id: uuid.UUID) -> None:
    with context.database.write() as connection:
        connection.execute(delete(DataKey).where(DataKey.submission_id == submission_id))


def lose_all_but_key(context: Context, submission_id: uuid.UUID) -> None:
    """As after keys came back from elsewhere."""
    set_columns(context, Submission, Submission.id == submission_id, status=SubmissionStatus.ERASED.value)


@pytest.mark.parametrize("lose", [erase, lose_key, lose_all_but_key])
def test_what_was_erased_meanwhile_is_neither_opened_nor_put_on_record_as_shown(
    sqlite_context: Context, monkeypatch: pytest.MonkeyPatch, lose: Callable[[Context, uuid.UUID], object]
) -> None:
    context = sqlite_context
    first, second = (submit(context, person(number)).submission_id for number in (1, 2))
    drain(context)

    def late(*arguments: Any) -> Any:
        """Somebody erases the first one just before the report gets its lock."""
        lose(context, first)
        return begin(*arguments)

    monkeypatch.setattr(residence, "begin", late)
    found = dict(read_reachable(context, AUDITOR, [first, second], with_contacts=True))
    assert list(found) == [second]
    assert disclosures_to(context, first, str(AUDITOR)) == []
    assert len(disclosures_to(context, second, str(AUDITOR))) == 1


def test_without_leave_nothing_of_the_answers_is_in_it(sqlite_context: Context) -> None:
    case = opened_by_one_provider(sqlite_context)
    report = scope_of(sqlite_context)
    for said in ("maria.lopez", "+1415", "ibromyalgia", "1975-03-28"):
        assert said not in report.json.decode()
    assert [each.name for each in report.tables] == ["affected", "thresholds"]
    assert disclosures_to(sqlite_context, case.submission_id, str(AUDITOR)) == []
    unknown = {line["rule"]: line["reached"] for line in rows(report, "thresholds")}
    assert unknown["45 CFR 164.404"] == "yes"
    assert unknown["45 CFR 164.406"] == "no", "no state has 501 residents among one individual"
    counted = {line["rule"]: line["individuals"] for line in rows(report, "thresholds")}
    assert counted == {each.rule: None if each.by_state else 1 for each in THRESHOLDS}
    assert any("carrier of our email" in note for note in report.notes)


def test_a_breach_report_does_not_widen_the_next_one(sqlite_context: Context) -> None:
    context = sqlite_context
    case = opened_by_one_provider(context)
    before = scope_of(context, opened=True)
    after = scope_of(context)
    assert rows(after) == rows(before)
    assert not any("Left out" in note for note in before.notes)
    assert any("in this period once" in note for note in after.notes)
    scope_of(context, opened=True)
    assert any("in this period 2 times" in note for note in scope_of(context).notes)
    named = scope_of(context, Sought(actor=str(AUDITOR)))
    assert [(line["reference"], line["recipient"], line["times"]) for line in rows(named)] == [
        (rows(before)[0]["reference"], str(AUDITOR), 2)
    ]
    assert not any("Left out" in note for note in named.notes)
    assert disclosures_to(context, case.submission_id, str(AUDITOR))


@dataclass(frozen=True)
class Count:
    individuals: int
    residents: dict[str, int] | None
    met: set[tuple[str, str | None]]


HHS, FTC, MEDIA, FTC_MEDIA = "45 CFR 164.408(b)", "16 CFR 318.5(c)", "45 CFR 164.406", "16 CFR 318.5(b)"
EACH: set[tuple[str, str | None]] = {("45 CFR 164.404", None), ("16 CFR 318.3(a)", None)}
LARGE = EACH | {(HHS, None), (FTC, None)}


@pytest.mark.parametrize(
    "count",
    [
        Count(0, {}, set()),
        Count(499, {"US-CA": 499}, EACH),
        Count(500, {"US-TX": 500}, LARGE | {(FTC_MEDIA, "US-TX")}),
        Count(501, {"US-TX": 501}, LARGE | {(FTC_MEDIA, "US-TX"), (MEDIA, "US-TX")}),
        Count(500, {"US-WA": 500}, LARGE | {(FTC_MEDIA, "US-WA")}),
        Count(900, {"MX": 600, "not known": 300}, LARGE),
        Count(
            501,
            {"US-WA": 501},
            LARGE | {(FTC_MEDIA, "US-WA"), (MEDIA, "US-WA"), ("RCW 19.255.010", "US-WA")},
        ),
        Count(600, None, LARGE),
    ],
)
def test_who_has_to_be_told_from_how_many_on(count: Count) -> None:
    found = list(reached(count.individuals, count.residents))
    assert {(each.rule, state) for each, state, _, met in found if met} == count.met
    assert {each.rule for each, *_ in found} == {each.rule for each in THRESHOLDS}
    unknown = {each.rule for each, _, _, met in found if met is None}
    by_state = {each.rule for each in THRESHOLDS if each.by_state}
    assert unknown == (by_state if count.residents is None else set())


def show_to(context: Context, recipient: str, *submissions: uuid.UUID) -> None:
    with begin(context.database, context.keys, actions.provider("alpha")) as unit:
        for submission_id in submissions:
            details = {Detail.RECIPIENT: recipient, Detail.PURPOSE: "referral", Detail.LINK: str(uuid7())}
            unit.record(submission_id, Action.FACTS_DISCLOSED, details)


def disclosures_to(context: Context, submission_id: uuid.UUID, actor: str) -> list[Any]:
    """As another connection sees them."""
    wanted = select(AuditEvent.details).where(
        AuditEvent.submission_id == submission_id,
        AuditEvent.action == Action.FACTS_DISCLOSED.value,
        AuditEvent.actor == actor,
    )
    with context.database.read() as connection:
        return [json.loads(details) for details in connection.execute(wanted).scalars()]


def test_the_report_is_on_record_with_what_it_is_narrowed_to(sqlite_context: Context) -> None:
    period = until_now()
    begun(sqlite_context, breach.NAME, period=period)
    record = next(e for e in table(sqlite_context.database, AuditEvent.table()) if e.action == Action.REPORT_MADE)
    assert (record.actor, record.submission_id) == (str(AUDITOR), None)
    assert json.loads(record.details) == {
        "report": "breach",
        "period_start": period.start.isoformat(),
        "period_end": period.end.isoformat(),
    }
    link = uuid7()
    assert Sought(provider_id="alpha", link=link).subject == f"provider alpha link {link}"
