"""`email check` as `make check` and somebody with a draft meet it."""

import json
import re
from pathlib import Path

import pytest

from tests.cli.conftest import Careroute
from tests.config.shipped import FOLDER

SHIPPED = (FOLDER / "providers.yaml").read_text(encoding="utf-8")
WAS = "An examination with imaging."
LINE = SHIPPED[: SHIPPED.index(WAS)].count("\n") + 1


@pytest.fixture
def draft(tmp_path: Path) -> Path:
    file = tmp_path / "draft.yaml"
    file.write_text(SHIPPED.replace(WAS, "A clinically pro\u00adven examination.", 1), encoding="utf-8")
    return file


def test_what_is_shipped_has_no_findings(careroute: Careroute) -> None:
    result = careroute("email", "check")
    assert (result.exit_code, result.stdout) == (0, "")
    counts = re.fullmatch(
        r"0 findings \((\d+) emails rendered, (\d+) templates, (\d+) programs; (\d+) phrases looked for\)",
        result.stderr.strip(),
    )
    assert counts is not None, result.stderr
    assert all(int(count) > 20 for count in counts.groups())


def test_a_claim_in_a_draft_fails_every_door(
    careroute: Careroute, draft: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAREROUTE_PROVIDERS_FILE", str(draft))
    checked = careroute("email", "check", "--json")
    assert checked.exit_code == 1
    [finding] = json.loads(checked.stdout)
    assert (finding["kind"], finding["file"], finding["line"]) == ("claim", str(draft), LINE)
    for command in (["check"], ["import", "--yes"], ["what-if"]):
        result = careroute("providers", command[0], str(draft), *command[1:])
        assert result.exit_code == 1, command
        assert f"draft.yaml:{LINE}:" in result.output, command


def test_a_file_that_is_not_there_is_wrong_use(careroute: Careroute, tmp_path: Path) -> None:
    assert careroute("email", "check", "--providers", str(tmp_path / "none.yaml")).exit_code == 2
