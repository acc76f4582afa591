import json
import shutil
from pathlib import Path

from pipeline.context import Context
from tests.cli.conftest import Careroute
from tests.config.shipped import FOLDER
from tests.support.installations import Installation
from tests.support.submissions import person, submit
from tests.support.work import actions_about, drain

ONLY_UP_TO_40 = ("{age: {at_least: 18, at_most: 65}}", "{age: {at_least: 18, at_most: 40}}")


def draft(folder: Path) -> Path:
    """The shipped network, with one study that takes people up to 40 only."""
    path = folder / "draft.yaml"
    text = (FOLDER / "providers.yaml").read_text(encoding="utf-8")
    assert text.count(ONLY_UP_TO_40[0]) == 1
    path.write_text(text.replace(*ONLY_UP_TO_40), encoding="utf-8")
    return path


def study_people(context: Context) -> None:
    """People who fit the shipped network's fibromyalgia study, but for their age under the draft."""
    fitting = {"condition": "fibromyalgia", "severity": 6, "onset_months": 24, "diagnosis_confirmed": "yes"}
    for number in range(1, 4):
        answers = {**fitting, "contraindications": ["none"], "prior_treatments": ["medication"], "travel": "national"}
        submit(context, person(number, **answers))
    drain(context)


def test_the_table_tells_who_loses_and_the_run_is_on_record(
    careroute: Careroute, sqlite_installation: Installation, tmp_path: Path
) -> None:
    context = sqlite_installation.context()
    study_people(context)
    told = careroute("providers", "what-if", str(draft(tmp_path)))
    assert told.exit_code == 0
    [line] = [line for line in told.stdout.splitlines() if "northstar-research" in line]
    assert "-3" in line
    assert "second-compass" not in told.stdout
    assert "second-compass" in careroute("providers", "what-if", str(draft(tmp_path)), "--all").stdout
    assert actions_about(context, None).count("providers:rehearsed") == 2


def test_json_holds_every_provider_and_no_answer(
    careroute: Careroute, sqlite_installation: Installation, tmp_path: Path
) -> None:
    study_people(sqlite_installation.context())
    told = careroute("providers", "what-if", str(draft(tmp_path)), "--last", "2", "--json")
    document = json.loads(told.stdout)
    assert document["compared"] == 2
    found = {each["provider"]: each for each in document["providers"]}
    assert (found["northstar-research"]["loses"], found["northstar-research"]["then"]["fits"]) == (2, 0)
    assert found["second-compass"]["now"] == found["second-compass"]["then"]
    assert "fibromyalgia" not in told.stdout


def test_without_submissions_or_with_a_broken_draft_it_says_so(careroute: Careroute, tmp_path: Path) -> None:
    shutil.copyfile(FOLDER / "providers.yaml", tmp_path / "same.yaml")
    told = careroute("providers", "what-if", str(tmp_path / "same.yaml"))
    assert (told.exit_code, told.stdout) == (1, "")
    assert "no submission was scored yet" in told.stderr
    broken = tmp_path / "broken.yaml"
    broken.write_text("providers: []\n", encoding="utf-8")
    assert careroute("providers", "what-if", str(broken)).exit_code == 1
