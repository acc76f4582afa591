"""The auditor's tool: it accepts what is right, names what is not, and never falls over what it is given."""

import base64
import importlib.util
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from config.settings import ROOT
from pipeline.audit import actions
from pipeline.audit.archiving import archive
from pipeline.audit.exporting import export_log
from pipeline.audit.log_state import current_log, latest_checkpoint
from pipeline.audit.notes import verifier_key
from pipeline.audit.proving import prove, records_of
from pipeline.audit.signing import load_public_keys
from pipeline.context import Context
from pipeline.db import utc_now
from tests.pipeline.audit.conftest import record
from tests.support.installations import SQLITE_FILE, Installation
from tests.support.log import sequence
from tests.support.submissions import person, submit
from tests.support.work import drain

TOOL = ROOT / "tools" / "verify_audit.py"


def load_tool() -> ModuleType:
    specification = importlib.util.spec_from_file_location("verify_audit", TOOL)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


tool = load_tool()


@dataclass(frozen=True, slots=True)
class Handed:
    """What an auditor is given: an export, the key, and the proof of one record. `first_size` is of its checkpoints."""

    folder: Path
    export: Path
    proof: Path
    record: Path
    key: str
    first_size: int
    size: int

    def check(self, *changed: str, export: Path | None = None) -> int:
        return int(tool.main(["export", str(export or self.export), "--key", self.key, *changed]))

    def check_proof(self, proof: Path, record: Path) -> int:
        return int(tool.main(["proof", str(proof), str(record), "--key", self.key]))


@pytest.fixture(scope="module")
def handed(tmp_path_factory: pytest.TempPathFactory, keys_dir: Path, sqlite_template: Path) -> Handed:
    folder = tmp_path_factory.mktemp("audited")
    shutil.copyfile(sqlite_template, folder / SQLITE_FILE)
    installation = Installation(folder, keys_dir, "")
    context = installation.context()
    kept = submit(context, person(0))
    drain(context)
    first = sequence(context)
    record(context, 300)
    assert first is not None
    assert sequence(context) is not None
    with context.database.snapshot() as connection:
        log = current_log(connection)
        assert log is not None
        checkpoint = latest_checkpoint(connection, log.number)
        assert checkpoint is not None
        proof = prove(connection, log, checkpoint, records_of(connection, kept.reference)[0])
    export_log(context.database, log, checkpoint, folder / "export")
    installation.close()
    (folder / "one.tlog-proof").write_text(proof.text, encoding="utf-8")
    (folder / "one.json").write_bytes(proof.record)
    key = verifier_key(log.origin, load_public_keys(keys_dir)[0])
    return Handed(
        folder, folder / "export", folder / "one.tlog-proof", folder / "one.json", key, first.size, checkpoint.size
    )


@pytest.fixture
def harmed(handed: Handed, tmp_path: Path) -> Path:
    """A copy of the export, to be harmed."""
    return Path(shutil.copytree(handed.export, tmp_path / "export"))


