"""How a failpoint is named, that each is tried somewhere, and those of erasures and of changes of keys."""

import pytest

from pipeline import failpoints
from pipeline.audit import actions
from pipeline.erasure import journal
from pipeline.erasure.replaying import replay
from pipeline.failpoints import VARIABLE, Armed, Failpoint, armed
from pipeline.keys import KeyFolder, KeyPurpose
from pipeline.models import Erasure
from pipeline.operations.key_rotation import Rotation
from pipeline.retention import let_go
from pipeline.rewrapping import left_to_rewrap, rewrap
from pipeline.status import SubmissionStatus
from tests.end_to_end.test_failpoints import EMBEDDED, IN_PRODUCTION
from tests.pipeline.audit.test_failpoints import OURS as OF_THE_LOG
from tests.support.crashing import crash
from tests.support.installations import Installation
from tests.support.lives import erase, rotate
from tests.support.submissions import submit
from tests.support.work import actions_about, drain, status_of, table

STAFF = actions.staff("tests")
OF_ERASURES = (Failpoint.ERASURE_AFTER_LINE, Failpoint.ERASURE_AFTER_COMMIT)
OF_KEYS = {
    "rotation:before-file": ("add",),
    "rotation:before-file@2": ("add", "promote"),
    "rewrap:after-batch": ("add", "promote", "rewrap"),
}


def test_each_failpoint_is_tried_by_a_process_that_ends_there() -> None:
    tried = {*EMBEDDED, *IN_PRODUCTION, *OF_THE_LOG, *OF_ERASURES, *OF_KEYS}
    assert {name.partition("[")[0].partition("@")[0] for name in tried} == set(Failpoint)


@pytest.mark.parametrize("name", ["", "drain:after-claim", "drain:after-claim@3", "drain:after-claim[email]@12"])
def test_a_name_may_say_in_which_lane_and_which_time(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(VARIABLE, name)
    claim = Failpoint.DRAIN_AFTER_CLAIM
    expected = {
        "": None,
        "drain:after-claim": Armed(claim),
        "drain:after-claim@3": Armed(claim, None, 3),
        "drain:after-claim[email]@12": Armed(claim, "email", 12),
    }
    assert armed() == expected[name]


@pytest.mark.parametrize(
    "name",
    [
        "sequencer:misspelt",
        "drain:after-claim[emial]",
        "drain:after-claim[sequence]",
        "sweep:before-commit[email]",
        "drain:after-claim@0",
        "drain:after-claim@",
        "drain:after-claim@3[email]",
    ],
)
def test_a_name_that_is_none_ends_nobody_unseen(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(VARIABLE, name)
    with pytest.raises(ValueError, match=f"^{VARIABLE}: "):
        armed()


def test_only_the_named_time_in_the_named_lane_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[int] = []
    monkeypatch.setattr("os._exit", ended.append)
    monkeypatch.setattr(failpoints, "_ARMED", Armed(Failpoint.DRAIN_AFTER_CLAIM, "email", 2))
    for point, lane, number in (
        (Failpoint.DRAIN_AFTER_CLAIM, "score", 0),
        (Failpoint.DRAIN_AFTER_CLAIM, "email", 0),
        (Failpoint.DRAIN_BEFORE_COMMIT, "email", 0),
        (Failpoint.DRAIN_AFTER_CLAIM, "email", 1),
        (Failpoint.DRAIN_AFTER_CLAIM, "email", 1),
    ):
        failpoints.reach(point, lane)
        assert len(ended) == number
    assert ended == [failpoints.EXIT_STATUS]


@pytest.mark.parametrize("failpoint", OF_ERASURES)
def test_an_erasure_that_was_cut_off_is_told_and_completed(
    postgresql_installation: Installation, failpoint: Failpoint
) -> None:
    context = postgresql_installation.context()
    kept, other = submit(context), submit(context, email="other@example.org", first_name="Other")
    drain(context)
    folder = context.settings.effective_mailbox_dir
    rendered = len(list(folder.iterdir()))
    crash(failpoint, erase, context.settings, kept.submission_id)
    committed = failpoint is Failpoint.ERASURE_AFTER_COMMIT
    assert (status_of(context, kept.submission_id) is SubmissionStatus.ERASED) == committed
    with context.database.read() as connection:
        seen = journal.glance(connection, context.settings.effective_erasure_file)
    assert (seen.named, seen.returned, seen.strange) == (1, int(not committed), 0)
    # What is named and not erased is erased at the next start. What is left of mail goes with the hourly turn.
    if committed:
        let_go(context, STAFF)
    else:
        replay(context, STAFF)
    assert [row.submission_id for row in table(context.database, Erasure.table())] == [kept.submission_id]
    assert actions_about(context, kept.submission_id).count("submission:erased") == 1
    assert 0 < len(list(folder.iterdir())) < rendered, "what was written to the person about it is gone"
    assert status_of(context, other.submission_id) is not SubmissionStatus.ERASED


@pytest.mark.parametrize("failpoint", OF_KEYS)
def test_a_change_of_keys_that_was_cut_off_is_made_good_by_asking_again(
    sqlite_own_keys: Installation, failpoint: str
) -> None:
    context, folder = sqlite_own_keys.context(), KeyFolder(sqlite_own_keys.keys_dir)
    kept = [submit(context, email=f"p{number}@example.org").submission_id for number in range(3)]
    before = folder.read(KeyPurpose.VAULT)
    steps = OF_KEYS[failpoint]
    crash(failpoint, rotate, context.settings, steps)
    context = sqlite_own_keys.context()  # a process starts with what is there now
    with context.database.read() as connection:
        left = left_to_rewrap(connection, folder.read(KeyPurpose.VAULT).primary)
    assert left == (2 if steps[-1] == "rewrap" else 0)
    rotation = Rotation(context.database, context.keys, STAFF, folder)
    asked_again = {"add": rotation.add, "promote": rotation.promote}
    if steps[-1] in asked_again:
        asked_again[steps[-1]](KeyPurpose.VAULT)
        assert folder.read(KeyPurpose.VAULT).keys[:1] == before.keys
    context = sqlite_own_keys.context()
    rewrap(context.database, context.keys, STAFF, folder)
    with context.database.read() as connection:
        assert left_to_rewrap(connection, folder.read(KeyPurpose.VAULT).primary) == 0
    drain(context)
    assert {status_of(context, each) for each in kept} == {SubmissionStatus.CANDIDATE}
