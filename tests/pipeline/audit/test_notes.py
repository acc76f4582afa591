import base64
import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.audit.notes import (
    Checkpoint,
    NoteInvalid,
    key_id,
    open_checkpoint,
    read_unverified,
    sign_checkpoint,
    verifier_key,
)

# Published with the format: the example key pair of golang.org/x/mod/sumdb/note, and the key of sum.golang.org.
PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETERS_SEED = base64.b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]
GO_SUM = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"

# RFC 8032 section 7.1, test 1. Its key id for this name, by hand: SHA-256("careroute-audit-00000000/1\n" 01 <key>).
SECRET = Ed25519PrivateKey.from_private_bytes(
    bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
)
PUBLIC = SECRET.public_key()
ORIGIN = "careroute-audit-00000000/1"
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
CHECKPOINT = Checkpoint(ORIGIN, 7, bytes(range(32)))
BODY = f"{ORIGIN}\n7\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"
NOTE = sign_checkpoint(CHECKPOINT, [SECRET])


@pytest.mark.parametrize("published", [PETER, GO_SUM])
def test_published_keys_have_their_published_form(published: str) -> None:
    name, named_id, material = published.split("+", 2)
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(material)[1:])
    assert key_id(name, key).hex() == named_id
    assert verifier_key(name, key) == published


def test_a_signature_is_as_the_published_example_has_it() -> None:
    peter = Ed25519PrivateKey.from_private_bytes(PETERS_SEED)
    assert verifier_key("PeterNeumann", peter.public_key()) == PETER
    note = sign_checkpoint(Checkpoint("PeterNeumann", 1, bytes(32)), [peter])
    body = f"PeterNeumann\n1\n{'A' * 43}=\n"
    signature = bytes.fromhex("c74f20a3") + peter.sign(body.encode())
    assert note == f"{body}\n— PeterNeumann {base64.b64encode(signature).decode()}\n"


def test_a_note_is_body_empty_line_and_signature_lines() -> None:
    assert CHECKPOINT.body == BODY
    named_id = hashlib.sha256(f"{ORIGIN}\n".encode() + b"\x01" + PUBLIC.public_bytes_raw()).digest()[:4]
    signature = base64.b64encode(named_id + SECRET.sign(BODY.encode())).decode()
    assert f"{BODY}\n— {ORIGIN} {signature}\n" == NOTE
    assert open_checkpoint(NOTE, ORIGIN, [PUBLIC]) == CHECKPOINT


def test_while_a_key_is_replaced_either_one_is_enough_and_unknown_ones_are_passed_by() -> None:
    note = sign_checkpoint(CHECKPOINT, [OTHER, SECRET])
    for known in ([PUBLIC], [OTHER.public_key()], [PUBLIC, OTHER.public_key()]):
        assert open_checkpoint(note, ORIGIN, known) == CHECKPOINT
    with pytest.raises(NoteInvalid, match="no key that is known"):
        open_checkpoint(note, ORIGIN, [Ed25519PrivateKey.generate().public_key()])


def test_a_wrong_signature_by_a_known_key_spoils_the_right_ones() -> None:
    other = sign_checkpoint(Checkpoint(ORIGIN, 8, bytes(32)), [OTHER])
    mixed = NOTE + other.partition("\n\n")[2]
    with pytest.raises(NoteInvalid, match="not by the key it names"):
        open_checkpoint(mixed, ORIGIN, [PUBLIC, OTHER.public_key()])


def test_a_checkpoint_of_another_log_is_none_of_this_one() -> None:
    with pytest.raises(NoteInvalid, match="is of the log"):
        open_checkpoint(NOTE, "careroute-audit-00000000/2", [PUBLIC])


@pytest.mark.parametrize(
    "body",
    [
        f"{ORIGIN}\n07\n{'A' * 43}=\n",
        f"{ORIGIN}\n-1\n{'A' * 43}=\n",
        f"{ORIGIN}\n٧\n{'A' * 43}=\n",  # a digit, but not one of the format's
        f"{ORIGIN}\n7\n{'A' * 42}==\n",
        f"{ORIGIN}\n7\n{'A' * 42}B=\n",  # bits that are not there: a second spelling of one root
        f"{ORIGIN}\n7\n{'A' * 43}=\nextension\n",
        f"\n7\n{'A' * 43}=\n",
    ],
)
def test_what_is_spelled_otherwise_is_no_checkpoint_even_signed(body: str) -> None:
    signature = base64.b64encode(key_id(ORIGIN, PUBLIC) + SECRET.sign(body.encode())).decode()
    note = f"{body}\n— {ORIGIN} {signature}\n"
    with pytest.raises(NoteInvalid):
        open_checkpoint(note, ORIGIN, [PUBLIC])
    with pytest.raises(NoteInvalid):
        read_unverified(note)


pieces = st.sampled_from([*BODY.splitlines(keepends=True), "\n", "— ", ORIGIN, " ", *NOTE.splitlines(keepends=True)])
texts = st.lists(pieces | st.text(max_size=8), max_size=10).map("".join)
cuts = st.tuples(st.integers(0, len(NOTE)), st.integers(0, 5), st.text(max_size=5)).map(
    lambda cut: NOTE[: cut[0]] + cut[2] + NOTE[cut[0] + cut[1] :]
)


@given(texts | cuts)
@example(NOTE)
@example("\ud800")
@example(NOTE + "— x " + "A" * 5 + "\n")
@example(f"{ORIGIN}\n{'9' * 5000}\n{'A' * 43}=\n\n— x AAAA\n")
def test_whatever_a_text_says_it_is_the_checkpoint_or_invalid(text: str) -> None:
    try:
        assert open_checkpoint(text, ORIGIN, [PUBLIC]) == CHECKPOINT
    except NoteInvalid:
        assert text != NOTE
    try:
        read_unverified(text)
    except NoteInvalid:
        assert not text.startswith(BODY + "\n")
