"""The port a demo served on, kept with it: the links in its emails lead there, whoever serves the folder later."""

import socket
from pathlib import Path

from config.settings import Settings

_FILE = "demo.port"


def keep_port(folder: Path, port: int) -> None:
    """Keep it in the demo's folder."""
    (folder / _FILE).write_text(f"{port}\n", encoding="ascii")


def port_for(settings: Settings) -> tuple[int, str]:
    """The port to serve on: the demo's where it is free and no other was asked for; and what people must know, if any.

    A folder that no demo made: the port of the settings.
    """
    kept = _kept_port(settings.data_dir)
    if kept is None:
        return settings.port, ""
    old = f"http://127.0.0.1:{kept}"
    if settings.public_url or ("port" in settings.model_fields_set and settings.port != kept):
        return settings.port, f"Links in the demo's emails lead to {old}, where it served, and not here."
    if not _is_free(kept):
        return settings.port, f"Links in the demo's emails lead to {old}, which something else uses now."
    return kept, ""


def _kept_port(folder: Path) -> int | None:
    try:
        port = int((folder / _FILE).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
    return port if 0 < port <= 65535 else None


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
