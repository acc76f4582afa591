"""The web application over a real core, and the two senders that the shipped sources know."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fastapi.testclient import TestClient
from httpx2 import Response
from pydantic import SecretStr

from config.sources import Source
from pipeline.context import Context
from pipeline.intake.admission import Admission
from pipeline.intake.webflow import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign
from pipeline.privileges import Role
from tests.config.shipped import KEY, SECRET, SOURCES
from tests.support.roles import as_role
from web.app import create_app
from web.server import compose
from web.tally import Tally

JSON = "application/json"
HOOK: Source = SOURCES.by_id["webflow-site"]


@dataclass
class RealApp:
    """`woken` lists the lanes that were woken; counts are written when `tally.flush()` is called.

    It works as production's web process does, as a database user of the group for it; the test itself may do all.
    """

    context: Context
    woken: list[str] = field(default_factory=list)
    admission: Admission = field(default_factory=lambda: Admission(1_000_000, 1_000_000))

    def __post_init__(self) -> None:
        context = as_role(self.context, Role.WEB)
        self.tally = Tally(context.database, context.sources.by_id)
        self.client = TestClient(create_app(compose(context, self.woken.append, self.tally, self.admission)))

    def push(self, body: bytes, **headers: str) -> Response:
        """POST to the API as the shipped JSON source; a header in `headers` replaces ours, `_` stands for `-`."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        standard = {"authorization": f"Bearer {KEY}", "content-type": JSON}
        return self.client.post("/v1/submissions", content=body, headers=standard | given)

    def hook(self, body: bytes, *, source: str = HOOK.id, age_seconds: float = 0, **headers: str) -> Response:
        """POST a webhook delivery as Webflow signs it, `age_seconds` ago."""
        timestamp = str(int((time.time() - age_seconds) * 1000))
        signed = {TIMESTAMP_HEADER: timestamp, SIGNATURE_HEADER: sign(body, timestamp, SecretStr(SECRET))}
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post(f"/v1/hooks/{source}", content=body, headers={"content-type": JSON} | signed | given)


def webflow_body(answers: Mapping[str, Any], vendor_id: str | None = "65f0c2") -> bytes:
    """A form submission as Webflow sends it: values by the names of its fields, choices as text with commas."""
    data = {
        HOOK.fields[name]: ", ".join(value) if isinstance(value, list) else value for name, value in answers.items()
    }
    for consent in ("consent_contact", "consent_share"):
        if HOOK.fields[consent] in data:
            data[HOOK.fields[consent]] = "true"
    payload: dict[str, Any] = {"name": "Screening", "data": data} | ({"id": vendor_id} if vendor_id else {})
    return json.dumps({"triggerType": "form_submission", "payload": payload}).encode()
