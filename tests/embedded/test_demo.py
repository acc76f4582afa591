"""The demo's people, their forms, and its judgement, which has to see what it is there to see."""

import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from embedded.demo_forms import Forms
from embedded.demo_judgement import Judgement, judge
from embedded.demo_people import Part, person
from embedded.demo_posting import Answered, NotAnswered, Result
from pipeline.context import Context
from pipeline.db import utc_now
from pipeline.intake.accept import Arrival, Kept, accept
from pipeline.intake.reading import Unreadable, read_answers
from pipeline.validation import STRUCTURAL, validate
from tests.config.shipped import CONDITIONS, SCREENING, SOURCES
from tests.support.installations import SQLITE_FILE, Installation
from tests.support.log import sequence
from tests.support.work import drain

COUNT = 20
TODAY = utc_now().date()
FORMS = Forms.of(SCREENING, SOURCES)


def test_both_forms_say_the_same_about_the_same_person() -> None:
    for number in range(120):
        someone = person(number, SCREENING)
        delivery = FORMS.delivery(someone)
        source = "network-site" if number % 2 == 0 else "webflow-site"
        if someone.part is Part.CHANGED_FORM:
            with pytest.raises(Unreadable):
                read_answers(SOURCES, SCREENING, source, delivery.body)
            continue
        read = validate(SCREENING, CONDITIONS, read_answers(SOURCES, SCREENING, source, delivery.body), TODAY)
        told = validate(SCREENING, CONDITIONS, someone.answers, TODAY)
        assert (read.answers, read.problems) == (told.answers, told.problems)
        expected = {Part.NO_CONSENT: {"consent_share"}, Part.MINOR: {"submitter", "date_of_birth", "guardian_name"}}
        fields = {problem.field for problem in read.problems}
        assert bool(fields) == (someone.part in expected)
        assert fields <= expected.get(someone.part, set())
        assert not {problem.rule for problem in read.problems} & STRUCTURAL


def test_people_are_fictional_and_come_back_only_where_they_should() -> None:
    everyone = [person(number, SCREENING) for number in range(200)]
    assert all(str(someone.answers["email"]).endswith("@example.org") for someone in everyone)
    assert everyone == [person(number, SCREENING) for number in range(200)]
    again = [someone.number for someone in everyone if someone.part is Part.AGAIN]
    emails = Counter(someone.answers["email"] for someone in everyone)
    assert sum(count - 1 for count in emails.values()) == len(again) == 2


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory, keys_dir: Path, sqlite_template: Path) -> tuple[Path, list[Result]]:
    """What the forms of the first twenty people were answered, all worked on; and the folder that holds it."""
    folder = tmp_path_factory.mktemp("posted")
    shutil.copyfile(sqlite_template, folder / SQLITE_FILE)
    installation = Installation(folder, keys_dir, "")
    context = installation.context()
    results: list[Result] = []
    for number in range(COUNT):
        delivery = FORMS.delivery(person(number, SCREENING))
        source = "network-site" if number % 2 == 0 else "webflow-site"
        kept = accept(context, Arrival(source, delivery.body), lambda _lane: None)
        assert isinstance(kept, Kept)
        results.append(Answered(number, kept.submission_id, kept.reference, 202))
    drain(context)
    sequence(context)
    installation.close()
    return folder, results


@pytest.fixture
def posted(once: tuple[Path, list[Result]]) -> list[Result]:
    return once[1]


@pytest.fixture
def sqlite_context(tmp_path: Path, keys_dir: Path, once: tuple[Path, list[Result]]) -> Iterator[Context]:
    """A copy of it for each test to harm."""
    shutil.copytree(once[0], tmp_path, dirs_exist_ok=True)
    installation = Installation(tmp_path, keys_dir, "")
    yield installation.context()
    installation.close()


def judged(context: Context, results: Sequence[Result], repeats: Sequence[Result] = ()) -> Judgement:
    return judge(context.settings, context.database, results, repeats)


def test_when_every_promise_was_kept_nothing_is_found(sqlite_context: Context, posted: list[Result]) -> None:
    found = judged(sqlite_context, posted, posted[:2])
    assert found.findings == ()
    assert found.statuses == {
        "candidate": 12,
        "no_match": 2,
        "rejected": 2,
        "duplicate": 1,
        "needs_review": 2,
        "quarantined": 1,
    }
    assert (found.accepted, found.repeated, found.records_wrong) == (COUNT, 2, 0)
    assert found.records_signed == found.records > COUNT * 3
    assert found.confirmation is not None
    assert found.confirmation.count == found.emails["confirmation", "handed_over"] == 16
    assert 0 < found.confirmation.p50 <= found.confirmation.p99


def tamper(statement: str) -> Callable[[Context], None]:
    def act(context: Context) -> None:
        with sqlite3.connect(context.settings.data_dir / SQLITE_FILE) as connection:
            for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
                connection.execute(f'DROP TRIGGER "{name}"')
            connection.execute("PRAGMA foreign_keys = OFF")
            connection.execute(statement)

    return act


def remove_a_mail(context: Context) -> None:
    next(mails(context)).unlink()


def add_a_mail(context: Context) -> None:
    mail = next(mails(context))
    mail.with_name("01900000-0000-7000-8000-000000000000.eml").write_bytes(mail.read_bytes())


def mails(context: Context) -> Iterator[Path]:
    return context.settings.effective_mailbox_dir.glob("*.eml")


@pytest.mark.parametrize(
    ("harm", "finding"),
    [
        (remove_a_mail, "1 emails were handed over and are not in the mailbox"),
        (add_a_mail, "1 files in the mailbox belong to no email"),
        (tamper("UPDATE audit_event SET actor = 'staff:somebody' WHERE seq = 2"), "do not match its leaf hash"),
        (
            tamper("DELETE FROM audit_event WHERE action = 'submission:validated'"),
            "it is in the log, and not in the database",
        ),
        (tamper("UPDATE submission SET status = 'valid' WHERE status = 'no_match'"), "2 submissions are still valid"),
        (tamper("UPDATE submission SET reference = 'CR-0' WHERE status = 'duplicate'"), "was accepted and is lost"),
        (tamper("UPDATE email SET status = 'uncertain' WHERE kind = 'joined'"), "1 emails are uncertain"),
        (tamper("DELETE FROM email WHERE kind = 'please-correct'"), "was told nothing"),
        (
            tamper(
                "INSERT INTO dead_job (id, lane, target_id, attempts, reason, died_at) "
                "VALUES (1, 'score', x'00', 5, 'unexpected:KeyError', '2026-01-01 00:00:00.000000')"
            ),
            "1 jobs of lane score were given up: unexpected:KeyError",
        ),
    ],
)
def test_what_is_wrong_is_found(
    sqlite_context: Context, posted: list[Result], harm: Callable[[Context], None], finding: str
) -> None:
    harm(sqlite_context)
    assert any(finding in found for found in judged(sqlite_context, posted).findings)


def test_what_the_forms_saw_counts(sqlite_context: Context, posted: list[Result]) -> None:
    first = posted[0]
    assert isinstance(first, Answered)
    second = posted[1]
    assert isinstance(second, Answered)
    never = [NotAnswered(0, "status 503"), *posted[1:]]
    assert judged(sqlite_context, never).findings == (
        "1 deliveries were never accepted (status 503)",
        f"submission {first.reference} belongs to no delivery",
    )
    twice = [Answered(0, second.submission_id, second.reference, 202)]
    assert "a repeated delivery made another submission" in str(judged(sqlite_context, posted, twice).findings)
