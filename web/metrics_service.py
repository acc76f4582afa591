"""How everything stands, over the database."""

from pipeline.context import Context
from pipeline.operations.metrics import to_text
from pipeline.operations.status_report import read_status
from web.outage import unless_unavailable


class DatabaseMetrics:
    """Implements `web.metrics.Metrics`."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def read(self) -> str:
        return unless_unavailable(self._read)

    def _read(self) -> str:
        with self._context.database.read() as connection:
            return to_text(read_status(connection), self._context.settings)
