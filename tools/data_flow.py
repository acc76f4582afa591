"""Writes docs/data-flow.md: what goes where, from the code's own data classes. `make data-flow` runs it.

The classes come from config/screening.yaml (questions), pipeline/data_classes.py (columns), pipeline/email/kinds.py
(emails), pipeline/protected.py (purposes) and the transports themselves. Written by hand are only the arrows and the
guard of each; a test fails when the page is not what this module makes of the code.
"""

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config.screening import DataClass, Question, QuestionType, Screening, load_screening
from config.settings import ROOT, MailTransport, Settings
from pipeline.data_classes import TABLES, Fate, Held, Kept, TableClasses, columns
from pipeline.email.kinds import RULES
from pipeline.protected import Purpose
from pipeline.secure_pages.provider import _contact, _health
from pipeline.transports import open_transport

PAGE = ROOT / "docs" / "data-flow.md"


@dataclass(frozen=True, slots=True)
class Arrow:
    """One way that data takes between two places of the diagram."""

    source: str
    target: str
    carries: tuple[DataClass, ...]
    guard: str


PLACES = {
    "person": '(["person"])',
    "site": '(["web form of a site"])',
    "intake": '["form and API: web/"]',
    "core": '["pipeline/"]',
    "sealed": '[("sealed under a key of each submission")]',
    "hashes": '[("keyed hashes")]',
    "rows": '[("readable rows")]',
    "own_page": '["person\'s page"]',
    "provider_page": '["provider\'s page"]',
    "staff": '(["staff at the command line"])',
    "transport": '["mail transport"]',
    "inboxes": '(["inboxes of person and provider"])',
    "provider": '(["provider"])',
    "broker": '["broker, logs, metrics"]',
    "log": '[("Merkle log")]',
    "anchors": '(["anchors outside"])',
    "auditor": '(["auditor"])',
}

_PURPOSES: Mapping[Purpose, tuple[str, str, str]] = {
    Purpose.OWN_REQUEST: (
        "the person",
        "state of the request, condition, providers with reasons, answers asked for again",
        "link and date of birth; a session of 15 minutes; attempts limited (`pipeline/secure_pages/opening.py`)",
    ),
    Purpose.REFERRAL: (
        "a provider it was offered to",
        "the answers in the table above, and how they compare with its criteria",
        "live consent (`pipeline/consent/`), link, code to its registered contact (`pipeline/secure_pages/code.py`)",
    ),
    Purpose.REVIEW: (
        "an expert or staff",
        "answers without contact data, age for date of birth, what the software found",
        "an account on the machine and the keysets (`pipeline/operations/review_case.py`)",
    ),
    Purpose.DELIVERY: (
        "a mail transport",
        "the address, and for a full form what the form holds",
        "the transport's clearance; suppression list (`pipeline/stages/deliver.py`)",
    ),
    Purpose.BREACH: (
        "staff who look into a breach",
        "where the people live whose facts reached somebody, and how to reach them",
        "an account on the machine and the keysets (`pipeline/reports/residence.py`)",
    ),
}
"""Of each purpose: who, what, and behind which guard. A purpose without a row is an error."""


def write() -> None:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")


def page() -> str:
    """The page as it should be."""
    screening = load_screening(ROOT / "config" / "screening.yaml")
    parts = (_head(), _diagram(screening), _questions(screening), _purposes(), _mail(), _stored(), _elsewhere())
    return "\n\n".join(parts) + "\n"


def _head() -> str:
    return (
        "# Where data goes\n\n"
        "Generated from the code by `make data-flow`; a test fails when it is out of date. Do not edit.\n\n"
        "Three classes: **public** (ids, times, states, codes, counts), **contact** (who the person is and how to "
        "reach them), **health** (facts about health or care). Whatever holds one class may hold those before it."
    )


