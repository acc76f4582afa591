"""A DNS server with a zone of its own, on a free loopback port, over UDP."""

import socket
import threading
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

SILENT = "silent"
BROKEN = "broken"
"""Instead of records: no answer at all, or SERVFAIL."""

Zone = Mapping[tuple[str, str], Sequence[str] | str]
"""Records as in a zone file, by name and type, such as `("a.example", "TXT"): ['"v=spf1 -all"']`."""


class DnsServer:
    """Answers by `zone`; CNAMEs are followed within it. Listens from construction on; `with` or `close()` ends it."""

    def __init__(self, zone: Zone) -> None:
        self._zone = zone
        self._names = {dns.name.from_text(name) for name, _ in zone}
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self.asked: list[tuple[str, str]] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
            waker.sendto(b"", self._socket.getsockname())
        self._thread.join(timeout=5)
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self.close()

    def _serve(self) -> None:
        while True:
            packet, client = self._socket.recvfrom(4096)
            if not packet:
                return
            answer = self._answer(dns.message.from_wire(packet))
            if answer is not None:
                self._socket.sendto(answer.to_wire(), client)

    def _answer(self, query: dns.message.Message) -> dns.message.Message | None:
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA
        (question,) = query.question
        name, kind = question.name, dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name.to_text(omit_final_dot=True), kind))
        while True:
            key = name.to_text(omit_final_dot=True)
            found = self._zone.get((key, kind)) or self._zone.get((key, "CNAME"))
            if found == SILENT:
                return None
            if found == BROKEN:
                response.set_rcode(dns.rcode.SERVFAIL)
                return response
            if not found:
                break
            is_alias = (key, kind) not in self._zone
            response.answer.append(
                dns.rrset.from_text_list(name, 60, dns.rdataclass.IN, "CNAME" if is_alias else kind, list(found))
            )
            if not is_alias:
                return response
            name = dns.name.from_text(found[0])
        if name not in self._names:
            response.set_rcode(dns.rcode.NXDOMAIN)
        return response
