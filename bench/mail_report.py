"""What came out of sending emails, as a part of RESULTS.md."""

import statistics
from collections.abc import Sequence

from bench.laboratory import Laboratory
from bench.mail import CAREROUTE, TEXTBOOK, Mail, Sent
from bench.parts import Figure, Part, conditions
from bench.report import servers

TITLE = "Emails a second"
WANTED_RATE = 150.0
WANTED_RENDERINGS = 5000.0


def mail_part(measured: Mail, said: Sequence[str]) -> Part:
    """`said` are the conditions, see `mail_conditions`."""
    plan, costs = measured.plan, measured.costs
    return Part(
        TITLE,
        (
            Figure(
                f"one worker process on one core, answers after {plan.delay_seconds * 1000:.0f} ms (median)",
                f"at least {WANTED_RATE:.0f} emails/s",
                f"{measured.rate(CAREROUTE):.0f} emails/s",
                measured.rate(CAREROUTE) >= WANTED_RATE,
            ),
            Figure(
                "rendering subject, text and HTML, mean over all kinds and languages, one core",
                f"at least {WANTED_RENDERINGS:,.0f} emails/s",
                f"{measured.renderings_per_second:,.0f} emails/s",
                measured.renderings_per_second >= WANTED_RENDERINGS,
            ),
        ),
        (
            "Emails of real submissions, from the word to go to the commit that says the last one was handed over;",
            "claim, mark, call, answer and record of each are in it, and each was accepted exactly once. The other",
            "side sends one at a time by the official client as it comes, in one transaction an email, with the same",
            f"texts and records: {CAREROUTE} sends **{measured.ratio:.0f} times** as many.\n",
            "| side | emails | rounds (emails/s) | median | processor time an email | connections |",
            "| --- | ---: | --- | ---: | ---: | ---: |",
            *(_row(side, measured.sent[side], measured.rate(side)) for side in (CAREROUTE, TEXTBOOK)),
            "",
            "### What an email costs before the call\n",
            "Processor time on one core, templates compiled beforehand, mean over all kinds and languages.\n",
            "| step | an email |",
            "| --- | ---: |",
            f"| rendering subject, text and HTML | {statistics.median(costs.rendering):.0f} µs |",
            f"| addressing it | {statistics.median(costs.composing):.0f} µs |",
            f"| as the body of SendGrid's API | {statistics.median(costs.sendgrid):.0f} µs |",
            f"| as an Internet message (SMTP, mailbox) | {statistics.median(costs.internet_message):.0f} µs |",
            "",
            *said,
        ),
    )


def mail_conditions(laboratory: Laboratory, command: str) -> list[str]:
    packages = ("sendgrid", "jinja2", "mrml", "orjson", "sqlalchemy", "psycopg")
    return conditions(command, packages, servers(laboratory))


def _row(side: str, rounds: Sequence[Sent], median: float) -> str:
    each = ", ".join(f"{one.rate:.1f}" for one in rounds)
    processor = statistics.median(one.processor_seconds / one.emails for one in rounds) * 1000
    return f"| {side} | {rounds[0].emails} | {each} | {median:.1f} | {processor:.1f} ms | {rounds[-1].connections} |"
