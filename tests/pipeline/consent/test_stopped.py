"""Leads that ended for want of a consent, or of its text, are told and go on once that is there: none is lost."""

import uuid
from collections import Counter
from dataclasses import replace
from pathlib import Path

from config.screening import load_screening
from config.settings import ROOT
from pipeline.audit import actions
from pipeline.audit.actions import Action
from pipeline.consent.ledger import write_withdrawn
from pipeline.consent.purposes import PROVIDERS as PROVIDERS_AT_ALL
from pipeline.consent.purposes import ConsentPurpose
from pipeline.consent.stopped import count_stopped, resume, unknown_texts
from pipeline.context import Context
from pipeline.models import Referral
from pipeline.operations.checks import Outcome, run_checks
from pipeline.operations.prepare import prepare
from pipeline.unit_of_work import begin
from pipeline.withdrawal import withdraw
from tests.config.shipped import SCREENING
from tests.pipeline.consent.test_withdrawing import forget_consents
from tests.pipeline.secure_pages.links import PROVIDERS, Referred, referred
from tests.support.installations import Installation
from tests.support.submissions import person, submit
from tests.support.work import drain, expire_referrals, run_sweep, status_of, table

STAFF = actions.staff("tests")
VERSION = SCREENING.consent("consent_share").version


def test_what_a_worker_of_the_version_before_left_is_offered_after_the_next_migrate(
    installation: Installation, context: Context
) -> None:
    kept = submit(context).submission_id
    drain(context, "validate")
    forget_consents(context)
    drain(context)
    assert status_of(context, kept) == "candidate"
    assert (referrals(context, kept), stopped(context)) == ({}, 1)
    done = prepare(installation.settings())
    assert (done.backfilled, done.resumed, stopped(context)) == (1, 1, 0)
    drain(context)
    assert (referrals(context, kept), stopped(context)) == ({"offered": len(PROVIDERS)}, 0)
    assert prepare(installation.settings()).resumed == 0


def test_leads_of_a_text_that_was_taken_out_go_on_when_it_is_back(
    installation: Installation, context: Context, tmp_path: Path
) -> None:
    file = without_the_text(tmp_path)
    changed = replace(context, screening=load_screening(file))
    half = referred(context).submission_id
    new, silent, valid = (submit(context, person(number)).submission_id for number in (1, 2, 3))
    drain(context, "validate")
    assert warnings(installation, file) == {"consent texts"}, "before anything has ended"
    expire_referrals(context.database)
    run_sweep(context)
    drain(changed)
    assert [referrals(context, each) for each in (half, new)] == [{"expired": len(PROVIDERS)}, {}]
    assert stopped(context) == 4
    with begin(context.database, context.keys, STAFF) as unit:
        unit.lock([silent])
        write_withdrawn(unit, silent, ConsentPurpose.SHARE, PROVIDERS_AT_ALL)

    assert resume(context.database, context.keys, changed.screening, STAFF) == 0
    assert warnings(installation, file) == {"consent texts"}
    with context.database.read() as connection:
        assert unknown_texts(connection, []) == [VERSION]
        assert unknown_texts(connection, [VERSION]) == []
    assert prepare(installation.settings()).resumed == 3
    drain(context)
    assert referrals(context, half)["offered"] == 2, "five may ever see it"
    assert [referrals(context, each) for each in (new, valid, silent)] == [{"offered": 3}, {"offered": 3}, {}]
    ended = Referred(context, half).recorded(Action.REFERRAL_EXHAUSTED)
    assert [row.reason for row in ended] == ["consent_text_unknown"]
    assert stopped(context) == 1, "the one without a consent"


def test_the_text_of_requests_that_are_over_may_go(sqlite_installation: Installation, tmp_path: Path) -> None:
    context = sqlite_installation.context()
    case = referred(context)
    drain(context)
    file = without_the_text(tmp_path)
    assert warnings(sqlite_installation, file) == {"consent texts"}
    ended = submit(context, person(1)).submission_id
    drain(context, "validate")
    drain(replace(context, screening=load_screening(file)))
    assert (referrals(context, ended), stopped(context)) == ({}, 1)
    for each in (case.submission_id, ended):
        with begin(context.database, context.keys, STAFF) as unit:
            withdraw(context, unit, each, None)
    assert (warnings(sqlite_installation, file), stopped(context)) == (set(), 0)


def referrals(context: Context, submission_id: uuid.UUID) -> dict[str, int]:
    """How many stand where."""
    return Counter(
        row.status for row in table(context.database, Referral.table()) if row.submission_id == submission_id
    )


def stopped(context: Context) -> int:
    with context.database.read() as connection:
        return count_stopped(connection)


def without_the_text(folder: Path) -> Path:
    """The shipped questions, with a new text of the consent to share and no word of the one before."""
    shipped = (ROOT / "config" / "screening.yaml").read_text("utf-8")
    before, consent, after = shipped.partition("  - id: consent_share\n")
    file = folder / "screening.yaml"
    file.write_text(before + consent + after.replace(f'version: "{VERSION}"', 'version: "2031-01-01"'), "utf-8")
    return file


def warnings(installation: Installation, screening: Path) -> set[str]:
    """What `doctor` says about texts of consents, as far as it is a warning that names the version."""
    checks = run_checks(installation.settings(screening_file=screening), lambda _url: True)
    return {
        each.name for each in checks if each.outcome is Outcome.WARNING and VERSION in each.told and "text" in each.name
    }
