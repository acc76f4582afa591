"""`audit disclosures|access|activity|breach`: reports from the audit record, themselves on record."""

import datetime as dt
import os
import shutil
import sys
import uuid
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

import typer

from cli.console import say
from cli.contexts import open_cli_context
from cli.failures import FINDING, WRONG_USE, fail, read_settings
from cli.moment import EXPECTED, read_moment, tell_moment
from cli.person import NONE_FOUND, find_person
from config.settings import Settings
from pipeline.audit.actions import ActorKind
from pipeline.context import Context
from pipeline.db import utc_now
from pipeline.operations.opening import operator
from pipeline.operations.timeline import find_submission
from pipeline.reports import access as access_report
from pipeline.reports import activity as activity_report
from pipeline.reports import breach as breach_report
from pipeline.reports import disclosures as disclosures_report
from pipeline.reports.as_csv import as_csv
from pipeline.reports.as_html import as_html
from pipeline.reports.as_json import as_json
from pipeline.reports.as_text import WIDTH, as_text, too_wide
from pipeline.reports.document import Report
from pipeline.reports.known import NotKnown, require_actor, require_link, require_provider
from pipeline.reports.making import begin_report
from pipeline.reports.period import Period, years_until
from pipeline.reports.residence import read_reachable
from pipeline.reports.sign_off import Finding, FollowUp, NotOver, sign_off


class Format(StrEnum):
    TEXT = "text"
    CSV = "csv"
    JSON = "json"
    HTML = "html"


IdArgument = Annotated[
    str | None, typer.Argument(metavar="ID", help="An id, or a reference such as CR-7K4M-2QXD.", show_default=False)
]
PersonOption = Annotated[
    bool,
    typer.Option(
        "--person", help="All submissions of one person: address, date of birth, first name on three lines of stdin."
    ),
]
FromOption = Annotated[
    dt.datetime | None, typer.Option("--from", parser=read_moment, metavar="TIME", help=f"From then on: {EXPECTED}.")
]
ToOption = Annotated[
    dt.datetime | None, typer.Option("--to", parser=read_moment, metavar="TIME", help="Until before then, else now.")
]
SinceOption = Annotated[
    dt.datetime, typer.Option("--from", parser=read_moment, metavar="TIME", help=f"From then on: {EXPECTED}.")
]
UntilOption = Annotated[
    dt.datetime, typer.Option("--to", parser=read_moment, metavar="TIME", help="Until before then.")
]
FormatOption = Annotated[Format, typer.Option("--format", help="csv holds one table, html prints.")]
TableOption = Annotated[
    str | None, typer.Option("--table", metavar="NAME", help="For csv, another table than the first one.")
]
OutputOption = Annotated[
    Path | None, typer.Option("--output", metavar="FILE", help="A new file, which only you may read; else stdout.")
]


def disclosures(
    submission: IdArgument = None,
    *,
    person: PersonOption = False,
    since: FromOption = None,
    until: ToOption = None,
    each: Annotated[bool, typer.Option("--each", help="Repeated disclosures one by one, not summed up.")] = False,
    form: FormatOption = Format.TEXT,
    table: TableOption = None,
    output: OutputOption = None,
) -> None:
    """To whom a person's facts were disclosed (45 CFR 164.528).

    The last six years, unless another period is asked for. What was shown to
    staff is no disclosure: `careroute audit access` lists it.
    """
    period = _last_years(since, until)
    settings = read_settings()
    with open_cli_context(settings) as context, _Output(form, table, output, settings) as destination:
        found = _submissions(context, submission, by_person=person)
        making = begin_report(
            context.database, context.keys, operator(), disclosures_report.NAME, period, submissions=found
        )
        with context.database.snapshot() as connection:
            destination.write(disclosures_report.report(connection, making, found, each=each))


