"""A provider's link through the real application: code, referral, answer."""

import re

from pipeline.audit.actions import Action
from pipeline.context import Context
from pipeline.models import Referral
from tests.pipeline.secure_pages.links import NEXT, PROVIDERS, referred
from tests.support.work import drain, emails, table
from tests.web.real_app import RealApp
from web.secure_pages import SESSION_COOKIE

MARKER = "Zq7Marker"


def test_from_the_email_to_a_declined_referral_and_the_next_provider(context: Context) -> None:
    case, app = referred(context, last_name=MARKER), RealApp(context)
    path = f"/s/{case.provider_token()}"
    gate = app.client.get(path)
    sent = app.client.post(f"{path}/code")
    assert (gate.status_code, sent.status_code) == (200, 200)
    assert app.woken == ["email"]
    drain(context)
    code = newest_code(context)
    page = app.client.post(path, data={"code": code})
    assert page.status_code == 200
    for before in (gate, sent):
        assert MARKER not in before.text
        assert "ibromyalgia" not in before.text
    assert MARKER in page.text
    assert "Fibromyalgia" in page.text
    assert "How the answers compare with your criteria" in page.text
    used = app.client.post(path, data={"code": code}, headers={"cookie": f"{SESSION_COOKIE}=none"})
    assert (used.status_code, MARKER in used.text) == (422, False)

    without_reason = app.client.post(f"{path}/answer", data={"decision": "decline", "note": "warfarin"})
    assert without_reason.status_code == 422
    assert "warfarin" in without_reason.text
    assert {row.status for row in table(context.database, Referral.table())} == {"offered"}
    decline = {"decision": "decline", "reason": "outside_scope", "note": "warfarin"}
    declined = app.client.post(f"{path}/answer", data=decline)
    assert (declined.status_code, MARKER in declined.text) == (200, False)
    assert app.woken == ["email", "refer"]
    assert "already" in app.client.post(f"{path}/answer", data={"decision": "accept"}).text
    assert app.client.get(path).status_code == 404
    drain(context)
    assert ("referral", f"provider:{NEXT}", "handed_over") in emails(context)


def test_an_accepted_referral_can_be_read_again_by_the_same_provider_only(sqlite_context: Context) -> None:
    case, app = referred(sqlite_context, last_name=MARKER), RealApp(sqlite_context)
    token, session = case.provider_token(), case.provider_session()
    mine = {"cookie": f"{SESSION_COOKIE}={session}"}
    path, other = f"/s/{token}", f"/s/{case.provider_token(PROVIDERS[1])}"
    assert app.client.post(f"{other}/answer", data={"decision": "accept"}, headers=mine).status_code == 200
    assert {row.status for row in table(sqlite_context.database, Referral.table())} == {"offered"}, "asked for a code"
    assert app.client.post(f"{path}/answer", data={"decision": "accept"}, headers=mine).status_code == 200
    page = app.client.post(path, data={"code": ""}, headers=mine)
    assert (page.status_code, MARKER in page.text, 'value="decline"' in page.text) == (200, True, False)
    assert MARKER not in app.client.post(other, data={"code": ""}, headers=mine).text
    assert {row.actor for row in case.recorded(Action.FACTS_DISCLOSED)} == {f"provider:{PROVIDERS[0]}"}


def newest_code(context: Context) -> str:
    """From the email, as the provider gets it."""
    newest = max(context.settings.effective_mailbox_dir.glob("*.eml"), key=lambda path: path.name)
    found = re.search(r"^\D*(\d{8})\D*$", newest.read_text(), re.MULTILINE)
    assert found is not None
    return found.group(1)
