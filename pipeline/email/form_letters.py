"""Notices as form letters: written and looked through once, then filled in for each reader.

Two readers of one kind of notice get the same text but for the reference and what their links end in. So it is rendered
with stand-ins in their place, `leaks.check_parts` looks through what came of it, and each reader's own values are put
where the stand-ins are. They are letters and digits only, so what was found in order stays so (docs/decisions/0031).
Whatever cannot be filled in like this is rendered and looked through by itself: facts, codes, a list of questions.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache, lru_cache
from typing import Any

from pipeline.email.contexts import CONTEXTS, EmailContext
from pipeline.email.kinds import EmailKind, Form
from pipeline.email.leaks import check_parts
from pipeline.email.render import Rendered, render

_REFERENCE = re.compile(r"CR-[0-9A-Z]{4}-[0-9A-Z]{4}")
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43,64}")
"""What a link of ours ends in."""
_LINKS = frozenset({"link", "unsubscribe_link"})

_STAND_INS = {
    "reference": "CR-REFE-RENC",
    "link": "stand-in-for-what-the-link-to-the-page-ends-in",
    "unsubscribe_link": "stand-in-for-what-the-link-that-ends-it-ends-in",
}
_OTHERS = {
    _STAND_INS["reference"]: "CR-0TH3-R0N3",
    _STAND_INS["link"]: "another-one-for-what-the-link-to-the-page-ends-in",
    _STAND_INS["unsubscribe_link"]: "another-one-for-what-the-link-that-ends-it-ends-in",
}
_AT_STAND_INS = re.compile(f"({'|'.join(_STAND_INS.values())})")
_ONE_OF_A_KIND = frozenset({EmailKind.ONE_TIME_CODE, EmailKind.PLEASE_CORRECT})
"""What these say differs from reader to reader by more."""
_KEPT = 256
"""Some 25 KB each: a kind in a language; of referrals one for each last day."""


@dataclass(frozen=True, slots=True)
class _FormLetter:
    """The parts of an email in pieces: what stands, and stand-ins."""

    language: str
    subject: Sequence[str]
    text: Sequence[str]
    html: Sequence[str]

    def filled_in(self, own: Mapping[str, str]) -> Rendered:
        """With a reader's `own` values, by stand-in."""
        subject, text, html = (
            "".join([own.get(piece, piece) for piece in part]) for part in (self.subject, self.text, self.html)
        )
        return Rendered(self.language, subject, text, html)


def write(kind: EmailKind, language: str, context: EmailContext, form: Form = Form.NOTICE) -> Rendered:
    """An email as `render` writes it, looked through by `check_parts`. Raises what they raise."""
    if form is Form.NOTICE and kind not in _ONE_OF_A_KIND and type(context) is CONTEXTS[kind]:
        shared, own = _taken_apart(kind, context)
        letter = _form_letter(kind, language, shared) if own else None
        if letter is not None:
            return letter.filled_in(own)
    rendered = render(kind, language, context, form)
    check_parts(context, rendered)
    return rendered


def _taken_apart(kind: EmailKind, context: EmailContext) -> tuple[tuple[Any, ...], dict[str, str]]:
    """The context's values with stand-ins for what is the reader's own, and that; nothing if it is in another form."""
    shared: list[Any] = []
    own: dict[str, str] = {}
    for name in _names(kind):
        value = getattr(context, name)
        if name in _STAND_INS:
            head, token = ("", value) if name == "reference" else _split(value)
            if (_TOKEN if name in _LINKS else _REFERENCE).fullmatch(token) is None:
                return (), {}
            own[_STAND_INS[name]] = token
            value = head + _STAND_INS[name]
        shared.append(value)
    return tuple(shared), own


def _split(link: str) -> tuple[str, str]:
    head, slash, token = link.rpartition("/")
    return head + slash, token


@lru_cache(maxsize=_KEPT)
def _form_letter(kind: EmailKind, language: str, shared: tuple[Any, ...]) -> _FormLetter | None:
    """None where filling in would not give what rendering gives. Raises as `write`: such a letter is not kept."""
    context = CONTEXTS[kind](**dict(zip(_names(kind), shared, strict=True)))
    rendered = render(kind, language, context)
    check_parts(context, rendered)
    parts = (_AT_STAND_INS.split(part) for part in (rendered.subject, rendered.text, rendered.html))
    letter = _FormLetter(language, *parts)
    # A template that does more with a value than to show it is found out by a second one.
    others = {
        name: getattr(context, name).replace(stand_in, _OTHERS[stand_in])
        for name, stand_in in _STAND_INS.items()
        if name in _names(kind)
    }
    return letter if letter.filled_in(_OTHERS) == render(kind, language, replace(context, **others)) else None


@cache
def _names(kind: EmailKind) -> tuple[str, ...]:
    """What a kind's notice may say."""
    return tuple(field.name for field in fields(CONTEXTS[kind]) if field.name != "details")
