"""Calling a transport for many emails: several at a time, and no further one once it failed for everybody."""

import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import structlog

from pipeline.breaker import Breaker
from pipeline.email.message import Outgoing
from pipeline.engine.stage import whereabouts
from pipeline.transports.receipt import Receipt, SendOutcome, Transport

log = structlog.get_logger(__name__)

_NOT_CALLED = Receipt(SendOutcome.NOT_CALLED)

Parcel = tuple[Outgoing, bytes]


def _place(indexed: tuple[int, Receipt]) -> int:
    return indexed[0]


class MailCalls:
    """At most `concurrency` calls at a time, from threads that are kept with their connections."""

    def __init__(self, transport: Transport, breaker: Breaker, concurrency: int) -> None:
        self._transport = transport
        self._breaker = breaker
        self._pool = ThreadPoolExecutor(concurrency, thread_name_prefix="mail") if concurrency > 1 else None

    def begin(self, parcels: Sequence[Parcel]) -> Callable[[], list[Receipt]]:
        """Start the calls. What is returned waits for them, and gives a receipt each, in order.

        A breaker that is open lets one through first, and the rest if that one gets on. Any one: if it were always the
        oldest, a single email that is refused as if for everybody would hold up all the others for ever.
        """
        order = list(range(len(parcels)))
        first: list[Receipt] = []
        if order and self._breaker.needs_probe:
            order.insert(0, order.pop(random.randrange(len(order))))  # noqa: S311 - fairness, not a secret
            first.append(self._call(parcels[order[0]]))
        left = [parcels[index] for index in order[len(first) :]]
        # Without threads, each call is made when its answer is asked for.
        answers = self._pool.map(self._call, left) if self._pool is not None else map(self._call, left)
        return lambda: [receipt for _, receipt in sorted(zip(order, [*first, *answers], strict=True), key=_place)]

    def _call(self, parcel: Parcel) -> Receipt:
        if self._breaker.tripped_by is not None:
            return _NOT_CALLED
        message, content = parcel
        try:
            receipt = self._transport.send(message, content)
        except Exception as error:  # noqa: BLE001 - whatever it was, the call may have gone through
            log.error("transport broke", email=str(message.email_id), **whereabouts(error))
            receipt = Receipt(SendOutcome.UNCERTAIN, code=f"unexpected:{type(error).__name__}")
        self._breaker.heard(receipt)
        return receipt
