"""After an erasure: no marker and no key in the database, its files and the mailbox, and the log still verifies."""

import logging
import shutil
import sqlite3
import uuid
from collections.abc import Iterable, Iterator

import pytest
from sqlalchemy import Connection, select
from sqlalchemy.exc import OperationalError

from pipeline.audit.log_state import current_log, latest_checkpoint
from pipeline.audit.notes import verifier_key
from pipeline.audit.proving import prove, records_of
from pipeline.audit.signing import load_public_keys
from pipeline.audit.verify import verify_log
from pipeline.audit.verify.opening import open_evidence
from pipeline.context import Context
from pipeline.db import utc_now
from pipeline.erasure import erasing, journal
from pipeline.erasure.holds import place
from pipeline.erasure.journal import Cause, ErasuresInDoubt, Glance, Line
from pipeline.erasure.replaying import replay, replay_before_work
from pipeline.models import AuditEvent, DataKey, Erasure, SealedDocument, Submission
from pipeline.operations.reviews import Decision, decide
from pipeline.secure_pages.answering import ProviderAnswer, answer_referral
from pipeline.status import SubmissionStatus
from pipeline.submission import Part, read_sealed
from pipeline.unit_of_work import UnitOfWork
from pipeline.vault import SealBroken
from tests.end_to_end.haystacks import Hay, find, in_database, in_files
from tests.end_to_end.test_markers import MARKER, RARE, SAID
from tests.pipeline.erasure.cases import STAFF, erase, left_of
from tests.pipeline.secure_pages.links import Referred, nobody, referred
from tests.support.installations import SQLITE_FILE, Installation
from tests.support.log import sequence
from tests.support.submissions import person, submit
from tests.support.work import drain, status_of, table
from tools.verify_audit import check_proof, read_key

ADDRESS = f"{MARKER}.one@example.org"


def busy(context: Context) -> list[Referred]:
    """Two requests with the marker in every text: one referred and declined with a note, one decided by an expert."""
    case = referred(context, **{**SAID, "email": ADDRESS})
    token = case.provider_token()
    answer = ProviderAnswer(accepts=False, reason="other", note=f"{MARKER} says no")
    answer_referral(context, token, case.provider_session(), answer, None, "request", nobody)
    rare = referred(context, **{**SAID, **RARE, "email": ADDRESS})
    decide(context, STAFF, rare.submission_id, Decision(candidate=False, reason=f"{MARKER} is rare"))
    drain(context)
    return [case, rare]


def stored(context: Context) -> Iterator[Hay]:
    """Files of the installation and every value of the database; the keysets are beside it."""
    yield from in_files("file", context.settings.data_dir)
    yield from in_database(context.database)


def holds_bytes(hay: Iterable[Hay], wanted: Iterable[bytes]) -> set[str]:
    needles = list(wanted)
    return {item.where for item in hay for needle in needles if needle in item.content}


def key_bytes(context: Context, cases: list[Referred]) -> list[bytes]:
    ids = {each.submission_id for each in cases}
    return [bytes(row.wrapped_key) for row in table(context.database, DataKey.table()) if row.submission_id in ids]


def sealed_bytes(context: Context) -> list[bytes]:
    return [bytes(row.ciphertext) for row in table(context.database, SealedDocument.table())]


def verified(context: Context) -> list[str]:
    found = verify_log(context.database, open_evidence(context.settings, context.keys))
    return [f"{each.about}: {each.problem}" for each in found.findings]


