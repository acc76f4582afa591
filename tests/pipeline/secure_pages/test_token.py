"""What the tokens in links are hashed from: nothing but their own spelling."""

import base64
import string

from hypothesis import given
from hypothesis import strategies as st

from pipeline.secure_link import token_hash

URL_SAFE = string.ascii_letters + string.digits + "-_"
TOKENS = st.binary(min_size=32, max_size=32).map(lambda raw: base64.urlsafe_b64encode(raw).decode().rstrip("="))


@st.composite
def tampered(draw: st.DrawFn) -> tuple[str, str]:
    """A token, and the same with a few characters put in, or in place of others."""
    token = draw(TOKENS)
    start = draw(st.integers(0, len(token)) | st.just(len(token) - 1))
    end = draw(st.integers(start, min(start + 2, len(token))))
    put = draw(st.sampled_from(URL_SAFE) | st.text(st.sampled_from("+/= \n\x00") | st.characters(), max_size=3))
    return token, token[:start] + put + token[end:]


@given(tampered())
def test_no_other_string_has_the_hash_of_a_token(pair: tuple[str, str]) -> None:
    token, other = pair
    assert token_hash(token) is not None
    assert other == token or token_hash(other) != token_hash(token)


@given(TOKENS)
def test_of_all_last_characters_one_in_four_makes_a_token(token: str) -> None:
    hashes = [token_hash(token[:-1] + last) for last in URL_SAFE]
    known = [each for each in hashes if each is not None]
    assert len(known) == len(set(known)) == 16
