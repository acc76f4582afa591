"""Looking at a running system: `status` and `show`."""

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich import box
from rich.table import Table
from rich.text import Text

from cli.console import JsonOption, out, print_json
from cli.failures import FINDING, fail, read_settings
from pipeline.audit.anchors import DIRECTORY
from pipeline.breaker import OPEN
from pipeline.operations.log_report import LogReport
from pipeline.operations.opening import open_database
from pipeline.operations.privacy_report import PrivacyReport, read_privacy
from pipeline.operations.status_report import LaneReport, MailReport, SourceReport, StatusReport, read_status
from pipeline.operations.timeline import Step, Timeline, find_submission, read_timeline
from pipeline.operations.unreachable import DAYS as UNREACHABLE_DAYS
from pipeline.retention_classes import WARN_DAYS

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


def status(*, as_json: JsonOption = False) -> None:
    """Every queue, every source, and what waits for people."""
    settings = read_settings()
    with open_database(settings) as database, database.read() as connection:
        report = read_status(connection)
        privacy = read_privacy(connection, settings, report.at)
    if as_json:
        print_json({**_status_document(report), "privacy": asdict(privacy)})
        return
    out.print(_lanes(report), soft_wrap=False)
    out.print(_sources(report), soft_wrap=False)
    if report.mail.events:
        out.print(_deliveries(report.mail), soft_wrap=False)
    for line in _mail_lines(report):
        out.print(line)
    for line in _log_lines(report.log):
        out.print(line)
    out.print(f"  last sweep     {_ago(report.sweep_age_seconds)}")
    out.print(f"  in quarantine  {report.quarantined}")
    out.print(f"  in review      {report.in_review}")
    if report.stopped:
        told = f"{report.stopped} candidates, for want of a consent or its text: `careroute doctor`, then `migrate`"
        out.print(Text(f"  not offered    {told}", "bold red"))
    for line in _privacy_lines(privacy):
        out.print(line)


def show(
    submission: Annotated[str, typer.Argument(metavar="ID", help="An id, or a reference such as CR-7K4M-2QXD.")],
    *,
    as_json: JsonOption = False,
) -> None:
    """A submission's journey as it is on record: when, who, what. Never an answer."""
    settings = read_settings()
    with open_database(settings) as database, database.read() as connection:
        submission_id = find_submission(connection, submission)
        if submission_id is None:
            fail(f"there is no submission {submission}", FINDING)
        timeline = read_timeline(connection, submission_id)
    if as_json:
        print_json(_timeline_document(timeline))
        return
    out.print(f"\n  [bold]{timeline.reference}[/bold]  {timeline.status.replace('_', ' ')}")
    out.print(f"  [dim]{timeline.submission_id}, from source {timeline.source}[/dim]")
    if timeline.revision_of is not None:
        out.print(f"  [dim]a revision of {timeline.revision_of}[/dim]")
    out.print()
    _show_steps(timeline)


def _lanes(report: StatusReport) -> Table:
    table = Table("lane", "due", "in flight", "delayed", "dead", "oldest", "paused", box=box.SIMPLE_HEAD)
    for column in table.columns[1:6]:
        column.justify = "right"
    for name, lane in report.lanes.items():
        table.add_row(
            name,
            str(lane.due),
            str(lane.in_flight),
            str(lane.delayed),
            Text(str(lane.dead), "bold red" if lane.dead else ""),
            "" if lane.oldest_seconds is None else _duration(lane.oldest_seconds),
            _paused(name, lane),
        )
    return table


def _paused(name: str, lane: LaneReport) -> Text:
    if lane.paused is None:
        return Text("")
    until = f"until {_local(lane.paused.until)}" if lane.paused.until else f"until `careroute lanes resume {name}`"
    return Text(f"{until}: {lane.paused.reason}", "yellow")


def _sources(report: StatusReport) -> Table:
    table = Table("source", "last seen", "accepted", "repeated", "refused", box=box.SIMPLE_HEAD)
    for column in table.columns[2:4]:
        column.justify = "right"
    for name, source in report.sources.items():
        refused = ", ".join(f"{reason} {count}" for reason, count in sorted(source.refused.items()))
        age = _ago((report.at - source.last_seen).total_seconds())
        table.add_row(name, age, str(source.accepted), str(source.repeated), refused)
    if not report.sources:
        table.add_row("none yet")
    return table


