"""A route that calls its handler with the request, and sends what it gives. For what is asked for most.

FastAPI takes longer to find out what a handler wants than the whole way to it takes. What such a route declares
(dependencies, what OpenAPI is told) describes it and is not carried out: its handler sees to that itself.
"""

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.types import Receive, Scope, Send


class DirectRoute(APIRoute):
    """For `add_api_route(…, route_class_override=DirectRoute)` of the application's own router."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in (self.methods or ()):
            await super().handle(scope, receive, send)
            return
        response = await self.endpoint(Request(scope, receive, send))
        await response(scope, receive, send)
