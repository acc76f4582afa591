"""What is prepared while tables are nearly empty must do for a flood: PostgreSQL keeps such a plan for long."""

from pipeline.context import Context
from pipeline.intake.accept import Kept, accept
from tests.pipeline.test_plans import is_allowed
from tests.support.installations import Installation
from tests.support.plans import captured, explain_everything
from tests.support.submissions import arrival, person
from tests.support.work import drain


def take_in_and_work(context: Context, number: int) -> None:
    kept = accept(context, arrival(person(number), vendor_id=f"kept-{number}"), lambda _lane: None)
    assert isinstance(kept, Kept)
    drain(context)


def test_plans_made_over_small_tables_use_keys(postgresql_installation: Installation) -> None:
    explain_everything(postgresql_installation.database_url)
    context = postgresql_installation.context()
    with captured(context) as plans:
        for number in range(4):
            take_in_and_work(context, number)
    for words in ("FROM job", "UPDATE email", "INSERT INTO referral", "FOR KEY SHARE"):
        assert any(words in statement for statement in plans.statements), words
    found = sorted(str(scan) for scan in plans.scans if scan.by == "Seq Scan" and not is_allowed(scan))
    assert not found, "\n".join(found)
