"""All parts of all kinds in both languages, as they were last reviewed."""

from tests.pipeline.email.snapshots import FOLDER, snapshots


def test_every_email_says_what_was_reviewed() -> None:
    reviewed = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.iterdir()}
    current = snapshots()
    assert set(reviewed) == set(current)
    for name, content in current.items():
        assert reviewed[name] == content, (
            f"{name}: if this is meant, write it with `make snapshots` and review the diff"
        )
