"""Reads the raw bytes of a request as strict JSON. A refusal names the rule and never repeats the content."""

import json
from enum import StrEnum
from typing import Any, NoReturn

DEEPEST = 20  # levels of objects and lists, the outermost counted


class PayloadRule(StrEnum):
    """The rule that a body broke."""

    NOT_UTF8 = "not_utf8"
    NOT_JSON = "not_json"
    NOT_TEXT = "not_text"
    NOT_A_NUMBER = "not_a_number"
    DUPLICATE_KEY = "duplicate_key"
    TOO_DEEP = "too_deep"
    NOT_AN_OBJECT = "not_an_object"
    REQUIRED = "required"
    WRONG_TYPE = "wrong_type"
    UNKNOWN_FIELD = "unknown_field"
    TOO_LONG = "too_long"
    CONTROL_CHARACTERS = "control_characters"


_MESSAGES = {
    PayloadRule.NOT_UTF8: "The body is not text in UTF-8.",
    PayloadRule.NOT_JSON: "The body is not JSON.",
    PayloadRule.NOT_TEXT: "The body escapes one half of a surrogate pair, which is not a character.",
    PayloadRule.NOT_A_NUMBER: "The body has a number that JSON does not allow (NaN, Infinity), or that is too large.",
    PayloadRule.DUPLICATE_KEY: "The body has an object with the same key twice.",
    PayloadRule.TOO_DEEP: f"The body has objects or lists more than {DEEPEST} levels deep.",
    PayloadRule.NOT_AN_OBJECT: "The body is not a JSON object.",
    PayloadRule.REQUIRED: "This field is missing.",
    PayloadRule.WRONG_TYPE: "This field has another type than the schema says.",
    PayloadRule.UNKNOWN_FIELD: "The body has a field that is not in the schema.",
    PayloadRule.TOO_LONG: "This field is longer than the schema allows.",
    PayloadRule.CONTROL_CHARACTERS: "This field is blank or has control characters.",
}


class PayloadMistake(Exception):
    """A body that cannot be read. `field` is the name of a field of the schema, or `body`."""

    def __init__(self, rule: PayloadRule, field: str = "body") -> None:
        super().__init__(f"{field}: {rule}")
        self.rule = rule
        self.field = field

    @property
    def message(self) -> str:
        """What is wrong, for the programmer who sent it."""
        return _MESSAGES[self.rule]


def read_object(raw: bytes) -> dict[str, Any]:
    """The JSON object in `raw` (the caller limits its size).

    Raises:
        PayloadMistake: it is not one, or not a strict one: duplicate keys, NaN, and half characters are refused.
    """
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise PayloadMistake(PayloadRule.NOT_UTF8) from None
    try:
        value = _DECODER.decode(text)
        if "\\u" in text:
            _refuse_half_characters(value)
    except RecursionError:
        raise PayloadMistake(PayloadRule.TOO_DEEP) from None
    except ValueError:
        raise PayloadMistake(PayloadRule.NOT_JSON) from None
    if not isinstance(value, dict):
        raise PayloadMistake(PayloadRule.NOT_AN_OBJECT)
    _refuse_depth(value)
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise PayloadMistake(PayloadRule.DUPLICATE_KEY)
    return found


def _refuse_constant(_: str) -> NoReturn:
    raise PayloadMistake(PayloadRule.NOT_A_NUMBER)


def _integer(digits: str) -> int:
    # Python refuses to read thousands of digits, as that takes quadratic time; nothing here needs more than twenty.
    if len(digits) > 20:
        raise PayloadMistake(PayloadRule.NOT_A_NUMBER)
    return int(digits)


def _float(digits: str) -> float:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise PayloadMistake(PayloadRule.NOT_A_NUMBER)
    return number


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_int=_integer, parse_float=_float
)


def _refuse_half_characters(value: object) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise PayloadMistake(PayloadRule.NOT_TEXT) from None


def _refuse_depth(value: object) -> None:
    level = [value]
    for _ in range(DEEPEST):
        below: list[object] = []
        for item in level:
            if isinstance(item, dict):
                below += item.values()
            elif isinstance(item, list):
                below += item
        level = [item for item in below if isinstance(item, dict | list)]
        if not level:
            return
    raise PayloadMistake(PayloadRule.TOO_DEEP)
