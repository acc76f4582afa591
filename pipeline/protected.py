"""Values that must not leave by accident: what people said about their health and how to reach them.

A `Protected` value refuses to be printed, formatted, compared, iterated, hashed, pickled or serialised. The one way to
its content is a `Disclosure`, which names the purpose and the recipient and is on record.

    with begin(…) as unit:
        disclosure = disclose(unit, submission_id, Purpose.REVIEW, str(unit.actor))
        condition = disclosure.reveal(answers["condition"])
"""

import hmac
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, Never, NoReturn, TypeVar, final

from config.screening import DataClass
from pipeline.audit.actions import Action, Detail
from pipeline.audit.record import DetailValue
from pipeline.unit_of_work import UnitOfWork

T = TypeVar("T")


class DisclosureRefused(Exception):
    """Something tried to use a protected value without a disclosure. Names its class of data, never the value."""


class Purpose(StrEnum):
    """Why facts are shown or handed on; part of an accounting of disclosures (45 CFR 164.528)."""

    OWN_REQUEST = "own_request"
    REFERRAL = "referral"
    REVIEW = "review"
    DELIVERY = "delivery"
    """An address is given to a transport so that it can deliver a message."""
    BREACH = "breach"
    """Staff find out where people live, or how to reach them, whose facts reached somebody they were not meant for."""


@final
class Protected(Generic[T]):
    """One value of a data class. Its `repr` says only of which: tracebacks and debuggers may show that."""

    __slots__ = ("_content", "data_class")

    data_class: DataClass

    def __init__(self, value: T, data_class: DataClass) -> None:
        _CONTENT.__set__(self, value)
        object.__setattr__(self, "data_class", data_class)

    def matches(self, candidate: str) -> bool:
        """Whether the value's text is `candidate`, in constant time: for a second factor."""
        text = str(_CONTENT.__get__(self)).encode("utf-8", "surrogatepass")
        return hmac.compare_digest(text, candidate.encode("utf-8", "surrogatepass"))

    def __repr__(self) -> str:
        return f"<protected: {self.data_class}>"

    def _refuse(self, *_: object) -> NoReturn:
        raise DisclosureRefused(f"a value of class {self.data_class} was used without a disclosure")

    def __getattr__(self, name: str) -> Never:
        if name.startswith("__"):  # copying and introspection ask for methods that are not there
            raise AttributeError(name)
        self._refuse()

    def _keep(self, *_: object) -> NoReturn:
        raise AttributeError("protected values do not change")

    __setattr__ = __delattr__ = _keep
    __str__ = __format__ = __bytes__ = __bool__ = __len__ = __length_hint__ = _refuse
    __iter__ = __reversed__ = __contains__ = __getitem__ = __setitem__ = __delitem__ = __call__ = _refuse
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __hash__ = _refuse
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __mod__ = __rmod__ = _refuse
    __truediv__ = __rtruediv__ = __floordiv__ = __rfloordiv__ = __pow__ = __rpow__ = _refuse
    __and__ = __rand__ = __or__ = __ror__ = __xor__ = __rxor__ = __matmul__ = __rmatmul__ = _refuse
    __neg__ = __pos__ = __abs__ = __invert__ = __round__ = __trunc__ = _refuse
    __int__ = __float__ = __complex__ = __index__ = __fspath__ = __enter__ = __exit__ = _refuse
    __html__ = __reduce__ = __reduce_ex__ = __getstate__ = __copy__ = __deepcopy__ = _refuse


_CONTENT: Any = Protected.__dict__["_content"]
# No attribute leads to the content, not even from a template: `{{ details._content }}` is refused like any other name.
del Protected._content  # type: ignore[attr-defined]  # noqa: SLF001


@dataclass(frozen=True, slots=True)
class Disclosure:
    """Leave to reveal protected values, for one purpose and to one recipient.

    Made by `disclose`, which records it; the delivery stage alone makes its own, and puts `details` into the record of
    each email's outcome.
    """

    purpose: Purpose
    recipient: str
    """`person`, `provider:<id>`, `staff:<user>` or `transport:<name>`."""

    @property
    def details(self) -> dict[Detail, DetailValue]:
        return {Detail.PURPOSE: self.purpose.value, Detail.RECIPIENT: self.recipient}

    def reveal(self, value: Protected[T]) -> T:
        content: T = _CONTENT.__get__(value)
        return content


def disclose(
    unit: UnitOfWork,
    submission_id: uuid.UUID,
    purpose: Purpose,
    recipient: str,
    details: Mapping[Detail, DetailValue] | None = None,
) -> Disclosure:
    """Put a disclosure on record, in the transaction that reads the facts, and give leave to reveal them.

    The facts may leave after its commit only.
    """
    disclosure = Disclosure(purpose, recipient)
    unit.record(submission_id, Action.FACTS_DISCLOSED, {**(details or {}), **disclosure.details})
    return disclosure
