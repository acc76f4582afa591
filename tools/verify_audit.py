#!/usr/bin/env python3
"""Check the evidence of a Careroute installation, offline and without Careroute.

    verify_audit.py export DIR --key VKEY [--checkpoint FILE …] [--archive FILE …] [--json]
    verify_audit.py proof FILE.tlog-proof RECORD.json --key VKEY [--json]
    verify_audit.py consistency OLD NEW DIR --key VKEY [--json]

It needs Python 3.9 or later and the package `cryptography`, only reads, and is one file so that it can be read before
it is trusted. Exit code 0: all is in order. 1: something is not; the first bad record is named. 2: wrong use.

Formats: RFC 6962 section 2.1 (the tree), c2sp.org/signed-note, /tlog-checkpoint, /tlog-tiles and /tlog-proof.

What it shows
  export       Every record in the folder is a leaf of the log, at its place, as it was when it was put there; none in
               between is missing, and the numbers of each submission's records have no gap. The log begins with every
               checkpoint that is in the folder, and with every one that you kept yourself and name with --checkpoint.
  proof        One record is a leaf of the log, of which somebody with the signing key vouched for size and root.
  consistency  The log of the later checkpoint begins with the log of the earlier one: nothing was rewritten between.

What it cannot show
  - That the key is the right one. Have it (`name+id+key`) from the installation's operators by a way of its own, once,
    and keep it. A key that comes with the folder proves nothing.
  - That the export is the newest. Keep the checkpoints that you are sent, or that the operators' anchor keeps: one of
    them that is larger than the export, or that the export does not agree with, shows it.
  - What happened after the last checkpoint that somebody outside has: until one has left the operators' reach (a minute
    at most, if they run it as it is meant to be), whoever has database and keys could still change records.
  - That a record tells the truth, or that everything was put on record. It is what the software wrote at the time.
  - What is in archived records (archived.json), unless you name their files with --archive. Their hashes are checked,
    and that a record of the log says that they were archived; how many were not seen is told at the end.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import hashlib
import json
import re
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

IN_ORDER, FINDING, WRONG_USE = 0, 1, 2
WIDTH, HEIGHT, HASH_BYTES = 256, 8, 32
SHOWN = 20
PROOF_FORMAT = "c2sp.org/tlog-proof@v1"
DECIMAL = re.compile(r"0|[1-9][0-9]{0,17}")
DASH = "— "


class Wrong(Exception):
    """What is to be checked is not in order."""

    def __init__(self, problem: str, leaf: int | None = None) -> None:
        super().__init__(problem)
        self.leaf = leaf


class Misuse(Exception):
    """The command line does not say what to check."""


class Checkpoint(NamedTuple):
    """A log's size and root, as signed."""

    origin: str
    size: int
    root: bytes


class Key(NamedTuple):
    """A public key, and the name of the log that it signs."""

    name: str
    key_id: bytes
    public: Ed25519PublicKey


class Finding(NamedTuple):
    """Something that is not in order; `leaf` is the place of the record in the log, if it has one."""

    leaf: int | None
    problem: str


# --- Keys and signed notes ---------------------------------------------------------------------------------------


def read_key(text: str) -> Key:
    """A key in the form name+id+key. Raises `Misuse`."""
    name, _, rest = text.strip().partition("+")
    identifier, _, encoded = rest.partition("+")
    material = decode64(encoded)
    if not name or material is None or len(material) != 33 or material[0] != 1:
        raise Misuse("--key has to be an Ed25519 key in the form name+id+key")
    key_id = hashlib.sha256(name.encode("utf-8", "replace") + b"\n" + material).digest()[:4]
    if identifier != key_id.hex():
        raise Misuse("--key was not copied whole: its id is not that of its name and key")
    try:
        return Key(name, key_id, Ed25519PublicKey.from_public_bytes(material[1:]))
    except ValueError:
        raise Misuse("--key is no Ed25519 key") from None


