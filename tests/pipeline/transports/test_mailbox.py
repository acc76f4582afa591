"""The folder of `.eml` files."""

import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from email import message_from_bytes, policy
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest

from pipeline.email.message import to_bytes
from pipeline.transports import Receipt, SendOutcome
from pipeline.transports.mailbox import MailboxTransport
from tests.pipeline.transports.messages import message, send

ACCEPTED = SendOutcome.ACCEPTED


def test_one_readable_file_named_by_the_email(tmp_path: Path) -> None:
    mail = message()
    assert send(MailboxTransport(tmp_path / "box"), mail) == Receipt(ACCEPTED, code="written")
    (file,) = (tmp_path / "box").iterdir()
    assert file.name == f"{mail.email_id}.eml"
    assert file.read_bytes() == to_bytes(mail)
    assert message_from_bytes(file.read_bytes(), policy=policy.default)["To"] == "ann@person.example"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_sending_again_changes_nothing(tmp_path: Path) -> None:
    mailbox, mail = MailboxTransport(tmp_path), message()
    send(mailbox, mail)
    again = replace(mail, attempt_id=uuid4(), text="changed")
    assert send(mailbox, again).outcome is ACCEPTED
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [to_bytes(mail)]


def test_many_at_once_leave_whole_files_only(tmp_path: Path) -> None:
    mailbox, mail = MailboxTransport(tmp_path), message()
    with ThreadPoolExecutor(8) as pool:
        receipts = list(pool.map(partial(send, mailbox), [replace(mail, attempt_id=uuid4()) for _ in range(32)]))
    assert {receipt.outcome for receipt in receipts} == {ACCEPTED}
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [(f"{mail.email_id}.eml", to_bytes(mail))]


def test_a_failure_halfway_leaves_no_file_and_blames_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device", str(target))

    monkeypatch.setattr(Path, "replace", full)
    assert send(MailboxTransport(tmp_path)) == Receipt(SendOutcome.LANE_FAILURE, code="errno-28")
    assert list(tmp_path.iterdir()) == []
