"""What the DNS of the sending domain has to say so that mail arrives: SPF, DKIM, DMARC; and whether it does.

    SPF      RFC 7208   which servers may send for the domain that bounces go to
    DKIM     RFC 6376   the key that signatures are verified with
    DMARC    RFC 7489   what happens to mail in the domain's name that neither of them, aligned with From, vouches for

Gmail and Yahoo ask for all three from whoever sends 5,000 emails a day or more, and for one-click unsubscribe.
"""

import base64
import binascii
import re
from collections.abc import Iterator

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from config.settings import MailTransport, Settings
from pipeline.email.message import Sender
from pipeline.operations.checks import LEAVES_THIS_MACHINE, Check, Outcome
from pipeline.operations.dns_records import NoReply, Records
from pipeline.operations.spf import Result, SpfMistake, count_lookups, find_spf, last_word, result_for

_SHORTEST_RSA, _GOOD_RSA = 1024, 2048
"""RFC 8301, section 3.2: verifiers take no shorter key; signers should use the longer one."""

_BULK = (
    "Gmail and Yahoo, for 5,000 emails a day or more: SPF and DKIM, one of them aligned with From; DMARC with p=none "
    "at least; one-click unsubscribe, honoured within 2 days; under 0.3 % reported as spam, better under 0.1 %; TLS; "
    "a name for the sending address that leads back to it."
)
_SIGNED = (
    "RFC 8058: the DKIM signature has to cover List-Unsubscribe and List-Unsubscribe-Post. Send yourself an email with "
    "results, and look for both in h= of DKIM-Signature."
)


def needs(settings: Settings) -> Iterator[Check]:
    """What the sending domain needs for the chosen transport; no look-up. Nothing for mail that stays here."""
    domain = _domain(settings)
    if domain is None:
        return
    if settings.mail_transport is MailTransport.SENDGRID:
        told = (
            f"{domain} needs what SendGrid shows under Sender Authentication, Authenticate Your Domain:",
            f"DKIM: CNAME s1._domainkey.{domain} and s2._domainkey.{domain}, so that it signs as {domain}",
            f"SPF: CNAME of the return path, such as em1234.{domain}; the record behind it is SendGrid's",
        )
    else:
        told = (
            f"{domain} needs, with the relay {settings.smtp_host}:",
            f"SPF: one TXT record at {_return_path(settings)}, v=spf1, with what the relay sends from, then -all",
            f"DKIM: the relay signs as {domain} (d={domain}), with its key at SELECTOR._domainkey.{domain}",
        )
    dmarc = f"DMARC: TXT _dmarc.{domain}, such as v=DMARC1; p=quarantine; rua=mailto:reports@{domain}"
    yield Check("mail domain", Outcome.NOTE, "\n".join((*told, dmarc, _SIGNED, _BULK)))
    if not settings.effective_public_url.startswith("https://"):
        told_url = "CAREROUTE_PUBLIC_URL is no https address: mail programs offer one-click unsubscribe only by https"
        yield Check("unsubscribe", Outcome.WARNING, told_url)


def look_up(settings: Settings, server: str | None = None) -> Iterator[Check]:
    """What the DNS says now, judged. Raises `WrongServer`."""
    domain = _domain(settings)
    if domain is None:
        yield Check("mail domain", Outcome.NOTE, f"nothing to look up: mail by {settings.mail_transport} stays here")
        return
    try:
        records = Records(server)
        yield from _spf(settings, records)
        yield from _dkim(settings, records, domain)
        yield _dmarc(records, domain)
    except NoReply as silence:
        yield Check("DNS", Outcome.WARNING, f"{silence}; nothing more was looked up")


def _domain(settings: Settings) -> str | None:
    if settings.mail_transport not in LEAVES_THIS_MACHINE:
        return None
    try:
        return Sender.from_settings(settings).domain.lower()
    except ValueError:  # the check of the settings says so
        return None


def _return_path(settings: Settings) -> str:
    return settings.mail_return_path_domain.strip().lower() or Sender.from_settings(settings).domain.lower()


def _spf(settings: Settings, records: Records) -> Iterator[Check]:
    domain = _return_path(settings)
    by_sendgrid = settings.mail_transport is MailTransport.SENDGRID
    if by_sendgrid and not settings.mail_return_path_domain:
        told = f"not looked up: set CAREROUTE_MAIL_RETURN_PATH_DOMAIN to the return path, such as em1234.{domain}"
        yield Check("SPF", Outcome.WARNING, told)
        return
    try:
        record = find_spf(records, domain)
        if record is None:
            what = "the CNAME that SendGrid shows" if by_sendgrid else "a TXT record, v=spf1 …, that names the relay"
            yield Check("SPF", Outcome.FAILED, f"{domain} has no SPF record: add {what}")
            return
        spent = count_lookups(records, domain)
        last = last_word(records, domain)
    except SpfMistake as mistake:
        yield Check("SPF", Outcome.FAILED, str(mistake))
        return
    if last is Result.PASS:
        yield Check("SPF", Outcome.FAILED, f"{domain} ends in +all, which lets everybody send: end it in -all or ~all")
        return
    if last is Result.NEUTRAL:
        yield Check("SPF", Outcome.WARNING, f"{domain} says nothing about all others: end it in -all or ~all")
    else:
        yield Check("SPF", Outcome.GOOD, f"one record at {domain}, {spent} of 10 look-ups")
    if not by_sendgrid:
        yield _relay(settings, records, domain)
    elif not _aligned(domain, Sender.from_settings(settings).domain):
        told = f"{domain} is not within the domain of From: DMARC rests on DKIM alone"
        yield Check("SPF", Outcome.WARNING, told)


