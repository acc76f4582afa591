"""How many form posts one address may make: a moving window of one minute, kept in this process.

It slows down machines that try codes or flood the form. It is not a quota: each web process counts for itself, and
what must hold across processes (attempts per link, emails per recipient) is counted in the database by the core.
"""

from collections import OrderedDict, deque
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address
from math import ceil
from threading import Lock
from time import monotonic

_WINDOW_SECONDS = 60.0
_MOST_ADDRESSES = 10_000


class RateLimit:
    """At most `per_minute` calls of :meth:`wait` per address within any minute."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = monotonic) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._seen: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = Lock()

    def wait(self, address: str) -> int | None:
        """None if this call is within the limit (and counted), else after how many seconds to come back."""
        now = self._clock()
        with self._lock:
            times = self._seen.setdefault(_network(address), deque())
            self._seen.move_to_end(_network(address))
            while len(self._seen) > _MOST_ADDRESSES:
                self._seen.popitem(last=False)
            while times and times[0] <= now - _WINDOW_SECONDS:
                times.popleft()
            if len(times) >= self._per_minute:
                return max(1, ceil(times[0] + _WINDOW_SECONDS - now))
            times.append(now)
            return None


def _network(address: str) -> str:
    """One household or server often owns a whole IPv6 /64: it counts as one address."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        return str(parsed.ipv4_mapped or int(parsed) >> 64)
    return address
