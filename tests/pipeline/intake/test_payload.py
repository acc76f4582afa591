import json
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.intake.payload import DEEPEST, PayloadMistake, PayloadRule, read_object


def nested(levels: int) -> bytes:
    return b'{"a":' * (levels - 1) + b"{}" + b"}" * (levels - 1)


@pytest.mark.parametrize(
    ("raw", "rule"),
    [
        (b"", PayloadRule.NOT_JSON),
        (b"{", PayloadRule.NOT_JSON),
        (b"{'a': 1}", PayloadRule.NOT_JSON),
        (b'{"a": 1} {}', PayloadRule.NOT_JSON),
        (b'\xef\xbb\xbf{"a": 1}', PayloadRule.NOT_JSON),
        (b'{"a": "b\nc"}', PayloadRule.NOT_JSON),
        (b'{"a": "\xff"}', PayloadRule.NOT_UTF8),
        ('{"a": 1}'.encode("utf-16"), PayloadRule.NOT_UTF8),
        (b'{"a": "\\ud800"}', PayloadRule.NOT_TEXT),
        (b'{"\\udc00": 1}', PayloadRule.NOT_TEXT),
        (b'{"a": NaN}', PayloadRule.NOT_A_NUMBER),
        (b'{"a": [-Infinity]}', PayloadRule.NOT_A_NUMBER),
        (b'{"a": 1e999}', PayloadRule.NOT_A_NUMBER),
        (b'{"a": ' + b"9" * 5000 + b"}", PayloadRule.NOT_A_NUMBER),
        (b'{"a": 1, "a": 1}', PayloadRule.DUPLICATE_KEY),
        (b'{"a": [{"b": 1, "\\u0062": 2}]}', PayloadRule.DUPLICATE_KEY),
        (nested(DEEPEST + 1), PayloadRule.TOO_DEEP),
        (nested(60_000), PayloadRule.TOO_DEEP),
        (b"[" * 60_000, PayloadRule.TOO_DEEP),
        (b"[1]", PayloadRule.NOT_AN_OBJECT),
        (b"null", PayloadRule.NOT_AN_OBJECT),
    ],
)
def test_what_is_not_strict_json_is_refused_by_rule(raw: bytes, rule: PayloadRule) -> None:
    with pytest.raises(PayloadMistake) as caught:
        read_object(raw)
    assert (caught.value.rule, caught.value.field) == (rule, "body")
    assert caught.value.message
    assert caught.value.__cause__ is None


def test_the_deepest_that_is_allowed_is_read() -> None:
    assert read_object(nested(DEEPEST))


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**18), 10**18)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), json_values))
@example({"emoji": "👩‍🔬"})
def test_json_objects_are_read_as_they_were_written(value: dict[str, object]) -> None:
    for escaped in (True, False):
        assert read_object(json.dumps(value, ensure_ascii=escaped).encode()) == value


@given(st.binary() | st.text(alphabet='{}[]":,\\ud80aNe9-+. ').map(str.encode))
def test_nothing_but_a_payload_mistake_is_raised(raw: bytes) -> None:
    with suppress(PayloadMistake):
        read_object(raw)
