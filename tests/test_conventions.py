"""What people would otherwise have to remember: each test names a rule, and the file that breaks it."""

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path

import pytest
import yaml
from alembic.script import ScriptDirectory

from config.claims import CLAIMS_FILE, ClaimKind, reviewed_claims
from config.settings import ROOT, Settings
from pipeline.audit.actions import Action, Detail
from pipeline.email.contexts import CONTEXTS
from pipeline.email.kinds import RULES, EmailKind
from pipeline.lane_names import LANE_NAMES
from pipeline.models import Base
from pipeline.schema import _head, _known
from pipeline.status import EmailStatus, ReferralStatus, SubmissionStatus
from pipeline.submission import Part
from pipeline.transports.receipt import SendOutcome

PACKAGES = ("config", "pipeline", "tasks", "web", "cli", "embedded")
LONGEST_MODULE = 400


def wordings(kind: ClaimKind) -> re.Pattern[str]:
    """Of the reviewed phrases of a kind, with spaces or hyphens between their words."""
    written = [words for phrase in reviewed_claims().phrases if phrase.kind is kind for words in phrase.wordings]
    either = "|".join(r"[\s-]+".join(map(re.escape, words.split())) for words in written)
    return re.compile(rf"\b(?:{either})\b", re.IGNORECASE)


def sources(*packages: str) -> list[Path]:
    return [path for package in packages for path in sorted((ROOT / package).rglob("*.py"))]


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def attributes_used(paths: list[Path], name: str) -> set[str]:
    """The members `X` of every `name.X` in the sources."""
    return {
        node.attr
        for path in paths
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == name
    }


def test_every_lane_has_someone_to_serve_it_in_production() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    commands = [service["command"] for service in services.values() if "worker" in service.get("command", ())]
    served = [lane for command in commands for lane in command[command.index("--lanes") + 1].split(",")]
    assert sorted(served) == sorted(LANE_NAMES)


@pytest.mark.parametrize(
    "enum", [Action, Detail, EmailKind, SubmissionStatus, ReferralStatus, EmailStatus, SendOutcome, Part]
)
def test_nothing_is_named_that_nothing_uses(enum: type) -> None:
    used = attributes_used(sources(*PACKAGES), enum.__name__)
    assert set(enum.__members__) - used == set()  # type: ignore[attr-defined]


def test_mail_that_can_be_ended_says_how_and_other_mail_does_not() -> None:
    ends = {kind for kind in EmailKind if "unsubscribe_link" in {field.name for field in fields(CONTEXTS[kind])}}
    assert ends == {kind for kind in EmailKind if RULES[kind].mail_class.can_be_unsubscribed}


def test_only_the_delivery_stage_and_disclose_give_leave_to_reveal_facts() -> None:
    made = {relative(path) for path in sources(*PACKAGES) if re.search(r"\bDisclosure\(", path.read_text("utf-8"))}
    assert made == {"pipeline/protected.py", "pipeline/stages/deliver.py"}


def test_every_action_says_about_what_and_what() -> None:
    assert [action for action in Action if not re.fullmatch(r"[a-z]+:[a-z_]+", action)] == []


def test_every_kind_of_email_has_its_folder_its_parts_and_its_context() -> None:
    folder = ROOT / "templates" / "email"
    kinds = {path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("_")}
    assert kinds == {kind.value for kind in EmailKind}
    assert set(CONTEXTS) == set(RULES) == set(EmailKind)
    notice, full = {"subject.txt", "body.txt", "body.mjml"}, {"full.txt", "full.mjml"}
    for kind in EmailKind:
        wanted = notice | full if RULES[kind].full_form_holds else notice
        assert {path.name for path in (folder / kind).iterdir()} == wanted, kind


