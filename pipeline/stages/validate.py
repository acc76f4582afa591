"""The lane `validate`: read what came in, check it, and let the person hear back either way."""

import datetime as dt
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete

from config.plain_name import plain_name
from pipeline import bulk
from pipeline.audit.actions import Action, Detail
from pipeline.consent.ledger import Given, given_in, read_taken_back, text_hashes, write_given
from pipeline.consent.purposes import Asked, ConsentPurpose
from pipeline.context import Context
from pipeline.email.kinds import EmailKind
from pipeline.engine.stage import Done, Stage, Verdict
from pipeline.intake.reading import Unreadable, read_answers, read_form_language
from pipeline.ledger import ClaimedJob
from pipeline.models import Duplicate, PersonIndex, Quarantine, RecentRequest, SealedDocument
from pipeline.outreach import TO_PERSON, Message, count_recent_requests, queue_email
from pipeline.people import PERSON_INDEX, identity
from pipeline.status import SubmissionStatus
from pipeline.submission import Part, Sealed, read_sealed
from pipeline.unit_of_work import UnitOfWork
from pipeline.validation import Answer, validate

SCORE_LANE = "score"
RECIPIENT_LIMIT = "recipient_limit"
"""Why a readable submission is in quarantine: its address is being flooded. Until it is remapped nobody is told."""

_REQUEST_COLUMNS = ("fingerprint", "submission_id", "received_at", "held_until")


def _newer_if_lapsed(column: str) -> str:
    return (
        f"{column} = CASE WHEN recent_request.held_until < excluded.received_at "
        f"THEN excluded.{column} ELSE recent_request.{column} END"
    )


# Always an update, even of a row to itself: only an updated row is returned, and locked until the commit.
_CLAIM_REQUEST = (
    f"INSERT INTO recent_request ({', '.join(_REQUEST_COLUMNS)}) SELECT {', '.join(_REQUEST_COLUMNS)} FROM v "  # noqa: S608 - our own names
    f"WHERE true ON CONFLICT (fingerprint) DO UPDATE SET {', '.join(map(_newer_if_lapsed, _REQUEST_COLUMNS[1:]))} "
    "RETURNING fingerprint, submission_id"
)


@dataclass(frozen=True, slots=True)
class Checked:
    """A body that could be read. `problems` is the number of them; without any the submission is valid.

    `proof` commits to the body, in which the `consents` were given.
    """

    answers: bytes
    problems: bytes | None
    problem_count: int
    email: bytes | None
    person: bytes | None
    request: bytes | None
    language: str
    received_at: dt.datetime
    consents: tuple[Given, ...]
    proof: bytes


@dataclass(frozen=True, slots=True)
class Unmapped:
    """A body that software could not read, with the reason."""

    reason: str


