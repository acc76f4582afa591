"""Whether it all adds up.

Every rule takes as true what those outside say, and holds the database against it.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar
from uuid import UUID

from pipeline.audit.actions import Action
from pipeline.email.kinds import RULES, EmailKind, WhenUncertain
from pipeline.outreach import EMAIL_LANE, TO_PERSON, to_provider
from pipeline.referral import REFER_LANE
from pipeline.status import EMAIL_TRANSITIONS, SUBMISSION_TRANSITIONS, EmailStatus, ReferralStatus, SubmissionStatus
from pipeline.transports.receipt import SendOutcome
from tests.chaos.evidence import Attempt, DeadLetter, Email, Evidence, Mail, Record, Referral, Submission
from tests.chaos.replay import overfilled
from tests.end_to_end.evidence import FIRST_EMAIL, OUTCOME_EMAILS

ENDED = frozenset(
    {
        SubmissionStatus.CANDIDATE,
        SubmissionStatus.NO_MATCH,
        SubmissionStatus.NEEDS_REVIEW,
        SubmissionStatus.REJECTED,
        SubmissionStatus.DUPLICATE,
        SubmissionStatus.QUARANTINED,
    }
)
"""Where a submission may stand when nothing is left to do; else it is a dead letter with its reason."""

_MAY_HAVE_BEEN_SENT = frozenset({SendOutcome.ACCEPTED.value, SendOutcome.UNCERTAIN.value})
_REPORTED = {
    "processed": EmailStatus.HANDED_OVER,
    "delivered": EmailStatus.DELIVERED,
    "dropped": EmailStatus.DROPPED,
    "bounce": EmailStatus.BOUNCED,
    "spamreport": EmailStatus.COMPLAINED,
}
"""What an email is, of whose mail this is the worst that was reported; in the order of how bad it is."""
_BADNESS = {status: place for place, status in enumerate(_REPORTED.values())}
_SENT = frozenset({EmailStatus.HANDED_OVER, EmailStatus.DELIVERED, EmailStatus.COMPLAINED})
_ASKED_ABOUT = frozenset({EmailStatus.UNCERTAIN, EmailStatus.FAILED})
_STATUS_OF: Mapping[str, EmailStatus] = {
    Action.EMAIL_QUEUED: EmailStatus.QUEUED,
    Action.EMAIL_REQUEUED: EmailStatus.QUEUED,
    Action.EMAIL_HANDED_OVER: EmailStatus.HANDED_OVER,
    Action.EMAIL_UNCERTAIN: EmailStatus.UNCERTAIN,
    Action.EMAIL_FAILED: EmailStatus.FAILED,
    Action.EMAIL_REFUSED: EmailStatus.FAILED,
    Action.EMAIL_CANCELLED: EmailStatus.CANCELLED,
    Action.EMAIL_SUPPRESSED: EmailStatus.SUPPRESSED,
    Action.EMAIL_DELIVERED: EmailStatus.DELIVERED,
    Action.EMAIL_BOUNCED: EmailStatus.BOUNCED,
    Action.EMAIL_DROPPED: EmailStatus.DROPPED,
    Action.EMAIL_COMPLAINED: EmailStatus.COMPLAINED,
}
_REFERRAL_ENDS: Mapping[str, ReferralStatus] = {
    Action.REFERRAL_ACCEPTED: ReferralStatus.ACCEPTED,
    Action.REFERRAL_DECLINED: ReferralStatus.DECLINED,
    Action.REFERRAL_EXPIRED: ReferralStatus.EXPIRED,
    Action.REFERRAL_WITHDRAWN: ReferralStatus.WITHDRAWN,
}


@dataclass(frozen=True, slots=True)
class Wrong:
    """A rule that was broken, by which submission, if by one."""

    rule: str
    submission_id: UUID | None
    what: str


@dataclass(frozen=True)
class Case:
    """The evidence, sorted for asking."""

    evidence: Evidence

    @cached_property
    def records(self) -> Mapping[UUID | None, list[Record]]:
        return _grouped(self.evidence.records, lambda record: record.about)

    @cached_property
    def emails(self) -> Mapping[UUID, list[Email]]:
        return _grouped(self.evidence.emails.values(), lambda email: email.submission_id)

    @cached_property
    def referrals(self) -> Mapping[UUID, list[Referral]]:
        return _grouped(self.evidence.referrals, lambda referral: referral.submission_id)

    @cached_property
    def attempts(self) -> Mapping[UUID, list[Attempt]]:
        return _grouped(self.evidence.attempts.values(), lambda attempt: attempt.email_id)

    @cached_property
    def dead(self) -> Mapping[UUID, list[DeadLetter]]:
        return _grouped(self.evidence.dead, lambda letter: letter.target_id)

    @cached_property
    def mails(self) -> Mapping[str, list[Mail]]:
        return _grouped(self.evidence.mails, lambda mail: mail.email_id)

    @cached_property
    def worst(self) -> Mapping[str, EmailStatus]:
        """The worst that was reported of each attempt."""
        found: dict[str, EmailStatus] = {}
        for told in self.evidence.told:
            status = _REPORTED.get(told.event)
            if status and _BADNESS[status] >= _BADNESS[found.get(told.attempt_id, EmailStatus.HANDED_OVER)]:
                found[told.attempt_id] = status
        return found


Rule = Callable[[Case], Iterator[tuple[UUID | None, str]]]
_Item = TypeVar("_Item")
_Key = TypeVar("_Key")


def judge(evidence: Evidence) -> list[Wrong]:
    """Every rule that was broken; nothing, if the system kept its word."""
    case = Case(evidence)
    return [Wrong(name, about, what) for name, rule in RULES_OF_A_RUN.items() for about, what in rule(case)]


def classes(evidence: Evidence) -> Counter[str]:
    """How many submissions came to what: their status, or `dead` with a reason."""
    dead = {letter.submission_id for letter in evidence.dead if letter.lane != EMAIL_LANE}
    return Counter(
        row.status if row.status in ENDED else "dead" if row.id in dead else f"{row.status}, not ended"
        for row in evidence.submissions.values()
    )


def unanswered_but_kept(evidence: Evidence) -> list[UUID]:
    """Submissions of senders that never heard of it."""
    known = {id_ for promise in evidence.promises for id_ in promise.ids}
    return sorted(evidence.submissions.keys() - known)


def sent_once_more(evidence: Evidence) -> int:
    """How many mails were sent beyond the first for each email; the rules say whether they were to be."""
    return sum(count - 1 for count in Counter(mail.email_id for mail in evidence.mails).values())


def _nothing_is_lost(case: Case) -> Iterator[tuple[UUID | None, str]]:
    for promise in case.evidence.promises:
        for id_ in promise.ids - case.evidence.submissions.keys():
            yield id_, f"arrival {promise.number} was answered 2xx and is not here"


def _one_request_is_one_submission(case: Case) -> Iterator[tuple[UUID | None, str]]:
    owners: dict[UUID, set[int]] = defaultdict(set)
    for promise in case.evidence.promises:
        for id_ in promise.ids:
            owners[id_].add(promise.number)
        if len(promise.ids) > 1 and promise.is_recognisable:
            yield min(promise.ids), f"arrival {promise.number} was answered with {len(promise.ids)} ids"
    for id_, numbers in owners.items():
        if len(numbers) > 1:
            yield id_, f"arrivals {sorted(numbers)} were answered with one id"


def _nothing_is_made_up(case: Case) -> Iterator[tuple[UUID | None, str]]:
    silent: Counter[str] = Counter()
    for promise in case.evidence.promises:
        silent[promise.door.value] += promise.may_have_left
    for id_ in unanswered_but_kept(case.evidence):
        source = case.evidence.submissions[id_].source
        silent[source] -= 1
        if silent[source] < 0:
            yield id_, "is here, and everyone who may have sent it was answered with another id"


def _everything_comes_to_its_end(case: Case) -> Iterator[tuple[UUID | None, str]]:
    ends = {id_: promise.ends for promise in case.evidence.promises for id_ in promise.ids}
    for row in case.evidence.submissions.values():
        if row.status in ENDED:
            if row.status not in ends.get(row.id, ENDED):
                yield row.id, f"is {row.status}, and should be one of {sorted(ends[row.id])}"
        elif not any(letter.reason for letter in case.dead.get(row.id, ())):
            yield row.id, f"is {row.status}, and is no dead letter with a reason"


def _nothing_is_left(case: Case) -> Iterator[tuple[UUID | None, str]]:
    evidence = case.evidence
    for job in evidence.jobs:
        if job.is_held:
            yield job.submission_id, f"a lease on a job of lane {job.lane} is left"
        elif job.lane != REFER_LANE:
            yield job.submission_id, f"a job of lane {job.lane} is left"
    for email in evidence.emails.values():
        if email.is_marked:
            yield email.submission_id, f"email {email.id} is marked as being sent"
    if evidence.waiting_records:
        yield None, f"{evidence.waiting_records} records wait to be put into the log"
    if evidence.unapplied_events:
        yield None, f"{evidence.unapplied_events} events of the mail provider are not applied"


def _records_have_no_gap(case: Case) -> Iterator[tuple[UUID | None, str]]:
    for about, records in case.records.items():
        numbers = [record.seq for record in records]
        if numbers != list(range(1, len(numbers) + 1)):
            yield about, f"has records with the numbers {numbers[:40]}"
    for row in case.evidence.submissions.values():
        number = len(case.records.get(row.id, ()))
        if number != row.audit_seq:
            yield row.id, f"has {number} records, and counts {row.audit_seq}"


def _transitions_are_recorded_once_and_allowed(case: Case) -> Iterator[tuple[UUID | None, str]]:
    for row in case.evidence.submissions.values():
        status: SubmissionStatus | None = None
        for record in case.records.get(row.id, ()):
            if record.action == Action.SUBMISSION_RECEIVED:
                if status is not None:
                    yield row.id, "was received more than once"
                status = SubmissionStatus.RECEIVED
            elif record.action.startswith("submission:") and "previous_status" in record.details:
                before, after = record.details["previous_status"], SubmissionStatus(record.details["status"])
                if status is None or before != status or after not in SUBMISSION_TRANSITIONS[status]:
                    yield row.id, f"went from {before} to {after}, by its records, when it was {status}"
                status = after
        if status != row.status:
            yield row.id, f"is {row.status}, and {status} by its records"


def _emails_changes_are_recorded_once_and_allowed(case: Case) -> Iterator[tuple[UUID | None, str]]:
    told: dict[str, list[Record]] = defaultdict(list)
    for record in case.evidence.records:
        if record.action in _STATUS_OF and "email" in record.details:
            told[record.details["email"]].append(record)
    for email in case.evidence.emails.values():
        yield from ((email.submission_id, what) for what in _wrong_history(email, told[str(email.id)]))


def _wrong_history(email: Email, records: list[Record]) -> Iterator[str]:
    name = f"{email.kind} {email.id}"
    again = Counter((record.action, record.actor, record.details.get("attempt_id")) for record in records)
    for (action, actor, attempt), count in again.items():
        if count > 1 and attempt is not None:
            yield f"{name}: {action} by {actor} is on record {count} times for one attempt"
    status: EmailStatus | None = None
    for record in records:
        after = _STATUS_OF[record.action]
        if status is None:
            if record.action != Action.EMAIL_QUEUED:
                yield f"{name}: its first record is {record.action}"
        elif after is EmailStatus.HANDED_OVER and _BADNESS.get(status) is not None:
            continue  # the answer to the call, which a report of the same attempt had overtaken
        elif after not in EMAIL_TRANSITIONS[status]:
            yield f"{name}: went from {status} to {after}, by its records"
        status = after
    if status != email.status:
        yield f"{name}: is {email.status}, and {status} by its records"


def _emails_are_those_that_are_due(case: Case) -> Iterator[tuple[UUID | None, str]]:
    for row in case.evidence.submissions.values():
        if row.status not in ENDED:
            continue
        written = Counter(
            (_alike(email.kind), email.recipient)
            for email in case.emails.get(row.id, ())
            if email.kind != EmailKind.ONE_TIME_CODE
        )
        if written != _due(row, case):
            yield row.id, f"has the emails {dict(written)}"


def _due(row: Submission, case: Case) -> Counter[tuple[str, str]]:
    status = SubmissionStatus(row.status)
    due = Counter((EmailKind.REFERRAL.value, to_provider(each.provider_id)) for each in case.referrals.get(row.id, ()))
    for kinds in (FIRST_EMAIL, OUTCOME_EMAILS):
        if status in kinds:
            due[_alike(kinds[status]), TO_PERSON] += 1
    return due


def _alike(kind: str) -> str:
    return EmailKind.IN_REVIEW.value if kind == EmailKind.INFORMATION_NEEDED else str(kind)


def _mails_are_sent_once(case: Case) -> Iterator[tuple[UUID | None, str]]:
    """Or again by policy, and then each but the last of them by an attempt that is on record as uncertain."""
    by_id = {str(email.id): email for email in case.evidence.emails.values()}
    for email_id, mails in case.mails.items():
        if (email := by_id.get(email_id)) is None:
            yield None, f"a mail was sent for {email_id}, which is not here"
            continue
        name = f"{email.kind} {email_id}"
        outcomes = [_outcome(case, mail) for mail in mails]
        for mail, outcome in zip(mails, outcomes, strict=True):
            settled_by_receipt = outcome is None and mail.attempt_id in case.worst
            if outcome not in _MAY_HAVE_BEEN_SENT and not settled_by_receipt:
                yield email.submission_id, f"{name}: attempt {mail.attempt_id} was accepted, and is {outcome} on record"
        if len(mails) == 1:
            continue
        unknown = outcomes.count(SendOutcome.UNCERTAIN.value)
        again = RULES[EmailKind(email.kind)].when_uncertain is WhenUncertain.SEND_AGAIN
        if not again or len(mails) > 2 or unknown < len(mails) - 1:
            yield email.submission_id, f"{name} was accepted {len(mails)} times, of attempts that are {outcomes}"


def _outcome(case: Case, mail: Mail) -> str | None:
    try:
        found = case.evidence.attempts.get(UUID(mail.attempt_id))
    except ValueError:
        return "nothing"
    return found.outcome if found is not None else "nothing"


def _missing_mails_have_a_reason(case: Case) -> Iterator[tuple[UUID | None, str]]:
    accepted = {mail.attempt_id for mail in case.evidence.mails}
    for email in case.evidence.emails.values():
        name, status = f"{email.kind} {email.id}", EmailStatus(email.status)
        if status is EmailStatus.QUEUED:
            yield email.submission_id, f"{name} is still queued"
        if status in _ASKED_ABOUT and not any(letter.reason for letter in case.dead.get(email.id, ())):
            yield email.submission_id, f"{name} is {status}, and nobody is asked about it"
        if status in _SENT and str(email.id) not in case.mails:
            yield email.submission_id, f"{name} is {status}, and was never accepted"
        for attempt in case.attempts.get(email.id, ()):
            if attempt.outcome == SendOutcome.ACCEPTED and str(attempt.id) not in accepted:
                yield email.submission_id, f"{name}: attempt {attempt.id} is accepted on record only"


def _mails_go_to_whom_they_should(case: Case) -> Iterator[tuple[UUID | None, str]]:
    addresses = {id_: promise.address for promise in case.evidence.promises for id_ in promise.ids}
    by_id = {str(email.id): email for email in case.evidence.emails.values()}
    for email_id, mails in case.mails.items():
        email = by_id.get(email_id)
        if email is None or (email.recipient == TO_PERSON and email.submission_id not in addresses):
            continue
        provider = email.recipient.removeprefix("provider:")
        right = addresses[email.submission_id] if email.recipient == TO_PERSON else f"desk@{provider}.example"
        if {mail.to for mail in mails} != {right}:
            yield email.submission_id, f"{email.kind} {email_id} went to somebody else"


def _events_are_kept_and_leave_the_right_status(case: Case) -> Iterator[tuple[UUID | None, str]]:
    lost = {told.key for told in case.evidence.told} - case.evidence.kept_events
    if lost:
        yield None, f"{len(lost)} events were answered 2xx and are not here"
    for email in case.evidence.emails.values():
        told = [case.worst[str(each.id)] for each in case.attempts.get(email.id, ()) if str(each.id) in case.worst]
        # Another attempt to the same address met the same fate, or none is known of it.
        expected = max(told, key=_BADNESS.__getitem__, default=None)
        if expected is not None and email.status != expected:
            yield email.submission_id, f"{email.kind} {email.id} is {email.status}, and was reported {expected}"


def _referrals_are_as_recorded_and_answered(case: Case) -> Iterator[tuple[UUID | None, str]]:
    ends: dict[str, list[str]] = defaultdict(list)
    offers: Counter[str] = Counter()
    for record in case.evidence.records:
        if record.action == Action.REFERRAL_OFFERED:
            offers[record.details["referral"]] += 1
        elif record.action in _REFERRAL_ENDS:
            ends[record.details["referral"]].append(_REFERRAL_ENDS[record.action])
    by_id = {}
    for referral in case.evidence.referrals:
        by_id[referral.id] = referral
        end = [] if referral.status == ReferralStatus.OFFERED else [referral.status]
        if offers[str(referral.id)] != 1 or ends[str(referral.id)] != end:
            yield referral.submission_id, f"referral {referral.id} is {referral.status}, and {ends[str(referral.id)]}"
    for email_id, answer in case.evidence.answers.items():
        email = case.evidence.emails.get(UUID(email_id))
        found = by_id.get(email.subject_id) if email is not None and email.subject_id is not None else None
        if found is None or found.status != answer:
            about = email.submission_id if email is not None else None
            yield (
                about,
                f"a provider was thanked for having {answer} {found.id if found else email_id}, which is not so",
            )


def _capacity_is_never_exceeded(case: Case) -> Iterator[tuple[UUID | None, str]]:
    yield from overfilled(case.evidence)


def _log_verifies(case: Case) -> Iterator[tuple[UUID | None, str]]:
    if case.evidence.verification:
        yield None, case.evidence.verification


def _processes_obey(case: Case) -> Iterator[tuple[UUID | None, str]]:
    for what in case.evidence.processes:
        yield None, what


def _grouped(items: Iterable[_Item], key: Callable[[_Item], _Key]) -> dict[_Key, list[_Item]]:
    found: dict[_Key, list[_Item]] = defaultdict(list)
    for item in items:
        found[key(item)].append(item)
    return found


RULES_OF_A_RUN: Mapping[str, Rule] = {
    "nothing is lost": _nothing_is_lost,
    "one request is one submission": _one_request_is_one_submission,
    "nothing is made up": _nothing_is_made_up,
    "everything comes to its end": _everything_comes_to_its_end,
    "nothing is left": _nothing_is_left,
    "records have no gap": _records_have_no_gap,
    "transitions are recorded once, and allowed": _transitions_are_recorded_once_and_allowed,
    "emails' changes are recorded once, and allowed": _emails_changes_are_recorded_once_and_allowed,
    "emails are those that are due": _emails_are_those_that_are_due,
    "mails are sent once": _mails_are_sent_once,
    "missing mails have a reason": _missing_mails_have_a_reason,
    "mails go to whom they should": _mails_go_to_whom_they_should,
    "events are kept, and leave the right status": _events_are_kept_and_leave_the_right_status,
    "referrals are as recorded and answered": _referrals_are_as_recorded_and_answered,
    "capacity is never exceeded": _capacity_is_never_exceeded,
    "the log verifies": _log_verifies,
    "processes obey": _processes_obey,
}
