"""The application's own style sheet, script and icon, under addresses that change with their content."""

from functools import cache
from hashlib import sha256
from pathlib import Path

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

STATIC = Path(__file__).resolve().parent / "static"


@cache
def static_address(name: str) -> str:
    """The address of a static file, with a version, so that browsers may keep the file for good."""
    return f"/static/{name}?v={_version(name)}"


class VersionedFiles(StaticFiles):
    """Serves the folder; only what was asked for by its current version may be kept."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        if response.status_code < 400 and scope["query_string"].decode("latin-1") == f"v={_version(path)}":
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response


@cache
def _version(name: str) -> str:
    return sha256((STATIC / name).read_bytes()).hexdigest()[:12]
