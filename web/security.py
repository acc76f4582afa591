"""Response headers that hold on every answer, errors included.

Pages load nothing but this application's own files, run no inline script or style, are never framed, stored by a
cache, or named in a referrer: a secure link's path is a secret. An answer may state a header of its own.
"""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=(), browsing-topics=()",
}
_ONE_YEAR = 365 * 24 * 3600


class SecurityHeadersMiddleware:
    """Adds the headers; `https` says whether people reach the pages by https (then HSTS is sent too)."""

    def __init__(self, app: ASGIApp, *, https: bool) -> None:
        self.app = app
        headers = _HEADERS | ({"Strict-Transport-Security": f"max-age={_ONE_YEAR}"} if https else {})
        self.headers = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        self.names = frozenset(name for name, _ in self.headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                said = {name for name, _ in message["headers"]}
                unsaid = self.headers
                if not said.isdisjoint(self.names):
                    # A few answers say otherwise: our own static files may be kept, and the mailbox frames an email.
                    unsaid = [each for each in self.headers if each[0] not in said]
                message["headers"] = [*message["headers"], *unsaid]
            await send(message)

        await self.app(scope, receive, send_with_headers)