class ValidateStage(Stage):
    def __init__(self, context: Context) -> None:
        self._context = context
        self._text_hashes = text_hashes(context.screening)

    def load(self, connection: Connection, jobs: Sequence[ClaimedJob]) -> Mapping[int, Sealed]:
        sealed = read_sealed(connection, [job.target_id for job in jobs], [Part.BODY])
        return {job.id: sealed[job.target_id] for job in jobs if job.target_id in sealed}

    def work(self, item: Sealed) -> Checked | Unmapped:
        context = self._context
        key = item.key(context.vault)
        body = key.open(Part.BODY, item.parts[Part.BODY].ciphertext)
        try:
            raw = read_answers(context.sources, context.screening, item.source, body)
        except Unreadable as problem:
            return Unmapped(problem.reason)
        checked = validate(context.screening, context.conditions, raw, item.received_at.date())
        answers = checked.answers
        problems = [[problem.field, problem.rule.value] for problem in checked.problems]
        language = str(answers.get("language") or "en")
        shown_in = read_form_language(item.source, body) or language
        email, person = answers.get("email"), identity(answers)
        request = _request(person, answers)
        index = context.vault.blind_index
        return Checked(
            answers=key.seal_json(Part.ANSWERS, answers),
            problems=key.seal_json(Part.PROBLEMS, problems) if problems else None,
            problem_count=len(problems),
            email=index("email", str(email).casefold()) if email else None,
            person=index(PERSON_INDEX, person) if person else None,
            request=index("request", request) if request else None,
            language=language,
            received_at=item.received_at,
            consents=given_in(answers, shown_in, self._text_hashes),
            proof=key.commit_to(body),
        )

    def record(self, unit: UnitOfWork, verdicts: Sequence[Verdict]) -> None:
        read = [
            (verdict.job, verdict.result)
            for verdict in verdicts
            if isinstance(verdict, Done) and unit.heads[verdict.job.target_id].status is SubmissionStatus.RECEIVED
        ]
        requests = self._count_requests(unit, [result for _, result in read])
        earlier = self._claim_requests(unit, read)
        taken_back = read_taken_back(unit, [job.target_id for job, _ in read])
        _hold_nothing_against(unit, taken_back)
        for job, result in read:
            if isinstance(result, Unmapped):
                self._quarantine(unit, job, result.reason)
            elif self._is_flooded(requests, result):
                self._quarantine(unit, job, RECIPIENT_LIMIT)
            else:
                self._record_checked(
                    unit, job, result, earlier.get(job.target_id), taken_back.get(job.target_id, frozenset())
                )

    def _record_checked(
        self,
        unit: UnitOfWork,
        job: ClaimedJob,
        result: Checked,
        earlier: uuid.UUID | None,
        taken_back: frozenset[Asked],
    ) -> None:
        submission_id = job.target_id
        self._keep(unit, submission_id, result)
        if result.problems is not None:
            unit.transition(
                submission_id,
                SubmissionStatus.REJECTED,
                Action.SUBMISSION_REJECTED,
                {Detail.PROBLEMS: result.problem_count},
                job=job,
            )
            kind = EmailKind.PLEASE_CORRECT
        elif earlier is not None:
            unit.transition(
                submission_id,
                SubmissionStatus.DUPLICATE,
                Action.SUBMISSION_JOINED,
                {Detail.DUPLICATE_OF: str(earlier)},
                job=job,
            )
            unit.insert(Duplicate.table(), submission_id=submission_id, duplicate_of=earlier)
            kind = EmailKind.JOINED
        else:
            unit.transition(submission_id, SubmissionStatus.VALID, Action.SUBMISSION_VALIDATED, job=job)
            unit.enqueue(SCORE_LANE, submission_id, submission_id)
            kind = EmailKind.CONFIRMATION
        if result.problems is None:
            # Of a form that was joined to an earlier one as well: it says so once more, for itself; nothing is shared
            # because of it.
            write_given(unit, submission_id, result.consents, result.proof, taken_back=taken_back, job=job)
        if result.email is None:
            return  # nowhere to write to: staff see it in the rejected submission's timeline
        queue_email(self._context, unit, Message(submission_id, kind, TO_PERSON, result.language, "validated"), job)

    def _keep(self, unit: UnitOfWork, submission_id: uuid.UUID, result: Checked) -> None:
        documents = SealedDocument.table()
        unit.insert(documents, submission_id=submission_id, part=Part.ANSWERS.value, ciphertext=result.answers)
        if result.problems is not None:
            unit.insert(documents, submission_id=submission_id, part=Part.PROBLEMS.value, ciphertext=result.problems)
        unit.insert(
            PersonIndex.table(),
            submission_id=submission_id,
            person=result.person,
            email=result.email,
            received_at=result.received_at,
        )

    def _is_flooded(self, requests: Counter[bytes], result: Checked) -> bool:
        """Whether one address got more requests in a day than one person makes: then people look first."""
        if result.email is None:
            return False
        requests[result.email] += 1
        return requests[result.email] > self._context.settings.requests_per_recipient_per_day

    def _quarantine(self, unit: UnitOfWork, job: ClaimedJob, reason: str) -> None:
        unit.transition(
            job.target_id,
            SubmissionStatus.QUARANTINED,
            Action.SUBMISSION_QUARANTINED,
            job=job,
            reason=reason,
        )
        unit.insert(
            Quarantine.table(),
            submission_id=job.target_id,
            source=unit.heads[job.target_id].source,
            reason=reason,
            quarantined_at=unit.now,
        )

    def _claim_requests(self, unit: UnitOfWork, read: Sequence[tuple[ClaimedJob, Any]]) -> dict[uuid.UUID, uuid.UUID]:
        """Which valid submissions repeat an earlier request: id → the earlier submission's.

        The primary key decides between two workers: whoever comes second waits for the first one's commit and then
        finds its row. Rows go in in fingerprint order, so that two batches cannot wait for each other.
        """
        first: dict[bytes, tuple[dt.datetime, uuid.UUID]] = {}
        wanted: list[tuple[bytes, uuid.UUID]] = []
        for job, result in read:
            if isinstance(result, Checked) and result.problems is None and result.request is not None:
                wanted.append((result.request, job.target_id))
                candidate = (result.received_at, job.target_id)
                first[result.request] = min(first.get(result.request, candidate), candidate)
        window = dt.timedelta(days=self._context.settings.duplicate_window_days)
        rows = [(key, id_, received, received + window) for key, (received, id_) in sorted(first.items())]
        types = bulk.column_types(RecentRequest.table(), _REQUEST_COLUMNS)
        holders = bulk.fetch(unit.connection, _CLAIM_REQUEST, types, rows)
        holder = {bytes(row[0]): row[1] if isinstance(row[1], uuid.UUID) else uuid.UUID(row[1]) for row in holders}
        return {id_: holder[key] for key, id_ in wanted if holder[key] != id_}

    def _count_requests(self, unit: UnitOfWork, results: Sequence[Checked | Unmapped]) -> Counter[bytes]:
        indexes = {result.email for result in results if isinstance(result, Checked) and result.email is not None}
        return count_recent_requests(unit.connection, indexes, unit.now - dt.timedelta(days=1))


def _hold_nothing_against(unit: UnitOfWork, taken_back: Mapping[uuid.UUID, frozenset[Asked]]) -> None:
    """As `withdraw_contact` does: to a request whose person hears nothing of it, no later one is joined."""
    silent = [id_ for id_, asked in taken_back.items() if any(each.purpose is ConsentPurpose.CONTACT for each in asked)]
    if silent:
        unit.connection.execute(
            delete(RecentRequest).where(bulk.is_among(unit.connection, RecentRequest.submission_id, silent))
        )


def _request(person: str | None, answers: Mapping[str, Answer]) -> str | None:
    """What the person asks about: the condition, or what was written for another one."""
    if person is None:
        return None
    other = plain_name(str(answers.get("condition_other", "")))
    return "\0".join((person, str(answers.get("condition")), other))
