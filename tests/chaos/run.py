"""One run: start everything, send under faults, heal, wait until all is done, judge."""

import os
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import httpx
import psycopg

from tests.chaos import story
from tests.chaos.arrivals import arrivals
from tests.chaos.client import Client
from tests.chaos.conductor import Conductor
from tests.chaos.evidence import Evidence, promises, read_database, read_mails, read_told
from tests.chaos.oracle import Wrong, classes, judge, sent_once_more, unanswered_but_kept
from tests.chaos.plan import Fault
from tests.chaos.referees import Referees
from tests.chaos.system import WHOLE_CAST, Backlog, Cast, System, capacities
from tests.end_to_end.running import CAREROUTE

_ANSWERING_SECONDS = 90.0
_MOVED_ON_EVERY_SECONDS = 3.0
_WAITS = "SELECT count(*) FROM job WHERE lane <> 'refer' OR lease_token IS NOT NULL"
_UNPROVEN = "SELECT count(*) FROM audit_pending"
_MARKED = "SELECT count(*) FROM email WHERE attempt_id IS NOT NULL"
_SOONER = (
    # As if everyone had waited as long as they would: what backs off, or rests, goes on.
    "UPDATE job SET due_at = now() WHERE lane <> 'refer' AND lease_token IS NULL AND due_at > now()",
    "UPDATE lane_pause SET until = now() WHERE until > now()",
)


@dataclass(frozen=True, slots=True)
class Size:
    """How long it sends, how many arrivals a second, to which processes, how long to wait.

    It sends on until the processes that are to die at a failpoint have died, each within `patience_seconds`.
    No new ones are sent while more than `most_behind` jobs are left to do.
    """

    seconds: float
    rate: float
    cast: Cast = WHOLE_CAST
    most_behind: int = 3000
    senders: int = 12
    referees: float = 0.02
    patience_seconds: float = 25.0
    drain_seconds: float = 900.0


@dataclass(slots=True)
class Outcome:
    seed: int
    wrong: list[Wrong] = field(default_factory=list)
    first_story: str = ""
    figures: list[tuple[str, str]] = field(default_factory=list)

    def add(self, name: str, value: object) -> None:
        self.figures.append((name, str(value)))

    def in_words(self) -> str:
        """The figures, and what is wrong."""
        width = max(len(name) for name, _ in self.figures)
        lines = [f"  {name:{width}}  {value}" for name, value in self.figures]
        if not self.wrong:
            return "\n".join([f"chaos with seed {self.seed}: everything adds up", *lines])
        rules = Counter(each.rule for each in self.wrong)
        told = [f"  {count} times: {rule}" for rule, count in rules.most_common()]
        details = [f"    {each.rule}: {each.submission_id or 'overall'}: {each.what}" for each in self.wrong[:20]]
        head = f"chaos with seed {self.seed}: {len(self.wrong)} things are wrong"
        return "\n".join([head, *lines, "broken rules:", *told, *details, self.first_story])


def perform(seed: int, faults: Sequence[Fault], size: Size, folder: Path, say: Callable[[str], None]) -> Outcome:
    """A whole run under `faults` in `folder`, which is left as it is. Who sends what follows from the seed."""
    outcome = Outcome(seed)
    with System(folder, size.cast) as system:
        conductor = Conductor(system, seed, size.patience_seconds)
        backlog = Backlog(system.database_url, size.most_behind)
        client = Client(system.urls, arrivals(seed), size.rate, backlog.is_behind, size.senders)
        addresses = frozenset(f"desk@{name}.example" for name in capacities())
        referees = Referees(system.urls, system.mails, addresses, seed, size.referees)
        client.start()
        referees.start()
        say(f"sending for {size.seconds:.0f} s under {len(faults)} faults; logs are in {folder}")
        conductor.perform(faults, size.seconds)
        client.stop_offering()
        conductor.heal()
        say("healed; waiting until everyone is answered and all is done")
        healed_at = time.monotonic()
        conductor.watch(_or_late(lambda: client.waiting == 0, _ANSWERING_SECONDS))
        client.close()
        referees.close()
        is_done = _Done(system)
        conductor.watch(_or_late(is_done, size.drain_seconds))
        drained_seconds = time.monotonic() - healed_at
        evidence = Evidence(answers=referees.answered, capacities=capacities(), processes=conductor.wrong)
        read_database(evidence, system.database_url)
        evidence.mails, evidence.told = read_mails(system.mails), read_told(system.told)
        evidence.promises = promises(client.sent, evidence.submissions)
        evidence.verification = _verify(system)
        outcome.wrong = judge(evidence)
        _count(outcome, evidence, conductor, client)
        outcome.add(
            "held back because of the backlog", f"{client.held_back_seconds:.0f} s, at most {backlog.longest} jobs"
        )
        outcome.add("healed until done", f"{drained_seconds:.0f} s")
        if outcome.wrong:
            outcome.first_story = _story(outcome.wrong, evidence, client, conductor)
    (folder / "faults.log").write_text("\n".join(f"{each.at:.3f} {each.what}" for each in conductor.log))
    return outcome


