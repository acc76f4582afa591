"""One criterion, asked through the whole engine."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from pipeline.scoring import Network, score
from pipeline.scoring.facts import Answer
from tests.pipeline.scoring.network_files import program, provider, version_id

RECEIVED = date(2026, 11, 22)
NOW = datetime(2026, 11, 22, 18, 30, tzinfo=UTC)


def letter_of(
    criterion: Mapping[str, Any], answers: Mapping[str, Answer], received_on: date = RECEIVED, **at_provider: Any
) -> str:
    """What the explanation says about this criterion: `m` met, `n` not met, `u` unknown, `b` inside the margin."""
    document = provider(program([dict(criterion) | {"id": "asked"}]), **at_provider)
    network = Network.of([(version_id(document.id), document)])
    explanation = score(answers, network, received_on, NOW).explanation
    letter: str = explanation["p"][0]["g"][0]["c"]["asked"]
    return letter
