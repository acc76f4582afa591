"""A circuit breaker around a mail transport: after several failures in a row nobody else is sent to try it.

closed   calls go out; `THRESHOLD` failures of the transport in a row open it, or its word that it refuses everyone
open     the lane rests until `probe_at`; then one email is tried, and its answer closes the breaker or opens it longer

The count is each process's own; that the breaker is open is a row, for every process and for `careroute status`.
"""

import datetime as dt
import threading
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, select

from pipeline import bulk
from pipeline.audit.actions import Action, Detail
from pipeline.models import TransportBreaker
from pipeline.transports.receipt import Receipt, SendOutcome
from pipeline.unit_of_work import UnitOfWork

THRESHOLD = 5
FIRST_REST_SECONDS = 15.0
LONGEST_REST_SECONDS = 300.0
REFUSED_REST_SECONDS = 60.0
"""After it refused everyone (a wrong key, say) without naming a time: until then somebody has to put it right."""

OPEN: Final = "open"
CLOSED: Final = "closed"

_COUNTS_AGAINST_IT = frozenset({SendOutcome.UNAVAILABLE, SendOutcome.UNCERTAIN, SendOutcome.LANE_FAILURE})
"""No answer counts too: a transport that takes everything and never answers must not be given more."""

_MOST_TRIPS = 20
"""More are not counted: the rest has long been the longest."""

_COLUMNS = ("transport", "state", "reason", "trips", "since", "probe_at")


@dataclass(frozen=True, slots=True)
class BreakerState:
    """As the row has it."""

    state: str = CLOSED
    reason: str = ""
    trips: int = 0
    probe_at: dt.datetime | None = None

    @property
    def is_open(self) -> bool:
        return self.state == OPEN


def read_breaker(connection: Connection, transport: str) -> BreakerState:
    row = connection.execute(
        select(
            TransportBreaker.state, TransportBreaker.reason, TransportBreaker.trips, TransportBreaker.probe_at
        ).where(TransportBreaker.transport == transport)
    ).one_or_none()
    return BreakerState() if row is None else BreakerState(row.state, row.reason, row.trips, row.probe_at)


class Breaker:
    """One transport's breaker, in one process. `heard` is called from the threads that make the calls."""

    def __init__(self, transport: str) -> None:
        self._transport = transport
        self._lock = threading.Lock()
        self._failures = 0
        self._stored = BreakerState()
        self._tripped_by: str | None = None
        self._told_to_rest: float | None = None
        self._recovered = False
        self._accepted = False

    def begin(self, stored: BreakerState) -> None:
        """Start a batch, knowing what the row says."""
        with self._lock:
            self._stored, self._tripped_by, self._told_to_rest, self._recovered = stored, None, None, False
            self._accepted = False

    @property
    def needs_probe(self) -> bool:
        """Whether one call is to be made before any other."""
        with self._lock:
            return self._stored.is_open and not self._recovered and self._tripped_by is None

    @property
    def tripped_by(self) -> str | None:
        """The code of the failure that opened it in this batch; None: calls may go out."""
        with self._lock:
            return self._tripped_by

    @property
    def rest_seconds(self) -> float:
        """How long the lane rests after this batch's trip: as it was told to, else longer each time in a row."""
        if self._told_to_rest is not None:
            return self._told_to_rest
        trips = 0 if self._recovered else self._stored.trips
        return min(FIRST_REST_SECONDS * 2.0 ** min(trips, _MOST_TRIPS), LONGEST_REST_SECONDS)

    def heard(self, receipt: Receipt) -> None:
        """Count one answer."""
        with self._lock:
            if receipt.outcome is SendOutcome.LANE_FAILURE and not self._concerns_one_email(receipt):
                if self._tripped_by is None or self._told_to_rest is None:
                    self._tripped_by = receipt.code
                self._told_to_rest = max(receipt.retry_after or REFUSED_REST_SECONDS, self._told_to_rest or 0.0)
                return
            if receipt.outcome not in _COUNTS_AGAINST_IT:
                self._accepted = self._accepted or receipt.outcome is SendOutcome.ACCEPTED
                self._failures = 0
                self._recovered = self._stored.is_open
                return
            self._failures += 1
            probing = self._stored.is_open and not self._recovered
            if self._tripped_by is None and (probing or self._failures >= THRESHOLD):
                self._tripped_by = f"breaker open: {receipt.code}"

    def _concerns_one_email(self, receipt: Receipt) -> bool:
        """What refuses everybody without naming a time, while others get through beside it, may be about this email
        alone. It pays for it, or it could hold up the lane for ever; several such in a row are no accident.
        """
        return self._accepted and receipt.retry_after is None

    def save(self, unit: UnitOfWork) -> None:
        """Write the row and its record if this batch opened or closed the breaker."""
        tripped_by = self.tripped_by
        if tripped_by is None and not self._recovered:
            return
        stored = read_breaker(unit.connection, self._transport)
        if tripped_by is not None:
            probe_at = unit.now + dt.timedelta(seconds=self.rest_seconds)
            # Another process may have found out in the same moment: that is one trip, not two.
            news = stored.probe_at is None or stored.probe_at <= unit.now
            trips = min(stored.trips + 1, _MOST_TRIPS) if news else stored.trips
            self._write(unit, BreakerState(OPEN, tripped_by, trips, probe_at))
            if not stored.is_open:
                self._record(unit, Action.BREAKER_OPENED, tripped_by)
        elif stored.is_open:
            self._write(unit, BreakerState())
            self._record(unit, Action.BREAKER_CLOSED, stored.reason)

    def _write(self, unit: UnitOfWork, after: BreakerState) -> None:
        bulk.insert(
            unit.connection,
            TransportBreaker.table(),
            _COLUMNS,
            [(self._transport, after.state, after.reason, after.trips, unit.now, after.probe_at)],
            "ON CONFLICT (transport) DO UPDATE SET state = excluded.state, reason = excluded.reason, "
            "trips = excluded.trips, probe_at = excluded.probe_at, since = CASE WHEN transport_breaker.state = "
            "excluded.state THEN transport_breaker.since ELSE excluded.since END",
        )

    def _record(self, unit: UnitOfWork, action: Action, code: str) -> None:
        unit.record(None, action, {Detail.TRANSPORT: self._transport, Detail.CODE: code})
