"""The mailbox page: for whoever holds the token, on this machine, and safe to look at."""

import json
import os
import re
import uuid

import pytest
from fastapi.testclient import TestClient

from pipeline.context import Context
from pipeline.operations.mailbox import PAGE_SIZE
from pipeline.transports.mailbox import MailboxTransport
from tests.config.shipped import ANSWERS
from tests.pipeline.transports.messages import message
from tests.support.installations import Installation
from tests.support.work import drain
from tests.web.real_app import RealApp
from web.app import create_app
from web.mailbox import COOKIE
from web.server import compose

TOKEN = "a-token-of-this-start"
HERE, ELSEWHERE = ("127.0.0.1", 50000), ("192.0.2.7", 50000)


@pytest.fixture
def core(sqlite_installation: Installation) -> Context:
    return sqlite_installation.context(mailbox_token=TOKEN)


def browser(core: Context, client: tuple[str, int] = HERE) -> TestClient:
    real = RealApp(core)
    app = create_app(compose(core, lambda _lane: None, real.tally, real.admission))
    return TestClient(app, base_url="http://127.0.0.1", client=client, follow_redirects=False)


def let_in(core: Context) -> TestClient:
    client = browser(core)
    client.get(f"/mailbox?token={TOKEN}")
    return client


def test_the_token_leads_to_a_cookie_and_out_of_the_address(core: Context) -> None:
    client = browser(core)
    assert client.get("/mailbox").status_code == 404
    answer = client.get(f"/mailbox?token={TOKEN}")
    assert (answer.status_code, answer.headers["location"]) == (303, "/mailbox")
    cookie = answer.headers["set-cookie"]
    assert TOKEN not in cookie
    assert all(part in cookie for part in ("HttpOnly", "SameSite=strict", "Path=/mailbox"))
    assert client.get("/mailbox").status_code == 200


@pytest.mark.parametrize("path", ["/mailbox", f"/mailbox/{uuid.UUID(int=7)}", f"/mailbox/{uuid.UUID(int=7)}/html"])
def test_nobody_else_is_told_that_there_is_such_a_page(core: Context, path: str) -> None:
    MailboxTransport(core.settings.effective_mailbox_dir)
    cookie = {COOKIE: let_in(core).cookies[COOKIE]}
    for client, cookies in ((browser(core), {COOKIE: TOKEN}), (browser(core, ELSEWHERE), cookie)):
        client.cookies.update(cookies)
        assert client.get(path).status_code == 404
    for client in (browser(core), browser(core, ELSEWHERE)):
        given = "wrong" if client.get(f"/mailbox?token={TOKEN}").status_code == 303 else TOKEN
        assert client.get(f"/mailbox?token={given}").status_code == 404


@pytest.mark.parametrize("changes", [{}, {"mailbox_token": TOKEN, "mail_transport": "null"}])
def test_without_a_token_or_with_another_transport_there_is_none(
    sqlite_installation: Installation, changes: dict[str, str]
) -> None:
    client = browser(sqlite_installation.context(**changes))
    assert [client.get(f"/mailbox?token={given}").status_code for given in ("", TOKEN)] == [404, 404]


def test_real_emails_are_listed_by_kind_and_shown_in_all_their_parts(core: Context) -> None:
    RealApp(core).push(json.dumps({"answers": ANSWERS}).encode())
    drain(core)
    client = let_in(core)
    listed = dict(re.findall(r'href="(/mailbox/[^"]+)">.*?mail-kind">([^<]+)<', client.get("/mailbox").text, re.DOTALL))
    assert {"confirmation", "recommendation", "referral"} <= set(listed.values())
    address = next(path for path, kind in listed.items() if kind == "confirmation")
    shown = {view: client.get(f"{address}?view={view}").text for view in ("html", "text", "headers", "source")}
    assert f'src="{address}/html"' in shown["html"]
    assert "/s/" in shown["text"]
    assert "Message-ID" in shown["headers"]
    assert "Content-Transfer-Encoding: quoted-printable" in shown["source"]


def test_the_html_of_an_email_runs_nothing_and_loads_nothing(core: Context) -> None:
    mail = message()
    transport = MailboxTransport(core.settings.effective_mailbox_dir)
    transport.send(mail, transport.encode(mail))
    client = let_in(core)
    framed = client.get(f"/mailbox/{mail.email_id}/html")
    policy = framed.headers["content-security-policy"]
    assert policy.startswith("sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none';")
    assert "script" not in policy
    assert framed.headers["x-frame-options"] == "SAMEORIGIN"
    assert '<base target="_blank">' in framed.text
    around = client.get(f"/mailbox/{mail.email_id}")
    assert "unsafe" not in around.headers["content-security-policy"]
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in around.text


def test_the_newest_is_first_page_by_page_and_what_is_no_email_is_left_out(core: Context) -> None:
    folder = core.settings.effective_mailbox_dir
    transport = MailboxTransport(folder)
    ids = []
    for number in range(PAGE_SIZE + 2):
        mail = message()
        transport.send(mail, transport.encode(mail))
        path = folder / f"{mail.email_id}.eml"
        os.utime(path, (number, number))
        ids.append(str(mail.email_id))
    (folder / "notes.eml").write_text("not ours")
    client = let_in(core)
    pages = [re.findall(r'href="/mailbox/([^"]+)"', client.get(f"/mailbox?page={number}").text) for number in (1, 2, 9)]
    assert pages == [ids[::-1][:PAGE_SIZE], ids[1::-1], ids[1::-1]]
