"""How everything stands, in Prometheus' text exposition format.

Written by hand: the figures are read from the database at each scrape, so that there is no registry for a library to
keep, and what is left is a few lines of text. Labels are names of ours: lanes, transports, sources, codes; never
anything about anybody.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from config.settings import MailTransport, Settings
from pipeline.audit.anchors import DIRECTORY, ENDPOINT
from pipeline.breaker import OPEN
from pipeline.email.kinds import MailClass
from pipeline.operations.log_report import LogReport
from pipeline.operations.status_report import ACCEPTED, REFUSED, REPEATED, MailReport, SourceReport, StatusReport
from pipeline.receipts.events import SENDGRID, EventKind, Tally

Sample = tuple[Mapping[str, str], float]

_NO_EVENTS = {name.value: 0 for name in (*EventKind, *Tally)}
_NO_CLASSES = {name.value: 0 for name in MailClass}
_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})


@dataclass(frozen=True, slots=True)
class Family:
    """One metric: its samples have the same label names. A counter's name ends in `_total`."""

    name: str
    kind: Literal["counter", "gauge"]
    help: str
    samples: tuple[Sample, ...]


def to_text(report: StatusReport, settings: Settings) -> str:
    """The report in version 0.0.4 of the format."""
    return "".join(line for family in families(report, settings) for line in _lines(family))


def families(report: StatusReport, settings: Settings) -> Iterator[Family]:
    """Every metric; `docs/operations.md` says what each means.

    What `settings` lets happen and has not happened yet is 0: an alert on an increase needs a value before the first.
    """
    lanes = report.lanes.items()
    yield Family(
        "careroute_jobs",
        "gauge",
        "Jobs of a lane by state.",
        tuple(
            ({"lane": name, "state": state}, number)
            for name, lane in lanes
            for state, number in (
                ("due", lane.due),
                ("in_flight", lane.in_flight),
                ("delayed", lane.delayed),
                ("dead", lane.dead),
            )
        ),
    )
    oldest = tuple(({"lane": name}, lane.oldest_seconds or 0.0) for name, lane in lanes)
    yield Family("careroute_lane_oldest_seconds", "gauge", "For how long the oldest job has been due.", oldest)
    paused = tuple(({"lane": name}, float(lane.paused is not None)) for name, lane in lanes)
    yield Family("careroute_lane_paused", "gauge", "1 while a lane is paused.", paused)
    waiting = (({"place": "quarantine"}, report.quarantined), ({"place": "review"}, report.in_review))
    yield Family("careroute_submissions_waiting", "gauge", "Submissions that wait for a person.", waiting)
    stopped: tuple[Sample, ...] = (({}, report.stopped),)
    yield Family("careroute_leads_stopped", "gauge", "Candidates offered to nobody for want of a consent.", stopped)
    if report.sweep_age_seconds is not None:
        age: tuple[Sample, ...] = (({}, report.sweep_age_seconds),)
        yield Family("careroute_sweep_age_seconds", "gauge", "How long ago some process last swept.", age)
    yield Family(
        "careroute_submissions_total",
        "counter",
        "What sources sent, by what became of it.",
        tuple(
            ({"source": name, "outcome": outcome}, number)
            for name, source in report.sources.items()
            for outcome, number in _outcomes(source)
        ),
    )
    yield from _mail(report.mail, settings)
    yield from _log(report.log, settings)


def _outcomes(source: SourceReport) -> Iterator[tuple[str, int]]:
    yield ACCEPTED, source.accepted
    yield REPEATED, source.repeated
    for reason, number in source.refused.items():
        yield f"{REFUSED}{reason}", number


def _mail(mail: MailReport, settings: Settings) -> Iterator[Family]:
    states = {settings.mail_transport.value: ""} | {name: breaker.state for name, breaker in mail.breakers.items()}
    opened = tuple(({"transport": name}, float(state == OPEN)) for name, state in states.items())
    yield Family("careroute_mail_breaker_open", "gauge", "1 while a transport's circuit breaker is open.", opened)
    events = tuple(
        ({"transport": transport, "event": event}, number)
        for transport, counts in (_reporting(settings) | dict(mail.events)).items()
        for event, number in (_NO_EVENTS | dict(counts)).items()
    )
    yield Family("careroute_mail_events_total", "counter", "What mail providers reported.", events)
    uncertain = (({"state": "held"}, mail.uncertain_held), ({"state": "dead"}, mail.uncertain_asked))
    yield Family("careroute_mail_uncertain", "gauge", "Emails of unknown fate.", uncertain)
    suppressed = tuple(({"mail_class": name}, number) for name, number in (_NO_CLASSES | dict(mail.suppressed)).items())
    yield Family("careroute_mail_suppressed", "gauge", "Addresses that are not written to, by class.", suppressed)
    unreachable: tuple[Sample, ...] = (({}, mail.unreachable),)
    yield Family("careroute_mail_unreachable", "gauge", "Recent requests whose person cannot be told.", unreachable)


def _log(log: LogReport, settings: Settings) -> Iterator[Family]:
    """How far the Merkle log lags is lane `sequence`'s `careroute_jobs` and `careroute_lane_oldest_seconds`."""
    yield Family("careroute_audit_log_size", "gauge", "Records in the Merkle log.", (({}, log.size),))
    yield Family("careroute_audit_refused", "gauge", "Records that are not as they were written.", (({}, log.refused),))
    if log.checkpoint is not None:
        unsigned: tuple[Sample, ...] = (({}, log.size - log.checkpoint.size),)
        yield Family("careroute_audit_unsigned", "gauge", "Records in the log that no checkpoint covers.", unsigned)
        age: tuple[Sample, ...] = (({}, log.checkpoint.age_seconds),)
        yield Family("careroute_audit_checkpoint_age_seconds", "gauge", "How long ago one was last signed.", age)
    failing = {DIRECTORY: 0.0} | ({ENDPOINT: 0.0} if settings.anchor_url else {})
    failing |= {name: float(anchor.problem is not None) for name, anchor in log.anchors.items()}
    yield Family(
        "careroute_audit_anchor_failing",
        "gauge",
        "1 while an anchor does not get new checkpoints; directory: also while signing is refused.",
        tuple(({"anchor": name}, value) for name, value in failing.items()),
    )


def _reporting(settings: Settings) -> dict[str, Mapping[str, int]]:
    """The providers whose receipts can come in, each without any."""
    by_sendgrid = settings.mail_transport is MailTransport.SENDGRID or settings.sendgrid_event_public_keys
    return {SENDGRID: {}} if by_sendgrid else {}


def _lines(family: Family) -> Iterable[str]:
    yield f"# HELP {family.name} {family.help}\n"
    yield f"# TYPE {family.name} {family.kind}\n"
    for labels, value in family.samples:
        told = ",".join(f'{name}="{text.translate(_ESCAPES)}"' for name, text in labels.items())
        yield f"{family.name}{{{told}}} {value!r}\n" if told else f"{family.name} {value!r}\n"