def access(
    submission: IdArgument = None,
    *,
    person: PersonOption = False,
    by: Annotated[
        str | None,
        typer.Option(metavar="ACTOR", help="What somebody looked at: staff:USER, provider:ID, link:ID."),
    ] = None,
    since: FromOption = None,
    until: ToOption = None,
    form: FormatOption = Format.TEXT,
    table: TableOption = None,
    output: OutputOption = None,
) -> None:
    """Who looked at a person's facts, or what somebody looked at.

    Pages that were opened, wrong second factors, displays to staff, providers
    and the person, decisions, reports. The last six years, unless another
    period is asked for.
    """
    if by is not None and (person or submission is not None):
        fail("name an ID, or --person, or --by ACTOR", WRONG_USE)
    actor = None if by is None else _actor("--by", by)
    period = _last_years(since, until)
    settings = read_settings()
    with open_cli_context(settings) as context, _Output(form, table, output, settings) as destination:
        database, keys, name = context.database, context.keys, access_report.NAME
        if actor is not None:
            _require_known(context, period, actor=actor)
            making = begin_report(database, keys, operator(), name, period, subject=actor)
            with database.snapshot() as connection:
                destination.write(access_report.report_by(connection, making, actor))
            return
        found = _submissions(context, submission, by_person=person)
        making = begin_report(database, keys, operator(), name, period, submissions=found)
        with database.snapshot() as connection:
            destination.write(access_report.report_about(connection, making, found))


def activity(
    *,
    since: SinceOption,
    until: UntilOption,
    finding: Annotated[
        Finding | None, typer.Option("--sign-off", help="Sign that you reviewed this report, with what you found.")
    ] = None,
    follow_up: Annotated[
        FollowUp | None, typer.Option("--reason", help="With --sign-off followed_up: what was done about it.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Sign off without asking.")] = False,
    form: FormatOption = Format.TEXT,
    table: TableOption = None,
    output: OutputOption = None,
) -> None:
    """What was done in a period, to be reviewed and signed off.

    With the periods that nobody has signed off yet. A sign-off is on record
    with the SHA-256 of the JSON form of the very report that was shown.
    """
    period = _period(since, until)
    if (finding is Finding.FOLLOWED_UP) != (follow_up is not None):
        fail("--sign-off followed_up needs --reason, and nothing else has it", WRONG_USE)
    if finding is not None and period.end > utc_now():
        fail("--sign-off: the period is not over yet", WRONG_USE)
    settings = read_settings()
    with open_cli_context(settings) as context, _Output(form, table, output, settings) as destination:
        making = begin_report(context.database, context.keys, operator(), activity_report.NAME, period)
        with context.database.snapshot() as connection:
            report = activity_report.report(connection, making)
        destination.write(report)
        if finding is None:
            return
        if not yes:
            told = f"{tell_moment(period.start)} to {tell_moment(period.end)}"
            typer.confirm(f"Sign off {told}: {finding.replace('_', ' ')}?", abort=True, err=True)
        try:
            sign_off(context.database, context.keys, operator(), report, finding, follow_up)
        except NotOver as refused:
            fail(f"--sign-off: {refused}", WRONG_USE)
        say(f"signed off: the report with SHA-256 {report.digest}")


def breach(
    *,
    since: SinceOption,
    until: UntilOption,
    provider: Annotated[str | None, typer.Option(metavar="ID", help="Only what reached this provider.")] = None,
    actor: Annotated[
        str | None, typer.Option(metavar="KIND:ID", help="Only what this actor did or was shown, such as staff:ana.")
    ] = None,
    link: Annotated[uuid.UUID | None, typer.Option(metavar="ID", help="Only what was shown by this link.")] = None,
    with_residence: Annotated[
        bool, typer.Option("--with-residence", help="Count residents by state: opens answers, on record with each.")
    ] = False,
    with_contacts: Annotated[
        bool, typer.Option("--with-contacts", help="List how to reach everybody: opens answers, on record with each.")
    ] = False,
    form: FormatOption = Format.TEXT,
    table: TableOption = None,
    output: OutputOption = None,
) -> None:
    """Whose facts reached whom between two times.

    With how many individuals that are, held against the numbers from which
    authorities and media have to be told. Pages that people opened for
    themselves are left out, unless --actor or --link names them.
    """
    period = _period(since, until)
    sought = breach_report.Sought(provider, None if actor is None else _actor("--actor", actor), link)
    settings = read_settings()
    with open_cli_context(settings) as context, _Output(form, table, output, settings) as destination:
        _require_known(context, period, provider_id=provider, actor=sought.actor, link_id=link)
        making = begin_report(
            context.database, context.keys, operator(), breach_report.NAME, period, subject=sought.subject
        )
        with context.database.snapshot() as connection:
            scope = breach_report.read_scope(connection, making, sought)
        reachable = None
        if with_residence or with_contacts:
            opened = read_reachable(context, operator(), scope.submission_ids, with_contacts=with_contacts)
            reachable = dict(opened)
        with context.database.snapshot() as connection:
            destination.write(breach_report.report(connection, making, sought, scope, reachable))


