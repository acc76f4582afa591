"""What doctor makes of a domain's DNS, asked of a real server on loopback."""

import base64
import json
from functools import cache
from ipaddress import ip_address
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from config.settings import Settings
from pipeline.operations.checks import Outcome
from pipeline.operations.dns_records import Records, WrongServer
from pipeline.operations.mail_domain import look_up, needs
from pipeline.operations.spf import Result, result_for
from tests.servers.dns import BROKEN, SILENT, DnsServer, Zone

GOOD, WARNING, FAILED, NOTE = Outcome.GOOD, Outcome.WARNING, Outcome.FAILED, Outcome.NOTE
DOMAIN = "clinic.example"


@cache
def rsa(bits: int) -> str:
    public = generate_private_key(65537, bits).public_key()
    return base64.b64encode(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


def txt(*texts: str) -> list[str]:
    """Records as they stand in a zone file: strings of at most 255 characters."""
    return [" ".join(json.dumps(text[start : start + 255]) for start in range(0, len(text), 255)) for text in texts]


def sending(**changes: Any) -> Settings:
    return Settings(
        **{"mail_transport": "smtp", "mail_from": f"care@{DOMAIN}", "smtp_host": "relay.example", **changes}
    )


def found(zone: Zone, **changes: Any) -> dict[str, list[tuple[Outcome, str]]]:
    """What each check says, by its name."""
    told: dict[str, list[tuple[Outcome, str]]] = {}
    with DnsServer(zone) as server:
        for check in look_up(sending(**changes), server.address):
            told.setdefault(check.name, []).append((check.outcome, check.told))
    return told


def outcomes(zone: Zone, check: str, **changes: Any) -> list[Outcome]:
    return [outcome for outcome, _ in found(zone, **changes).get(check, [])]


RELAY = {("relay.example", "A"): ["8.8.8.8"], ("relay.example", "AAAA"): ["2001:4860:4860::8888"]}


def test_a_domain_as_sendgrid_wants_it_is_good() -> None:
    zone = {
        (f"s1._domainkey.{DOMAIN}", "CNAME"): ["s1.domainkey.u1.wl.sender.example."],
        (f"s2._domainkey.{DOMAIN}", "CNAME"): ["s2.domainkey.u1.wl.sender.example."],
        ("s1.domainkey.u1.wl.sender.example", "TXT"): txt(f"k=rsa; t=s; p={rsa(2048)}"),
        ("s2.domainkey.u1.wl.sender.example", "TXT"): txt(f"v=DKIM1; k=rsa; p={rsa(2048)}"),
        (f"em1.{DOMAIN}", "CNAME"): ["u1.wl.sender.example."],
        ("u1.wl.sender.example", "TXT"): txt("v=spf1 ip4:167.89.0.0/17 -all", "something else"),
        (f"_dmarc.{DOMAIN}", "TXT"): txt("v=DMARC1; p=reject; rua=mailto:r@clinic.example"),
    }
    told = found(zone, mail_transport="sendgrid", mail_return_path_domain=f"em1.{DOMAIN}")
    assert {name: [outcome for outcome, _ in each] for name, each in told.items()} == {
        "SPF": [GOOD],
        "DKIM": [GOOD, GOOD],
        "DMARC": [GOOD],
    }
    assert outcomes(zone, "SPF", mail_transport="sendgrid") == [WARNING], "nobody can guess the return path"
    assert outcomes({}, "DKIM", mail_transport="sendgrid") == [FAILED, FAILED]


ELEVEN = "v=spf1 " + " ".join(f"a:h{number}.example" for number in range(11)) + " -all"
NESTED = {
    ("a.example", "TXT"): txt("v=spf1 include:b.example include:b.example include:b.example ~all"),
    ("b.example", "TXT"): txt("v=spf1 mx:c.example a:d.example ?all"),
}


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        (["v=spf1 ip4:8.8.8.0/24 ip6:2001:4860::/32 -all"], [GOOD, GOOD]),
        (["v=spf1 a:relay.example ~all"], [GOOD, GOOD]),
        (["v=spf1 mx -all", "other"], [GOOD, GOOD]),
        (["v=spf1 include:spf.example -all"], [GOOD, GOOD]),
        (["v=spf1 redirect=spf.example"], [GOOD, GOOD]),
        (["v=spf1 mx redirect=nothing.example -all"], [GOOD, GOOD]),
        (["v=spf1 ip4:9.9.9.9 -all"], [GOOD, WARNING]),
        (["v=spf1 -a:relay.example +mx -all"], [GOOD, WARNING]),
        (["v=spf1 ip4:8.8.8.8 ip6:2001:4860:4860::8888 ?all"], [WARNING, GOOD]),
        (["v=spf1 ip4:8.8.8.8 ip6:2001:4860:4860::8888"], [WARNING, GOOD]),
        (["v=spf1 exists:%{i}.x.example mx -all"], [GOOD, GOOD]),
        (["v=spf1 +all"], [FAILED]),
        (["v=spf1 all"], [FAILED]),
        (["v=spf1 redirect=open.example"], [FAILED]),
        ([], [FAILED]),
        (["v=spf10 -all"], [FAILED]),
        (["v=spf1 -all", "v=spf1 mx -all"], [FAILED]),
        ([ELEVEN], [FAILED]),
        (["v=spf1 include:a.example include:b.example -all"], [FAILED]),
        (["v=spf1 include:a.example -all"], [GOOD, WARNING]),
        (["v=spf1 include:nothing.example -all"], [FAILED]),
        ([f"v=spf1 include:{DOMAIN} -all"], [FAILED]),
        (["v=spf1 ipv4:8.8.8.8 -all"], [FAILED]),
        (["v=spf1 ip4:8.8.8.8/33 -all"], [FAILED]),
        (["v=spf1 include -all"], [FAILED]),
    ],
)
def test_spf_is_judged_as_a_receiver_would(records: list[str], expected: list[Outcome]) -> None:
    zone = {
        (DOMAIN, "TXT"): txt(*records),
        (DOMAIN, "MX"): ["10 relay.example."],
        ("spf.example", "TXT"): txt("v=spf1 ip4:8.8.8.8 ip6:2001:4860:4860::8888 -all"),
        ("open.example", "TXT"): txt("v=spf1 +all"),
        **RELAY,
        **NESTED,
    }
    assert outcomes(zone, "SPF") == expected


