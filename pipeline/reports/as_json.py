"""The JSON form: the one whose SHA-256 is the report's digest."""

from pipeline.reports.document import Report


def as_json(report: Report) -> bytes:
    return report.json
