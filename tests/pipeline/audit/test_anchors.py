import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from config.settings import Settings
from pipeline.audit.anchors import ENDPOINT, AnchorProblem, DirectoryAnchor, HttpAnchor, read_anchored
from pipeline.audit.notes import Checkpoint, sign_checkpoint
from pipeline.context import Context
from tests.support.installations import Installation
from tests.support.log import record, sequence, sequencer

ORIGIN = "careroute-audit-00000000/1"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))


def note(size: int, root: int = 0, key: Ed25519PrivateKey = KEY, origin: str = ORIGIN) -> str:
    return sign_checkpoint(Checkpoint(origin, size, bytes([root] * 32)), [key])


@pytest.fixture
def directory(tmp_path: Path) -> DirectoryAnchor:
    return DirectoryAnchor(tmp_path / "share")


def test_the_highest_counts_whichever_came_last(directory: DirectoryAnchor) -> None:
    assert directory.latest(ORIGIN) is None
    for size in (9, 1_000_000_000_000, 10):
        directory.put(note(size))
    directory.put(note(10**15, origin="careroute-audit-00000000/2"))
    assert directory.latest(ORIGIN) == note(1_000_000_000_000)
    assert directory.all(ORIGIN) == [note(9), note(10), note(1_000_000_000_000)]
    assert (directory.path / "careroute-audit-00000000_1" / "00000000000000000009.checkpoint").is_file()
    assert directory.highest_number("careroute-audit-00000000") == 2
    assert directory.highest_number("careroute-audit-ffffffff") == 0


def test_what_is_kept_is_never_replaced(directory: DirectoryAnchor) -> None:
    directory.put(note(5))
    directory.put(note(5))
    directory.put(note(5, key=Ed25519PrivateKey.from_private_bytes(bytes([1] * 32))))  # signed anew, it says the same
    with pytest.raises(AnchorProblem, match="says something else"):
        directory.put(note(5, root=1))
    assert directory.all(ORIGIN) == [note(5)]


def test_a_file_is_there_whole_or_not_at_all(directory: DirectoryAnchor, monkeypatch: pytest.MonkeyPatch) -> None:
    directory.put(note(5))
    (folder,) = directory.path.iterdir()
    monkeypatch.setattr("os.fsync", lambda _: pytest.fail(str(sorted(folder.glob("*.checkpoint")))))
    with pytest.raises(pytest.fail.Exception, match=f"{5:020}[^,]*$"):
        directory.put(note(6))
    assert [path.name for path in folder.iterdir()] == [f"{5:020}.checkpoint"]


def test_a_folder_without_a_checkpoint_is_no_log(directory: DirectoryAnchor) -> None:
    directory.put(note(5))
    (directory.path / "careroute-audit-00000000_2000").mkdir()
    (directory.path / "careroute-audit-00000000_3").mkdir()
    (directory.path / "careroute-audit-00000000_3" / f"{6:020}.checkpoint").write_text("somebody's")
    assert directory.highest_number("careroute-audit-00000000") == 1


def test_a_directory_that_has_to_be_there_is_never_made(directory: DirectoryAnchor) -> None:
    mounted = DirectoryAnchor(directory.path, must_exist=True)
    for use in (lambda: mounted.put(note(5)), lambda: mounted.latest(ORIGIN), lambda: mounted.highest_number("x")):
        with pytest.raises(FileNotFoundError, match="is the share mounted"):
            use()
    assert not directory.path.exists()


def test_something_else_in_its_place_is_left_alone(directory: DirectoryAnchor) -> None:
    directory.put(note(5))
    other = directory.path / "careroute-audit-00000000_1" / f"{6:020}.checkpoint"
    other.write_text("somebody's")
    assert directory.latest(ORIGIN) == note(5)
    with pytest.raises(AnchorProblem, match="is no checkpoint"):
        directory.put(note(6))
    assert other.read_text() == "somebody's"


class Endpoint(HTTPServer):
    """Answers with `status`, and remembers what it was sent."""

    status = 200

    def __init__(self) -> None:
        self.taken: list[tuple[str, str, str]] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/checkpoints"


class _Handler(BaseHTTPRequestHandler):
    server: Endpoint

    def do_POST(self) -> None:
        text = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.taken.append((text, self.headers["Content-Type"], self.headers.get("Authorization", "")))
        self.send_response(self.server.status)
        self.send_header("Location", "/elsewhere")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its interface
        pass


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with Endpoint() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def told(context: Context) -> tuple[int, str | None]:
    with context.database.read() as connection:
        found = read_anchored(connection)[ENDPOINT]
    return found.size, found.problem


def test_an_endpoint_gets_each_checkpoint_once_and_again_until_it_took_it(
    sqlite_installation: Installation, endpoint: Endpoint
) -> None:
    context = sqlite_installation.context(anchor_url=endpoint.url, anchor_token="a token")
    running = sequencer(context)
    running.anchor_outside()
    assert not endpoint.taken, "there is none yet"
    endpoint.status = 503
    first = sequence(context)
    assert first is not None, "the endpoint is in nobody's way"
    running.anchor_outside()
    assert told(context) == (0, "the endpoint answered 503")
    endpoint.status = 204
    running.anchor_outside()
    running.anchor_outside()
    assert told(context) == (first.size, None)
    record(context, None)
    second = sequence(context)
    assert second is not None
    running.anchor_outside()
    assert told(context) == (second.size, None)
    (folder,) = context.settings.effective_anchor_dir.iterdir()
    kept = [path.read_text("utf-8") for path in sorted(folder.iterdir())]
    plain = "text/plain; charset=utf-8"
    assert endpoint.taken == [
        (kept[0], plain, "Bearer a token"),
        (kept[0], plain, "Bearer a token"),
        (kept[1], plain, "Bearer a token"),
    ]


def test_a_redirect_is_no_receipt_and_neither_is_silence(endpoint: Endpoint) -> None:
    endpoint.status = 307
    with pytest.raises(AnchorProblem, match="answered 307"):
        HttpAnchor(endpoint.url).put(note(1))
    assert len(endpoint.taken) == 1
    assert endpoint.taken[0][2] == ""
    with pytest.raises(AnchorProblem, match="does not answer"):
        HttpAnchor("http://127.0.0.1:1/").put(note(1))


@pytest.mark.parametrize(
    "url", ["http://anchor.example.org/", "ftp://127.0.0.1/", "https://", "anchor.example.org", "http://", "http:///x"]
)
def test_checkpoints_leave_this_machine_by_tls_only(url: str) -> None:
    with pytest.raises(ValueError, match="must be an https:// URL"):
        Settings(anchor_url=url)


@pytest.mark.parametrize("url", ["", "https://anchor.example.org/x", "http://localhost:9/", "http://[::1]:9/"])
def test_other_urls_are_taken(url: str) -> None:
    assert Settings(anchor_url=url).anchor_url == url
