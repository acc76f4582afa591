"""Reads one answer as its question's type asks, and gives it in normal form: reading that again changes nothing."""

import re
import unicodedata
from collections.abc import Callable
from datetime import date
from functools import lru_cache

import phonenumbers
from email_validator import EmailNotValidError, ValidatedEmail, validate_email

from config.conditions import Conditions
from config.screening import LANGUAGES, Question, QuestionType
from pipeline.validation.places import country_code, postal_code
from pipeline.validation.problems import Refused, Rule

Answer = str | int | list[str]
# The second argument is the person's country (alpha-2), if it is known.
Reader = Callable[[object, str | None], Answer]

# Control characters, line and paragraph separators, and halves of surrogate pairs, which no database stores.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
# Direction overrides are never part of a name; in an email or a table they turn the text around them.
_DIRECTION_OVERRIDES = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)])
_INVISIBLE = " \t\r\n\v\f\u00a0\u200b\u200c\u200d\u200e\u200f\ufeff" + "".join(map(chr, _DIRECTION_OVERRIDES))

_LONGEST_EMAIL = 254  # RFC 5321
# Nothing in it to unquote, to fold or to normalise.
_PLAIN_LOCAL_PART = re.compile(r"[a-z0-9_+-]+(?:\.[a-z0-9_+-]+)*")
_LONGEST_PHONE = 40
_LONGEST_NAME_OF_A_THING = 200
_WHOLE_NUMBER = re.compile(r"-?\d{1,9}(?:\.0{1,9})?", re.ASCII)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def reader_for(question: Question, conditions: Conditions) -> Reader:
    """The reader of answers to `question`. It raises `Refused`, and nothing else whatever it is given."""
    return _READERS[question.type](question, conditions)


def is_blank(raw: object) -> bool:
    """Whether `raw` says nothing. An unticked consent says nothing either."""
    if isinstance(raw, str):
        return not raw.strip(_INVISIBLE)
    return raw is None or raw is False or raw == []


def _text(raw: object, longest: int) -> str:
    if not isinstance(raw, str):
        raise Refused(Rule.WRONG_TYPE)
    # Far too long is refused unread; composing accents (NFC) may still shorten what is only a little too long.
    if len(raw) > 4 * longest:
        raise Refused(Rule.TOO_LONG, maximum=longest)
    if raw.isascii() and raw.isprintable():
        # Most answers: nothing to compose or to leave out, nothing invisible but spaces.
        text = raw.strip(" ")
    else:
        text = unicodedata.normalize("NFC", raw.translate(_DIRECTION_OVERRIDES)).strip(_INVISIBLE)
    if len(text) > longest:
        raise Refused(Rule.TOO_LONG, maximum=longest)
    if _CONTROL.search(text):
        raise Refused(Rule.CONTROL_CHARACTERS)
    return text


def _text_reader(longest: int) -> Reader:
    return lambda raw, _: _text(raw, longest)


def read_email(raw: object) -> str:
    """An email address as it is stored and found again, whatever somebody typed. Raises `Refused`."""
    text = _text(raw, _LONGEST_EMAIL)
    local, _, domain = text.rpartition("@")
    try:
        if _PLAIN_LOCAL_PART.fullmatch(local) and domain.isascii():
            address = f"{local}@{_mail_domain(domain)}"
            if len(address) <= _LONGEST_EMAIL:
                return address
        validated = _validated_email(text)
    except EmailNotValidError:
        raise Refused(Rule.NOT_AN_EMAIL) from None
    return validated.ascii_email or validated.normalized


@lru_cache(maxsize=1000)
def _mail_domain(domain: str) -> str:
    """As it is written in addresses. Most people share a few, and checking one takes most of the time of an address."""
    return str(_validated_email(f"x@{domain}").ascii_domain)


def _validated_email(text: str) -> ValidatedEmail:
    # Internationalised domains are kept in their ASCII form, which every transport can send to. Addresses with
    # other letters before the @ need SMTPUTF8 all the way, which the large mail services do not offer.
    return validate_email(text, check_deliverability=False, allow_smtputf8=False)


