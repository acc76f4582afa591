"""What the core's database trouble is to a web handler: something to try again, or `Unavailable`."""

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from pipeline.db import is_transient
from web.problems import Unavailable

T = TypeVar("T")

_TRIES = 3
# Serialization failure and deadlock: the transaction was undone as a whole and will do when run again.
_UNDONE = frozenset({"40001", "40P01"})


def unless_unavailable(act: Callable[[], T]) -> T:
    """The answer of `act`, which is one transaction; run again if the database undid it in favour of another.

    Raises:
        Unavailable: the database cannot be reached or is too busy. Nothing was stored.
    """
    for attempt in range(1, _TRIES + 1):
        try:
            return act()
        except PoolTimeoutError:
            raise Unavailable from None
        except DBAPIError as error:
            if not is_transient(error):
                raise
            if attempt == _TRIES or getattr(error.orig, "sqlstate", None) not in _UNDONE:
                raise Unavailable from None
    raise AssertionError("unreachable")
