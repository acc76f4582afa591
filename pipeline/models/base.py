"""What all tables share."""

import datetime as dt
import uuid
from typing import ClassVar, cast

from sqlalchemy import BigInteger, Integer, LargeBinary, MetaData, Table, Text, Uuid
from sqlalchemy.orm import DeclarativeBase

from pipeline.db import UtcDateTime

RowNumber = BigInteger().with_variant(Integer, "sqlite")
"""An automatically numbered key; SQLite numbers only a plain INTEGER PRIMARY KEY."""


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_N_label)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar = {
        str: Text(),
        bytes: LargeBinary(),
        uuid.UUID: Uuid(),
        dt.datetime: UtcDateTime(),
    }

    @classmethod
    def table(cls) -> Table:
        return cast("Table", cls.__table__)