def arrows(screening: Screening) -> tuple[Arrow, ...]:
    """Every way that data takes, in the order of a submission's life."""
    asked = _classes(question.data_class for question in screening.questions)
    public, contact, health = DataClass
    told = "disclosure on record before it is shown (`pipeline/protected.py`)"
    return (
        Arrow("person", "intake", asked, "TLS at the proxy; posts per address limited (`web/rate_limit.py`)"),
        Arrow("site", "intake", asked, "the source's key, or its signature over the bytes (`web/intake_service.py`)"),
        Arrow("intake", "core", asked, "kept before the answer, in one commit (`pipeline/intake/accept.py`)"),
        Arrow("core", "sealed", asked, "AES-256-GCM, bound to submission and part (`pipeline/vault.py`)"),
        Arrow("core", "hashes", _stored_as(Kept.KEYED_HASH), "HMAC under the index keyset (`pipeline/vault.py`)"),
        Arrow("core", "rows", _stored_as(Kept.PLAIN), "no column holds an answer (`pipeline/data_classes.py`)"),
        Arrow("sealed", "own_page", (public, health), _guard(Purpose.OWN_REQUEST)),
        Arrow("own_page", "person", (public, health), told),
        Arrow("own_page", "core", (public, health), "answers asked for again, read as at intake; a withdrawal"),
        Arrow("sealed", "provider_page", asked, _guard(Purpose.REFERRAL)),
        Arrow("provider_page", "provider", asked, told),
        Arrow("provider_page", "core", (public, health), "the answer, one of five reasons; its note is sealed"),
        Arrow("sealed", "staff", (public, health), f"{_guard(Purpose.REVIEW)}; on record"),
        Arrow("sealed", "staff", (contact,), f"for a breach only: {_guard(Purpose.BREACH)}; on record"),
        Arrow("sealed", "transport", (contact,), "the address only, unless the transport is cleared (see below)"),
        Arrow("transport", "inboxes", (public,), "a link and a reference; facts only where cleared, never by SendGrid"),
        Arrow("transport", "hashes", (contact,), "signed events; addresses kept as hashes (`pipeline/receipts/`)"),
        Arrow("rows", "broker", (public,), "names of lanes, ids and codes (`tasks/wake.py`, `config/log.py`)"),
        Arrow(
            "rows", "log", (public,), "hashes of records; a record's health facts are ciphertext (`pipeline/audit/`)"
        ),
        Arrow("log", "anchors", (public,), "name, size, root and signature (`pipeline/audit/anchors.py`)"),
        Arrow("log", "auditor", (public,), "records as they were hashed, on record (`pipeline/audit/exporting.py`)"),
    )


def _guard(purpose: Purpose) -> str:
    return _PURPOSES[purpose][2]


def _classes(found: Iterable[DataClass]) -> tuple[DataClass, ...]:
    present = set(found)
    return tuple(each for each in DataClass if each in present)


def _stored_as(kept: Kept) -> tuple[DataClass, ...]:
    return _classes(held.data_class for _, _, held in columns() if held.kept is kept)


def _diagram(screening: Screening) -> str:
    ways = arrows(screening)
    lines = ["```mermaid", "flowchart LR"]
    lines += [f"  {place}{shape}" for place, shape in PLACES.items()]
    for number, way in enumerate(ways, start=1):
        lines.append(f'  {way.source} -->|"{number}: {_named(way.carries)}"| {way.target}')
    lines.append("```")
    rows = [
        (str(number), way.source.replace("_", " "), way.target.replace("_", " "), _named(way.carries), way.guard)
        for number, way in enumerate(ways, start=1)
    ]
    return "\n".join(lines) + "\n\n" + _table(("", "from", "to", "class", "guard"), rows)


def _questions(screening: Screening) -> str:
    shown = {question.id for question in (*_contact(screening), *_health(screening))}
    rows = [
        (
            f"`{question.id}`",
            question.data_class.value,
            _to_provider(question, shown),
            _to_staff(question),
            "address" if question.type is QuestionType.EMAIL else "",
        )
        for question in screening.questions
    ]
    head = ("question", "class", "provider's page", "expert's case", "mail transport")
    return "## Questions\n\nEvery answer is stored sealed, as is the body it came in.\n\n" + _table(head, rows)


def _to_provider(question: Question, shown: set[str]) -> str:
    if question.type is QuestionType.DATE:
        return "age only"
    if question.type is QuestionType.CONSENT:
        return "version of the text"
    return "yes" if question.id in shown else "no"


def _to_staff(question: Question) -> str:
    if question.type is QuestionType.DATE:
        return "age only"
    hidden = question.data_class is DataClass.CONTACT or question.type is QuestionType.CONSENT
    return "no" if hidden else "yes"