def test_prefixes_and_order_count() -> None:
    zone = {
        ("x.example", "TXT"): txt("v=spf1 -ip4:8.8.8.9 a:relay.example/24//64 mx:y.example -all"),
        ("y.example", "MX"): ["10 relay2.example."],
        ("relay2.example", "A"): ["9.9.9.9"],
        **RELAY,
    }
    expected = {"8.8.8.200": "pass", "8.8.8.9": "fail", "8.8.9.1": "fail", "9.9.9.9": "pass", "9.9.9.8": "fail"}
    expected |= {"2001:4860:4860::1": "pass", "2001:4860:4861::1": "fail"}
    with DnsServer(zone) as server:
        records = Records(server.address)
        assert {each: result_for(records, "x.example", ip_address(each)) for each in expected} == {
            each: Result(result) for each, result in expected.items()
        }
        assert len(server.asked) == len(set(server.asked)), "every answer is kept"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "10.1.2.3", "nowhere.example"])
def test_a_relay_without_a_public_address_cannot_be_judged(host: str) -> None:
    assert outcomes({(DOMAIN, "TXT"): txt("v=spf1 mx -all")}, "SPF", smtp_host=host) == [GOOD, WARNING]


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (lambda: f"v=DKIM1; p={rsa(2048)}", GOOD),
        (lambda: f"v=DKIM1; k=rsa; p={rsa(2048)[:60]} {rsa(2048)[60:]}", GOOD),
        (lambda: f"v=DKIM1; k=ed25519; p={base64.b64encode(b'k' * 32).decode()}", GOOD),
        (lambda: f"v=DKIM1; p={rsa(1024)}", WARNING),
        (lambda: f"v=DKIM1; t=y:s; p={rsa(2048)}", WARNING),
        (lambda: "v=DKIM1; p=", FAILED),
        (lambda: f"v=DKIM1; p={rsa(2048)[:-40]}", FAILED),
        (lambda: "v=DKIM1; k=ed25519; p=AAAA", FAILED),
        (lambda: f"v=DKIM2; p={rsa(2048)}", FAILED),
        (lambda: "v=spf1 -all", FAILED),
    ],
)
def test_a_key_is_judged_by_what_can_be_verified_with_it(record: Any, expected: Outcome) -> None:
    zone = {(DOMAIN, "TXT"): txt("v=spf1 mx -all"), (f"key._domainkey.{DOMAIN}", "TXT"): txt(record())}
    assert outcomes(zone, "DKIM", mail_dkim_selectors=" key ") == [expected]


