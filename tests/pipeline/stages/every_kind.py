"""One installation with an email of every kind waiting, from people whose every answer can be recognised."""

from dataclasses import dataclass

from sqlalchemy import update
from uuid_utils.compat import uuid7

from pipeline.audit import actions
from pipeline.context import Context
from pipeline.email.kinds import EmailKind
from pipeline.models import Email, Referral
from pipeline.outreach import TO_PERSON, Message, queue_email, to_provider
from pipeline.status import EmailStatus
from pipeline.unit_of_work import begin
from tests.pipeline.scoring.network_files import program, provider
from tests.support.networks import put_in_force
from tests.support.submissions import answers, submit
from tests.support.work import drain, table

MARKER = "Zqxhollyhock"
SAID = answers(
    submitter="caregiver",
    guardian_name=f"{MARKER} Guardian",
    first_name=f"{MARKER} Ana",
    last_name=f"de {MARKER}",
    phone="+14155550199",
    contraindications=["immunosuppression"],
)
IDENTITY = (MARKER, "4155550199", "415-555-0199", "1975-03-28", "28 de marzo")
"""Who the people are, beside their address."""
ADDRESSES = frozenset({f"{MARKER}.one@example.org", f"{MARKER}.two@example.org"})
PROVIDER, DESK = "blue-mesa", "desk@blue-mesa.example"
BUDGET = ("Up to 10000", "Hasta 10000")
HEALTH = ("Fibromialgia", "Fibromyalgia", "weakened immune system", "Defensas bajas", "Less pain", "Menos dolor")
QUESTION = "¿Desde cuándo es así?"
FACTS = {
    EmailKind.RECOMMENDATION: (
        *("Fibromialgia", "Blue Mesa", "No se ha establecido que estos tratamientos sean seguros"),
        *("El tiempo desde que empezó está dentro", "no está aprobado por la Administración de Alimentos"),
    ),
    EmailKind.INFORMATION_NEEDED: (QUESTION,),
    EmailKind.REFERRAL: ("Fibromyalgia", "A weakened immune system", "Less pain", " years"),
}
_NETWORK = provider(
    program(
        [{"question": "onset_months", "at_least": 12, "ask": {"en": "Since when?", "es": QUESTION}}],
        product="unapproved_therapy",
    ),
    capacity={"max_open": 50, "max_per_day": 50},
)


@dataclass(frozen=True, slots=True)
class EveryKind:
    """Where every email of the database can be made to wait again."""

    context: Context

    def queue_again(self) -> None:
        with begin(self.context.database, self.context.keys, actions.staff("tests")) as unit:
            unit.connection.execute(
                update(Email).values(status=EmailStatus.QUEUED.value, attempt_id=None, handed_over_at=None)
            )
            for row in table(self.context.database, Email.table()):
                unit.enqueue("email", row.id, row.submission_id)


def every_kind(context: Context) -> EveryKind:
    """Two people, one of whom sent the form twice, and one form that has to be corrected: all their emails wait."""
    put_in_force(context, _NETWORK)
    one = submit(context, SAID, email=f"{MARKER}.one@example.org")
    submit(context, SAID, email=f"{MARKER}.two@example.org", date_of_birth="1974-03-27", onset_months=None)
    submit(context, SAID, email=f"{MARKER}.one@example.org")
    submit(context, SAID, email=f"{MARKER}.two@example.org", severity=99, first_name=MARKER)
    drain(context, "validate", "score")
    (referral,) = table(context.database, Referral.table())
    desk = to_provider(PROVIDER)
    with begin(context.database, context.keys, actions.staff("tests")) as unit:
        for kind, recipient, subject in (
            (EmailKind.IN_REVIEW, TO_PERSON, None),
            (EmailKind.NO_MATCH, TO_PERSON, None),
            (EmailKind.STATUS_LINK, TO_PERSON, None),
            (EmailKind.REFERRAL_REMINDER, desk, referral.id),
            (EmailKind.REFERRAL_WITHDRAWN, desk, referral.id),
            (EmailKind.ONE_TIME_CODE, desk, uuid7()),
        ):
            language = "es" if recipient == TO_PERSON else "en"
            queue_email(context, unit, Message(one.submission_id, kind, recipient, language, "tests", subject))
    waiting = {row.kind for row in table(context.database, Email.table())}
    assert waiting == {kind.value for kind in EmailKind}
    return EveryKind(context)
