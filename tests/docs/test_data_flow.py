"""The map of where data goes is the one that the code's own classes give."""

from config.screening import DataClass
from tools import data_flow


def test_the_page_is_what_the_code_says() -> None:
    assert data_flow.PAGE.read_text(encoding="utf-8") == data_flow.page(), "make data-flow writes it again"


def test_only_a_transport_that_can_be_encrypted_may_ever_be_cleared_for_facts() -> None:
    assert {(name, told): most for name, told, most in data_flow.clearances()} == {
        ("mailbox", ""): DataClass.HEALTH,
        ("smtp", "without TLS"): DataClass.PUBLIC,
        ("smtp", "with TLS"): DataClass.HEALTH,
        ("sendgrid", ""): DataClass.PUBLIC,
        ("null", ""): DataClass.PUBLIC,
    }
