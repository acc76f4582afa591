"""SPF (RFC 7208): what a domain's record says, how many look-ups it costs, and whether it lets an address send."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_network

from pipeline.operations.dns_records import Address, Records

MOST_LOOKUPS = 10
"""Section 4.6.4: with more, a receiver gives up and treats the record as broken."""

_COSTS_A_LOOKUP = frozenset({"include", "a", "mx", "ptr", "exists", "redirect"})
_TERM = re.compile(
    r"(?P<qualifier>[-+?~]?)(?P<name>all|include|a|mx|ptr|exists)(?::(?P<value>[^/\s]+))?"
    r"(?P<prefixes>(?:/\d{1,3})?(?://\d{1,3})?)",
    re.IGNORECASE,
)
_IP_TERM = re.compile(r"(?P<qualifier>[-+?~]?)(?P<name>ip4|ip6):(?P<value>[0-9a-f.:]+(?:/\d{1,3})?)", re.IGNORECASE)
_MODIFIER = re.compile(r"(?P<name>[a-z][a-z0-9_.-]*)=(?P<value>\S*)", re.IGNORECASE)


class Result(StrEnum):
    """What a record says about an address."""

    PASS = "pass"  # noqa: S105 - a word of the RFC
    FAIL = "fail"
    SOFTFAIL = "softfail"
    NEUTRAL = "neutral"


_RESULTS = {"+": Result.PASS, "-": Result.FAIL, "~": Result.SOFTFAIL, "?": Result.NEUTRAL}


class SpfMistake(Exception):
    """No receiver can use the record; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Term:
    """One mechanism, or the modifier `redirect`. `value` is a domain or a network; empty: the domain itself."""

    qualifier: str
    name: str
    value: str
    prefixes: str


def find_spf(records: Records, domain: str) -> str | None:
    """The domain's one record. Raises `SpfMistake` if there are several, which is as bad as none (section 4.5)."""
    found = [text for text in records.texts(domain) if re.match(r"v=spf1(\s|$)", text, re.IGNORECASE)]
    if len(found) > 1:
        raise SpfMistake(f"{domain} has {len(found)} SPF records, and may have one: join them")
    return found[0] if found else None


def terms_of(domain: str, record: str) -> list[Term]:
    """What a record consists of. Raises `SpfMistake` naming a term that is none."""
    terms = []
    for word in record.split()[1:]:
        if match := _IP_TERM.fullmatch(word) or _TERM.fullmatch(word):
            parts = match.groupdict()
            name = parts["name"].lower()
            if name in {"ip4", "ip6"} and not _is_network(parts["value"]):
                raise SpfMistake(f"{domain}: {word} names no network")
            if name in {"include", "exists"} and not parts["value"]:
                raise SpfMistake(f"{domain}: {word} names no domain")
            terms.append(Term(parts["qualifier"] or "+", name, parts["value"] or "", parts.get("prefixes") or ""))
        elif match := _MODIFIER.fullmatch(word):
            if match["name"].lower() == "redirect":
                terms.append(Term("+", "redirect", match["value"], ""))
        else:
            raise SpfMistake(f"{domain}: {word} is no SPF term")
    return terms


def count_lookups(records: Records, domain: str) -> int:
    """What the record costs in the worst case, with all it includes. Raises `SpfMistake`, also when it is too much."""
    spent = 0

    def walk(name: str, above: tuple[str, ...]) -> None:
        nonlocal spent
        for term in _read(records, name):
            if term.name not in _COSTS_A_LOOKUP:
                continue
            spent += 1
            if spent > MOST_LOOKUPS:
                raise SpfMistake(f"{domain} needs more than {MOST_LOOKUPS} look-ups with all that it includes")
            if term.name in {"include", "redirect"} and "%" not in term.value:
                if term.value.lower() in above:
                    raise SpfMistake(f"{domain} includes {term.value} in a circle")
                walk(term.value, (*above, term.value.lower()))

    walk(domain, (domain.lower(),))
    return spent


def last_word(records: Records, domain: str) -> Result:
    """What is said about whoever no other term names: the result of `all`."""
    for term in _read(records, domain):
        if term.name == "all":
            return _RESULTS[term.qualifier]
        if term.name == "redirect":
            return last_word(records, term.value)
    return Result.NEUTRAL


def result_for(records: Records, domain: str, address: Address) -> Result:
    """What the record says about mail from `address`. Terms with macros, and `ptr`, count as not matching.

    Raises `SpfMistake`. To be called when `count_lookups` found an end.
    """
    for term in _read(records, domain):
        if term.name == "redirect":
            return result_for(records, term.value, address)
        if _matches(records, domain, term, address):
            return _RESULTS[term.qualifier]
    return Result.NEUTRAL


def _read(records: Records, domain: str) -> Iterator[Term]:
    """The terms in the order they are judged in: `redirect` last, and only without `all` (section 6.1)."""
    record = find_spf(records, domain)
    if record is None:
        raise SpfMistake(f"{domain} has no SPF record")
    terms = terms_of(domain, record)
    yield from (term for term in terms if term.name != "redirect")
    if not any(term.name == "all" for term in terms):
        yield from (term for term in terms if term.name == "redirect")


def _matches(records: Records, domain: str, term: Term, address: Address) -> bool:
    if "%" in term.value:
        return False
    match term.name:
        case "all":
            return True
        case "include":
            return result_for(records, term.value, address) is Result.PASS
        case "ip4" | "ip6":
            return address in ip_network(term.value, strict=False)
        case "a":
            return _in_any(records, term.value or domain, term.prefixes, address)
        case "mx":
            return any(
                _in_any(records, host, term.prefixes, address) for host in records.exchanges(term.value or domain)
            )
        case "exists":
            return bool(records.addresses(term.value))
        case _:
            return False


def _in_any(records: Records, host: str, prefixes: str, address: Address) -> bool:
    own, _, other = prefixes.partition("//")
    length = own.strip("/") if address.version == 4 else other
    return any(
        address in ip_network(f"{each}/{length or each.max_prefixlen}", strict=False)
        for each in records.addresses(host)
        if each.version == address.version
    )


def _is_network(value: str) -> bool:
    try:
        ip_network(value, strict=False)
    except ValueError:
        return False
    return True
