import json

import pytest

from tests.cli.conftest import Careroute
from tests.servers.dns import DnsServer

DOMAIN = "clinic.example"


def test_doctor_looks_up_only_when_asked(careroute: Careroute, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"TRANSPORT": "smtp", "FROM": f"care@{DOMAIN}", "DKIM_SELECTORS": "key"}.items():
        monkeypatch.setenv(f"CAREROUTE_MAIL_{name}", value)
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