def run_alone(*arguments: str) -> subprocess.CompletedProcess[str]:
    # Isolated, elsewhere: neither this folder nor the installed package is found by what it imports.
    command = [sys.executable, "-I", str(TOOL), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")


def test_alone_it_accepts_an_export_and_a_proof(handed: Handed) -> None:
    whole = run_alone("export", str(handed.export), "--key", handed.key, "--json")
    assert (whole.returncode, whole.stderr) == (0, "")
    told = json.loads(whole.stdout)
    assert (told["size"], told["records"], told["findings"]) == (handed.size, handed.size, [])
    one = run_alone("proof", str(handed.proof), str(handed.record), "--key", handed.key)
    assert one.returncode == 0
    assert f"signed at size {handed.size}" in one.stdout


def test_it_imports_nothing_of_ours() -> None:
    text = TOOL.read_text(encoding="utf-8")
    imported = {line.split()[1].split(".")[0] for line in text.splitlines() if line.startswith(("import ", "from "))}
    assert imported - sys.stdlib_module_names == {"cryptography"}


def checkpoint_of(handed: Handed, size: int) -> str:
    return str(handed.export / "checkpoints" / f"{size:020}")


def test_it_holds_the_export_against_checkpoints_that_the_auditor_kept(handed: Handed, harmed: Path) -> None:
    kept = [checkpoint_of(handed, handed.first_size), checkpoint_of(handed, handed.size)]
    assert handed.check("--checkpoint", kept[0], "--checkpoint", kept[1]) == 0
    # An older export would be in order, if it were not for the newer checkpoint.
    old = (harmed / "checkpoints" / f"{handed.first_size:020}").read_bytes()
    shutil.rmtree(harmed / "tile")
    hashes = (handed.export / "tile" / "0" / "000").read_bytes()[: handed.first_size * 32]
    (harmed / "tile" / "0" / "000.p").mkdir(parents=True)
    (harmed / "tile" / "0" / "000.p" / str(handed.first_size)).write_bytes(hashes)
    (harmed / "checkpoint").write_bytes(old)
    (harmed / "checkpoints" / f"{handed.size:020}").unlink()
    records = harmed / "records" / f"{0:020}.jsonl"
    records.write_bytes(b"".join(records.read_bytes().splitlines(keepends=True)[: handed.first_size]))
    assert handed.check(export=harmed) == 0
    assert handed.check("--checkpoint", kept[1], export=harmed) == 1


def test_consistency(handed: Handed, tmp_path: Path) -> None:
    old, new = checkpoint_of(handed, handed.first_size), checkpoint_of(handed, handed.size)
    options = [str(handed.export), "--key", handed.key]
    assert tool.main(["consistency", old, new, *options]) == 0
    assert tool.main(["consistency", old, old, *options]) == 0
    assert tool.main(["consistency", new, old, *options]) == 1
    harmed = Path(shutil.copytree(handed.export, tmp_path / "export"))
    tile = harmed / "tile" / "0" / "000"
    tile.write_bytes(b"\x00" + tile.read_bytes()[1:])
    assert tool.main(["consistency", old, new, str(harmed), "--key", handed.key]) == 1


def lines_of(export: Path) -> tuple[Path, list[bytes]]:
    path = export / "records" / f"{0:020}.jsonl"
    return path, path.read_bytes().splitlines(keepends=True)


def change_a_record(export: Path) -> None:
    path, lines = lines_of(export)
    path.write_bytes(b"".join([*lines[:7], lines[7].replace(b'"seq":', b'"seq": '), *lines[8:]]))


def remove_a_record(export: Path) -> None:
    path, lines = lines_of(export)
    path.write_bytes(b"".join([*lines[:7], *lines[8:]]))


def swap_records(export: Path) -> None:
    path, lines = lines_of(export)
    path.write_bytes(b"".join([*lines[:7], lines[8], lines[7], *lines[9:]]))


def cut_the_records(export: Path) -> None:
    path, lines = lines_of(export)
    path.write_bytes(b"".join(lines[:7]))


def add_a_record(export: Path) -> None:
    path, lines = lines_of(export)
    path.write_bytes(b"".join([*lines, lines[0]]))


def change_a_tile(export: Path) -> None:
    tile = export / "tile" / "0" / "000"
    raw = tile.read_bytes()
    tile.write_bytes(raw[: 7 * 32] + bytes(32) + raw[8 * 32 :])


def pretend_archived(export: Path) -> None:
    """The first seven records are hidden behind a list that nobody signed: as archived, they are missing nowhere."""
    path, lines = lines_of(export)
    path.unlink()
    (path.parent / f"{7:020}.jsonl").write_bytes(b"".join(lines[7:]))
    origin = (export / "checkpoint").read_text("utf-8").split("\n")[0]
    listed = [{"origin": origin, "first_leaf": 0, "end_leaf": 7, "file": "x", "digest": "0" * 64}]
    (export / "archived.json").write_text(json.dumps(listed), encoding="utf-8")


@pytest.mark.parametrize(
    ("harm", "leaf"),
    [
        (change_a_record, 7),
        (remove_a_record, 7),
        (swap_records, 7),
        (cut_the_records, 7),
        (change_a_tile, 0),
        (pretend_archived, 0),
    ],
)
def test_what_was_changed_is_named(
    handed: Handed, harmed: Path, harm: Callable[[Path], None], leaf: int, capsys: pytest.CaptureFixture[str]
) -> None:
    harm(harmed)
    assert handed.check("--json", export=harmed) == 1
    assert json.loads(capsys.readouterr().out)["findings"][0]["leaf"] == leaf


def test_a_record_too_many_is_named(handed: Handed, harmed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    add_a_record(harmed)
    assert handed.check("--json", export=harmed) == 1
    assert json.loads(capsys.readouterr().out)["findings"][0]["leaf"] == handed.size


def test_an_archive_counts_as_far_as_a_signed_record_says_so(
    sqlite_context: Context, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    context, export = sqlite_context, tmp_path / "export"
    record(context, 300)
    sequence(context)
    done = archive(context.database, context.keys, actions.staff("tests"), utc_now(), tmp_path / "archive")
    sequence(context)
    with context.database.snapshot() as connection:
        log = current_log(connection)
        assert log is not None
        checkpoint = latest_checkpoint(connection, log.number)
        assert checkpoint is not None
    export_log(context.database, log, checkpoint, export)
    key = verifier_key(log.origin, load_public_keys(context.settings.effective_keys_dir)[0])

    def check(*options: str) -> tuple[int, str]:
        code = int(tool.main(["export", str(export), "--key", key, *options]))
        return code, capsys.readouterr().out

    code, told = check()
    assert code == 0
    assert "256 records were NOT SEEN" in told
    code, told = check("--archive", str(done.file))
    assert code == 0
    assert "NOT SEEN" not in told
    listed = json.loads((export / "archived.json").read_text("utf-8"))
    for lie in ({"digest": "0" * 64}, {"end_leaf": 255}, {"origin": f"{log.origin}0"}):
        (export / "archived.json").write_text(json.dumps([{**listed[0], **lie}]), encoding="utf-8")
        assert check()[0] == 1


def test_numbers_have_no_gap(capsys: pytest.CaptureFixture[str]) -> None:
    series = tool.Series()
    for leaf, number in enumerate([1, 2, 4, 3, 6]):
        assert series.see("submission a", number, leaf) is None
    assert series.see("submission a", 4, 9) == "number 4 of its series was there before"
    assert [(gap.leaf, gap.problem) for gap in series.gaps()] == [(4, "number 6 of submission a where 5 was due")]


def test_wrong_use_is_told_apart(handed: Handed, tmp_path: Path) -> None:
    assert tool.main([]) == 2
    assert tool.main(["export", str(tmp_path / "nothing"), "--key", handed.key]) == 2
    assert tool.main(["export", str(handed.export), "--key", handed.key[:-1]]) == 2
    assert tool.main(["proof", str(handed.proof), str(tmp_path / "nothing"), "--key", handed.key]) == 2


def test_another_key_is_not_enough(handed: Handed) -> None:
    name = handed.key.split("+")[0]
    other = verifier_key(name, load_public_key_of_nobody())
    assert tool.main(["export", str(handed.export), "--key", other]) == 1
    assert tool.main(["proof", str(handed.proof), str(handed.record), "--key", other]) == 1


def load_public_key_of_nobody() -> Ed25519PublicKey:
    return Ed25519PrivateKey.generate().public_key()


def edits(text: bytes) -> st.SearchStrategy[bytes]:
    """The text with a piece of it replaced, taken out, doubled or moved, byte by byte and line by line."""
    lines = text.split(b"\n")
    places = st.integers(0, len(text))
    line_places = st.integers(0, len(lines) - 1)
    pieces = st.binary(max_size=8) | st.sampled_from([b"\n", b"\n\n", b"0", b"-1", b"\xe2\x80\x94 ", b"index 0", b"="])
    return (
        st.tuples(places, places, pieces).map(lambda at: text[: min(at[:2])] + at[2] + text[max(at[:2]) :])
        | st.tuples(line_places, line_places).map(
            lambda at: b"\n".join([*lines[: at[0]], lines[at[1]], *lines[at[0] + 1 :]])
        )
        | st.tuples(line_places, pieces).map(lambda at: b"\n".join([*lines[: at[0]], at[1], *lines[at[0] + 1 :]]))
        | st.binary(max_size=80)
    )


@settings(max_examples=150)
@given(data=st.data())
def test_of_changed_proofs_and_records_only_the_right_ones_are_accepted(handed: Handed, data: st.DataObject) -> None:
    proof, one = handed.proof.read_bytes(), handed.record.read_bytes()
    changed_proof = data.draw(st.just(proof) | edits(proof))
    changed_record = data.draw(st.just(one) | edits(one))
    (handed.folder / "proof").write_bytes(changed_proof)
    (handed.folder / "record").write_bytes(changed_record)
    code = handed.check_proof(handed.folder / "proof", handed.folder / "record")
    # What an `extra` line says is nobody's claim, and one newline at a file's end is no part of the record.
    head, _, rest = changed_proof.partition(b"\n")
    if rest.startswith(b"extra "):
        changed_proof = head + b"\n" + rest.partition(b"\n")[2]
    if code == 0:
        assert changed_record.removesuffix(b"\n") == one
        assert signed_part(changed_proof) == signed_part(proof)
    elif changed_record == one:
        assert changed_proof != proof
    assert code in {0, 1}


def signed_part(proof: bytes) -> bytes:
    """Without signature lines of keys that are not known, which count for nothing."""
    head, _, signatures = proof.rpartition(b"\n\n")
    return head + b"\n\n" + signatures.split(b"\n")[0] if head else proof


@settings(max_examples=100)
@given(data=st.data())
def test_of_changed_exports_only_the_right_ones_are_accepted(handed: Handed, data: st.DataObject) -> None:
    files = sorted(path.relative_to(handed.export) for path in handed.export.rglob("*") if path.is_file())
    name = data.draw(st.sampled_from(files))
    path = handed.export / name
    before = path.read_bytes()
    after = data.draw(edits(before))
    path.write_bytes(after)
    try:
        code = handed.check()
    finally:
        path.write_bytes(before)
    if name.parts[0] == "archived.json":
        assert code in {0, 1}  # says nothing here that could be believed: no record is missing
    elif name.parts[0].startswith("checkpoint"):
        assert code == 0 or after != before
        assert code == 1 or signed_part(after) == signed_part(before)
    else:
        assert code == int(after != before)


@given(st.text(max_size=60) | st.binary(max_size=60).map(lambda raw: base64.b64encode(raw).decode()))
def test_no_key_is_too_odd(handed: Handed, text: str) -> None:
    assert tool.main(["proof", str(handed.proof), str(handed.record), f"--key=x{text}"]) in {1, 2}
