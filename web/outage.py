"""What the core's database trouble is to a web handler: something to try again, or `Unavailable`."""

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from pipeline.db import is_transient, was_undone
from web.problems import Unavailable

T = TypeVar("T")

_TRIES = 3


def unless_unavailable(act: Callable[[], T]) -> T:
    """The answer of `act`, which is one transaction; run again if the database undid it in favour of another.

    Raises:
        Unavailable: the database cannot be reached or is too busy. Nothing was stored.
    """
    for attempt in range(1, _TRIES + 1):
        try:
            return act()
        except (PoolTimeoutError, DBAPIError) as error:
            if attempt == _TRIES or not was_undone(error):
                raise as_told(error) from None
    raise AssertionError("unreachable")


def as_told(error: Exception) -> Exception:
    """What a handler raises for an error of the core: `Unavailable` if it is the database's trouble, else the error."""
    return Unavailable() if isinstance(error, PoolTimeoutError) or is_transient(error) else error
