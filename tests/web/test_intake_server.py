"""The web process as it is put together for real."""

import pytest
from fastapi.testclient import TestClient
from redis import Redis

from pipeline.models import Job, SourceTally, Submission
from pipeline.schema import SchemaProblem
from tests.config.shipped import KEY
from tests.servers.redis import RedisServer
from tests.support.installations import Installation
from tests.support.submissions import answers, body
from tests.support.work import count
from web.server import build

NO_BROKER = "redis://127.0.0.1:1/0"
HEADERS = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}


def test_without_a_broker_submissions_are_taken_in_and_the_last_counts_are_written_at_the_end(
    installation: Installation,
) -> None:
    with TestClient(build(installation.settings(), NO_BROKER)) as client:
        assert client.get("/readyz").json() == {"status": "ok", "checks": {"database": True}}
        assert client.post("/v1/submissions", content=body(answers()), headers=HEADERS).status_code == 202
    database = installation.database()
    assert (count(database, Submission.table()), count(database, Job.table())) == (1, 1)
    assert count(database, SourceTally.table()) == 1


def test_an_accepted_submission_wakes_the_first_lane(
    sqlite_installation: Installation, redis_server: RedisServer
) -> None:
    with TestClient(build(sqlite_installation.settings(), redis_server.celery_url)) as client:
        client.post("/v1/submissions", content=body(answers()), headers=HEADERS)
    with Redis.from_url(redis_server.redis_url) as redis:
        assert redis.llen("validate") == 1


def test_a_database_of_another_schema_is_refused(sqlite_installation: Installation) -> None:
    with sqlite_installation.database().write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(SchemaProblem):
        build(sqlite_installation.settings(), NO_BROKER)
