import datetime as dt
import hashlib
import hmac
import json
import uuid

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from pipeline.audit.actions import Action, Actor, ActorKind, Detail
from pipeline.audit.record import COLUMNS, Entry, canonical_details, canonical_form, leaf_hash, row

# Written out by hand: a change of the form would make every record of the past unprovable.
KNOWN_ENTRY = Entry(
    actor=Actor(ActorKind.LANE, "score"),
    action=Action.REFERRAL_OFFERED,
    submission_id=uuid.UUID("0190b5a0-0000-7000-8000-000000000001"),
    occurred_at=dt.datetime(2026, 11, 22, 10, 4, 5, 67, tzinfo=dt.timezone(dt.timedelta(hours=1))),
    job_id=41,
    attempt=2,
    reason='says "ñ"\n',
    details={Detail.SCORE: 87, Detail.PROVIDER: "blue-mesa", Detail.NETWORK: None},
    health_ciphertext=b"\x00\xff",
)
KNOWN_ID = uuid.UUID("0190b5a0-0000-7000-8000-0000000000ff")
KNOWN_FORM = (
    '{"action":"referral:offered","actor":"lane:score","attempt":2,"canonical_version":1,'
    r'"details":"{\"network\":null,\"provider\":\"blue-mesa\",\"score\":87}",'
    '"health_ciphertext":"00ff","health_commitment":null,"id":"0190b5a0-0000-7000-8000-0000000000ff","job_id":41,'
    r'"occurred_at":"2026-11-22T09:04:05.000067Z","reason":"says \"ñ\"\n","request_id":null,"seq":3,'
    '"submission_id":"0190b5a0-0000-7000-8000-000000000001"}'
).encode()
KNOWN_LEAF = "2cd83f3a18393ab97cc90fdb1f3bfe2cc3ea808b596e1c5fdfb5e930d308931c"

SECRET = b"a key for this test only"


def authenticate(leaf: bytes, length: int) -> bytes:
    return hmac.digest(SECRET, leaf, "sha256")[:length]


def test_a_known_record_keeps_its_form_hash_and_code() -> None:
    *values, leaf, mac = row(KNOWN_ENTRY, KNOWN_ID, 3, authenticate)
    assert canonical_form(dict(zip(COLUMNS, values, strict=True))) == KNOWN_FORM
    assert leaf == hashlib.sha256(b"\x00" + KNOWN_FORM).digest()
    assert leaf.hex() == KNOWN_LEAF
    assert mac == hmac.digest(SECRET, leaf, "sha256")


texts = st.text(st.characters(codec="utf-8"))
integers = st.integers(-(2**53) + 1, 2**53 - 1)
optional_bytes = st.none() | st.binary(max_size=40)
offsets = st.integers(-14 * 60, 14 * 60).map(lambda minutes: dt.timezone(dt.timedelta(minutes=minutes)))
moments = st.datetimes(min_value=dt.datetime(1000, 1, 2), timezones=offsets)  # noqa: DTZ001 - a bound
rows = st.fixed_dictionaries(
    {
        "id": st.uuids(),
        "occurred_at": moments,
        "actor": texts,
        "action": st.sampled_from([action.value for action in Action]),
        "submission_id": st.none() | st.uuids(),
        "seq": integers,
        "request_id": st.none() | texts,
        "job_id": st.none() | integers,
        "attempt": st.none() | integers,
        "reason": st.none() | texts,
        "details": texts,
        "health_ciphertext": optional_bytes,
        "health_commitment": optional_bytes,
        "canonical_version": st.just(1),
    }
)


@given(rows)
def test_the_form_is_rfc_8785_of_plain_values(columns: dict[str, object]) -> None:
    form = canonical_form(columns)
    read = json.loads(form)
    assert form == rfc8785.dumps(read)
    assert set(read) == set(COLUMNS)
    for name, value in columns.items():
        told = read[name]
        match value:
            case uuid.UUID():
                assert uuid.UUID(told) == value
            case dt.datetime():
                assert dt.datetime.fromisoformat(told) == value
            case bytes():
                assert bytes.fromhex(told) == value
            case _:
                assert told == value


@given(rows, st.sampled_from(COLUMNS), rows)
def test_a_change_of_any_column_changes_the_leaf(
    columns: dict[str, object], name: str, other: dict[str, object]
) -> None:
    changed = columns | {name: other[name]}
    assert (leaf_hash(changed) == leaf_hash(columns)) == (changed == columns)


@given(st.dictionaries(st.sampled_from(Detail), st.none() | st.booleans() | integers | texts))
def test_details_are_stored_as_they_are_hashed(details: dict[Detail, str | int | bool | None]) -> None:
    plain = {key.value: value for key, value in details.items()}
    assert canonical_details(details) == rfc8785.dumps(plain).decode()


@pytest.mark.parametrize("value", [1.5, ["a"], {"a": 1}, dt.date(2026, 11, 22)])
def test_values_that_two_databases_could_write_differently_are_refused(value: object) -> None:
    with pytest.raises(TypeError, match="no canonical form"):
        canonical_form(dict.fromkeys(COLUMNS) | {"reason": value})
