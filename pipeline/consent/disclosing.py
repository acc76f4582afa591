"""Facts are shown to a provider only by leave of the person."""

from collections.abc import Mapping

from pipeline.audit.actions import Detail
from pipeline.audit.record import DetailValue
from pipeline.consent.purposes import one_provider
from pipeline.consent.sharing import NotShared, Sharing
from pipeline.protected import Disclosure, Purpose, disclose
from pipeline.unit_of_work import UnitOfWork


def disclose_to_provider(
    unit: UnitOfWork, sharing: Sharing | None, provider_id: str, details: Mapping[Detail, DetailValue]
) -> Disclosure:
    """As `disclose`, for a referral. `sharing` was read under the submission's lock. Raises `NotShared`."""
    if sharing is None or not sharing.with_provider(provider_id):
        raise NotShared(provider_id)
    return disclose(unit, sharing.submission_id, Purpose.REFERRAL, one_provider(provider_id), details)