class _Done:
    """Whether nothing is left to do; what would only be done much later is made due now and then."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._moved_on_at = time.monotonic()

    def __call__(self) -> bool:
        try:
            with psycopg.connect(self._system.database_url, connect_timeout=5, autocommit=True) as connection:
                if time.monotonic() - self._moved_on_at > _MOVED_ON_EVERY_SECONDS:
                    self._moved_on_at = time.monotonic()
                    for statement in _SOONER:
                        connection.execute(statement.encode())
                left = [connection.execute(each.encode()).fetchone() for each in (_WAITS, _UNPROVEN, _MARKED)]
            return not any(row[0] for row in left if row) and self._system.order_mail()["events_left"] == 0
        except (psycopg.Error, httpx.TransportError):
            return False
        finally:
            time.sleep(0.3)


def _or_late(is_done: Callable[[], bool], seconds: float) -> Callable[[], bool]:
    until = time.monotonic() + seconds
    return lambda: is_done() or time.monotonic() > until


def _verify(system: System) -> str:
    """What `careroute audit verify` finds; empty if that is nothing."""
    environment = {**os.environ, **system.running.environment}
    found = subprocess.run(
        [*CAREROUTE, "audit", "verify"], env=environment, capture_output=True, text=True, check=False
    )
    return "" if found.returncode == 0 else f"status {found.returncode}: {found.stdout[-2000:]}{found.stderr[-2000:]}"


def _count(outcome: Outcome, evidence: Evidence, conductor: Conductor, client: Client) -> None:
    accepted = sum(bool(promise.ids) for promise in evidence.promises)
    refused = sum(promise.is_refused for promise in evidence.promises)
    outcome.add("submissions offered", len(evidence.promises))
    outcome.add("answered 2xx", accepted)
    outcome.add("refused for what they say", refused)
    outcome.add("never answered", len(evidence.promises) - accepted - refused)
    outcome.add("kept, and their senders not told", len(unanswered_but_kept(evidence)))
    tries = Counter(each.what for sent in client.sent for each in sent.tries)
    outcome.add("tries by answer", _in_words(tries))
    outcome.add("submissions by status", _in_words(classes(evidence)))
    outcome.add("faults", f"{sum(conductor.faults.values())}: {_in_words(conductor.faults)}")
    outcome.add("died at a failpoint", conductor.died_as_planned)
    outcome.add("mails accepted", len(evidence.mails))
    outcome.add("mails sent once more", sent_once_more(evidence))
    outcome.add("emails by status", _in_words(Counter(email.status for email in evidence.emails.values())))
    attempts = Counter(str(attempt.outcome) for attempt in evidence.attempts.values())
    outcome.add("attempts by outcome", _in_words(attempts))
    outcome.add("events taken", len(evidence.told))
    outcome.add("dead letters", _in_words(Counter(f"{each.lane}: {each.reason}" for each in evidence.dead)))
    outcome.add("referrals by status", _in_words(Counter(each.status for each in evidence.referrals)))
    shifted = sum(abs((each.committed_at - each.occurred_at).total_seconds()) > 20 for each in evidence.records)
    outcome.add("audit records written by a clock that was stepped", shifted)
    outcome.add("audit records verified", len(evidence.records))


def _in_words(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.most_common()) or "none"


def _story(wrong: list[Wrong], evidence: Evidence, client: Client, conductor: Conductor) -> str:
    """Of the first one that broke a rule: that came in first."""
    concerned = {each.submission_id for each in wrong if each.submission_id is not None}
    if not concerned:
        return ""
    late = max((row.received_at.timestamp() for row in evidence.submissions.values()), default=0.0)

    def came_in(id_: UUID) -> float:
        row = evidence.submissions.get(id_)
        return row.received_at.timestamp() if row else late

    return story.tell(min(concerned, key=came_in), evidence, client.sent, conductor.log)