@pytest.mark.parametrize(
    ("own", "above", "expected"),
    [
        (["v=DMARC1; p=quarantine"], [], GOOD),
        (["v=DMARC1;p=REJECT;sp=none"], [], GOOD),
        (["v=DMARC1; p=none"], ["v=DMARC1; p=reject"], WARNING),
        ([], ["v=DMARC1; p=reject"], GOOD),
        ([], ["v=DMARC1; p=reject; sp=none"], WARNING),
        (["some verification"], ["v=DMARC1; p=reject"], GOOD),
        (["v=DMARC1; p=reject", "v=DMARC1; p=none"], [], FAILED),
        (["v=DMARC1; p=maybe"], [], FAILED),
        (["v=DMARC1; rua=mailto:a@b.example"], [], FAILED),
        ([], [], FAILED),
    ],
)
def test_the_policy_that_holds_is_found(own: list[str], above: list[str], expected: Outcome) -> None:
    zone = {
        (DOMAIN, "TXT"): txt("v=spf1 mx -all"),
        ("_dmarc.mail.clinic.example", "TXT"): txt(*own),
        ("_dmarc.clinic.example", "TXT"): txt(*above),
    }
    changes = {"mail_from": "care@mail.clinic.example", "mail_return_path_domain": DOMAIN}
    assert outcomes(zone, "DMARC", **changes) == [expected]


@pytest.mark.parametrize("failure", [SILENT, BROKEN])
def test_a_server_that_does_not_answer_is_no_verdict(failure: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.operations.dns_records.SECONDS", 0.2)
    told = found({(DOMAIN, "TXT"): failure})
    assert {name: [outcome for outcome, _ in each] for name, each in told.items()} == {"DNS": [WARNING]}


@pytest.mark.parametrize(
    "server", ["dns.example", "127.0.0.1:port", "127.0.0.1:65536", "127.0.0.1:", "[::1", "::1]:53", ""]
)
def test_a_server_is_named_by_its_address(server: str) -> None:
    with pytest.raises(WrongServer):
        Records(server)


@pytest.mark.parametrize("server", ["192.0.2.1", "192.0.2.1:5353", "::1", "[::1]", "[::1]:5353"])
def test_with_or_without_a_port(server: str) -> None:
    Records(server)


def test_what_is_needed_is_said_for_the_transport_without_a_look_up() -> None:
    secure = {"public_url": "https://screening.clinic.example"}
    (by_sendgrid,) = needs(sending(mail_transport="sendgrid", **secure))
    assert (by_sendgrid.outcome, f"s1._domainkey.{DOMAIN}" in by_sendgrid.told) == (NOTE, True)
    (by_relay,) = needs(sending(**secure))
    for word in ("relay.example", "SPF", "DKIM", "_dmarc.clinic.example", "List-Unsubscribe-Post", "Gmail"):
        assert word in by_relay.told
    assert [check.outcome for check in needs(sending())] == [NOTE, WARNING], "one click needs https"
    assert not list(needs(sending(mail_transport="mailbox")))
    assert not list(needs(sending(mail_from="nobody")))
