"""Customers written to files as people have them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from pathlib import Path


def as_parquet(people: pa.Table, folder: Path) -> Path:
    """A Parquet file of one row group."""
    path = folder / "customers.parquet"
    pq.write_table(people, path)
    return path


def as_csv(people: pa.Table, folder: Path) -> Path:
    """A CSV: lists as JSON text, moments as ISO 8601 in UTC."""
    path = folder / "customers.csv"
    nested = [field.name for field in people.schema if pa.types.is_nested(field.type)]
    lists = {name: pl.Series(map(json.dumps, people[name].to_pylist())) for name in nested}
    plain = pl.from_arrow(people.drop_columns(nested)).with_columns(
        pl.col("last_order_at").dt.to_string("%Y-%m-%dT%H:%M:%S%.6fZ"), **lists
    )
    plain.select(people.column_names).write_csv(path)
    return path
