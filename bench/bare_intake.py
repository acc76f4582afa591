"""Program: the least that keeps a form: one FastAPI handler, one INSERT, one durable commit.

What somebody would write who has nothing else to do: no sender to know, nothing checked, nothing encrypted, no record,
no job, no repeats. It has the same server with the same settings as ours, and psycopg without any layer over it.
"""

import sys
import threading
import uuid

import psycopg
import uvicorn
from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse

TABLE = "CREATE TABLE bare_intake (id uuid PRIMARY KEY, received_at timestamptz DEFAULT now(), body bytea NOT NULL)"
_INSERT = "INSERT INTO bare_intake (id, body) VALUES (%b, %b)"


def create_app(database_url: str) -> FastAPI:
    """The application. `database_url` is psycopg's."""
    app = FastAPI()
    connections = threading.local()

    def keep(body: bytes) -> uuid.UUID:
        """One round trip: without a transaction around it, the statement is committed by itself."""
        if not hasattr(connections, "own"):
            connections.own = psycopg.connect(database_url, autocommit=True, prepare_threshold=2)
        submission_id = uuid.uuid4()
        connections.own.execute(_INSERT, (submission_id, body))
        return submission_id

    @app.post("/v1/submissions", status_code=202)
    async def push(request: Request) -> JSONResponse:
        submission_id = await run_in_threadpool(keep, await request.body())
        return JSONResponse({"id": str(submission_id)}, 202)

    return app


if __name__ == "__main__":
    uvicorn.run(create_app(sys.argv[1]), port=int(sys.argv[2]), access_log=False, server_header=False, log_config=None)
