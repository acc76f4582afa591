"""How two kinds of web forms send a person's answers: to the JSON API with a key, and as a signed Webflow webhook."""

import json
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from config.screening import QuestionType, Screening
from config.sources import Adapter, Source, Sources
from embedded.demo_people import Part, Person
from pipeline.intake.webflow import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign

_SITE = "65427cf400e02b306eaa049c"
_CHANGED_FIELDS = {"Your full name": "—", "How did you hear about us": "A friend", "Message": "Please call me"}
"""What a form sends after somebody has built it anew: nothing that the field mapping knows."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One request. Sent again, it carries the same body and key, as a form's retry does."""

    number: int
    path: str
    body: bytes
    headers: Mapping[str, str]
    signed_for: Source | None = None

    def signed(self) -> dict[str, str]:
        """The headers, with the time and signature of a webhook that is sent now."""
        if self.signed_for is None:
            return dict(self.headers)
        timestamp = str(time.time_ns() // 1_000_000)
        signature = sign(self.body, timestamp, self.signed_for.secrets[0])
        return {**self.headers, TIMESTAMP_HEADER: timestamp, SIGNATURE_HEADER: signature}


class NoSuchSource(Exception):
    """`sources.yaml` has no source of a kind that the demo posts as."""


@dataclass(frozen=True, slots=True)
class Forms:
    """The two web forms of the demo."""

    screening: Screening
    api: Source
    webflow: Source

    @classmethod
    def of(cls, screening: Screening, sources: Sources) -> "Forms":
        """The first source of each kind that has a live secret. Raises `NoSuchSource`."""
        found = {}
        for adapter in (Adapter.JSON, Adapter.WEBFLOW):
            usable = (source for source in sources.by_id.values() if source.adapter is adapter and source.secrets)
            found[adapter] = next(usable, None)
        api, webflow = found[Adapter.JSON], found[Adapter.WEBFLOW]
        if api is None or webflow is None:
            raise NoSuchSource("the demo posts as a json and as a webflow source: sources.yaml needs one of each")
        return cls(screening, api, webflow)

    def delivery(self, person: Person) -> Delivery:
        """The person's request: even numbers use the JSON API, odd ones Webflow."""
        return self._to_api(person) if person.number % 2 == 0 else self._by_webflow(person)

    def _to_api(self, person: Person) -> Delivery:
        headers = {
            "Content-Type": "application/json",
            "Authorization": f"Bearer {self.api.secrets[0].get_secret_value()}",
            "Idempotency-Key": str(uuid.uuid4()),
        }
        return Delivery(person.number, "/v1/submissions", _json({"answers": person.answers}), headers)

    def _by_webflow(self, person: Person) -> Delivery:
        data = _CHANGED_FIELDS if person.part is Part.CHANGED_FORM else self._fields(person.answers)
        body = {
            "triggerType": "form_submission",
            "payload": {
                "name": "Screening",
                "siteId": _SITE,
                "data": data,
                "submittedAt": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime()),
                "id": uuid.uuid4().hex[:24],
                "formId": "65429eadebe8a9f3a30f62d0",
                "formElementId": "4e038d2c-6a1e-4953-7be9-a59a2b453177",
            },
        }
        headers = {"Content-Type": "application/json"}
        return Delivery(person.number, f"/v1/hooks/{self.webflow.id}", _json(body), headers, self.webflow)

    def _fields(self, answers: Mapping[str, object]) -> dict[str, object]:
        """The answers as the vendor's form names and words them."""
        return {
            field: self._worded(question_id, answers[question_id])
            for question_id, field in self.webflow.fields.items()
            if question_id in answers
        }

    def _worded(self, question_id: str, answer: object) -> object:
        question = self.screening.by_id[question_id]
        if question.type is QuestionType.CONSENT:
            return "true"
        if isinstance(answer, list):
            return ", ".join(str(self._worded(question_id, option)) for option in answer)
        words = {option: word for word, option in self.webflow.values.get(question_id, {}).items()}
        labels = {option.id: option.label.en for option in question.options}
        return words.get(str(answer)) or labels.get(str(answer)) or answer


def _json(document: Mapping[str, object]) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode()
