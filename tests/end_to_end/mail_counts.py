"""What a stand-in SendGrid accepted, held against what the database says became of every email."""

from collections import Counter
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from pipeline.context import Context
from pipeline.email.kinds import RULES, EmailKind, WhenUncertain
from pipeline.models import DeadJob, Email, EmailAttempt
from pipeline.outreach import EMAIL_LANE
from pipeline.status import EmailStatus
from pipeline.transports.receipt import SendOutcome
from tests.servers.sendgrid import SendGridStandIn
from tests.support.work import jobs, table

ENDS = frozenset({EmailStatus.HANDED_OVER, EmailStatus.DELIVERED})


@dataclass(frozen=True, slots=True)
class MailCounts:
    """`accepted` is how often the stand-in took each email, by id; `listed` are emails among the dead letters."""

    accepted: Counter[str]
    emails: dict[str, Row[Any]]
    listed: frozenset[str]
    unknown: Counter[str]
    """How many calls of each email were of unknown outcome."""
    jobs: int

    @classmethod
    def read(cls, context: Context, sendgrid: SendGridStandIn) -> "MailCounts":
        attempts = table(context.database, EmailAttempt.table())
        return cls(
            accepted=Counter(mail.email_id for mail in sendgrid.accepted),
            emails={str(row.id): row for row in table(context.database, Email.table())},
            listed=frozenset(_listed(table(context.database, DeadJob.table()))),
            unknown=Counter(str(row.email_id) for row in attempts if row.outcome == SendOutcome.UNCERTAIN),
            jobs=len(jobs(context.database, EMAIL_LANE)),
        )

    @property
    def statuses(self) -> Counter[str]:
        return Counter(row.status for row in self.emails.values())

    @property
    def twice(self) -> int:
        return sum(count > 1 for count in self.accepted.values())

    def wrong(self) -> list[str]:
        """Whatever contradicts: none lost, none twice except by the stated policy, every one of them settled."""
        found = [f"{id_} was accepted and is not ours" for id_ in self.accepted.keys() - self.emails.keys()]
        found += [f"{self.jobs} jobs are left"] * bool(self.jobs)
        for id_, row in self.emails.items():
            kind, count = EmailKind(row.kind), self.accepted[id_]
            again = RULES[kind].when_uncertain is WhenUncertain.SEND_AGAIN
            allowed = 1 + int(again and self.unknown[id_] > 0)
            if count > allowed:
                found.append(f"{kind} {id_} was accepted {count} times")
            if row.status in ENDS and count == 0:
                found.append(f"{kind} {id_} is {row.status} and was never accepted")
            if row.status not in ENDS and not (row.status == EmailStatus.UNCERTAIN and id_ in self.listed):
                found.append(f"{kind} {id_} is {row.status}, and nobody is asked")
        return found

    def in_words(self) -> str:
        """The figures on one line."""
        statuses = ", ".join(f"{count} {status}" for status, count in sorted(self.statuses.items()))
        return (
            f"{len(self.emails)} emails, {len(self.accepted)} of them accepted, {self.twice} accepted twice by policy, "
            f"{sum(self.unknown.values())} calls of unknown outcome; {statuses}; {len(self.listed)} put to an operator"
        )


def _listed(dead: list[Row[Any]]) -> set[str]:
    return {str(_id(row.target_id)) for row in dead if row.lane == EMAIL_LANE}


def _id(value: object) -> UUID:
    return value if isinstance(value, UUID) else UUID(str(value))
