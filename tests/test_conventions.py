"""What people would otherwise have to remember: each test names a rule, and the file that breaks it."""

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import fields
from inspect import signature
from pathlib import Path
from typing import Any

import pytest
import yaml
from alembic.script import ScriptDirectory

from config.claims import CLAIMS_FILE, ClaimKind, reviewed_claims
from config.settings import ROOT, Settings
from pipeline.audit.actions import Action, Detail
from pipeline.consent import Sharing
from pipeline.consent.disclosing import disclose_to_provider
from pipeline.consent.purposes import ConsentPurpose
from pipeline.email.contexts import CONTEXTS
from pipeline.email.kinds import RULES, EmailKind, Reader
from pipeline.lane_names import LANE_NAMES
from pipeline.models import Base
from pipeline.privileges import Role
from pipeline.referral import Candidate
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


def services() -> dict[str, Any]:
    """Those of production, by name."""
    found: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    return found


def secrets_of(service: dict[str, Any]) -> dict[str, str]:
    """The files that it sees, and which secrets they are."""
    return {
        secret["target"] if isinstance(secret, dict) else secret: secret["source"]
        if isinstance(secret, dict)
        else secret
        for secret in service.get("secrets", ())
    }


def test_every_lane_has_someone_to_serve_it_in_production() -> None:
    commands = [service["command"] for service in services().values() if "worker" in service.get("command", ())]
    served = [lane for command in commands for lane in command[command.index("--lanes") + 1].split(",")]
    assert sorted(served) == sorted(LANE_NAMES)


def test_in_production_each_process_has_the_secrets_it_needs_and_no_others() -> None:
    held = {name: secrets_of(service) for name, service in services().items()}
    assert {name for name, files in held.items() if "log.pem" in files} == {"sequencer"}
    assert held["sequencer"].keys() == {"database_url", "audit.json", "log.pem", "log.pub"}
    assert held["auditor"].keys() == {"database_url", "log.pub"}
    assert {name for name, files in held.items() if "postgres_password" in files} == {"postgres"}
    users = {name: files["database_url"] for name, files in held.items() if "database_url" in files}
    assert users == {
        "migrate": "migrator_database_url",
        "web": "web_database_url",
        "worker-pipeline": "worker_database_url",
        "worker-email": "worker_database_url",
        "sequencer": "sequencer_database_url",
        "auditor": "auditor_database_url",
        "beat": "worker_database_url",
    }
    assert set(users.values()) <= held["postgres"].keys(), "deploy/20-database-users.sh makes them"


def test_in_production_plain_text_stays_on_the_network_inside() -> None:
    production = services()
    inside = {name for name, service in production.items() if service["networks"] == ["inside"]}
    for service in production.values():
        declared = service.get("environment", {}).get("CAREROUTE_PLAINTEXT_HOSTS", "")
        assert set(filter(None, declared.split(","))) <= inside


def test_the_files_that_make_database_roles_know_the_same_ones_as_the_matrix() -> None:
    for path in (*(ROOT / "deploy").iterdir(), *(ROOT / "migrations" / "versions").glob("0005_*.py")):
        text = path.read_text(encoding="utf-8")
        missing = [role for role in Role if role not in text and role.removeprefix("careroute_") not in text]
        assert missing == [], path


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


def test_answers_are_shared_only_by_leave_of_the_person() -> None:
    """A `Sharing` is made where the ledger is read; a candidate and a provider's page take one."""

    def written(pattern: str) -> set[str]:
        return {relative(path) for path in sources(*PACKAGES) if re.search(pattern, path.read_text("utf-8"))}

    assert written(r"(?<!class )\bSharing\(") == {"pipeline/consent/sharing.py"}
    assert Candidate.__annotations__["sharing"] is Sharing
    assert signature(disclose_to_provider).parameters["sharing"].annotation == Sharing | None
    assert written(r"\bdisclose\([^)]*Purpose\.REFERRAL\b") == {"pipeline/consent/disclosing.py"}
    assert written(r"\bReferral\.table\(\),\s+id=") == {"pipeline/referral.py"}
    # It writes a full form before it knows, and lets it go only then.
    assert written(r"= hold_back\(unit") == {"pipeline/stages/deliver.py"}


def test_every_kind_of_email_says_which_consent_it_needs() -> None:
    without = {kind for kind in EmailKind if RULES[kind].consent is None}
    assert without == {
        EmailKind.PLEASE_CORRECT,  # a form that was rejected gave none
        EmailKind.STATUS_LINK,  # asked for by itself
        EmailKind.REFERRAL_WITHDRAWN,  # says that it was taken back
        EmailKind.ONE_TIME_CODE,  # holds no fact; the page behind it asks
    }
    needed = {RULES[kind].reader: RULES[kind].consent for kind in EmailKind if kind not in without}
    assert needed == {Reader.PERSON: ConsentPurpose.CONTACT, Reader.PROVIDER: ConsentPurpose.SHARE}


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
