"""Messages are only a convenience: work is found without them, and work of a newer version is left alone."""

from uuid import uuid4

from pipeline import ledger
from pipeline.ledger import NewJob
from pipeline.operations.status_report import read_status
from tests.end_to_end.catching import stop_at_rest
from tests.end_to_end.evidence import Evidence, drained
from tests.end_to_end.people import to_api
from tests.end_to_end.running import Running, within
from tests.end_to_end.sending import post
from tests.servers.redis import RedisServer
from tests.support.installations import Installation
from tests.support.submissions import person
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
