import sqlite3
from pathlib import Path

import pytest

from config.settings import Settings
from config.yaml_file import ConfigurationMistake
from pipeline.keys import KeyProblem
from pipeline.operations.opening import open_database
from pipeline.operations.prepare import prepare
from pipeline.schema import SchemaProblem


def test_an_empty_folder_becomes_an_installation_once(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "new")
    first = prepare(settings)
    assert len(first.published.added) >= 15
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "new" / "keys").iterdir()} == {0o600}
    second = prepare(settings)
    assert second.revision == first.revision
    assert not second.published


def test_a_database_elsewhere_is_not_touched_without_its_keys(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'production.db'}"
    with pytest.raises(KeyProblem, match=r"vault\.json is missing"):
        prepare(Settings(data_dir=tmp_path, database_url=url))
    assert not (tmp_path / "production.db").exists()


def test_another_database_does_not_get_these_keys(tmp_path: Path) -> None:
    prepare(Settings(data_dir=tmp_path / "one"))
    prepare(Settings(data_dir=tmp_path / "other"))
    with pytest.raises(KeyProblem, match="not the one this database was written with"):
        prepare(Settings(data_dir=tmp_path / "one", keys_dir=tmp_path / "other" / "keys"))


def test_a_mistake_in_the_provider_file_is_named_and_can_be_corrected(tmp_path: Path) -> None:
    (tmp_path / "providers.yaml").write_text("providers:\n  - id: 7\n")
    with pytest.raises(ConfigurationMistake, match=r"providers\.yaml:2"):
        prepare(Settings(data_dir=tmp_path, providers_file=tmp_path / "providers.yaml"))
    assert prepare(Settings(data_dir=tmp_path)).published


def test_a_schema_that_this_version_does_not_know_is_refused(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    with pytest.raises(SchemaProblem, match="careroute migrate"), open_database(settings):
        pass
    assert not (tmp_path / "careroute.db").exists()
    prepare(settings)
    with sqlite3.connect(tmp_path / "careroute.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    for act in (lambda: prepare(settings), lambda: open_database(settings).__enter__()):
        with pytest.raises(SchemaProblem, match=r"9999.*newer version"):
            act()
