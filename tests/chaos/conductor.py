"""Does what is planned, and starts again whatever has died."""

import heapq
import itertools
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import httpx
import psycopg

from embedded import processes
from pipeline.failpoints import EXIT_STATUS
from tests.chaos.plan import BEAT, POSTGRES, REDIS, Fault, FaultKind
from tests.chaos.system import System

K = FaultKind
_TICK_SECONDS = 0.05
_UNTIL_IT_RESTARTS_SECONDS = 1.0
_LONGEST_END_SECONDS = 90.0
_MAIL_ORDERS = {
    K.MAIL_BUSY: "busy_share",
    K.MAIL_ERRORS: "error_share",
    K.MAIL_HANGS: "hang_share",
    K.MAIL_RESETS: "reset_share",
    K.MAIL_LATE: "late_share",
    K.MAIL_SILENT: "silent_share",
}


class State(StrEnum):
    AWAY = "away"  # was never started
    UP = "up"
    ENDING = "ending"  # asked to
    FROZEN = "frozen"
    DOOMED = "doomed"  # will come to its failpoint
    DOWN = "down"  # will be started again


@dataclass(frozen=True, slots=True)
class Happened:
    """What was done, or was seen, at a Unix time. `fault` is empty for what nobody had planned."""

    at: float
    what: str
    fault: Fault | None = None


