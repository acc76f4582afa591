"""`providers check` and `providers schema` as somebody at a terminal, an editor or a script meets them."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from cli.app import app
from cli.commands import PlainFailures
from cli.providers_check import check, schema
from config.providers_schema import providers_json_schema
from tests.config.shipped import ANSWERS, FOLDER
from tests.config.test_providers import SMALL

EXPIRED = SMALL.replace(
    "    capacity:", "    credentials: [{name: Licence, number: A, expires_on: 2020-01-31}]\n    capacity:"
)


def run(*arguments: str) -> Result:
    app = typer.Typer(cls=PlainFailures, pretty_exceptions_enable=False)
    app.command()(check)
    app.command()(schema)
    return CliRunner().invoke(app, list(arguments), catch_exceptions=False)


def written(tmp_path: Path, text: str) -> str:
    file = tmp_path / "network.yaml"
    file.write_text(text, encoding="utf-8")
    return str(file)


def test_a_good_file(tmp_path: Path) -> None:
    result = run("check", written(tmp_path, SMALL), "--strict")
    assert (result.exit_code, result.stdout) == (0, "1 provider, 1 program: 0 errors, 0 warnings\n")


def test_errors_are_a_finding_and_say_where(tmp_path: Path) -> None:
    file = written(tmp_path, SMALL.replace("[lupus]", "[lupuss]").replace("max_per_day: 2", "max_per_day: 0"))
    result = run("check", file)
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        f"✗ {file}:9:29  providers[0].capacity.max_per_day",
        "    expected 1 or more; found 0",
        "1 error. Mend and check again, as a second round may find more:",
        "names of questions, answers and conditions are checked where all else of a provider is right,",
        "and what is only odd is told once there are no errors.",
    ]
    second_round = run("check", written(tmp_path, SMALL.replace("[lupus]", "[lupuss]")))
    assert "lupuss" in second_round.stdout, "as the closing lines say"


@pytest.mark.parametrize(("options", "code"), [((), 0), (("--strict",), 1)])
def test_warnings_are_a_finding_only_if_asked_for(tmp_path: Path, options: tuple[str, ...], code: int) -> None:
    result = run("check", written(tmp_path, EXPIRED), *options)
    assert result.exit_code == code
    assert "network.yaml:9:46  providers[0].credentials[0].expires_on\n    Licence has expired" in result.stdout
    assert result.stdout.endswith("1 provider, 1 program: 0 errors, 1 warning\n")


def test_json_is_all_there_is_on_stdout(tmp_path: Path) -> None:
    file = written(tmp_path, EXPIRED)
    result = run("check", file, "--json")
    document = json.loads(result.stdout)
    assert (result.exit_code, result.stderr, document["errors"]) == (0, "", [])
    [warning] = document["warnings"]
    assert warning.pop("message").startswith("Licence has expired")
    assert warning == {"file": file, "line": 9, "column": 46, "path": "providers[0].credentials[0].expires_on"}


@pytest.mark.parametrize(
    "command",
    [
        ("providers", "check"),
        ("providers", "check", "--json"),
        ("providers", "import"),
        ("providers", "what-if"),
        ("score",),
        ("score", "ANSWERS", "--providers"),
    ],
)
def test_a_file_that_does_not_exist_is_wrong_use(tmp_path: Path, command: tuple[str, ...]) -> None:
    file, answers = tmp_path / "absent.yaml", tmp_path / "answers.json"
    scored = {name: answer for name, answer in ANSWERS.items() if not name.startswith("consent")}
    answers.write_text(json.dumps({"answers": scored}), encoding="utf-8")
    arguments = [str(answers) if each == "ANSWERS" else each for each in command]
    result = CliRunner().invoke(app, [*arguments, str(file)], catch_exceptions=False)
    assert (result.exit_code, result.stdout) == (2, "")
    [line] = result.stderr.splitlines()
    assert line.endswith(f"{file} cannot be read: No such file or directory")


def test_a_missing_file_of_the_settings_is_no_wrong_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAREROUTE_CONDITIONS_FILE", str(tmp_path / "absent.yaml"))
    result = run("check", written(tmp_path, SMALL))
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.endswith("absent.yaml cannot be read: No such file or directory\n")


def test_the_sample_can_be_left_out_and_chosen(tmp_path: Path) -> None:
    rare = "- {question: onset_months, at_least: 777, at_most: 777}\n          - distance: travel"
    file = written(tmp_path, SMALL.replace("- distance: travel", rare))
    assert "not one of 50 made-up people" in run("check", file, "--sample", "50").stdout
    assert run("check", file, "--sample", "0").stdout.endswith("0 warnings\n")
    assert run("check", file, "--sample", "-1").exit_code == 2


def test_the_schema_is_the_file_beside_the_network() -> None:
    result = run("schema")
    assert result.stdout == (FOLDER / "providers.schema.json").read_text(encoding="utf-8")
    assert json.loads(result.stdout) == providers_json_schema()
