"""DNS records, asked for with short patience. A name that is not there has no records; silence is an error."""

import re
from collections.abc import Sequence
from functools import cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

import dns.exception
import dns.resolver

SECONDS = 3.0
"""For one question, all tries together."""

DNS_PORT = 53

_SERVER = re.compile(r"(?:\[(?P<six>[^\]]*)\]|(?P<four>[0-9.]+))(?::(?P<port>[0-9]{1,5}))?")

Address = IPv4Address | IPv6Address


class NoReply(Exception):
    """The name server did not answer, or could not; the message names the question."""


class WrongServer(ValueError):
    """What should name a server is not ADDRESS or ADDRESS:PORT."""


class Records:
    """Answers by `server` (ADDRESS, ADDRESS:PORT or [IPV6]:PORT), else by the servers of this machine.

    Raises `WrongServer`, and `NoReply` where this machine has none. Every answer is kept.
    """

    def __init__(self, server: str | None = None) -> None:
        try:
            self._resolver = dns.resolver.Resolver(configure=server is None)
        except dns.resolver.NoResolverConfiguration:
            raise NoReply("this machine names no DNS server: name one with --dns-server") from None
        self._resolver.lifetime = SECONDS
        if server is not None:
            address, port = _parsed(server)
            self._resolver.nameservers = [str(address)]
            self._resolver.port = port
        self._ask = cache(self._fetch)

    def texts(self, name: str) -> tuple[str, ...]:
        """The TXT records, the strings of each joined without a space."""
        return tuple(b"".join(each.strings).decode("utf-8", "replace") for each in self._ask(name, "TXT"))

    def addresses(self, name: str) -> frozenset[Address]:
        """IPv4 and IPv6 addresses; `name` may be an address itself."""
        try:
            return frozenset({ip_address(name)})
        except ValueError:
            found = (*self._ask(name, "A"), *self._ask(name, "AAAA"))
            return frozenset(ip_address(each.address) for each in found)

    def exchanges(self, name: str) -> tuple[str, ...]:
        """The mail servers of a domain."""
        return tuple(each.exchange.to_text(omit_final_dot=True) for each in self._ask(name, "MX"))

    def _fetch(self, name: str, kind: str) -> Sequence[Any]:
        try:
            return tuple(self._resolver.resolve(name, kind, search=False))
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return ()
        except dns.resolver.NoNameservers:
            raise NoReply(f"{kind} of {name}: the DNS server could not say") from None
        except dns.exception.Timeout:
            raise NoReply(f"{kind} of {name}: no answer within {SECONDS:g} s") from None
        except dns.exception.DNSException as error:
            raise NoReply(f"{kind} of {name}: {type(error).__name__}") from None


def _port(number: str | int) -> int:
    port = int(number)
    if not 0 < port < 1 << 16:
        raise ValueError
    return port


def _parsed(server: str) -> tuple[Address, int]:
    match = _SERVER.fullmatch(server)
    try:
        if match is None:
            return ip_address(server), DNS_PORT
        return ip_address(match["six"] or match["four"]), _port(match["port"] or DNS_PORT)
    except ValueError:
        raise WrongServer("--dns-server: expected ADDRESS or ADDRESS:PORT, such as 192.0.2.1:53") from None