_TOLD = ("delivered", "deferred", "bounced", "blocked", "dropped", "complained", "unsubscribed", "unmatched")


def _deliveries(mail: MailReport) -> Table:
    table = Table("mail by", *_TOLD, "other", box=box.SIMPLE_HEAD)
    for column in table.columns[1:]:
        column.justify = "right"
    for transport, events in mail.events.items():
        other = sum(count for event, count in events.items() if event not in _TOLD)
        table.add_row(transport, *(str(events.get(event, 0)) for event in _TOLD), str(other))
    return table


def _mail_lines(report: StatusReport) -> Iterator[Text]:
    """Only what there is: a transport without a breaker's row never failed."""
    mail = report.mail
    for transport, breaker in mail.breakers.items():
        told = f"  breaker        {transport}: {breaker.state} since {_local(breaker.since)}"
        if breaker.reason:
            told += f", {breaker.reason}"
        if breaker.probe_at is not None:
            told += f"; next try {_local(breaker.probe_at)}"
        yield Text(told, "yellow" if breaker.state == OPEN else "")
    if mail.last_event_at is not None:
        yield Text(f"  last receipt   {_ago((report.at - mail.last_event_at).total_seconds())}")
    if mail.uncertain_held or mail.uncertain_asked:
        yield Text(f"  unknown fate   {mail.uncertain_held} held, {mail.uncertain_asked} dead letters", "yellow")
    if mail.suppressed:
        told = ", ".join(f"{count} {mail_class}" for mail_class, count in mail.suppressed.items())
        yield Text(f"  suppressed     {told}")
    if mail.unreachable:
        told = f"{mail.unreachable} of the last {UNREACHABLE_DAYS} days: `careroute suppressions unreachable`"
        yield Text(f"  unreachable    {told}", "yellow")


def _log_lines(log: LogReport) -> Iterator[Text]:
    """How much is proven: what waits stands with lane `sequence`."""
    signed = "none yet"
    if log.checkpoint is not None:
        signed = f"of {log.checkpoint.size}, {_ago(log.checkpoint.age_seconds)}"
    yield Text(f"  audit log      {log.size} records, {log.pending} not in it yet; checkpoint {signed}")
    if log.refused:
        yield Text(f"  refused        {log.refused} records not as written: `careroute audit verify`", "bold red")
    for name, anchor in log.anchors.items():
        took = f"has {anchor.size}, {_ago(anchor.age_seconds)}"
        if anchor.problem is None:
            yield Text(f"  anchor         {name}: {took}")
        else:
            lead = "not signed" if name == DIRECTORY else "anchor"
            yield Text(f"  {lead:<14} {name}: {took}; {anchor.problem}", "bold red")


def _privacy_lines(privacy: PrivacyReport) -> Iterator[Text]:
    """Only what there is to see to."""
    if privacy.returned is None:
        yield Text("  erased         the erasures file cannot be read: `careroute doctor`", "bold red")
    elif privacy.returned:
        told = f"{privacy.returned} are back with a restored backup: `careroute erase --replay`"
        yield Text(f"  erased         {told}", "bold red")
    if privacy.last_days:
        told = (
            f"{privacy.last_days} in quarantine are erased in less than {WARN_DAYS} days: `careroute quarantine list`"
        )
        yield Text(f"  retention      {told}", "yellow")
    if privacy.held:
        yield Text(f"  legal holds    {privacy.held} submission{'' if privacy.held == 1 else 's'}")


def _show_steps(timeline: Timeline) -> None:
    """A line a record, however long: a table would have to leave something out on a narrow terminal."""
    who = max((len(step.actor) for step in timeline.steps), default=0)
    what = max((len(step.action) for step in timeline.steps), default=0)
    for step in timeline.steps:
        at = _local(step.at, "%Y-%m-%d %H:%M:%S.%f")[:-3]
        out.print(Text(f"  {step.seq:>3}  {at}  {step.actor:<{who}}  {step.action:<{what}}  ") + _told(step))


