"""Whether this process can take submissions in. The broker is not asked: submissions are taken in without it."""

from collections.abc import Mapping

import structlog
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from pipeline.db import Database
from pipeline.engine.stage import whereabouts
from pipeline.models import Submission

_log = structlog.get_logger(__name__)


class DatabaseHealth:
    """Implements `web.services.Health`: the database answers, and has our tables."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def ready(self) -> Mapping[str, bool]:
        return {"database": self._database_answers()}

    def _database_answers(self) -> bool:
        try:
            with self._database.read() as connection:
                connection.execute(select(Submission.id).limit(1))
        except SQLAlchemyError as error:
            _log.warning("database does not answer", **whereabouts(error))
            return False
        return True