def _relay(settings: Settings, records: Records, domain: str) -> Check:
    """Whether the record names the relay, as far as its address here is the one it sends from."""
    host = settings.smtp_host
    addresses = {each for each in records.addresses(host) if each.is_global} if host != "localhost" else set()
    if not addresses:
        told = f"{host} has no public address here: make sure that {domain} names the one that it sends from"
        return Check("SPF", Outcome.WARNING, told)
    try:
        named = all(result_for(records, domain, each) is Result.PASS for each in addresses)
    except SpfMistake as mistake:
        return Check("SPF", Outcome.FAILED, str(mistake))
    if named:
        return Check("SPF", Outcome.GOOD, f"{domain} names {host}")
    told = f"{domain} does not name {host}: unless the relay sends from other addresses, which it names, add it"
    return Check("SPF", Outcome.WARNING, told)


def _dkim(settings: Settings, records: Records, domain: str) -> Iterator[Check]:
    usual = "s1,s2" if settings.mail_transport is MailTransport.SENDGRID else ""
    selectors = [each.strip() for each in (settings.mail_dkim_selectors or usual).split(",") if each.strip()]
    if not selectors:
        told = "not looked up: set CAREROUTE_MAIL_DKIM_SELECTORS to the selectors that the relay signs with"
        yield Check("DKIM", Outcome.WARNING, told)
    for selector in selectors:
        name = f"{selector}._domainkey.{domain}"
        outcome, told = _key(records.texts(name))
        yield Check("DKIM", outcome, f"{name} {told}")


def _key(texts: tuple[str, ...]) -> tuple[Outcome, str]:
    """What a selector's record is worth (RFC 6376, 3.6.1)."""
    keys = [tags for tags in map(_tags, texts) if "p" in tags and tags.get("v", "DKIM1") == "DKIM1"]
    if len(keys) != 1:
        told = "has no key: add the record that the mail provider shows" if not keys else "has several keys: leave one"
        return Outcome.FAILED, told
    tags = keys[0]
    if not tags["p"]:
        return Outcome.FAILED, "says that its key was withdrawn: sign with another selector"
    try:
        raw = base64.b64decode(re.sub(r"\s", "", tags["p"]), validate=True)
        if tags.get("k", "rsa") == "ed25519":
            return (Outcome.GOOD, "has an Ed25519 key") if len(raw) == 32 else (Outcome.FAILED, "has a broken key")
        key = load_der_public_key(raw)
    except (ValueError, binascii.Error, UnsupportedAlgorithm):
        return Outcome.FAILED, "has a broken key: copy the record again, whole"
    if not isinstance(key, RSAPublicKey) or key.key_size < _SHORTEST_RSA:
        return Outcome.FAILED, f"has a key that nobody accepts: use RSA of {_GOOD_RSA} bits"
    if "y" in tags.get("t", "").split(":"):
        return Outcome.WARNING, "says t=y, that signatures are only being tried out: remove that"
    if key.key_size < _GOOD_RSA:
        return Outcome.WARNING, f"has an RSA key of {key.key_size} bits: {_GOOD_RSA} are better"
    return Outcome.GOOD, f"has an RSA key of {key.key_size} bits"


def _dmarc(records: Records, domain: str) -> Check:
    """The policy that holds for the domain: its own, or that of the nearest domain above."""
    labels = domain.split(".")
    for start in range(max(1, len(labels) - 1)):
        place = ".".join(labels[start:])
        found = [tags for tags in map(_tags, records.texts(f"_dmarc.{place}")) if tags.get("v") == "DMARC1"]
        if len(found) > 1:
            return Check("DMARC", Outcome.FAILED, f"_dmarc.{place} has {len(found)} records: leave one")
        if found:
            return _policy(place, found[0], is_own=start == 0)
    told = f"_dmarc.{domain} has no record: add one, such as v=DMARC1; p=quarantine; rua=mailto:reports@{domain}"
    return Check("DMARC", Outcome.FAILED, told)


def _policy(place: str, tags: dict[str, str], *, is_own: bool) -> Check:
    policy = (tags.get("p", "") if is_own else tags.get("sp", tags.get("p", ""))).lower()
    if policy in {"quarantine", "reject"}:
        return Check("DMARC", Outcome.GOOD, f"_dmarc.{place} says {policy}")
    if policy == "none":
        told = f"_dmarc.{place} says none: anybody can still write in this name; quarantine, once reports look right"
        return Check("DMARC", Outcome.WARNING, told)
    return Check("DMARC", Outcome.FAILED, f"_dmarc.{place} has no valid p=: it is none, quarantine or reject")


def _tags(text: str) -> dict[str, str]:
    """The tags of a DKIM or DMARC record (RFC 6376, 3.2)."""
    pairs = (part.partition("=") for part in text.split(";"))
    return {name.strip().lower(): value.strip() for name, equals, value in pairs if equals}


def _aligned(one: str, other: str) -> bool:
    """Whether one domain is the other or within it: relaxed alignment, without knowing where registries end."""
    one, other = one.lower(), other.lower()
    return one == other or one.endswith(f".{other}") or other.endswith(f".{one}")
