"""Going on after an interruption: a small file says up to which leaf all was verified, when, and the root of these."""

import contextlib
import datetime as dt
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from sqlalchemy import Connection

from pipeline.audit.tiles import TILE_WIDTH, TileMissing, stored_tiles
from pipeline.audit.verify.findings import ResumedFrom
from pipeline.audit.verify.logs import LogSize
from pipeline.db import utc_now

FILE_NAME = "audit-verify.json"
USABLE_FOR = dt.timedelta(days=1)
"""What was verified longer ago is looked at again: records may have been changed since."""


class NotResumed(Exception):
    """There is nothing to go on from; the message says why."""


@dataclass(frozen=True, slots=True)
class Reached:
    """The first `leaf` leaves of a log are in order; their root; whether MACs were among what was verified.

    `began_at` is when the first of them began to be verified, in RFC 3339.
    """

    origin: str
    leaf: int
    root: str
    macs: bool
    began_at: str


def read_reached(folder: Path, connection: Connection, log: LogSize, *, macs: bool) -> ResumedFrom:
    """Where to go on. Raises `NotResumed`: the file is of another log, old, or of leaves that are others now."""
    try:
        reached = Reached(**json.loads((folder / FILE_NAME).read_text(encoding="utf-8")))
        began_at = dt.datetime.fromisoformat(reached.began_at)
        age = utc_now() - began_at
    except FileNotFoundError:
        raise NotResumed("no run was interrupted") from None
    except (OSError, ValueError, TypeError):
        raise NotResumed("what the interrupted run left cannot be read") from None
    if reached.origin != log.origin:
        raise NotResumed("the interrupted run was about another log")
    if macs and not reached.macs:
        raise NotResumed("the interrupted run did not look at authentication codes")
    if not dt.timedelta(0) <= age <= USABLE_FOR:
        raise NotResumed(f"the interrupted run began at {reached.began_at}, more than a day ago")
    if not isinstance(reached.leaf, int) or not 0 < reached.leaf <= log.size or reached.leaf % TILE_WIDTH:
        raise NotResumed("the log does not go as far as the interrupted run came")
    try:
        root = stored_tiles(connection, log.number, log.size).root(reached.leaf)
    except (TileMissing, TypeError):
        root = b""
    if root.hex() != reached.root:
        raise NotResumed("the log is not the one that the interrupted run was about")
    return ResumedFrom(reached.leaf, began_at)


def write_reached(
    folder: Path, connection: Connection, log: LogSize, leaf: int, began_at: dt.datetime, *, macs: bool
) -> None:
    """Remember that all is well up to `leaf`, which begins a tile. Raises `TileMissing`, and OSError."""
    root = stored_tiles(connection, log.number, log.size).root(leaf)
    reached = Reached(log.origin, leaf, root.hex(), macs, began_at.isoformat())
    temporary = folder / f".{FILE_NAME}.{os.getpid()}"
    temporary.write_text(json.dumps(asdict(reached)), encoding="utf-8")
    temporary.replace(folder / FILE_NAME)


def forget_reached(folder: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        (folder / FILE_NAME).unlink()