class Conductor:
    """To be used from the thread that started the system: its processes die with it.

    A process may take `patience_seconds` until it comes to its failpoint; then it is killed wherever it is.
    """

    def __init__(self, system: System, seed: int, patience_seconds: float) -> None:
        self.log: list[Happened] = []
        self.wrong: list[str] = []
        self.died_as_planned = 0
        self._system = system
        self._patience_seconds = patience_seconds
        self._chance = random.Random(f"{seed}:conductor")
        self._states = dict.fromkeys((*system.cast.webs, *system.cast.workers, BEAT), State.UP)
        self._states |= dict.fromkeys(system.cast.away, State.AWAY)
        self._since = dict.fromkeys(self._states, time.monotonic())
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()

    @property
    def faults(self) -> Counter[str]:
        """How often each kind was done."""
        return Counter(each.fault.kind.value for each in self.log if each.fault is not None)

    def perform(self, faults: Sequence[Fault], seconds: float) -> None:
        """Do what is planned, each at its time from now, for so long, and until nobody is to come to a failpoint."""
        began = time.monotonic()
        for fault in faults:
            self._at(began + fault.at, lambda fault=fault: self._do(fault))  # type: ignore[misc]
        self.watch(lambda: time.monotonic() >= began + seconds and State.DOOMED not in self._states.values())

    def watch(self, is_over: Callable[[], bool]) -> None:
        """Go on with what is due, and start again what dies, until it is over."""
        while not is_over():
            now = time.monotonic()
            while self._due and self._due[0][0] <= now:
                heapq.heappop(self._due)[2]()
            self._look_after_processes()
            time.sleep(_TICK_SECONDS)

    def heal(self) -> None:
        """End every trouble: everything runs, nothing is planned any more, clocks are right."""
        ending, self._due = sorted(self._due, key=lambda each: each[:2]), []
        for _, _, act in ending:
            act()
        for order in (*_MAIL_ORDERS.values(), "storm"):
            self._end_mail_fault(order)
        for name in self._system.cast.workers:
            self._system.shift_clock(name, 0.0)
        self._note("everything is healed")

    def _do(self, fault: Fault) -> None:
        done = self._do_to_process(fault) if fault.target in self._states else self._do_to_server(fault)
        self._note(str(fault) if done else f"{fault} (left out)", fault if done else None)

    def _do_to_process(self, fault: Fault) -> bool:
        """Whether it was there to have it done."""
        name, system = fault.target, self._system
        if fault.kind is K.CLOCK:
            system.shift_clock(name, fault.amount)
            return True
        if fault.kind is K.FAILPOINT and self._states[name] is State.AWAY:
            self._doom(name, fault.detail)
            return True
        if self._states[name] is not State.UP or system.running.ended(name) is not None:
            return False
        match fault.kind:
            case K.KILL:
                system.kill(name)
                self._down(name, fault.seconds)
            case K.TERMINATE:
                system.running.ask_to_end(name)
                self._is_now(name, State.ENDING)
            case K.FREEZE:
                system.running.freeze(name)
                self._is_now(name, State.FROZEN)
                self._after(fault.seconds, lambda: self._thaw(name))
            case K.FAILPOINT:
                system.kill(name)
                system.running.wait(name)
                self._doom(name, fault.detail)
            case _:
                raise AssertionError(fault)
        return True

    def _do_to_server(self, fault: Fault) -> bool:
        if fault.target == REDIS:
            return self._do_to_redis(fault)
        if fault.target == POSTGRES:
            return self._do_to_postgres(fault)
        return self._let_mail_fail(fault)

    def _do_to_redis(self, fault: Fault) -> bool:
        redis = self._system.redis
        if redis.pid is None:
            return False
        match fault.kind:
            case K.FLUSH:
                redis.flushall()
            case K.REDIS_CUT:
                redis.cut_connections()
            case _:
                (redis.kill if fault.kind is K.REDIS_KILL else redis.stop)()
                self._after(fault.seconds, redis.start)
        return True

    def _do_to_postgres(self, fault: Fault) -> bool:
        match fault.kind:
            case K.POSTGRES_CUT:
                try:
                    return self._system.cut_database(fault.amount, self._chance) > 0
                except psycopg.Error:
                    return False
            case K.POSTGRES_FAST:
                self._system.postgres.restart("fast")
            case _:
                self._system.postgres.restart("immediate")
        return True

    def _let_mail_fail(self, fault: Fault) -> bool:
        try:
            match fault.kind:
                case K.MAIL_STORM:
                    self._system.order_mail(storm=fault.seconds)
                case K.MAIL_AWAY:
                    self._system.order_mail(outage=fault.seconds)
                case _:
                    order = _MAIL_ORDERS[fault.kind]
                    self._system.order_mail(**{order: fault.amount})
                    self._after(fault.seconds, lambda: self._end_mail_fault(order))
        except httpx.TransportError:  # it is away
            return False
        return True

    def _end_mail_fault(self, order: str) -> None:
        try:
            self._system.order_mail(**{order: 0})
        except httpx.TransportError:
            self._after(1.0, lambda: self._end_mail_fault(order))

    def _look_after_processes(self) -> None:
        for name, state in self._states.items():
            if state in {State.AWAY, State.DOWN}:
                continue
            if (status := self._system.running.ended(name)) is None:
                self._have_patience(name, state)
                continue
            end = processes.describe_end(status)
            if state is State.DOOMED and status == EXIT_STATUS:
                self.died_as_planned += 1
                self._note(f"{name} came to its failpoint")
            elif state is not State.ENDING or status not in {0, -signal.SIGTERM}:
                self._note(f"{name}, {state}, {end}")
            self._down(name, self._chance.uniform(0.2, 3.0) if state is State.ENDING else _UNTIL_IT_RESTARTS_SECONDS)

    def _doom(self, name: str, failpoint: str) -> None:
        self._system.start(name, failpoint)
        self._is_now(name, State.DOOMED)

    def _down(self, name: str, seconds: float) -> None:
        self._is_now(name, State.DOWN)
        self._after(seconds, lambda: self._start(name))

    def _start(self, name: str) -> None:
        self._system.running.wait(name)
        self._system.start(name)
        self._is_now(name, State.UP)

    def _thaw(self, name: str) -> None:
        if self._states[name] is State.FROZEN:
            self._system.running.thaw(name)
            self._is_now(name, State.UP)

    def _have_patience(self, name: str, state: State) -> None:
        """With what was asked to end, or is to die by itself: not for ever."""
        waited = time.monotonic() - self._since[name]
        if state is State.ENDING and waited > _LONGEST_END_SECONDS:
            self.wrong.append(f"{name} did not end within {_LONGEST_END_SECONDS:.0f} s of SIGTERM")
            self._system.kill(name)
        if state is State.DOOMED and waited > self._patience_seconds:
            self._note(f"{name} did not come to its failpoint")
            self._system.kill(name)
            self._down(name, 0.0)

    def _is_now(self, name: str, state: State) -> None:
        self._states[name], self._since[name] = state, time.monotonic()

    def _note(self, what: str, fault: Fault | None = None) -> None:
        self.log.append(Happened(time.time(), what, fault))

    def _after(self, seconds: float, act: Callable[[], None]) -> None:
        self._at(time.monotonic() + seconds, act)

    def _at(self, when: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._due, (when, next(self._order), act))
