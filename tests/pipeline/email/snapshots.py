"""What every email says, in files that are reviewed as diffs: `make snapshots` writes them again."""

import sys
from collections.abc import Iterator
from pathlib import Path

from config.screening import LANGUAGES
from pipeline.email.kinds import EmailKind
from pipeline.email.render import forms, render
from pipeline.email.samples import samples
from tests.pipeline.email.page import Page

FOLDER = Path(__file__).parent / "snapshots"


def snapshots() -> dict[str, str]:
    """File names and contents: one file per kind and language, with every form and sample."""
    return {
        f"{kind}.{language}.txt": "\n".join(_sections(kind, language)) for kind in EmailKind for language in LANGUAGES
    }


def _sections(kind: EmailKind, language: str) -> Iterator[str]:
    for form in forms(kind):
        for number, context in enumerate(samples(kind, language, form), start=1):
            email = render(kind, language, context, form)
            page = Page(email.html)
            yield f"##### {kind}, {form}, sample {number}, {language}"
            yield f"Subject: {email.subject}\nPreheader: {page.preheader}\n"
            yield f"##### text\n{email.text}\n"
            yield "##### HTML, as it is seen\n" + "\n".join(page.lines) + "\n"
            yield "##### HTML links\n" + "\n".join(page.links) + "\n"


def main() -> None:
    """Write the files, and remove those of kinds that are gone."""
    FOLDER.mkdir(exist_ok=True)
    current = snapshots()
    for name, content in current.items():
        (FOLDER / name).write_text(content, encoding="utf-8")
    for path in FOLDER.iterdir():
        if path.name not in current:
            path.unlink()
    sys.stdout.write(f"{len(current)} files in {FOLDER}\n")


if __name__ == "__main__":
    main()
