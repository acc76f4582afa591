"""Who may read /metrics, and that what they get is Prometheus' format and says nothing about anybody."""

import re

import pytest
from fastapi.testclient import TestClient

from pipeline.context import Context
from tests.support.installations import Installation
from tests.support.receipts import report, told
from tests.support.submissions import submit
from tests.support.work import drain
from tests.web.real_app import RealApp
from web.app import create_app
from web.server import compose

LOCAL, ELSEWHERE = "127.0.0.1", "203.0.113.7"
_LABELS = r'(?:\{[a-z_]+="[^"\\\n]*"(?:,[a-z_]+="[^"\\\n]*")*\})?'
_SAMPLE = re.compile(rf"([a-z_]+)({_LABELS}) (-?[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?)")


def get(context: Context, *, peer: str, host: str = "localhost", **more: str) -> tuple[int, str]:
    app = RealApp(context)
    client = TestClient(create_app(compose(context, app.woken.append, app.tally, app.admission)), client=(peer, 50000))
    headers = {"host": host} | {name.replace("_", "-"): value for name, value in more.items()}
    answer = client.get("/metrics", headers=headers)
    return answer.status_code, answer.text


@pytest.mark.parametrize(
    ("peer", "host", "header", "status"),
    [
        (LOCAL, "localhost:8000", {}, 200),
        (LOCAL, "127.0.0.1:8000", {}, 200),
        ("::1", "[::1]:8000", {}, 200),
        (LOCAL, "screening.example.org", {}, 404),  # a proxy that does not say whom it asks for
        (LOCAL, "localhost", {"x_forwarded_for": ELSEWHERE}, 404),
        (LOCAL, "localhost", {"x_forwarded_host": "screening.example.org"}, 404),
        (LOCAL, "localhost", {"forwarded": f"for={ELSEWHERE}"}, 404),
        (LOCAL, "localhost", {"via": "1.1 proxy"}, 404),
        (ELSEWHERE, "localhost", {}, 404),
        (ELSEWHERE, "screening.example.org", {"authorization": "Bearer figures"}, 200),
        (ELSEWHERE, "screening.example.org", {"authorization": "bearer figures"}, 200),
        (ELSEWHERE, "screening.example.org", {"authorization": "Bearer figure"}, 404),
        (ELSEWHERE, "screening.example.org", {"authorization": "Basic figures"}, 404),
        (ELSEWHERE, "screening.example.org", {"authorization": "Bearer "}, 404),
    ],
)
def test_metrics_are_for_this_machine_and_for_whoever_has_the_token(
    sqlite_installation: Installation, peer: str, host: str, header: dict[str, str], status: int
) -> None:
    context = sqlite_installation.context(metrics_token="figures")
    found, text = get(context, peer=peer, host=host, **header)
    assert found == status
    assert ("careroute_jobs" in text) == (status == 200)


def test_an_empty_token_lets_nobody_in(sqlite_context: Context) -> None:
    assert get(sqlite_context, peer=ELSEWHERE, authorization="Bearer ")[0] == 404


def test_the_figures_are_in_the_format_and_say_how_things_stand(sqlite_context: Context) -> None:
    kept = submit(sqlite_context)
    drain(sqlite_context, "validate")
    report(sqlite_context, [told("bounce", email="ana@example.org"), told("delivered"), told("delivered")])
    status, text = get(sqlite_context, peer=LOCAL)
    assert status == 200
    assert text.endswith("\n")
    kinds: dict[str, str] = {}
    samples: dict[str, float] = {}
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            kinds[name] = kind
        elif not line.startswith("# HELP "):
            found = _SAMPLE.fullmatch(line)
            assert found, line
            assert found[1] in kinds, line
            assert found[1] + found[2] not in samples, line
            samples[found[1] + found[2]] = float(found[3])
    assert all(name.endswith("_total") == (kind == "counter") for name, kind in kinds.items())
    assert samples['careroute_jobs{lane="score",state="due"}'] == 1
    assert samples['careroute_jobs{lane="receipts",state="due"}'] == 3
    assert samples['careroute_mail_events_total{transport="sendgrid",event="delivered"}'] == 2
    assert samples['careroute_lane_paused{lane="email"}'] == 0
    # What has not happened yet is there too, so that the first time is an increase.
    assert samples['careroute_mail_breaker_open{transport="mailbox"}'] == 0
    for event in ("complained", "unmatched", "unreadable"):
        assert samples[f'careroute_mail_events_total{{transport="sendgrid",event="{event}"}}'] == 0
    assert samples['careroute_mail_suppressed{mail_class="transactional"}'] == 0
    assert samples["careroute_mail_unreachable"] == 0
    assert "example.org" not in text
    assert kept.reference not in text
