"""Who is spoken to in plain text: nobody on another machine, unless the operator names the host.

Database and broker carry what must not be read on the way: sealed facts with their keys' wrappings, passwords, links.
libpq's own default (`prefer`) falls back to plain text without a word, and Celery checks no certificate unless told
to (https://www.postgresql.org/docs/current/libpq-ssl.html#LIBPQ-SSL-SSLMODE-STATEMENTS), so both are told here.
"""

import os
import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

VERIFIED = "verify-full"
ENCRYPTED = frozenset({"require", "verify-ca", VERIFIED})
"""libpq's modes that never fall back to plain text."""

_TLS_SCHEMES = frozenset({"rediss", "amqps"})
_CERTIFICATE_REQUIRED = frozenset({"required", "CERT_REQUIRED"})
_PRIVATE_NETWORK = "a host on a private network may be named in CAREROUTE_PLAINTEXT_HOSTS"
_WITH_PORT = re.compile(r"\[?(?P<host>[^\[\]]*?)\]?(?::\d*)?")


def host_names(written: str) -> frozenset[str]:
    """The hosts of a list with commas, as they are compared."""
    return frozenset(name.strip().lower() for name in written.split(",") if name.strip())


def is_local(host: str) -> bool:
    """Whether what is said to `host` stays on this machine: a Unix socket, or a loopback address or name."""
    if not host or host.startswith(("/", "@")) or host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False  # a name, or an address in a form that resolvers read differently


def secure_database_url(url: str, plain_hosts: frozenset[str]) -> str:
    """The URL, demanding TLS with a verified certificate of a remote PostgreSQL, unless it names a mode itself.

    The mode is always written into the URL: a service file's would win over `PGSSLMODE`
    (https://www.postgresql.org/docs/current/libpq-pgservice.html). Raises `ValueError` if the mode that the URL names
    lets plain text pass to a host that is not among `plain_hosts`.
    """
    # The parser that connects: another could find another host in a password with unusual characters.
    from sqlalchemy import make_url  # noqa: PLC0415 - slow to load, and an embedded database needs no check
    from sqlalchemy.exc import ArgumentError  # noqa: PLC0415

    try:
        parts = make_url(url)
    except ArgumentError:
        raise ValueError("is not a database URL such as postgresql+psycopg://user:password@host:5432/name") from None
    if parts.get_backend_name() != "postgresql":
        return url
    query = {name: value if isinstance(value, str) else ",".join(value) for name, value in parts.query.items()}
    remote = _remote(_database_hosts(parts.host, query), plain_hosts)
    mode = query.get("sslmode", "")
    if not remote or mode in ENCRYPTED:
        return url
    if mode:
        raise ValueError(
            f"{remote} is another machine and sslmode={mode} lets plain text pass: leave sslmode out (then it is "
            f"{VERIFIED}), or name one of {', '.join(sorted(ENCRYPTED))}; {_PRIVATE_NETWORK}"
        )
    asked = os.environ.get("PGSSLMODE", "")
    demanded = asked if asked in ENCRYPTED else VERIFIED
    return parts.update_query_dict({"sslmode": demanded}).render_as_string(hide_password=False)


def _database_hosts(host: str | None, query: dict[str, str]) -> Iterator[str]:
    """Wherever libpq may connect to: names and addresses of the URL, else of its own variables. What a service file
    says is not looked up: the service stands for another machine.
    """
    yield from _split_hosts(query.get("hostaddr") or os.environ.get("PGHOSTADDR", ""))
    yield from _split_hosts(host or "")
    yield from _split_hosts(query.get("host", ""))
    if not host and "host" not in query:
        yield from _split_hosts(os.environ.get("PGHOST", ""))
    if service := query.get("service") or os.environ.get("PGSERVICE"):
        yield f"service {service}"


def _split_hosts(hosts: str) -> Iterator[str]:
    for each in hosts.split(","):
        if each.count(":") > 1 and not each.startswith("["):
            yield each  # an IPv6 address, without a port
        elif found := _WITH_PORT.fullmatch(each):
            yield found["host"]
        else:
            yield each


def _remote(hosts: Iterator[str], plain_hosts: frozenset[str]) -> str | None:
    """The first host that is another machine and not declared."""
    return next((host for host in hosts if not is_local(host) and host.lower() not in plain_hosts), None)


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the broker is, without the TLS parameters of its URL, and those, by redis-py's names."""

    url: str
    tls: dict[str, Any] | None

    @property
    def for_celery(self) -> dict[str, Any] | None:
        """`broker_use_ssl`. Celery would check no certificate without it."""
        if self.tls is None or urlsplit(self.url).scheme != "amqps":
            return self.tls
        names = {"ssl_ca_certs": "ca_certs", "ssl_certfile": "certfile", "ssl_keyfile": "keyfile"}
        files = {names[name]: value for name, value in self.tls.items() if name in names}
        checked = self.tls["ssl_cert_reqs"] == "required"
        # Empty, the name is filled in from the URL, and the certificate must bear it.
        return {**files, "cert_reqs": ssl.CERT_REQUIRED, "server_hostname": None} if checked else files


def read_broker(url: str) -> Broker:
    """The broker of a URL that `check_broker_url` let pass, or several with `;` between, which are spoken to alike.
    Certificates are verified unless the URL says otherwise, which it may on this machine only.
    """
    brokers = [_read_one(each) for each in url.split(";")]
    return Broker(";".join(broker.url for broker in brokers), brokers[0].tls)


def _read_one(url: str) -> Broker:
    parts = urlsplit(url)
    given = dict(parse_qsl(parts.query))
    tls = {name: value for name, value in given.items() if name.startswith("ssl_")}
    if parts.scheme not in _TLS_SCHEMES:
        return Broker(url, None)
    rest = {name: value for name, value in given.items() if name not in tls}
    checks = tls.pop("ssl_cert_reqs", "required") in _CERTIFICATE_REQUIRED
    same_name = tls.pop("ssl_check_hostname", "true").lower() != "false"
    return Broker(
        parts._replace(query=urlencode(rest)).geturl(),
        {**tls, "ssl_cert_reqs": "required" if checks else "none", "ssl_check_hostname": checks and same_name},
    )


def check_broker_url(url: str, plain_hosts: frozenset[str]) -> None:
    """Raise `ValueError` if the broker, or one of several with `;` between, is spoken to in plain text on another
    machine that is not among `plain_hosts`, or without knowing that it is the right one.
    """
    several = url.split(";")
    if not all("://" in each for each in several):
        raise ValueError("is not a broker URL such as rediss://:password@host:6379/0")
    if any(_read_one(each).tls != _read_one(several[0]).tls for each in several):
        raise ValueError("names brokers that are not spoken to alike: all with TLS and the same certificates, or none")
    for each in several:
        parts = urlsplit(each)
        remote = _remote(iter((unquote(parts.hostname or ""),)), plain_hosts)
        if not remote:
            continue
        if parts.scheme not in _TLS_SCHEMES:
            raise ValueError(
                f"{remote} is another machine and {parts.scheme}:// is plain text: use rediss:// or amqps://; "
                f"{_PRIVATE_NETWORK}"
            )
        tls = _read_one(each).tls
        if not tls or not tls["ssl_check_hostname"]:
            raise ValueError(f"{remote} is another machine: its certificate and name must be checked")
