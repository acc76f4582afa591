from collections import Counter

from bench.mail import CAREROUTE, TEXTBOOK, Costs, Mail, MailPlan, Sent, measure_costs
from bench.mail_faults import Trouble, mail_faults_part
from bench.mail_report import mail_part
from tests.end_to_end.mail_counts import MailCounts

PLAN = MailPlan(submissions=3, textbook_submissions=1, rounds=1, delay_seconds=0.01, renderings=1)


def test_what_was_wanted_decides() -> None:
    def sending(rate: float, rendering: float = 100) -> Mail:
        sent = {CAREROUTE: [Sent(1000, 1000 / rate, 1, 48)], TEXTBOOK: [Sent(10, 2, 1, 10)]}
        return Mail(PLAN, sent, Costs([rendering], [1], [1], [1]))

    assert mail_part(sending(150), ["a machine"]).reached
    assert not mail_part(sending(149), []).reached
    assert not mail_part(sending(150, rendering=201), []).reached
    assert sending(150).ratio == 30
    assert min(measure_costs(PLAN).rendering) > 0


def test_an_attempt_lost_or_an_email_left_is_told() -> None:
    def trouble(lost: int, jobs: int) -> Trouble:
        return Trouble("storm", MailCounts(Counter(), {}, frozenset(), Counter(), jobs), lost, 7, 30, 2)

    part = mail_faults_part([trouble(0, 0)], ["a machine"])
    assert part.reached
    assert "| storm | 7 | 0 | 30 s | 2 s |" in part.text()
    assert not mail_faults_part([trouble(0, 1)], []).reached
    assert not mail_faults_part([trouble(2, 0)], []).reached
