"""The broker or the database away: nothing that was answered 2xx is lost, and nobody has to restart anything."""

import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from config.providers import ProviderDocument
from pipeline.context import Context
from tests.config.shipped import ANSWERS
from tests.end_to_end.catching import stop_at_rest
from tests.end_to_end.evidence import Evidence, drained
from tests.end_to_end.people import Request, to_api, to_form, to_hook
from tests.end_to_end.running import Running, free_port, within
from tests.end_to_end.sending import post
from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer
from tests.support.installations import Installation, prepare
from tests.support.submissions import person
from tests.web.html_form import FormReader
from web.form import LANGUAGE, TOKEN


def accepted(client: httpx.Client, request: Request) -> UUID:
    answer = post(client, request)
    assert answer.is_success, answer.text
    return UUID(answer.json()["id"])


def finish(core: Context, ids: list[UUID]) -> None:
    """Wait until all is done, and check it."""
    assert within(lambda: drained(core.database)), Evidence(core).first_left()
    Evidence(core).check(ids)


@pytest.mark.parametrize("trouble", ["absent", "silent"])
def test_without_a_broker_submissions_are_taken_in_and_processed(
    sqlite_installation: Installation, broker: RedisServer, trouble: str
) -> None:
    core = sqlite_installation.context()
    absent = f"redis://127.0.0.1:{free_port()}/0"
    with (
        silenced(broker),
        Running(sqlite_installation, absent if trouble == "absent" else broker.celery_url) as running,
    ):
        running.start_worker()
        running.start_web()
        with running.client() as client:
            ids = [accepted(client, to_api("first", person(1))), accepted(client, to_hook("second", person(2)))]
        finish(core, ids)
        running.terminate_web()
        if trouble == "absent":  # from a silent one it hears nothing until its time-out, which we need not wait for
            assert running.terminate("worker") == 0


def test_without_the_database_senders_are_told_to_come_again_and_the_form_keeps_what_was_typed(
    crashing: PostgresServer, tmp_path: Path, keys_dir: Path, network: tuple[ProviderDocument, ...], broker: RedisServer
) -> None:
    url = crashing.create_database("careroute")
    prepare(url, keys_dir, network)
    installation = Installation(tmp_path, keys_dir, url)
    typed = {**to_form(ANSWERS), LANGUAGE: "es", TOKEN: "7b9a8f0e-9f0c-4a39-b8b7-1c2f6a4d5e6f"}
    with Running(installation, broker.celery_url) as running, running.client() as client:
        running.start_worker()
        running.start_web()
        core = installation.context()
        ids = [accepted(client, to_api("before", person(1)))]
        assert within(lambda: drained(core.database))
        stop_at_rest(running, "worker", core.database)
        ids.append(accepted(client, to_api("kept, not yet looked at", person(2))))
        core.database.dispose()

        crashing.stop()
        running.thaw("worker")
        for request in (to_api("during", person(3)), to_hook("meanwhile", person(4))):
            refused = post(client, request)
            assert refused.status_code == 503
            assert refused.headers["content-type"] == "application/problem+json"
            assert int(refused.headers["retry-after"]) > 0
            assert refused.json()["status"] == 503
        page = client.post("/screening", data=typed, headers={"accept": "text/html"})
        assert page.status_code == 503
        assert int(page.headers["retry-after"]) > 0
        assert sent_again(page) == {name: sorted(as_list(value)) for name, value in typed.items()}
        assert client.get("/readyz").status_code == 503
        assert client.get("/healthz").status_code == 200

        crashing.start()
        assert within(lambda: client.get("/readyz").is_success)
        ids += [accepted(client, to_api("during", person(3))), accepted(client, to_hook("meanwhile", person(4)))]
        thanks = client.post("/screening", data=sent_again(page), headers={"accept": "text/html"})
        assert thanks.status_code == 200
        ids.append(by_reference(core, re.findall(r"CR-\w{4}-\w{4}", thanks.text)[0]))
        finish(core, ids)
        assert running.terminate("worker") == 0
        running.terminate_web()
    installation.close()


@pytest.fixture
def crashing() -> Iterator[PostgresServer]:
    """A server of its own, whose commits outlive its crash; only the machine's own crash would cost some."""
    with PostgresServer(settings={"fsync": "off", "full_page_writes": "off"}) as server:
        yield server


@contextmanager
def silenced(broker: RedisServer) -> Iterator[None]:
    """Inside, the broker takes connections and says nothing."""
    assert broker.pid is not None
    os.kill(broker.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(broker.pid, signal.SIGCONT)


def sent_again(page: httpx.Response) -> dict[str, list[str]]:
    """What a browser would send if the person pressed the button of this page."""
    return {name: sorted(values) for name, values in FormReader(page.text).fields.items()}


def as_list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def by_reference(core: Context, reference: str) -> UUID:
    return next(id_ for id_, row in Evidence(core).submissions.items() if row.reference == reference)