def _told(step: Step) -> Text:
    facts = [f"{key}={value}" for key, value in step.details.items() if value is not None]
    if step.reason:
        facts.insert(0, step.reason)
    if step.attempt is not None and step.attempt > 1:
        facts.append(f"attempt={step.attempt}")
    if step.sealed:
        facts.append("(health details, sealed)")
    return Text(" ".join(facts), "dim")


def _status_document(report: StatusReport) -> Mapping[str, Any]:
    return {
        "at": report.at.isoformat(),
        "lanes": {name: _lane_document(lane) for name, lane in report.lanes.items()},
        "sources": {name: _source_document(source) for name, source in report.sources.items()},
        "sweep_age_seconds": report.sweep_age_seconds,
        "quarantined": report.quarantined,
        "in_review": report.in_review,
        "stopped": report.stopped,
        "mail": _mail_document(report.mail),
        "log": _log_document(report.log),
    }


def _log_document(log: LogReport) -> Mapping[str, Any]:
    return {
        "origin": log.origin,
        "size": log.size,
        "pending": log.pending,
        "oldest_seconds": log.oldest_seconds,
        "refused": log.refused,
        "checkpoint": asdict(log.checkpoint) if log.checkpoint else None,
        "signing_problem": log.signing_problem,
        "anchors": {name: asdict(anchor) for name, anchor in log.anchors.items()},
    }


def _mail_document(mail: MailReport) -> Mapping[str, Any]:
    return {
        "breakers": {
            transport: {
                "state": breaker.state,
                "reason": breaker.reason,
                "since": breaker.since.isoformat(),
                "trips": breaker.trips,
                "probe_at": breaker.probe_at.isoformat() if breaker.probe_at else None,
            }
            for transport, breaker in mail.breakers.items()
        },
        "events": {transport: dict(events) for transport, events in mail.events.items()},
        "last_event_at": mail.last_event_at.isoformat() if mail.last_event_at else None,
        "uncertain": {"held": mail.uncertain_held, "dead_letters": mail.uncertain_asked},
        "suppressed": dict(mail.suppressed),
        "unreachable": mail.unreachable,
    }


def _lane_document(lane: LaneReport) -> Mapping[str, Any]:
    paused = lane.paused and {
        "reason": lane.paused.reason,
        "since": lane.paused.since.isoformat(),
        "until": lane.paused.until.isoformat() if lane.paused.until else None,
    }
    return {
        "due": lane.due,
        "in_flight": lane.in_flight,
        "delayed": lane.delayed,
        "paused": paused,
        "dead": lane.dead,
        "oldest_seconds": lane.oldest_seconds,
    }


def _source_document(source: SourceReport) -> Mapping[str, Any]:
    return {
        "last_seen": source.last_seen.isoformat(),
        "accepted": source.accepted,
        "repeated": source.repeated,
        "refused": dict(source.refused),
    }


def _timeline_document(timeline: Timeline) -> Mapping[str, Any]:
    return {
        "id": str(timeline.submission_id),
        "reference": timeline.reference,
        "source": timeline.source,
        "status": timeline.status,
        "received_at": timeline.received_at.isoformat(),
        "revision_of": str(timeline.revision_of) if timeline.revision_of else None,
        "timeline": [
            {
                "seq": step.seq,
                "at": step.at.isoformat(),
                "actor": step.actor,
                "action": step.action,
                "reason": step.reason,
                "attempt": step.attempt,
                "details": dict(step.details),
                "sealed": step.sealed,
            }
            for step in timeline.steps
        ],
    }


def _local(at: dt.datetime, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    return at.astimezone().strftime(form)


def _ago(seconds: float | None) -> str:
    return "never" if seconds is None else f"{_duration(seconds)} ago"


def _duration(seconds: float) -> str:
    if seconds < _MINUTE:
        return f"{seconds:.0f} s"
    if seconds < _HOUR:
        return f"{seconds / _MINUTE:.0f} min"
    if seconds < 2 * _DAY:
        return f"{seconds / _HOUR:.1f} h"
    return f"{seconds / _DAY:.0f} days"
