import json

import pytest

from config.settings import Settings
from tests.cli.conftest import Careroute
from tests.servers.dns import DnsServer

DOMAIN = "clinic.test"
WHO_WRITES = {
    "MAIL_FROM": f"care@{DOMAIN}",
    "MAIL_FROM_NAME": "Clinics",
    "CONTACT_EMAIL": f"people@{DOMAIN}",
    "ORGANISATION_NAME": "Clinics",
    "POSTAL_ADDRESS": "1 High Street, Springfield",
}


def test_doctor_fails_for_an_invented_sender_and_tells_what_mail_may_hold(
    careroute: Careroute, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found(**changes: str) -> dict[str, list[str]]:
        for name, value in {**WHO_WRITES, "MAIL_TRANSPORT": "smtp", **changes}.items():
            monkeypatch.setenv(f"CAREROUTE_{name}", value)
        told = json.loads(careroute("doctor", "--json").stdout)
        return {each["check"]: [each["outcome"], each["told"]] for each in told}

    good = found()
    assert "sender" not in good
    assert (good["mail content"][0], "public" in good["mail content"][1]) == ("good", True)
    assert (good["receipts"][0], "waits 60 s" in good["receipts"][1]) == ("note", True)
    assert "referral and one-time-code become dead letters" in good["receipts"][1]

    invented = {"MAIL_FROM": "a@b.Example", "POSTAL_ADDRESS": str(Settings.model_fields["postal_address"].default)}
    bad = found(**invented, MAIL_CLEARANCE="health")
    assert bad["sender"][0] == "failed"
    assert "set CAREROUTE_MAIL_FROM, CAREROUTE_POSTAL_ADDRESS to" in bad["sender"][1]
    note, told = bad["mail content"]
    assert (note, "information-needed, recommendation, referral say facts" in told) == ("note", True)
    assert "an agreement" in told

    assert "sender" not in found(MAIL_TRANSPORT="mailbox")


def test_doctor_looks_up_only_when_asked(careroute: Careroute, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"MAIL_TRANSPORT": "smtp", "MAIL_DKIM_SELECTORS": "key", **WHO_WRITES}.items():
        monkeypatch.setenv(f"CAREROUTE_{name}", value)
    with DnsServer({}) as server:
        quiet = careroute("doctor")
        assert (quiet.exit_code, server.asked) == (0, [])
        assert f"· mail domain   {DOMAIN} needs" in quiet.stdout
        asked = careroute("doctor", "--dns", "--dns-server", server.address, "--json")
        assert asked.exit_code == 1
        failed = [each["check"] for each in json.loads(asked.stdout) if each["outcome"] == "failed"]
        assert failed == ["SPF", "DKIM", "DMARC"]
        assert (f"key._domainkey.{DOMAIN}", "TXT") in server.asked
    assert careroute("doctor", "--dns-server", "192.0.2.1").exit_code == 2
    assert careroute("doctor", "--dns", "--dns-server", "localhost").exit_code == 2
    monkeypatch.setenv("CAREROUTE_MAIL_TRANSPORT", "mailbox")
    assert "stays here" in careroute("doctor", "--dns").stdout