def open_note(note: str, keys: Sequence[Key]) -> Checkpoint:
    """The checkpoint of a note that one of the keys signed. Raises `Wrong`."""
    body, separator, signatures = note.partition("\n\n")
    checkpoint = read_body(body) if separator and signatures.endswith("\n") else None
    if checkpoint is None:
        raise Wrong("it is not a checkpoint")
    verified = False
    for line in signatures[:-1].split("\n"):
        name, _, encoded = line[len(DASH) :].partition(" ")
        raw = decode64(encoded)
        if not line.startswith(DASH) or not name or raw is None or len(raw) <= 4:
            raise Wrong("a signature line cannot be read")
        for key in keys:
            if key.name == name == checkpoint.origin and key.key_id == raw[:4]:
                try:
                    key.public.verify(raw[4:], f"{body}\n".encode())
                except InvalidSignature:
                    raise Wrong("its signature is not by the key that it names") from None
                verified = True
    if not verified:
        raise Wrong(f"none of the keys given signed it as {shown(checkpoint.origin)}")
    return checkpoint


def read_body(body: str) -> Checkpoint | None:
    lines = body.split("\n")
    if len(lines) != 3 or not lines[0] or not DECIMAL.fullmatch(lines[1]):
        return None
    root = decode64(lines[2])
    return None if root is None or len(root) != HASH_BYTES else Checkpoint(lines[0], int(lines[1]), root)


def decode64(text: str) -> bytes | None:
    """Standard base64, in the one way that it can be written."""
    try:
        raw = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw if base64.b64encode(raw).decode() == text else None


# --- The tree ----------------------------------------------------------------------------------------------------


