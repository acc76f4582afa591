"""From the raw bytes of a kept submission to raw answers by question id, as its source's adapter says."""

from collections.abc import Mapping

import orjson

from config.screening import LANGUAGES, Screening
from config.sources import Adapter, Source, Sources
from pipeline.intake.json_api import read_submission
from pipeline.intake.mapping import MappingFailure, map_fields
from pipeline.intake.payload import PayloadMistake, read_object
from pipeline.intake.webflow import read_form

HOSTED_SOURCE = "screening"
"""The id in `sources.yaml` of our own form."""


class Unreadable(Exception):
    """Software cannot make answers of it. `reason` is a code; nothing of the content is repeated."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def read_answers(sources: Sources, screening: Screening, source_id: str, body: bytes) -> Mapping[str, object]:
    """Raises `Unreadable`."""
    source = sources.by_id.get(source_id)
    if source is None:
        raise Unreadable("source_not_configured")
    try:
        return _answers(source, screening, body)
    except PayloadMistake as mistake:
        raise Unreadable(mistake.rule.value) from None
    except MappingFailure as failure:
        raise Unreadable(failure.reason.value) from None


def read_form_language(source_id: str, body: bytes) -> str | None:
    """The language in which the form was shown, as only our own says; of a body that `read_answers` could read."""
    if source_id != HOSTED_SOURCE:
        return None
    language = orjson.loads(body).get("form_language")
    return language if language in LANGUAGES else None


def _answers(source: Source, screening: Screening, body: bytes) -> Mapping[str, object]:
    payload = read_object(body)
    match source.adapter:
        case Adapter.WEBFLOW:
            return map_fields(source, screening, read_form(payload).data)
        case Adapter.HOSTED:
            return read_submission({"answers": payload.get("answers")}).answers
        case Adapter.JSON:
            return read_submission(payload).answers
