"""`doctor`'s checks of the Merkle log: the key that signs, the folder that checkpoints go to, and whether they do."""

import os
from collections.abc import Iterator

from sqlalchemy.exc import DBAPIError

from config.settings import Settings
from pipeline.audit.anchors import DIRECTORY, open_anchors
from pipeline.audit.checkpoints import SigningRefused, check_sound
from pipeline.audit.log_state import current_log
from pipeline.audit.signing import PRIVATE_FILE, PUBLIC_FILE, load_public_keys, load_signer
from pipeline.db import Database, utc_now
from pipeline.keys import KeyProblem
from pipeline.operations.checks import Check, Outcome
from pipeline.operations.log_report import LogReport, read_log
from pipeline.operations.opening import open_database
from pipeline.schema import SchemaProblem

_LATE_SECONDS = 300.0
"""A lane that nobody serves, or an endpoint that lacks the last checkpoint, for so long is told of."""


def check_log(settings: Settings) -> Iterator[Check]:
    """All of them. What only the process that signs has is asked of nobody else."""
    signs = (settings.effective_keys_dir / PRIVATE_FILE).exists()
    yield _signing_key(settings, signs=signs)
    if signs or settings.embedded_database:
        yield _anchor_directory(settings)
    try:
        with open_database(settings) as database:
            yield from _state(settings, database, signs=signs)
    except (SchemaProblem, DBAPIError):
        return  # the check of the database has told so


def _signing_key(settings: Settings, *, signs: bool) -> Check:
    if not signs:
        if settings.may_create_keys:
            told = "not there yet: the first worker of lane sequence makes one"
            return Check("signing key", Outcome.WARNING, told)
        told = f"{PRIVATE_FILE} is not here: only the worker of lane sequence needs it"
        return Check("signing key", Outcome.NOTE, told)
    folder = settings.effective_keys_dir
    try:
        known = {key.public_bytes_raw() for key in load_public_keys(folder)}
        missing = [key for key in load_signer(folder).public_keys if key.public_bytes_raw() not in known]
    except (KeyProblem, OSError) as problem:
        return Check("signing key", Outcome.FAILED, str(problem))
    if missing:
        told = f"{folder / PUBLIC_FILE} lacks a key that signs: what it signs could not be checked"
        return Check("signing key", Outcome.FAILED, told)
    return Check("signing key", Outcome.GOOD, f"{folder / PRIVATE_FILE}, checked by {PUBLIC_FILE}")


def _anchor_directory(settings: Settings) -> Check:
    folder = settings.effective_anchor_dir
    if settings.anchor_dir is not None and not folder.is_dir():
        return Check("anchors", Outcome.FAILED, f"{folder} is no directory: is the share mounted? Nothing is signed")
    first = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not os.access(first, os.W_OK | os.X_OK):
        return Check("anchors", Outcome.FAILED, f"{first} cannot be written to: no checkpoint can be anchored")
    if settings.anchor_dir is None:
        told = f"in {folder}, on this machine: CAREROUTE_ANCHOR_DIR on another one's write-once share proves more"
        return Check("anchors", Outcome.NOTE, told)
    return Check("anchors", Outcome.GOOD, f"in {folder}{_and_outside(settings)}")


def _and_outside(settings: Settings) -> str:
    return ", and sent to CAREROUTE_ANCHOR_URL" if settings.anchor_url else ""


def _state(settings: Settings, database: Database, *, signs: bool) -> Iterator[Check]:
    with database.read() as connection:
        report = read_log(connection, utc_now())
    if report.refused:
        told = f"{report.refused} records are not as they were written: `careroute audit verify` names them"
        yield Check("audit log", Outcome.WARNING, told)
    if (report.oldest_seconds or 0) > _LATE_SECONDS:
        told = f"{report.pending} records are not in it yet: does a worker serve lane sequence, or does it rest?"
        yield Check("audit log", Outcome.WARNING, told)
    problem = (_refusal(settings, database) if signs else None) or report.signing_problem
    if problem is not None:
        yield Check("checkpoints", Outcome.FAILED if signs else Outcome.WARNING, f"not signed: {problem}")
    elif report.checkpoint is not None:
        yield Check("checkpoints", Outcome.GOOD, f"the last covers {report.checkpoint.size} of {report.size} records")
    yield from _lagging(report)


def _refusal(settings: Settings, database: Database) -> str | None:
    """What would keep the next checkpoint from being signed, found as the one who signs finds it."""
    try:
        keys = load_public_keys(settings.effective_keys_dir)
        with database.snapshot() as connection:
            current = current_log(connection)
            if current is not None:
                check_sound(connection, current, open_anchors(settings).directory, keys)
    except (SigningRefused, OSError) as problem:
        return str(problem)
    except KeyProblem:
        return None  # told with the signing key
    return None


def _lagging(report: LogReport) -> Iterator[Check]:
    checkpoint = report.checkpoint
    for name, anchor in report.anchors.items():
        if name == DIRECTORY or checkpoint is None:
            continue
        if anchor.problem is not None:
            yield Check("anchors", Outcome.WARNING, f"{name}: {anchor.problem}")
        elif anchor.size < checkpoint.size and checkpoint.age_seconds > _LATE_SECONDS:
            told = f"{name} has the checkpoint of {anchor.size} records, and not the one of {checkpoint.size}"
            yield Check("anchors", Outcome.WARNING, told)
