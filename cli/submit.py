"""`submit`: post a submission from a file to a running web process, as a web form would."""

import json
import os
import uuid
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.console import JsonOption, complain, out, print_json, say
from cli.failures import FINDING, WRONG_USE, CannotRun, fail, read_settings
from config.settings import Settings
from embedded.source_secrets import FOLDER

KEY_VARIABLE = "CAREROUTE_SOURCE_NETWORK_SITE_KEY"
_TIMEOUT_SECONDS = 30.0


def submit(
    file: Annotated[Path, typer.Argument(help='JSON: {"answers": {…}}, as in /openapi.json.')],
    *,
    url: Annotated[str | None, typer.Option(help="Of the web process; else CAREROUTE_PUBLIC_URL.")] = None,
    key_file: Annotated[Path | None, typer.Option(help=f"Holds the source's key; else {KEY_VARIABLE}.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Post a submission as the source network-site, and print its reference and status."""
    import httpx  # noqa: PLC0415 - slow to load, and no other command needs it

    settings = read_settings()
    try:
        body = file.read_bytes()
    except OSError as error:
        fail(f"{file} cannot be read: {error.strerror}", WRONG_USE)
    base = (url or settings.effective_public_url).rstrip("/")
    headers = {
        "Content-Type": "application/json",
        "Authorization": f"Bearer {_key(settings, key_file)}",
        "Idempotency-Key": str(uuid.uuid4()),
    }
    try:
        response = httpx.post(f"{base}/v1/submissions", content=body, headers=headers, timeout=_TIMEOUT_SECONDS)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        fail(f"{base} does not answer ({type(error).__name__}): is `careroute up` or `careroute web` running there?")
    document = _document(response.content)
    if as_json:
        print_json(document)
    if not response.is_success:
        _complain(response.status_code, document)
        raise typer.Exit(FINDING)
    if not as_json:
        out.print(f"{document['reference']}  {document['status']}", markup=False)
        say(f"{document['id']}")


def _key(settings: Settings, key_file: Path | None) -> str:
    """The option's file, the environment, or the one that `careroute up` has made in the data directory."""
    if key_file is None and (key := os.environ.get(KEY_VARIABLE, "").strip()):
        return key
    named = os.environ.get(f"{KEY_VARIABLE}_FILE")
    path = key_file or (Path(named) if named else settings.data_dir / FOLDER / KEY_VARIABLE)
    try:
        return path.read_text(encoding="utf-8").split("\n", 1)[0].strip()
    except (OSError, UnicodeDecodeError):
        raise CannotRun(f"no key: {path} cannot be read. Set {KEY_VARIABLE}, or give --key-file.") from None


def _document(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _complain(status_code: int, document: dict[str, Any]) -> None:
    """A problem document (RFC 9457) for people; its messages name fields and rules."""
    title = document.get("title", "refused")
    complain(f"{title} ({status_code})" + (f": {document['detail']}" if document.get("detail") else ""))
    for error in document.get("errors", []):
        say(f"  {error.get('field')}: {error.get('message')}")