class _Output:
    """Where a report goes. A file is made before anything is read, so that nothing is disclosed in vain."""

    def __init__(self, form: Format, table: str | None, file: Path | None, settings: Settings) -> None:
        if table is not None and form is not Format.CSV:
            fail("--table goes with --format csv", WRONG_USE)
        self._form = form
        self._table = table
        self._file = file
        self._organisation = settings.organisation_name
        self._written = False
        on_terminal = file is None and sys.stdout.isatty()
        self._columns = shutil.get_terminal_size().columns if on_terminal else None

    def __enter__(self) -> Self:
        self._descriptor = None if self._file is None else _new_file(self._file)
        return self

    def __exit__(self, *_: object) -> None:
        if self._descriptor is None or self._file is None:
            return
        os.close(self._descriptor)
        if not self._written:
            self._file.unlink(missing_ok=True)

    def write(self, report: Report) -> None:
        content = self._encoded(report)
        if self._form is Format.TEXT and self._columns is not None and too_wide(report, self._columns):
            say("some lines are longer than the terminal is wide: --format html --output FILE shows tables better")
        if self._descriptor is None:
            sys.stdout.flush()
            sys.stdout.buffer.write(content)
            sys.stdout.buffer.flush()
        else:
            _write_all(self._descriptor, content)
            self._written = True
            say(f"written to {self._file}")
        if self._form is Format.CSV:
            shown = report.table(self._table).name
            others = ", ".join(each.name for each in report.tables if each.name != shown)
            say(f"this is table {shown}; --table gives {others}. SHA-256 of the JSON form {report.digest}")
        if self._form is Format.JSON:
            say(f"SHA-256 {report.digest}")

    def _encoded(self, report: Report) -> bytes:
        match self._form:
            case Format.TEXT:
                return as_text(report, self._columns or WIDTH)
            case Format.JSON:
                return as_json(report)
            case Format.HTML:
                return as_html(report, self._organisation)
            case Format.CSV:
                try:
                    return as_csv(report.table(self._table))
                except LookupError:
                    fail(f"--table: one of {', '.join(each.name for each in report.tables)}", WRONG_USE)


def _new_file(file: Path) -> int:
    """A file that was not there, open for writing; only its owner may read it. Else the end of the command."""
    try:
        return os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        fail(f"--output: {file} is there already", WRONG_USE)
    except OSError as error:
        fail(f"--output: {file} cannot be written: {error.strerror}", WRONG_USE)


def _write_all(descriptor: int, content: bytes) -> None:
    with os.fdopen(os.dup(descriptor), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _submissions(context: Context, name: str | None, *, by_person: bool) -> list[uuid.UUID]:
    """The submissions that are meant, or the end of the command. That a person was looked for is on record."""
    if (name is None) != by_person:
        fail("name an ID, or --person", WRONG_USE)
    if name is not None:
        return [_find(context, name)]
    found = find_person(context).submissions
    if not found:
        fail(NONE_FOUND, FINDING)
    return [each.submission_id for each in found]


def _find(context: Context, name: str) -> uuid.UUID:
    with context.database.read() as connection:
        found = find_submission(connection, name)
    if found is None:
        fail(f"there is no submission {name}", FINDING)
    return found


def _require_known(
    context: Context,
    period: Period,
    *,
    provider_id: str | None = None,
    actor: str | None = None,
    link_id: uuid.UUID | None = None,
) -> None:
    """The end of the command for a name with a slip in it: nothing would be found, and taken for good news."""
    with context.database.snapshot() as connection:
        try:
            if provider_id is not None:
                require_provider(connection, provider_id)
            if link_id is not None:
                require_link(connection, link_id)
            if actor is not None:
                require_actor(connection, actor, period)
        except NotKnown as unknown:
            fail(str(unknown), FINDING)


def _last_years(since: dt.datetime | None, until: dt.datetime | None) -> Period:
    end = until or utc_now()
    return years_until(end) if since is None else _period(since, end)


def _period(since: dt.datetime, until: dt.datetime) -> Period:
    try:
        return Period(since, until)
    except ValueError:
        fail("--from has to be before --to", WRONG_USE)


def _actor(option: str, text: str) -> str:
    kind, _, name = text.partition(":")
    if kind not in set(ActorKind) or not name or any(letter.isspace() for letter in name):
        fail(f"{option}: expected KIND:ID, with a kind of {', '.join(ActorKind)}", WRONG_USE)
    return text
