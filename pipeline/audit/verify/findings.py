"""What verification reports: findings, the first bad records first, and how much was looked at."""

import datetime as dt
import heapq
from collections.abc import Iterable
from dataclasses import dataclass, field

KEPT = 100
"""Findings that are kept, those of the lowest leaves; the others are counted. A wrong keyset makes one a record."""

COLUMNS_CHANGED = "its columns do not match its leaf hash"
NOT_AS_LOGGED = "it is not what was put into the log"
LEAF_HASH_CHANGED = "its leaf hash is not the one in the log"
MAC_NOT_OURS = "its MAC is not ours"
RECORD_GONE = "it is in the log, and not in the database"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it was recorded.

    `about` is the id of a record or of a submission, or says what else it is; `leaf` is the record's place in the log.
    """

    about: str
    problem: str
    leaf: int | None = None


@dataclass(slots=True)
class Findings:
    """Collects findings, of whatever number."""

    count: int = 0
    kept: list[Finding] = field(default_factory=list)

    def add(self, findings: Iterable[Finding]) -> None:
        for finding in findings:
            self.count += 1
            self.kept.append(finding)
            if len(self.kept) >= 2 * KEPT:
                self.kept = heapq.nsmallest(KEPT, self.kept, key=_order)

    def merge(self, other: "Findings") -> None:
        counted_only = other.count - len(other.kept)
        self.add(other.kept)
        self.count += counted_only

    def first(self) -> tuple[Finding, ...]:
        """At most `KEPT`, by leaf; what has no place in the log comes last."""
        return tuple(heapq.nsmallest(KEPT, self.kept, key=_order))


@dataclass(frozen=True, slots=True)
class ResumedFrom:
    """The leaves before `leaf` were verified by an interrupted run that began at `verified_at`, and not again."""

    leaf: int
    verified_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Verification:
    """What was verified, and what is wrong.

    `events` are the records looked at in the database, `pending` those of them that are not in the log yet. `size` is
    the log's, `archived` its leaves whose records are in archive files. `signed_size` and `anchored_size` are of the
    highest checkpoints that hold good; up to the latter nobody who has only the database and the application's keysets
    can have changed anything. `lost` tells of earlier logs of which a restored backup does not have all. `begun_anew`
    says why an interrupted run was not gone on with.
    """

    events: int
    findings: tuple[Finding, ...]
    findings_count: int
    origin: str | None = None
    size: int = 0
    archived: int = 0
    pending: int = 0
    checkpoints: int = 0
    signed_size: int = 0
    anchored_size: int = 0
    lost: tuple[str, ...] = ()
    resumed_from: ResumedFrom | None = None
    begun_anew: str | None = None


def _order(finding: Finding) -> tuple[bool, int]:
    return (finding.leaf is None, finding.leaf or 0)