def texts_for_people() -> Iterator[Path]:
    """Where the words come from that a person or a provider reads."""
    for pattern in ("templates/**/*.html", "templates/**/*.txt", "templates/**/*.mjml", "templates/**/*.po"):
        yield from ROOT.glob(pattern)
    for pattern in ("config/*.yaml", "web/static/*"):
        yield from (path for path in ROOT.glob(pattern) if path != CLAIMS_FILE)
    yield from sources("web", "pipeline/email", "pipeline/secure_pages", "pipeline/validation")
    yield from (ROOT / "pipeline" / "scoring" / name for name in ("words.py", "notices.py", "explanation.py"))


def product_texts() -> Iterator[Path]:
    yield from texts_for_people()
    for pattern in ("*.md", "docs/**/*.md"):
        yield from ROOT.glob(pattern)
    yield from sources(*PACKAGES)


@pytest.mark.parametrize(
    ("texts", "kind"), [(product_texts, ClaimKind.PRODUCT), (texts_for_people, ClaimKind.DECISION)]
)
def test_no_text_promises_what_the_product_does_not_do(texts: Callable[[], Iterator[Path]], kind: ClaimKind) -> None:
    # Nobody is told that they are eligible: providers decide that. Among staff it is the registries' word.
    phrases = wordings(kind)
    found = {
        f"{relative(path)}:{number}: {line.strip()}"
        for path in texts()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if phrases.search(line)
    }
    assert found == set()


def test_every_link_between_documents_leads_somewhere() -> None:
    documents = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "bench").rglob("*.md")]
    broken = [
        f"{relative(path)}: {target}"
        for path in documents
        for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8"))
        if not re.match(r"[a-z]+:|#", target) and not (path.parent / target.split("#")[0]).exists()
    ]
    assert broken == []


def test_migrations_are_numbered_in_one_line() -> None:
    script = ScriptDirectory(str(ROOT / "migrations"))
    revisions = list(reversed(list(script.walk_revisions())))
    assert [revision.revision for revision in revisions] == [f"{n:04}" for n in range(1, len(revisions) + 1)]
    for revision in revisions:
        assert re.fullmatch(rf"{revision.revision}_[a-z0-9_]+\.py", Path(revision.path).name)
        assert not hasattr(revision.module, "downgrade"), "migrations only move forward"
    assert script.get_heads() == [_head()]
    assert {revision.revision for revision in revisions} == _known(), "names of files tell the revisions"


def test_no_foreign_key_reaches_into_what_only_grows() -> None:
    reaching = [
        f"{table.name}.{key.parent.name}"
        for table in Base.metadata.tables.values()
        for key in table.foreign_keys
        if key.column.table.name == "audit_event" or table.name == "audit_event"
    ]
    assert reaching == []


def test_only_the_unit_of_work_writes_a_submissions_status() -> None:
    """A status without its record would be a step that nobody can prove."""
    pattern = re.compile(
        r"UPDATE submission\b|update\(Submission\)|SubmissionRow\)\.values|INTO audit_event", re.IGNORECASE
    )
    writers = {relative(path) for path in sources(*PACKAGES) if pattern.search(path.read_text(encoding="utf-8"))}
    assert writers <= {"pipeline/unit_of_work.py"}


def test_modules_stay_small() -> None:
    lengths = {relative(path): len(path.read_text(encoding="utf-8").splitlines()) for path in sources(*PACKAGES)}
    assert {name: length for name, length in lengths.items() if length > LONGEST_MODULE} == {}


def test_every_setting_is_used() -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in sources(*PACKAGES))
    unused = [
        name
        for name in Settings.model_fields
        if len(re.findall(rf"\b{name}\b", text)) < 2  # its definition, and a use
    ]
    assert unused == []


def test_tests_stand_where_their_source_does() -> None:
    folders = {path.parent.relative_to(ROOT / "tests") for path in (ROOT / "tests" / "pipeline").rglob("test_*.py")}
    assert [folder for folder in sorted(folders) if not (ROOT / folder / "__init__.py").exists()] == []