def _purposes() -> str:
    rows = [(f"`{purpose.value}`", *_PURPOSES[purpose]) for purpose in Purpose]
    return (
        "## Disclosures\n\n"
        "Facts are revealed for one of these purposes only, on record (`facts:disclosed`, or with the email) before "
        "they leave.\n\n" + _table(("purpose", "to", "what", "guard"), rows)
    )


def _mail() -> str:
    kinds = [
        (
            f"`{kind.value}`",
            rules.reader.value,
            "public",
            rules.full_form_holds.value if rules.full_form_holds else "has none",
            rules.consent.value if rules.consent else "",
        )
        for kind, rules in RULES.items()
    ]
    ways_out = [(f"`{name}`", told, most.value) for name, told, most in clearances()]
    return (
        "## Mail\n\n"
        "A notice holds a link and a reference. The full form is used only where the transport is cleared for all that "
        "it holds. An email whose consent is not live when it would leave is cancelled.\n\n"
        + _table(("email", "to", "notice", "full form", "needs a live consent to"), kinds)
        + "\n\n"
        + _table(("transport", "when", "may be cleared for at most"), ways_out)
        + "\n\nUnless `CAREROUTE_MAIL_CLEARANCE` says otherwise, no transport is cleared for more than public."
    )


def clearances() -> Iterator[tuple[str, str, DataClass]]:
    """Each transport, and the most that one may let a body hold, found by opening it with each clearance."""
    with tempfile.TemporaryDirectory() as folder:
        for name in MailTransport:
            if name is MailTransport.SMTP:
                yield name.value, "without TLS", _most(name, Path(folder), smtp_tls="none")
                yield name.value, "with TLS", _most(name, Path(folder), smtp_tls="starttls")
            else:
                yield name.value, "", _most(name, Path(folder))


def _most(name: MailTransport, folder: Path, **changes: Any) -> DataClass:
    fixed: dict[str, Any] = {
        "data_dir": folder,
        "mailbox_dir": folder,
        "mail_transport": name,
        "sendgrid_api_key": "none",
    }
    for data_class in reversed(DataClass):
        settings = Settings(**fixed | {"mail_clearance": data_class} | changes)
        try:
            transport = open_transport(settings)
        except ValueError:
            continue
        transport.close()
        return transport.clearance
    raise AssertionError(f"{name} takes no clearance at all")


def _stored() -> str:
    rows = [
        (f"`{name}`", classes.told, _readable(classes), _others(classes), _fate(classes))
        for name, classes in TABLES.items()
    ]
    head = ("table", "what", "readable columns", "other columns: class, how kept", "after an erasure")
    return (
        "## Tables\n\n"
        "Readable columns are public. What an erasure leaves is in the last column; what retention removes later is in "
        "[operations.md](operations.md).\n\n" + _table(head, rows)
    )


def _readable(classes: TableClasses) -> str:
    return ", ".join(name for name, held in classes.columns.items() if held.kept is Kept.PLAIN)


def _others(classes: TableClasses) -> str:
    kept = [(name, held) for name, held in classes.columns.items() if held.kept is not Kept.PLAIN]
    return "<br>".join(f"{name}: {held.data_class.value}, {held.kept.value}" for name, held in kept)


def _fate(classes: TableClasses) -> str:
    exceptions: list[tuple[str, Held]] = [
        (name, held) for name, held in classes.columns.items() if held.fate not in {None, classes.fate}
    ]
    own = "" if classes.fate is Fate.NOBODY else classes.fate.value
    return "<br>".join([own, *(f"{name}: {held.fate.value}" for name, held in exceptions if held.fate)])


def _elsewhere() -> str:
    rows = (
        ("broker", "public", "names of lanes; a test empties it and looks through its file"),
        ("logs", "public", "ids, codes, routes; exceptions by type and place"),
        ("metrics, `status`", "public", "counts"),
        ("anchors", "public", "name of the log, size, root hash, signature"),
        ("erasure file", "public", "ids of erased submissions and when"),
        ("mailbox folder (embedded stack only)", "contact", "rendered mail with its address; on this machine"),
        ("backups", "as the database", "sealed as there; the keysets are kept apart"),
    )
    return "## Outside the database\n\n" + _table(("where", "class", "what"), rows)


def _named(classes: Iterable[DataClass]) -> str:
    return ", ".join(each.value for each in classes)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    write()
