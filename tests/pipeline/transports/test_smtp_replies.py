"""The table of refusals: whose fault each is, and whether there is a mailbox at all."""

import pytest

from pipeline.transports.receipt import SendOutcome
from pipeline.transports.smtp_replies import Reply, Step, judge

REJECTED, RETRY = SendOutcome.REJECTED, SendOutcome.RETRY
LANE_FAILURE, UNAVAILABLE = SendOutcome.LANE_FAILURE, SendOutcome.UNAVAILABLE
GREETING, SENDER, RECIPIENT, DATA, CONTENT = Step


@pytest.mark.parametrize(
    ("step", "code", "text", "outcome", "bad_address"),
    [
        # nobody there: RFC 3463, 3.2 and 3.3; RFC 7505 for the null MX
        (RECIPIENT, 550, "5.1.1 no such user", REJECTED, True),
        (CONTENT, 550, "5.1.1 no such user", REJECTED, True),
        (RECIPIENT, 550, "5.1.2 no such domain", REJECTED, True),
        (RECIPIENT, 501, "5.1.3 not an address", REJECTED, True),
        (RECIPIENT, 551, "5.1.6 moved", REJECTED, True),
        (RECIPIENT, 556, "5.1.10 null MX", REJECTED, True),
        (RECIPIENT, 550, "5.2.1 mailbox disabled", REJECTED, True),
        # refused, and that says nothing about the mailbox
        (RECIPIENT, 550, "no such user", REJECTED, False),
        (RECIPIENT, 553, "5.1.4 ambiguous", REJECTED, False),
        (RECIPIENT, 550, "5.1.0 address", REJECTED, False),
        (RECIPIENT, 550, "5.7.1 not wanted here", REJECTED, False),
        (RECIPIENT, 553, "5.6.7 needs SMTPUTF8", REJECTED, False),
        (CONTENT, 554, "5.7.1 looks like spam", REJECTED, False),
        (CONTENT, 552, "5.2.3 too long for this mailbox", REJECTED, False),
        (CONTENT, 552, "5.3.4 too big", REJECTED, False),
        (SENDER, 552, "5.3.4 too big", REJECTED, False),
        (SENDER, 552, "too big", REJECTED, False),
        # later; where the codes disagree, the milder one
        (RECIPIENT, 450, "4.7.1 greylisted", RETRY, False),
        (RECIPIENT, 452, "4.2.2 mailbox full", RETRY, False),
        (RECIPIENT, 552, "5.2.2 mailbox full, said to be for good", RETRY, False),
        (RECIPIENT, 452, "4.5.3 too many recipients", RETRY, False),
        (RECIPIENT, 450, "4.2.1 mailbox busy", RETRY, False),
        (RECIPIENT, 550, "4.1.1 disagrees with itself", RETRY, False),
        (RECIPIENT, 450, "5.1.1 disagrees with itself", RETRY, False),
        (CONTENT, 451, "later", RETRY, False),
        # the server itself
        (GREETING, 421, "4.3.2 not now", UNAVAILABLE, False),
        (GREETING, 454, "4.7.0 login does not work just now", UNAVAILABLE, False),
        (SENDER, 452, "4.3.1 disk full", UNAVAILABLE, False),
        (SENDER, 451, "later", UNAVAILABLE, False),
        (RECIPIENT, 421, "4.3.2 going down", UNAVAILABLE, False),
        (CONTENT, 421, "going down", UNAVAILABLE, False),
        (CONTENT, 451, "4.3.0 local error", UNAVAILABLE, False),
        # login: RFC 4954, 6
        (GREETING, 535, "5.7.8 wrong", LANE_FAILURE, False),
        (GREETING, 534, "5.7.9 too weak", LANE_FAILURE, False),
        (SENDER, 530, "5.7.0 authentication required", LANE_FAILURE, False),
        (RECIPIENT, 530, "authentication required", LANE_FAILURE, False),
        (GREETING, 432, "4.7.12 change your password", LANE_FAILURE, False),
        (GREETING, 550, "5.7.13 account disabled", LANE_FAILURE, False),
        (RECIPIENT, 550, "5.7.13 account disabled", REJECTED, False),
        # the sender, its domain and its set-up: RFC 3463, 3.2; RFC 7372; RFC 7505
        (SENDER, 550, "5.7.1 not you", LANE_FAILURE, False),
        (SENDER, 553, "not you", LANE_FAILURE, False),
        (RECIPIENT, 553, "5.1.7 sender syntax", LANE_FAILURE, False),
        (RECIPIENT, 450, "4.1.8 sender domain not found", LANE_FAILURE, False),
        (CONTENT, 550, "5.7.20 no passing DKIM signature", LANE_FAILURE, False),
        (CONTENT, 550, "5.7.23 SPF", LANE_FAILURE, False),
        (CONTENT, 550, "5.7.25 reverse DNS", LANE_FAILURE, False),
        (CONTENT, 550, "5.7.26 DMARC", LANE_FAILURE, False),
        (RECIPIENT, 550, "5.7.27 sender has null MX", LANE_FAILURE, False),
        (CONTENT, 450, "4.7.28 mail flood", LANE_FAILURE, False),
        (GREETING, 554, "no mail service here", LANE_FAILURE, False),
        # said when the recipient is named, and meant for whoever asks
        (RECIPIENT, 554, "5.7.1 <ann@person.example>: Relay access denied", LANE_FAILURE, False),
        (RECIPIENT, 550, "relay not permitted", LANE_FAILURE, False),
        (RECIPIENT, 554, "5.7.1 <mx.org.example[192.0.2.1]>: Client host rejected: Access denied", LANE_FAILURE, False),
        (RECIPIENT, 550, "5.7.1 <relay@person.example>: not wanted here", REJECTED, False),
    ],
)
def test_whose_fault_a_refusal_is(step: Step, code: int, text: str, outcome: SendOutcome, bad_address: object) -> None:
    receipt = judge(Reply.of(step, code, text))
    assert (receipt.outcome, receipt.bad_address) == (outcome, bad_address)


def test_a_receipt_quotes_no_address_and_the_lanes_troubles_say_what_to_do() -> None:
    refused = judge(Reply.of(RECIPIENT, 550, b"5.1.1 <ann@person.example> no such user"))
    assert refused.code == "5.1.1"
    paused = judge(Reply.of(GREETING, 535, b"5.7.8 <ann@person.example> wrong"))
    assert paused.code == "5.7.8 login refused: check CAREROUTE_SMTP_USERNAME and CAREROUTE_SMTP_PASSWORD"
