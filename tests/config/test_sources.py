from pathlib import Path

import pytest

from config.sources import Adapter, load_sources
from config.yaml_file import ConfigurationMistake
from tests.config.shipped import KEY, SCREENING, SECRET, SOURCES

ROTATING = 'sources: [{id: site, adapter: json, secrets: ["env:OLD", "env:NEW"]}]'


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "sources.yaml"
    path.write_text(text)
    return path


def test_the_shipped_sources() -> None:
    assert {source.id: source.adapter for source in SOURCES.by_id.values()} == {
        "network-site": Adapter.JSON,
        "webflow-site": Adapter.WEBFLOW,
        "screening": Adapter.HOSTED,
    }
    assert SOURCES.missing_secrets == ()
    assert set(SOURCES.by_id["webflow-site"].fields) == set(SCREENING.ids)


def test_only_a_json_source_is_known_by_its_key() -> None:
    found = SOURCES.with_key(KEY)
    assert found is not None
    assert found.id == "network-site"
    assert [SOURCES.with_key(key) for key in ("", KEY[:-1], SECRET, "ñ", "\udc80")] == [None] * 5


def test_both_secrets_are_live_during_a_rotation(tmp_path: Path) -> None:
    sources = load_sources(written(tmp_path, ROTATING), {"OLD": "old-key", "NEW": "new-key"})
    assert [bool(sources.with_key(key)) for key in ("old-key", "new-key")] == [True, True]
    assert "old-key" not in repr(sources)


def test_a_secret_that_is_not_there_is_listed_and_never_matches(tmp_path: Path) -> None:
    (tmp_path / "new").write_text("from-a-file\n")
    environment = {"OLD": " ", "NEW_FILE": str(tmp_path / "new")}
    sources = load_sources(written(tmp_path, ROTATING), environment)
    assert sources.missing_secrets == ("OLD",)
    assert sources.with_key("") is None
    assert sources.with_key("from-a-file") is not None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sources: [{id: a, adapter: json, secrets: [pa55word]}]", "expected env: and the name of a variable"),
        ("sources: [{id: a, adapter: json}]", "expected env:NAME for json"),
        ('sources: [{id: a, adapter: hosted, secrets: ["env:A"]}]', "expected no secret for hosted"),
        ('sources: [{id: a, adapter: webflow, secrets: ["env:A"]}]', "expected fields for webflow"),
        (
            'sources: [{id: a, adapter: webflow, secrets: ["env:A"], fields: {mail: E}}]',
            "expected the id of a question",
        ),
        (
            'sources: [{id: a, adapter: webflow, secrets: ["env:A"], fields: {email: E}, values: {phone: {a: b}}}]',
            "expected the id of a question that has a field",
        ),
        ("sources: [{id: a, adapter: hosted}, {id: a, adapter: hosted}]", "expected each source once"),
    ],
)
def test_mistakes_in_the_file_are_found_and_secrets_never_repeated(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(ConfigurationMistake) as caught:
        load_sources(written(tmp_path, text), {}, SCREENING)
    assert expected in str(caught.value)
    assert "pa55word" not in str(caught.value)