def leaf_hash(record: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + record).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_of(hashes: Sequence[bytes]) -> bytes:
    """The root over hashes of equal subtrees, all in hand."""
    level = list(hashes)
    while len(level) > 1:
        paired = [node_hash(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
        level = [*paired, level[-1]] if len(level) % 2 else paired
    return level[0]


def range_root(start: int, end: int, node: Callable[[int, int], bytes]) -> bytes:
    """The root of the leaves from `start` up to `end`, out of complete subtrees."""
    count = end - start
    if count & (count - 1) == 0 and start % count == 0:
        level = count.bit_length() - 1
        return node(level, start >> level)
    middle = start + (1 << (count - 1).bit_length() - 1)
    return node_hash(range_root(start, middle, node), range_root(middle, end, node))


def root_from_path(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """The root that an audit path leads to (RFC 9162 section 2.1.3.2). Raises `Wrong`."""
    if not index < size:
        raise Wrong(f"leaf {index} is not in a log of {size} leaves")
    place, last, found = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            raise Wrong("the path has too many hashes")
        if place % 2 or place == last:
            found = node_hash(sibling, found)
            while place % 2 == 0 and place:
                place, last = place >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        place, last = place >> 1, last >> 1
    if last:
        raise Wrong("the path has too few hashes")
    return found


class Tiles:
    """The hashes of an export, a tile a file."""

    KEPT = 64

    def __init__(self, folder: Path, size: int) -> None:
        self.folder = folder
        self.size = size
        self._kept: OrderedDict[tuple[int, int], list[bytes]] = OrderedDict()

    def hashes(self, level: int, index: int) -> list[bytes]:
        """One tile. Raises `Wrong`."""
        place = (level, index)
        if place not in self._kept:
            self._kept[place] = self._read(level, index)
            if len(self._kept) > self.KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(place)
        return self._kept[place]

    def node(self, level: int, index: int) -> bytes:
        """The root of the leaves from `index * 2**level` on, `2**level` of them. Raises `Wrong`."""
        tile_level, above = divmod(level, HEIGHT)
        tile, first = divmod(index << above, WIDTH)
        return root_of(self.hashes(tile_level, tile)[first : first + (1 << above)])

    def root(self, size: int) -> bytes:
        """The root of the first `size` leaves. Raises `Wrong`."""
        return range_root(0, size, self.node) if size else hashlib.sha256(b"").digest()

    def check_levels(self) -> Iterator[Finding]:
        """That each hash of an upper level is the root of the full tile below it."""
        level = 0
        while self.size >> HEIGHT * (level + 1):
            for index in range(self.size >> HEIGHT * (level + 1)):
                first = index << HEIGHT * (level + 1)
                try:
                    if root_of(self.hashes(level, index)) != self.hashes(level + 1, index // WIDTH)[index % WIDTH]:
                        yield Finding(first, f"tile {index} of level {level} is not what the level above has of it")
                except Wrong as problem:
                    yield Finding(first, str(problem))
            level += 1

    def _read(self, level: int, index: int) -> list[bytes]:
        width = min(WIDTH, (self.size >> HEIGHT * level) - index * WIDTH)
        path = tile_path(level, index, width)
        try:
            raw = (self.folder / path).read_bytes()
        except OSError:
            raise Wrong(f"{path} is not there", index << HEIGHT * (level + 1)) from None
        if len(raw) != width * HASH_BYTES:
            raise Wrong(f"{path} does not have {width} hashes", index << HEIGHT * (level + 1))
        return [raw[place : place + HASH_BYTES] for place in range(0, len(raw), HASH_BYTES)]


def tile_path(level: int, index: int, width: int) -> str:
    digits = f"{index:03}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[place : place + 3] for place in range(0, len(digits), 3)]
    named = "/".join([*("x" + group for group in groups[:-1]), groups[-1]])
    return f"tile/{level}/{named}" + ("" if width == WIDTH else f".p/{width}")


# --- An export ---------------------------------------------------------------------------------------------------


class Series:
    """Numbers of the records of each submission, and of those that are about none."""

    def __init__(self) -> None:
        self._first: dict[str, int] = {}
        self._last: dict[str, int] = {}
        self._ahead: dict[str, dict[int, int]] = {}

    def see(self, about: str, number: int, leaf: int) -> str | None:
        """Take the next record's number; what is wrong with it, if that is known already."""
        last = self._last.get(about)
        if last is None:
            self._first[about] = self._last[about] = number
            return None
        if number <= last or number in self._ahead.get(about, ()):
            return f"number {number} of its series was there before"
        if number > last + 1:
            self._ahead.setdefault(about, {})[number] = leaf
            return None
        ahead = self._ahead.get(about, {})
        while number + 1 in ahead:
            number += 1
            del ahead[number]
        self._last[about] = number
        return None

    def gaps(self) -> Iterator[Finding]:
        """Numbers that were due and did not come."""
        for about, ahead in self._ahead.items():
            if ahead:
                number = min(ahead)
                yield Finding(ahead[number], f"number {number} of {shown(about)} where {self._last[about] + 1} was due")

    def missing_before(self) -> int:
        """How many records come before the first that is here, in all series together."""
        return sum(first - 1 for first in self._first.values())

    def beginnings(self) -> Iterator[str]:
        return (about for about, first in self._first.items() if first != 1)


class Archive(NamedTuple):
    """Leaves whose records are in a file of their own."""

    origin: str
    first: int
    end: int
    digest: str


class Export:
    """One folder, checked step by step; `findings` says what is not in order."""

    def __init__(self, folder: Path, keys: Sequence[Key]) -> None:
        self.folder = folder
        self.keys = keys
        self.findings: list[Finding] = []
        self.records = 0
        self.not_seen = 0
        self.checkpoints = 0
        self.checkpoint = self._latest()
        self.tiles = Tiles(folder, self.checkpoint.size)
        self.series = Series()
        self._covered: list[tuple[int, int]] = []
        self._on_record: set[Archive] = set()

    def check(self, kept: Sequence[Path], archive_files: Sequence[Path]) -> None:
        """Check it all, and the checkpoints that the auditor kept."""
        archives = self._archives()
        pairs = self._pairs(archives, archive_files)
        for archive, path in pairs:
            self._check_records(path, archive.first, archive.end)
        for path in self._record_files():
            self._check_records(path, int(path.stem), None)
        self._check_on_record([each for each in archives if each not in [archive for archive, _ in pairs]])
        self._check_covered([each for each in archives if each.origin == self.checkpoint.origin])
        self.not_seen += sum(each.end - each.first for each in archives if each.origin != self.checkpoint.origin)
        self.findings.extend(self.tiles.check_levels())
        self._check_roots(kept)
        self._check_series(sum(each.end - each.first for each in archives))

    def _latest(self) -> Checkpoint:
        path = self.folder / "checkpoint"
        try:
            return open_note(read_text(path), self.keys)
        except Wrong as problem:
            raise Wrong(f"{path.name}: {problem}") from None

    def _archives(self) -> list[Archive]:
        path = self.folder / "archived.json"
        try:
            listed = json.loads(read_text(path))
            archives = [
                Archive(str(each["origin"]), int(each["first_leaf"]), int(each["end_leaf"]), str(each["digest"]))
                for each in listed
            ]
        except (Wrong, ValueError, TypeError, KeyError, OverflowError, RecursionError):
            self.findings.append(Finding(None, "archived.json is not there, or cannot be read"))
            return []
        wrong = [each for each in archives if not 0 <= each.first < each.end]
        if wrong:
            self.findings.append(Finding(None, "archived.json has a range that is none"))
        return list(dict.fromkeys(each for each in archives if each not in wrong))

    def _pairs(self, archives: Sequence[Archive], files: Sequence[Path]) -> list[tuple[Archive, Path]]:
        """Archive files with the entry that has their digest, in the order of the log."""
        pairs = []
        for path in files:
            digest = file_digest(path)
            fitting = [each for each in archives if each.digest == digest and each.origin == self.checkpoint.origin]
            if fitting:
                pairs.append((fitting[0], path))
            else:
                self.findings.append(Finding(None, f"{shown(str(path))} is none of the files in archived.json"))
        return sorted(pairs, key=lambda pair: pair[0].first)

    def _record_files(self) -> list[Path]:
        try:
            files = sorted((self.folder / "records").iterdir())
        except OSError:
            files = []
        strays = [path for path in files if not re.fullmatch(r"[0-9]{20}\.jsonl", path.name, re.ASCII)]
        self.findings.extend(Finding(None, f"records/{shown(path.name)} is no file of records") for path in strays)
        return [path for path in files if path not in strays]

    def _check_records(self, path: Path, first: int, end: int | None) -> None:
        """Check the records of a file, of which the first is leaf `first`."""
        leaf = first
        try:
            with path.open("rb") as file:
                for line in file:
                    if leaf >= self.checkpoint.size:
                        raise Wrong(f"{path.name} goes beyond the log", leaf)
                    self._check_record(leaf, line)
                    leaf += 1
        except Wrong as problem:
            self.findings.append(Finding(problem.leaf, str(problem)))
        except OSError:
            self.findings.append(Finding(first, f"{path.name} cannot be read"))
        if end is not None and leaf != end:
            self.findings.append(Finding(leaf, f"{path.name} ends here, and leaf {end - 1} was to be its last"))
        self._covered.append((first, leaf))

    def _check_record(self, leaf: int, line: bytes) -> None:
        record = line[:-1] if line.endswith(b"\n") else line
        tile, place = divmod(leaf, WIDTH)
        told = read_record(record)
        name = f"record {shown(told.event_id)}" if told else "a record that cannot be read"
        if leaf_hash(record) != self.tiles.hashes(0, tile)[place]:
            self.findings.append(Finding(leaf, f"{name} is not what was put into the log"))
        elif told is None or not line.endswith(b"\n"):
            self.findings.append(Finding(leaf, f"{name} is not written as one should be"))
        else:
            self.records += 1
            if told.archive is not None:
                self._on_record.add(told.archive)
            problem = self.series.see(told.about, told.number, leaf)
            if problem is not None:
                self.findings.append(Finding(leaf, f"{name}: {problem}"))

    def _check_on_record(self, archives: Sequence[Archive]) -> None:
        """archived.json is not signed: it counts as far as records of the log say the same."""
        for each in archives:
            if each not in self._on_record:
                problem = (
                    f"no record that is here says that leaves {each.first} to {each.end - 1} of {shown(each.origin)} "
                    "were archived: name their file, or the one that this record was archived to, with --archive"
                )
                own = each.origin == self.checkpoint.origin
                self.findings.append(Finding(each.first if own else None, problem))

    def _check_covered(self, archives: Sequence[Archive]) -> None:
        """Each leaf has its record here, once, or is archived; an archive that is here as well is one of these."""
        reached = 0
        ranges = {(first, end, False) for first, end in self._covered}
        ranges |= {
            (each.first, min(each.end, self.checkpoint.size), True)
            for each in archives
            if (each.first, each.end) not in self._covered
        }
        for first, end, is_archive in sorted(ranges):
            if first > reached:
                self.findings.append(Finding(reached, f"the records of leaves {reached} to {first - 1} are not here"))
            elif first < reached:
                self.findings.append(Finding(first, "its record is here twice, or archived and here"))
            self.not_seen += max(0, end - first) if is_archive else 0
            reached = max(reached, end)
        if reached < self.checkpoint.size:
            last = self.checkpoint.size - 1
            self.findings.append(Finding(reached, f"the records of leaves {reached} to {last} are not here"))

    def _check_roots(self, kept: Sequence[Path]) -> None:
        """The log's root at the size of each checkpoint is the one that was signed."""
        try:
            inside = sorted(path for path in (self.folder / "checkpoints").iterdir())
        except OSError:
            inside = []
            self.findings.append(Finding(None, "checkpoints/ is not there"))
        agreed = 0
        for path in [*inside, self.folder / "checkpoint"]:
            agreed = self._check_root(path, path.relative_to(self.folder).as_posix(), agreed)
        for path in kept:
            self._check_root(path, str(path), 0)

    def _check_root(self, path: Path, name: str, agreed: int) -> int:
        """The size up to which the log is the signed one, as far as is known after this checkpoint."""
        try:
            checkpoint = open_note(read_text(path), self.keys)
            if checkpoint.origin != self.checkpoint.origin:
                raise Wrong(f"it is of the log {shown(checkpoint.origin)}")
            if path.parent.name == "checkpoints" and path.name != f"{checkpoint.size:020}":
                raise Wrong(f"it is of size {checkpoint.size}: another one stands in its place")
            if checkpoint.size > self.checkpoint.size:
                raise Wrong(f"the log had {checkpoint.size} leaves then, and has {self.checkpoint.size} here")
            if self.tiles.root(checkpoint.size) != checkpoint.root:
                raise Wrong(f"one of the leaves {agreed} to {checkpoint.size - 1} is not what was signed", agreed)
        except Wrong as problem:
            self.findings.append(Finding(problem.leaf, f"{shown(name)}: {problem}"))
            return agreed
        self.checkpoints += 1
        return checkpoint.size

    def _check_series(self, archived: int) -> None:
        self.findings.extend(self.series.gaps())
        missing = self.series.missing_before()
        if missing > archived:
            some = next(self.series.beginnings())
            self.findings.append(
                Finding(None, f"{missing} records before the first of their series are missing, as of {shown(some)}")
            )


class Told(NamedTuple):
    """What is needed of a record."""

    event_id: str
    about: str
    number: int
    archive: Archive | None
    """What was archived, if that is what the record says."""


def read_record(record: bytes) -> Told | None:
    try:
        fields: Any = json.loads(record.decode("utf-8"))
        event_id, about, number = fields["id"], fields["submission_id"], fields["seq"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    if not isinstance(event_id, str) or not (about is None or isinstance(about, str)):
        return None
    if type(number) is not int or number < 1:
        return None
    archive = read_archive(fields.get("details")) if fields.get("action") == "log:archived" else None
    return Told(event_id, "no submission" if about is None else f"submission {about}", number, archive)


def read_archive(details: object) -> Archive | None:
    """What a record of an archive says in its details."""
    try:
        told: Any = json.loads(details) if isinstance(details, str) else {}
        origin, first, end, digest = told["origin"], told["first_leaf"], told["end_leaf"], told["digest"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    well = type(first) is int and type(end) is int and isinstance(origin, str) and isinstance(digest, str)
    return Archive(origin, first, end, digest) if well else None


# --- A proof -----------------------------------------------------------------------------------------------------


def check_proof(text: str, record: bytes, keys: Sequence[Key]) -> tuple[int, Checkpoint]:
    """The leaf that a record is, and the checkpoint that says so. Raises `Wrong`."""
    head, separator, note = text.partition("\n\n")
    lines = head.split("\n")
    if lines[0] != PROOF_FORMAT or not separator:
        raise Wrong(f"it is not a proof of the form {PROOF_FORMAT}")
    if len(lines) > 1 and lines[1].startswith("extra "):
        if decode64(lines[1][len("extra ") :]) is None:
            raise Wrong("its extra line cannot be read")
        del lines[1]
    index = lines[1][len("index ") :] if len(lines) > 1 and lines[1].startswith("index ") else ""
    if not DECIMAL.fullmatch(index):
        raise Wrong("it does not say which leaf it is about")
    path = [decode64(line) for line in lines[2:]]
    if any(each is None or len(each) != HASH_BYTES for each in path):
        raise Wrong("a hash of its path cannot be read")
    checkpoint = open_note(note, keys)
    root = root_from_path(leaf_hash(record), int(index), checkpoint.size, [each for each in path if each is not None])
    if root != checkpoint.root:
        raise Wrong("the record is not what was put into the log at this place", int(index))
    return int(index), checkpoint


# --- Two checkpoints ---------------------------------------------------------------------------------------------


def check_consistency(old: Checkpoint, new: Checkpoint, folder: Path) -> None:
    """That the later log begins with the earlier one, by the tiles of an export. Raises `Wrong`."""
    if old.origin != new.origin:
        raise Wrong(f"they are of two logs, {shown(old.origin)} and {shown(new.origin)}")
    if old.size > new.size:
        raise Wrong(f"the log had {old.size} leaves, and then {new.size}")
    latest = read_body(read_text(folder / "checkpoint").partition("\n\n")[0])
    if latest is None or latest.size < new.size:
        raise Wrong(f"the export does not go as far as the later one, which is of size {new.size}")
    tiles = Tiles(folder, latest.size)
    # One set of nodes gives both roots, so that what the later one is made of is what the earlier one is made of.
    parts = list(shared_ranges(old.size, new.size))
    hashes = {part: range_root(part[0], part[1], tiles.node) for part in parts}
    if joined(0, old.size, hashes) != old.root:
        raise Wrong(f"the export's first {old.size} leaves are not those of the earlier checkpoint")
    if joined(0, new.size, hashes) != new.root:
        raise Wrong(f"the export's first {new.size} leaves are not those of the later checkpoint")


def shared_ranges(old: int, new: int) -> Iterator[tuple[int, int]]:
    """Ranges of leaves, each a complete subtree of both logs or wholly after the earlier one."""
    start = 0
    for end in (old, new):
        while start < end:
            count = 1
            while start % (count * 2) == 0 and start + count * 2 <= end:
                count *= 2
            yield start, start + count
            start += count


def joined(start: int, end: int, hashes: dict[tuple[int, int], bytes]) -> bytes:
    """The root of a range, of nothing but these hashes."""
    if (start, end) in hashes:
        return hashes[start, end]
    if end == start:
        return hashlib.sha256(b"").digest()
    middle = start + (1 << (end - start - 1).bit_length() - 1)
    return node_hash(joined(start, middle, hashes), joined(middle, end, hashes))


# --- The command line --------------------------------------------------------------------------------------------


def run_export(options: argparse.Namespace, keys: Sequence[Key]) -> dict[str, Any]:
    folder = Path(options.folder)
    if not folder.is_dir():
        raise Misuse(f"{shown(str(folder))} is not a folder")
    export = Export(folder, keys)
    export.check([existing(path) for path in options.checkpoint], [existing(path) for path in options.archive])
    counted = f"{export.records} records are in order; {export.checkpoints} checkpoints agree"
    if export.not_seen:
        counted += (
            f"\n       {export.not_seen} records were NOT SEEN: they are in archive files. "
            "The hashes of those in this log were checked, what is in them was not"
        )
    ordered = sorted(export.findings, key=lambda each: (each.leaf is None, each.leaf or 0))
    return {
        "origin": export.checkpoint.origin,
        "size": export.checkpoint.size,
        "records": export.records,
        "not_seen": export.not_seen,
        "checkpoints": export.checkpoints,
        "findings_count": len(ordered),
        "findings": [{"leaf": each.leaf, "problem": each.problem} for each in ordered[:SHOWN]],
        "told": counted,
    }


def run_proof(options: argparse.Namespace, keys: Sequence[Key]) -> dict[str, Any]:
    record = read_bytes(existing(options.record))
    record = record[:-1] if record.endswith(b"\n") else record
    leaf, checkpoint = check_proof(read_text(existing(options.proof)), record, keys)
    told = read_record(record)
    name = shown(told.event_id) if told else "(not one of Careroute's)"
    return {
        "origin": checkpoint.origin,
        "size": checkpoint.size,
        "leaf": leaf,
        "findings_count": 0,
        "findings": [],
        "told": f"record {name} is leaf {leaf}, signed at size {checkpoint.size}",
    }


def run_consistency(options: argparse.Namespace, keys: Sequence[Key]) -> dict[str, Any]:
    folder = Path(options.folder)
    if not folder.is_dir():
        raise Misuse(f"{shown(str(folder))} is not a folder")
    old, new = (open_note(read_text(existing(path)), keys) for path in (options.old, options.new))
    check_consistency(old, new, folder)
    return {
        "origin": new.origin,
        "size": new.size,
        "findings_count": 0,
        "findings": [],
        "told": f"the log of {new.size} leaves begins with the log of {old.size}",
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Check what the command line says; the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # whatever the terminal can show, nothing ends in a traceback
            stream.reconfigure(errors="replace")
    try:
        options = parser().parse_args(arguments)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else WRONG_USE
    try:
        report = options.run(options, [read_key(text) for text in options.key])
    except Misuse as mistake:
        print(f"verify_audit: {mistake}", file=sys.stderr)
        return WRONG_USE
    except Wrong as problem:
        report = {"findings_count": 1, "findings": [{"leaf": problem.leaf, "problem": str(problem)}]}
    if options.json:
        print(json.dumps({name: value for name, value in report.items() if name != "told"}, indent=2))
    else:
        tell(report)
    return FINDING if report["findings_count"] else IN_ORDER


def tell(report: dict[str, Any]) -> None:
    if "origin" in report:
        print(f"log {shown(report['origin'])}, size {report['size']}")
    for each in report["findings"]:
        place = "" if each["leaf"] is None else f"leaf {each['leaf']}: "
        print(f"WRONG  {place}{each['problem']}")
    if report["findings_count"] > len(report["findings"]):
        print(f"WRONG  … and {report['findings_count'] - len(report['findings'])} more")
    if not report["findings_count"]:
        print(f"OK     {report['told']}")
    elif "told" in report:
        print(f"       {report['told']}")


def parser() -> argparse.ArgumentParser:
    every = argparse.ArgumentParser(
        prog="verify_audit.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = every.add_subparsers(required=True, metavar="COMMAND")
    export = commands.add_parser("export", help="check a folder that `careroute audit export` wrote")
    export.add_argument("folder", metavar="DIR")
    export.add_argument("--checkpoint", action="append", default=[], metavar="FILE", help="one that you kept yourself")
    export.add_argument("--archive", action="append", default=[], metavar="FILE", help="a file of archived records")
    export.set_defaults(run=run_export)
    proof = commands.add_parser("proof", help="check a proof of one record")
    proof.add_argument("proof", metavar="FILE.tlog-proof")
    proof.add_argument("record", metavar="RECORD.json")
    proof.set_defaults(run=run_proof)
    consistency = commands.add_parser("consistency", help="check that a later log begins with an earlier one")
    consistency.add_argument("old", metavar="OLD")
    consistency.add_argument("new", metavar="NEW")
    consistency.add_argument("folder", metavar="DIR")
    consistency.set_defaults(run=run_consistency)
    for command in (export, proof, consistency):
        command.add_argument("--key", action="append", required=True, metavar="VKEY", help="the log's public key")
        command.add_argument("--json", action="store_true", help="only JSON on standard output")
    return every


def existing(name: str) -> Path:
    path = Path(name)
    try:
        found = path.is_file()
    except (OSError, ValueError):
        found = False
    if not found:
        raise Misuse(f"{shown(name)} is not a file")
    return path


def read_text(path: Path) -> str:
    try:
        return read_bytes(path).decode("utf-8")
    except UnicodeDecodeError:
        raise Wrong(f"{shown(path.name)} is not text") from None


def read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        raise Wrong(f"{shown(path.name)} cannot be read") from None


def file_digest(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            for block in iter(lambda: file.read(1 << 20), b""):
                digest.update(block)
    except OSError:
        raise Wrong(f"{shown(path.name)} cannot be read") from None
    return digest.hexdigest()


def shown(text: str) -> str:
    """Text out of a file, as a terminal can show it without being told what to do by it."""
    return "".join(each if each.isprintable() else "�" for each in text)[:200]


if __name__ == "__main__":
    sys.exit(main())
