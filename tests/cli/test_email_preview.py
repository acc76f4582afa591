"""`email preview` as a designer meets it."""

from pathlib import Path

import pytest

from tests.cli.conftest import Careroute


def test_the_gallery_is_written_and_its_door_is_named(careroute: Careroute, tmp_path: Path) -> None:
    result = careroute("email", "preview", "--out", str(tmp_path / "gallery"))
    assert result.exit_code == 0
    door = Path(result.stdout.strip())
    assert door == tmp_path / "gallery" / "index.html"
    assert "referral-reminder" in door.read_text(encoding="utf-8")


def test_a_sender_or_a_folder_that_cannot_be_used_is_named(
    careroute: Careroute, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    refused = careroute("email", "preview", "--out", str(tmp_path / "file"))
    assert refused.exit_code == 2
    assert f"{tmp_path / 'file'} cannot be written" in refused.stderr
    monkeypatch.setenv("CAREROUTE_MAIL_FROM", "nobody")
    refused = careroute("email", "preview", "--out", str(tmp_path / "gallery"))
    assert refused.exit_code == 1
    assert "mail_from: must be one plain address" in refused.stderr
