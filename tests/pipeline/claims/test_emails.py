"""Rendered emails are held to the rules: each is broken here once."""

from dataclasses import replace

import pytest

from pipeline.claims import emails
from pipeline.claims.emails import rendered_findings
from pipeline.claims.findings import FindingKind
from pipeline.claims.shown import shown_text
from pipeline.email.kinds import EmailKind, Form
from pipeline.email.render import render
from pipeline.email.samples import samples

KIND = EmailKind.NO_MATCH
SAMPLE = samples(KIND, "en")[0]
GOOD = render(KIND, "en", SAMPLE)


def in_html(added: str) -> str:
    return GOOD.html.replace("</body>", f"{added}</body>")


@pytest.mark.parametrize(
    ("part", "text", "kind", "file"),
    [
        ("subject", "A cure for you", FindingKind.CLAIM, "subject.txt"),
        ("text", f"{GOOD.text}\nIt is guaranteed.", FindingKind.CLAIM, "body.txt"),
        ("html", in_html("<p>pro<b>ven</b></p>"), FindingKind.CLAIM, "body.mjml"),
        ("html", in_html('<img alt="Miracle">'), FindingKind.CLAIM, "body.mjml"),
        ("html", in_html("<div style='display:none'>Risk-free</div>"), FindingKind.CLAIM, "body.mjml"),
        ("html", in_html('<a href="https://elsewhere.example">x</a>'), FindingKind.LEAK, "body.mjml"),
        ("text", f"{GOOD.text}\nhttps://elsewhere.example", FindingKind.LEAK, "body.mjml"),
        ("html", GOOD.html + "x" * 60_000, FindingKind.SIZE, "body.mjml"),
        ("subject", "", FindingKind.SUBJECT, "subject.txt"),
        ("subject", "word " * 20, FindingKind.SUBJECT, "subject.txt"),
        ("subject", "Your request, 7", FindingKind.LEAK, "body.mjml"),
    ],
)  # fmt: skip
def test_a_broken_rule_is_found(
    monkeypatch: pytest.MonkeyPatch, part: str, text: str, kind: FindingKind, file: str
) -> None:
    monkeypatch.setattr(emails, "render", lambda *_: replace(GOOD, **{part: text}))
    [finding] = rendered_findings(KIND, "en", SAMPLE, Form.NOTICE, "here")
    assert (finding.kind, finding.file.name, finding.file.parent.name) == (kind, file, KIND)


def test_a_template_that_uses_a_protected_value_is_found() -> None:
    [sample, *_] = samples(EmailKind.RECOMMENDATION, "en")
    found = list(rendered_findings(EmailKind.RECOMMENDATION, "en", sample, Form.FULL, "full form, nothing revealed"))
    assert [each.kind for each in found] == [FindingKind.LEAK]
    assert "health" in found[0].message


def test_what_is_not_shown_is_not_read_and_what_is_read_out_is() -> None:
    html = (
        "<title>One</title><style>.cure{}</style><p>t<b>w</b>o</p><p title='three'>f&ouml;ur</p><script>cure</script>"
    )
    assert shown_text(html).split() == ["One", "two", "three", "föur"]
