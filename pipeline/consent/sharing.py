"""Leave to share one submission's answers with providers, as its ledger stands under its lock.

A `Sharing` is made here only, and whatever hands answers to a provider takes one: an offer, a provider's page.
"""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import final

from sqlalchemy import Connection

from pipeline.consent.ledger import NEVER_SAID, Standing, read_standings
from pipeline.consent.purposes import ConsentPurpose, one_provider

NO_CONSENT = "no_live_consent"
UNKNOWN_TEXT = "consent_text_unknown"
"""Why something was not done, on record. What a text that `screening.yaml` has no more promised, nobody knows."""


class NotShared(Exception):
    """Answers were about to be shown to a provider without a live consent: a mistake of ours, nothing was shown."""


@final
@dataclass(frozen=True, slots=True)
class Sharing:
    """What the person agreed to share, and has not taken back."""

    submission_id: uuid.UUID
    _standing: Standing

    @property
    def is_live(self) -> bool:
        """Whether providers in general may see the answers."""
        return self._standing.live

    @property
    def text_version(self) -> str | None:
        """Of the text that was agreed to."""
        return self._standing.text_version

    def with_provider(self, provider_id: str) -> bool:
        """Whether this provider may."""
        return self._standing.allows(one_provider(provider_id))


def sharing_allowed(connection: Connection, submission_ids: Iterable[uuid.UUID]) -> Mapping[uuid.UUID, Sharing]:
    """For each of the submissions, by one statement. It holds as long as their locks are held."""
    wanted = list(submission_ids)
    standings = read_standings(connection, wanted, [ConsentPurpose.SHARE])
    return {id_: Sharing(id_, standings.get((id_, ConsentPurpose.SHARE), NEVER_SAID)) for id_ in wanted}
