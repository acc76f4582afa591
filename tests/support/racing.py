"""Doing the same thing several times at once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

T = TypeVar("T")


def at_once(times: int, act: Callable[[int], T]) -> list[T]:
    """What `act` returned for each number from 0, all started together, each in its own thread."""
    gate = Barrier(times)

    def run(number: int) -> T:
        gate.wait()
        return act(number)

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(run, range(times)))
