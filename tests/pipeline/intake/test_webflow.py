import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from pipeline.intake.mapping import MappingFailure
from pipeline.intake.webflow import SignatureRefused, SignatureRule, WebflowForm, read_form, verify_signature

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
TIMESTAMP = str(int(NOW.timestamp() * 1000))
BODY = '{"payload": {"data": {"Name": "José"}}}'.encode()
OLD, NEW = SecretStr("old secret"), SecretStr("new secret")


def signature(secret: str, timestamp: str = TIMESTAMP, body: bytes = BODY) -> str:
    """As Webflow documents it, written down a second time."""
    return hmac.new(secret.encode(), f"{timestamp}:".encode() + body, hashlib.sha256).hexdigest()


def headers(signed: str, timestamp: str = TIMESTAMP) -> dict[str, str]:
    return {"x-webflow-signature": signed, "x-webflow-timestamp": timestamp}


@pytest.mark.parametrize("secret", ["old secret", "new secret"])
@pytest.mark.parametrize("late", [-300, 0, 300])
def test_any_live_secret_signs_within_five_minutes(secret: str, late: int) -> None:
    verify_signature(BODY, headers(signature(secret)), [OLD, NEW], NOW + timedelta(seconds=late))


def test_the_signature_may_be_in_capitals() -> None:
    verify_signature(BODY, headers(signature("new secret").upper()), [NEW], NOW)


@pytest.mark.parametrize(
    ("sent", "rule"),
    [
        ({}, SignatureRule.NO_SIGNATURE),
        ({"x-webflow-timestamp": TIMESTAMP}, SignatureRule.NO_SIGNATURE),
        ({"x-webflow-signature": signature("new secret")}, SignatureRule.NO_TIMESTAMP),
        (headers(signature("new secret"), "yesterday"), SignatureRule.NO_TIMESTAMP),
        (headers(signature("new secret"), "-1"), SignatureRule.NO_TIMESTAMP),
        (headers(signature("new secret"), "٣" * 13), SignatureRule.NO_TIMESTAMP),
        (headers(signature("new secret"), "9" * 16), SignatureRule.NO_TIMESTAMP),
        (headers(signature("new secret", "9" * 15), "9" * 15), SignatureRule.STALE_TIMESTAMP),
        (headers(signature("new secret", TIMESTAMP[:-3]), TIMESTAMP[:-3]), SignatureRule.STALE_TIMESTAMP),
        (headers(signature("retired secret")), SignatureRule.WRONG_SIGNATURE),
        (headers(signature("new secret", body=BODY + b" ")), SignatureRule.WRONG_SIGNATURE),
        (headers(signature("new secret", str(int(TIMESTAMP) + 1))), SignatureRule.WRONG_SIGNATURE),
        (headers("é" * 64), SignatureRule.WRONG_SIGNATURE),
    ],
)
def test_anything_else_is_refused(sent: dict[str, str], rule: SignatureRule) -> None:
    with pytest.raises(SignatureRefused) as caught:
        verify_signature(BODY, sent, [OLD, NEW], NOW)
    assert caught.value.rule is rule


def test_a_signature_five_minutes_and_a_second_old_is_stale() -> None:
    for late in (-301, 301):
        with pytest.raises(SignatureRefused, match="stale_timestamp"):
            verify_signature(BODY, headers(signature("new secret")), [NEW], NOW + timedelta(seconds=late))


def test_without_a_live_secret_nothing_is_accepted() -> None:
    with pytest.raises(SignatureRefused, match="no_live_secret"):
        verify_signature(BODY, headers(signature("")), [], NOW)


def test_a_documented_payload_is_read() -> None:
    body = {
        "triggerType": "form_submission",
        "payload": {
            "name": "Screening",
            "id": "6321ca84df3949bfc6752327",
            "data": {"First Name": "Zaphod"},
            "schema": [],
        },
    }
    assert read_form(body) == WebflowForm("6321ca84df3949bfc6752327", {"First Name": "Zaphod"})


@pytest.mark.parametrize("vendor_id", [None, 7, "", "x" * 101, "a\0"])
def test_an_unusable_id_does_not_cost_the_submission(vendor_id: object) -> None:
    assert read_form({"payload": {"id": vendor_id, "data": {}}}).vendor_id is None


@pytest.mark.parametrize(
    "body", [{}, {"payload": []}, {"payload": {"data": "x"}}, {"triggerType": "site_publish", "payload": {"data": {}}}]
)
def test_another_shape_cannot_be_mapped(body: dict[str, Any]) -> None:
    with pytest.raises(MappingFailure, match="not_the_vendors_shape"):
        read_form(body)
