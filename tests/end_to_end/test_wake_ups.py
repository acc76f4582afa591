"""Messages are only a convenience: work is found without them, and work of a newer version is left alone."""

from uuid import UUID, uuid4

from redis import Redis
from sqlalchemy import select

from pipeline import ledger
from pipeline.context import Context
from pipeline.ledger import NewJob
from pipeline.models import Submission
from pipeline.operations.status_report import read_status
from pipeline.status import SubmissionStatus
from tasks.app import create_app
from tasks.wake import Waker
from tests.end_to_end.catching import held_tokens, stop_at_rest
from tests.end_to_end.evidence import Evidence, drained
from tests.end_to_end.people import to_api
from tests.end_to_end.running import Running, within
from tests.end_to_end.sending import post
from tests.servers.redis import RedisServer
from tests.support.installations import Installation
from tests.support.submissions import person, submit
from tests.support.work import jobs

NEWER = "from-the-future"


def test_work_is_found_without_a_message_and_a_newer_versions_work_is_left_alone(
    sqlite_installation: Installation, broker: RedisServer
) -> None:
    core = sqlite_installation.context()
    with Running(sqlite_installation, broker.celery_url) as running, running.client() as client:
        running.start_worker()
        running.start_web()
        post(client, to_api("first", person(1)))
        assert within(lambda: drained(core.database)), Evidence(core).first_left()
        stop_at_rest(running, "worker", core.database)
        post(client, to_api("its message is lost", person(2)))
        broker.flushall()
        with core.database.write() as connection:
            ledger.enqueue(connection, [NewJob(NEWER, uuid4(), None)])
        running.thaw("worker")
        assert within(lambda: {row.lane for row in jobs(core.database)} <= {NEWER, "refer"})
        (newer,) = jobs(core.database, NEWER)
        assert (newer.attempts, newer.lease_token) == (0, None)
        with core.database.read() as connection:
            assert read_status(connection).lanes[NEWER].due == 1


def test_a_worker_that_is_held_up_leaves_the_next_message_to_another(
    postgresql_installation: Installation, broker: RedisServer
) -> None:
    """Taken early, it would wait behind the work in hand while another worker has nothing to do."""
    core, lazily = postgresql_installation.context(), {"POLL_SECONDS": "600", "SWEEP_SECONDS": "600"}
    waker = Waker(create_app(core.settings, broker.celery_url), broker.celery_url)
    with Running(postgresql_installation, broker.celery_url, lazily) as running:
        running.start_worker("busy")
        assert within(lambda: _waiting_for_messages(broker) == 1)
        held_up = submit(core, person(1))
        with core.database.write() as connection:
            connection.execute(select(Submission.id).where(Submission.id == held_up.submission_id).with_for_update())
            waker("validate")
            assert within(lambda: bool(held_tokens(core.database)))
            later = submit(core, person(2))
            waker("validate")
            assert within(lambda: _messages(broker, "validate") == 1)
            running.start_worker("idle")
            assert within(lambda: _is_answered(core, later.submission_id))
            assert not _is_answered(core, held_up.submission_id)
    waker.close()


def _is_answered(core: Context, submission_id: UUID) -> bool:
    with core.database.read() as connection:
        status = connection.execute(select(Submission.status).where(Submission.id == submission_id)).scalar_one()
    return status == SubmissionStatus.CANDIDATE


def _waiting_for_messages(broker: RedisServer) -> int:
    with Redis.from_url(broker.redis_url) as client:
        return sum(entry["cmd"] == "brpop" for entry in client.client_list())


def _messages(broker: RedisServer, lane: str) -> int:
    with Redis.from_url(broker.redis_url) as client:
        return int(client.llen(lane))