def test_the_marker_and_the_key_are_gone_and_the_log_still_verifies(
    installation: Installation, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    context = installation.context()
    other = submit(context, **person(1))
    cases = busy(context)
    sequence(context)
    keys, ciphertexts = key_bytes(context, cases), sealed_bytes(context)
    before = list(stored(context))
    assert holds_bytes(before, keys)
    assert find([MARKER], before), "the mails have the address"
    with context.database.read() as connection:
        sealed = read_sealed(connection, [each.submission_id for each in cases], [Part.ANSWERS])
        records = {
            id_: _form(connection, id_) for each in cases for id_ in records_of(connection, str(each.submission_id))
        }
    assert all(MARKER in str(each.open_json(context.vault, Part.ANSWERS)) for each in sealed.values())

    done = erase(context, *(each.submission_id for each in cases))
    assert done.no_trace
    drain(context)
    after = list(stored(context))
    assert not find([MARKER], [*after, Hay("log", "log", caplog.text.encode())])
    kept = set(sealed_bytes(context))
    gone = [each for each in ciphertexts if each not in kept]
    assert len(gone) >= 8
    assert not holds_bytes(after, keys)
    assert holds_bytes([item for item in after if item.kind == "database"], gone) <= {"audit_event.health_ciphertext"}
    for each in cases:
        assert left_of(context, each.submission_id) == {}
        assert not _opens(context, each, after)
    assert left_of(context, other.submission_id), "somebody else's is still there"

    assert sequence(context) is not None
    assert verified(context) == []
    with context.database.snapshot() as connection:
        log = current_log(connection)
        assert log is not None
        known = [
            read_key(verifier_key(log.origin, each)) for each in load_public_keys(context.settings.effective_keys_dir)
        ]
        for event_id, form in records.items():
            proof = prove(connection, log, latest_checkpoint(connection, log.number), event_id)
            assert proof.record == form
            check_proof(proof.text, proof.record, known)


def _form(connection: Connection, event_id: uuid.UUID) -> bytes:
    log = current_log(connection)
    assert log is not None
    return prove(connection, log, latest_checkpoint(connection, log.number), event_id).record


def _opens(context: Context, case: Referred, hay: list[Hay]) -> bool:
    """Whether any value anywhere is the key of this submission, for any key of the keysets."""
    for item in hay:
        try:
            context.vault.data_key(case.submission_id, item.content)
        except SealBroken:
            continue
        return True
    return False


def test_what_a_restored_backup_brings_back_is_erased_again(
    sqlite_installation: Installation, tmp_path_factory: pytest.TempPathFactory
) -> None:
    context = sqlite_installation.context()
    cases = busy(context)
    held = submit(context, **person(2))
    database = sqlite_installation.folder / SQLITE_FILE
    backup = tmp_path_factory.mktemp("backup") / SQLITE_FILE
    keys = key_bytes(context, cases)
    sqlite_installation.close()
    shutil.copyfile(database, backup)  # the last connection that closes copies the write-ahead log back

    context = sqlite_installation.context()
    for each in cases:
        erase(context, each.submission_id)
    erase(context, held.submission_id, cause=Cause.RETENTION)
    sqlite_installation.close()
    shutil.copyfile(backup, database)

    context = sqlite_installation.context()
    assert holds_bytes(stored(context), keys)
    place(context.database, context.keys, STAFF, held.submission_id, "case-2026-14")
    with context.database.read() as connection:
        assert journal.glance(connection, context.settings.effective_erasure_file) == Glance(3, 3, 0)
    done = replay(context, STAFF)
    assert (done.named, len(done.erased), done.wrong) == (3, 2, ())
    assert done.held == {held.submission_id: ("case-2026-14",)}
    assert not holds_bytes(stored(context), keys)
    assert {status_of(context, each.submission_id) for each in cases} == {SubmissionStatus.ERASED}
    records = table(context.database, AuditEvent.table())
    again = replay(context, STAFF)
    assert (again.erased, again.held) == ((), done.held)
    assert table(context.database, AuditEvent.table()) == records
    assert len(journal.read(context.settings.effective_erasure_file, context.keys).lines) == 3


def test_a_line_that_somebody_changed_erases_nothing(sqlite_context: Context) -> None:
    context, kept = sqlite_context, submit(sqlite_context)
    path = context.settings.effective_erasure_file
    stranger = submit(context, **person(3))
    for each in (kept, stranger):
        journal.append(path, context.keys, [Line(each.submission_id, utc_now(), Cause.REQUEST)])
    text = path.read_text()
    lines = text.splitlines()
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_text("\n".join([lines[0].replace("request", "mistake"), '{"mac": 5}', "no JSON", lines[1][:-9]]))
    journal.append(path, context.keys, [Line(stranger.submission_id, utc_now(), Cause.ORDER)])
    done = replay(context, STAFF)
    assert (done.wrong, done.torn) == ((1, 2, 3), (4,))
    with context.database.read() as connection:
        assert journal.glance(connection, path) == Glance(1, 2, 2)
    assert [each.submission_id for each in done.erased] == [stranger.submission_id]
    with context.database.read() as connection:
        assert connection.execute(select(Submission.status).where(Submission.id == kept.submission_id)).scalar_one()
    assert left_of(context, kept.submission_id)


def test_one_that_cannot_be_erased_again_does_not_stop_the_others(
    sqlite_context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second of three; the first meets a busy database once; the third is held, and stopped instead."""
    context = sqlite_context
    ids = [submit(context, **person(number)).submission_id for number in range(3)]
    path = context.settings.effective_erasure_file
    journal.append(path, context.keys, [Line(each, utc_now(), Cause.REQUEST) for each in ids])
    place(context.database, context.keys, STAFF, ids[2], "case-2026-14")
    busy_once = [sqlite3.OperationalError("busy")]
    busy_once[0].sqlite_errorcode = sqlite3.SQLITE_BUSY

    def forget(unit: UnitOfWork, wanted: list[uuid.UUID]) -> None:
        if wanted == [ids[0]] and busy_once:
            raise OperationalError("DELETE", None, busy_once.pop())
        if wanted == [ids[1]]:
            raise ValueError("no")
        close_links(unit, wanted)

    close_links = erasing._close_links
    monkeypatch.setattr(erasing, "_close_links", forget)
    with pytest.raises(ErasuresInDoubt, match=str(ids[1])):
        replay_before_work(context, STAFF)
    stand = [status_of(context, each) for each in ids]
    assert stand == [SubmissionStatus.ERASED, SubmissionStatus.RECEIVED, SubmissionStatus.WITHDRAWN]
    monkeypatch.undo()
    done = replay_before_work(context, STAFF)
    assert ([each.submission_id for each in done.erased], list(done.held)) == ([ids[1]], [ids[2]])
    assert {row.cause for row in table(context.database, Erasure.table())} == {Cause.REQUEST.value}