def _phone(raw: object, country: str | None) -> str:
    text = _text(raw, _LONGEST_PHONE)
    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        raise Refused(Rule.NOT_A_PHONE) from None
    if not phonenumbers.is_valid_number(number):
        raise Refused(Rule.NOT_A_PHONE)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _date(raw: object, _: str | None) -> str:
    text = _text(raw, _LONGEST_NAME_OF_A_THING)
    try:
        if _DATE.fullmatch(text):
            return date.fromisoformat(text).isoformat()
    except ValueError:
        pass
    raise Refused(Rule.NOT_A_DATE)


def _integer_reader(minimum: int, maximum: int) -> Reader:
    def read(raw: object, _: str | None) -> int:
        if isinstance(raw, bool) or not isinstance(raw, int | float | str):
            raise Refused(Rule.WRONG_TYPE)
        if isinstance(raw, str):
            text = _text(raw, _LONGEST_NAME_OF_A_THING)
            if not _WHOLE_NUMBER.fullmatch(text):
                raise Refused(Rule.NOT_A_WHOLE_NUMBER)
            raw = float(text)
        if isinstance(raw, float) and not raw.is_integer():
            raise Refused(Rule.NOT_A_WHOLE_NUMBER)
        if not minimum <= raw <= maximum:
            raise Refused(Rule.OUT_OF_RANGE, minimum, maximum)
        return int(raw)

    return read


def _choice_reader(options: frozenset[str]) -> Reader:
    def read(raw: object, _: str | None) -> str:
        text = _text(raw, _LONGEST_NAME_OF_A_THING)
        if text not in options:
            raise Refused(Rule.UNKNOWN_OPTION)
        return text

    return read


def _choices_reader(options: tuple[str, ...]) -> Reader:
    def read(raw: object, _: str | None) -> list[str]:
        if not isinstance(raw, list) or not all(isinstance(item, str) for item in raw):
            raise Refused(Rule.WRONG_TYPE)
        chosen = set(raw)
        if not chosen <= set(options):
            raise Refused(Rule.UNKNOWN_OPTION)
        return [option for option in options if option in chosen]

    return read


def _country(raw: object, _: str | None) -> str:
    code = country_code(_text(raw, _LONGEST_NAME_OF_A_THING))
    if code is None:
        raise Refused(Rule.UNKNOWN_COUNTRY)
    return code


def _postal_code(raw: object, country: str | None) -> str:
    code = postal_code(_text(raw, _LONGEST_NAME_OF_A_THING), country)
    if code is None:
        raise Refused(Rule.NOT_A_POSTAL_CODE)
    return code


def _language(raw: object, _: str | None) -> str:
    # "es-MX" and "en_US", as browsers and forms name languages.
    language = re.split("[-_]", _text(raw, _LONGEST_NAME_OF_A_THING), maxsplit=1)[0].lower()
    if language not in LANGUAGES:
        raise Refused(Rule.UNKNOWN_OPTION)
    return language


def _condition_reader(conditions: Conditions) -> Reader:
    def read(raw: object, _: str | None) -> str:
        condition = conditions.find(_text(raw, _LONGEST_NAME_OF_A_THING))
        if condition is None:
            raise Refused(Rule.UNKNOWN_CONDITION)
        return condition.id

    return read


def _consent_reader(version: str) -> Reader:
    def read(raw: object, _: str | None) -> str:
        if _text(raw, _LONGEST_NAME_OF_A_THING) != version:
            raise Refused(Rule.CONSENT_OUTDATED)
        return version

    return read


_READERS: dict[QuestionType, Callable[[Question, Conditions], Reader]] = {
    QuestionType.TEXT: lambda question, _: _text_reader(question.max_length or 0),
    QuestionType.EMAIL: lambda *_: lambda raw, _: read_email(raw),
    QuestionType.PHONE: lambda *_: _phone,
    QuestionType.DATE: lambda *_: _date,
    QuestionType.INTEGER: lambda question, _: _integer_reader(question.minimum or 0, question.maximum or 0),
    QuestionType.CHOICE: lambda question, _: _choice_reader(frozenset(question.option_ids)),
    QuestionType.CHOICES: lambda question, _: _choices_reader(question.option_ids),
    QuestionType.COUNTRY: lambda *_: _country,
    QuestionType.POSTAL_CODE: lambda *_: _postal_code,
    QuestionType.LANGUAGE: lambda *_: _language,
    QuestionType.CONDITION: lambda _, conditions: _condition_reader(conditions),
    QuestionType.CONSENT: lambda question, _: _consent_reader(question.consent.version if question.consent else ""),
}
