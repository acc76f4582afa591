"""A folder of `.eml` files, one per email, for the embedded stack: open them with any mail program."""

import os
from pathlib import Path

from config.screening import DataClass
from pipeline.email.message import Outgoing, to_bytes
from pipeline.transports.receipt import Receipt, SendOutcome


class MailboxTransport:
    """Writes `<email id>.eml`. A file appears whole or not at all, and an email that is already there stays as it is,
    so that sending twice is sending once. Survives the death of any process; not flushed against loss of power.
    """

    name = "mailbox"
    idempotent = True
    confirms = False

    def __init__(self, folder: Path, clearance: DataClass = DataClass.PUBLIC) -> None:
        """Creates the folder, readable by its owner only: the mails hold addresses and live links."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self.clearance = clearance

    def encode(self, message: Outgoing) -> bytes:
        return to_bytes(message)

    def send(self, message: Outgoing, content: bytes) -> Receipt:
        final = self._folder / f"{message.email_id}.eml"
        if final.exists():
            return Receipt(SendOutcome.ACCEPTED, code="exists")
        # The attempt id keeps two processes that write the same email apart until the rename.
        partial = self._folder / f".{message.email_id}.{message.attempt_id}.partial"
        try:
            with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(content)
            partial.replace(final)
        except OSError as error:  # disk full, folder gone: not this message's fault
            partial.unlink(missing_ok=True)
            return Receipt(SendOutcome.LANE_FAILURE, code=f"errno-{error.errno}")
        return Receipt(SendOutcome.ACCEPTED, code="written")

    def close(self) -> None:
        return
