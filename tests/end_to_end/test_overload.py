"""More than a bound lets wait: the doors shut in their order, what was kept is worked on, and the doors open again."""

import time
from uuid import UUID

import httpx
from sqlalchemy import select

from pipeline.models import Submission
from pipeline.status import SubmissionStatus
from tests.end_to_end.evidence import drained
from tests.end_to_end.people import to_api, to_form, to_hook
from tests.end_to_end.running import Running, within
from tests.end_to_end.sending import post
from tests.servers.redis import RedisServer
from tests.support.installations import Installation
from tests.support.submissions import person
from web.backlog import LOOK_SECONDS

BOUND, HOOK_BOUND = 5, 40
NO_ROOM = httpx.codes.SERVICE_UNAVAILABLE


def test_past_its_bound_each_door_shuts_and_opens_again(
    postgresql_installation: Installation, broker: RedisServer
) -> None:
    database = postgresql_installation.database()
    bounds = {"BACKLOG_LIMIT": str(BOUND), "BACKLOG_LIMIT_HOOKS": str(HOOK_BOUND)}
    kept: set[UUID] = set()
    with Running(postgresql_installation, broker.celery_url, bounds) as running, running.client() as client:
        running.start_web()
        numbers = iter(range(1000))

        def shuts(door: str) -> bool:
            """Whether the next one is asked to come back; what is let in is kept."""
            number = next(numbers)
            make = to_api if door == "api" else to_hook
            answer = post(client, make(f"r-{number}", person(number)))
            if answer.status_code == NO_ROOM:
                assert int(answer.headers["retry-after"]) > 0
                return True
            kept.add(UUID(answer.raise_for_status().json()["id"]))
            return False

        def slowly_shuts(door: str) -> bool:
            """Slowly enough for the web process to look at the backlog before the next one."""
            time.sleep(LOOK_SECONDS / 2)
            return shuts(door)

        assert within(lambda: slowly_shuts("api"))
        assert not shuts("hook")
        form = client.post("/screening", data=to_form(person(2000)))
        assert form.status_code == NO_ROOM
        assert int(form.headers["retry-after"]) > 0
        assert "ana.2000@example.org" in form.text
        assert within(lambda: shuts("hook"))
        assert client.get("/readyz").is_success
        running.start_worker()
        assert within(lambda: not shuts("api"))
        assert within(lambda: drained(database))
    with database.read() as connection:
        assert set(connection.execute(select(Submission.id)).scalars()) == kept
        left = select(Submission.id).where(Submission.status.in_([SubmissionStatus.RECEIVED, SubmissionStatus.VALID]))
        assert connection.execute(left).first() is None
