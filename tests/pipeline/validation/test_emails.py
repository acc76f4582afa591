"""The short way of plain addresses comes to what the library says of the whole address."""

from email_validator import EmailNotValidError, validate_email
from hypothesis import given
from hypothesis import strategies as st

from pipeline.validation.problems import Refused
from pipeline.validation.readers import read_email

_LOCAL = st.text("abzAZ09._+-'\"@ <>é", min_size=0, max_size=70)
_DOMAINS = ("example.org", "EXAMPLE.Org", "exämple.de", "test", "a.test", "localhost", "b>", "[1.2.3.4]", "", "x..org")
_LONG = st.integers(1, 5).map(lambda labels: ".".join(["ö" * 40] * labels) + ".org")
_DOMAIN = st.sampled_from(_DOMAINS) | st.text("ab.-AéÖ1", max_size=30) | _LONG


def of_the_library(text: str) -> str | None:
    try:
        address = validate_email(text, check_deliverability=False, allow_smtputf8=False)
    except EmailNotValidError:
        return None
    return address.ascii_email or address.normalized


def ours(text: str) -> str | None:
    try:
        return read_email(text)
    except Refused:
        return None


@given(_LOCAL | st.from_regex(r"[a-z0-9_+.-]{1,90}", fullmatch=True), _DOMAIN)
def test_an_address_is_what_the_library_takes_it_for(local: str, domain: str) -> None:
    typed = f"{local}@{domain}".strip()
    if len(typed) <= 254:
        assert ours(typed) == of_the_library(typed)


def test_mailboxes_whose_case_does_not_count_are_folded() -> None:
    assert read_email("Postmaster@Example.org") == read_email("postmaster@example.org") == "postmaster@example.org"
