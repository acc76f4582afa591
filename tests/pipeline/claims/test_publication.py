"""No claim comes into the network by a document that was not read from a file."""

from uuid import UUID

import pytest

from pipeline.context import Context
from pipeline.providers import PublicationRefused
from tests.pipeline.scoring.network_files import program, provider
from tests.support.networks import TAKES_EVERYONE, fitting, put_in_force


def ids(context: Context) -> set[UUID]:
    with context.database.read() as connection:
        return set(context.networks.current(connection).documents)


def test_a_document_with_a_claim_is_not_published_and_nothing_with_it(context: Context) -> None:
    claiming = provider(program([{**TAKES_EVERYONE, "person": {"en": "It is pro\u00adven.", "es": "Bien."}}]))
    before = ids(context)
    with pytest.raises(PublicationRefused, match=r"programs\.0\.require\.0\.person\.en: says “pro\u00adven”"):
        put_in_force(context, fitting("willow-creek"), claiming)
    assert ids(context) == before
