"""Anything Arrow comes in as the same rows, and what cannot be read says why."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from labfactory._core import base as core
from labfactory.base.errors import SourceError
from labfactory.base.sources import batches, schema_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

ROWS = [{"key": i, "name": None if i % 3 == 0 else f"name {i}", "price": i / 4} for i in range(10)]
FRAME = pl.DataFrame(ROWS)
TABLE = pa.Table.from_pylist(ROWS)


class Stream:
    """An object of another library that can be read once."""

    def __init__(self, table: pa.Table) -> None:
        self.reader = table.to_reader()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.reader.__arrow_c_stream__(requested_schema)


class Frame(Stream):
    """An object of another library that can be read again and again."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table

    def __len__(self) -> int:
        return len(self.table)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.table.__arrow_c_stream__(requested_schema)


class Block:
    """An object of another library that is one array."""

    def __arrow_c_array__(self, requested_schema: object = None) -> object:
        return pa.record_batch(TABLE.to_pydict()).__arrow_c_array__()


class Shape:
    """An object that shows an Arrow schema and nothing else."""

    def __arrow_c_schema__(self) -> object:
        return pa.schema([("key", pa.int64())]).__arrow_c_schema__()


def parquet(folder: Path) -> Path:
    pq.write_table(TABLE, folder / "rows.parquet", row_group_size=4)
    return folder / "rows.parquet"


def csv(folder: Path, text: str | None = None) -> Path:
    path = folder / "rows.csv"
    path.write_text(FRAME.write_csv() if text is None else text, encoding="utf-8")
    return path


def written(folder: Path, content: bytes, name: str) -> Path:
    (folder / name).write_bytes(content)
    return folder / name


SOURCES: dict[str, Callable[[Path], Any]] = {
    "Polars frame": lambda folder: FRAME,
    "Polars frame in chunks": lambda folder: pl.concat([FRAME[:3], FRAME[3:]], rechunk=False),
    "lazy frame": lambda folder: FRAME.lazy(),
    "lazy scan": lambda folder: pl.scan_parquet(parquet(folder)),
    "table": lambda folder: TABLE,
    "table in chunks": lambda folder: pa.concat_tables([TABLE[:7], TABLE[7:]]),
    "batch": lambda folder: TABLE.to_batches()[0],
    "reader": lambda folder: TABLE.to_reader(max_chunksize=3),
    "dataset": lambda folder: ds.dataset(parquet(folder)),
    "stream object": lambda folder: Stream(TABLE),
    "frame object": lambda folder: Frame(TABLE),
    "array object": lambda folder: Block(),
    "Parquet path": parquet,
    "Parquet path as text": lambda folder: str(parquet(folder)),
    "CSV path": csv,
}


def refused(call: Callable[[], object]) -> SourceError:
    """The SourceError that a call raises."""
    with pytest.raises(SourceError) as caught:
        call()
    return caught.value


def rows_of(source: Any, **options: Any) -> list[dict[str, Any]]:
    return [row for batch in batches(source, **options) for row in batch.to_pylist()]


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("max_rows", [1, 4, 100])
def test_every_source_gives_the_same_rows_in_order(name: str, max_rows: int, tmp_path: Path) -> None:
    read = list(batches(SOURCES[name](tmp_path), max_rows=max_rows))
    assert [row for batch in read for row in batch.to_pylist()] == ROWS
    assert max(batch.num_rows for batch in read) <= max_rows
    assert min(batch.num_rows for batch in read) > 0


@pytest.mark.parametrize("name", SOURCES)
def test_columns_come_alone_and_in_the_order_asked_for(name: str, tmp_path: Path) -> None:
    read = list(batches(SOURCES[name](tmp_path), columns=["price", "key"]))
    assert {tuple(batch.schema.names) for batch in read} == {("price", "key")}
    assert [row["key"] for batch in read for row in batch.to_pylist()] == [row["key"] for row in ROWS]


@pytest.mark.parametrize("name", SOURCES)
def test_a_misspelt_column_is_refused_with_the_nearest_name(name: str, tmp_path: Path) -> None:
    error = refused(lambda: batches(SOURCES[name](tmp_path), columns=["pric"]))
    assert error.code == "missing_column"
    assert error.hint == "did you mean 'price'? Known: key, name, price."


def test_polars_text_comes_in_without_a_copy() -> None:
    frame = pl.DataFrame({"name": ["longer than twelve bytes"] * 1000})
    (batch,) = batches(frame)
    assert batch.schema.field("name").type == pa.string_view()
    exported = frame.to_arrow(compat_level=pl.CompatLevel.newest()).column("name").chunk(0)
    assert batch.column("name").buffers()[1].address == exported.buffers()[1].address


@pytest.mark.parametrize(
    "source",
    [FRAME.clear(), FRAME.clear().lazy(), TABLE.schema.empty_table(), Frame(TABLE.schema.empty_table())],
    ids=["frame", "lazy frame", "table", "frame object"],
)
def test_a_frame_may_be_empty_and_still_shows_its_schema(source: Any) -> None:
    (batch,) = batches(source, columns=["name"])
    assert (batch.num_rows, batch.schema.names) == (0, ["name"])


def test_a_csv_file_of_a_header_alone_is_empty(tmp_path: Path) -> None:
    (batch,) = batches(csv(tmp_path, "key,name\n"))
    assert (batch.num_rows, batch.schema.names) == (0, ["key", "name"])


def test_a_reader_is_read_once() -> None:
    reader = TABLE.to_reader()
    assert rows_of(reader) == ROWS
    error = refused(lambda: batches(reader))
    assert error.code == "source_consumed"
    assert "read before" in str(error)


def test_a_stream_object_is_read_once() -> None:
    stream = Stream(TABLE)
    assert rows_of(stream) == ROWS
    assert refused(lambda: batches(stream)).code == "source_consumed"


def test_a_frame_object_is_read_as_often_as_asked() -> None:
    frame = Frame(TABLE)
    assert rows_of(frame) == rows_of(frame) == ROWS


def test_a_reader_that_others_read_before_is_not_taken_for_an_empty_one() -> None:
    reader = TABLE.to_reader()
    reader.read_all()
    error = refused(lambda: rows_of(reader))
    assert error.code == "source_empty"
    assert error.hint == "A stream can be read once: it may have been read before."


def test_a_reader_refused_for_its_columns_may_still_be_read() -> None:
    reader = TABLE.to_reader()
    refused(lambda: batches(reader, columns=["nothing"]))
    assert rows_of(reader) == ROWS


def test_readers_that_died_are_forgotten() -> None:
    for _ in range(200):
        assert rows_of(TABLE.to_reader()) == ROWS
        gc.collect(0)


def test_what_a_reader_raises_midway_is_told() -> None:
    def pieces() -> Iterator[pa.RecordBatch]:
        yield TABLE.to_batches()[0]
        message = "the line went dead"
        raise RuntimeError(message)

    reading = batches(pa.RecordBatchReader.from_batches(TABLE.schema, pieces()))
    assert next(reading).num_rows == 10
    error = refused(lambda: next(reading))
    assert error.code == "source_unreadable"
    assert "the line went dead" in str(error)


def test_what_the_consumer_raises_stays_what_it_was() -> None:
    reading = batches(FRAME)
    next(reading)
    with pytest.raises(KeyError, match="mine"):
        reading.throw(KeyError("mine"))  # type: ignore[attr-defined]


def test_a_lazy_frame_that_does_not_resolve_is_told() -> None:
    error = refused(lambda: batches(FRAME.lazy().select("nothing")))
    assert error.code == "source_unreadable"
    assert "nothing" in str(error)
    assert "RESOLVING" not in str(error)


def test_a_lazy_frame_that_fails_midway_is_told() -> None:
    frame = FRAME.lazy().with_columns(pl.col("name").cast(pl.Int64))
    error = refused(lambda: rows_of(frame))
    assert error.code == "source_unreadable"
    assert "conversion from `str` to `i64` failed" in str(error)


def test_a_lazy_scan_of_a_csv_tells_the_column_of_a_value_that_does_not_fit(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("key,points\n1,2\n2,many\n", encoding="utf-8")
    frame = pl.scan_csv(tmp_path / "c.csv", schema={"key": pl.Int64, "points": pl.Int64})
    error = refused(lambda: list(batches(frame)))
    assert error.code == "column_type"
    assert error.message == "expected i64 in column 'points', found 'many'"


def test_a_lazy_scan_of_a_missing_file_is_told(tmp_path: Path) -> None:
    assert refused(lambda: batches(pl.scan_csv(tmp_path / "gone.csv"))).code == "source_unreadable"


def test_a_missing_file_is_told_with_its_neighbour(tmp_path: Path) -> None:
    parquet(tmp_path)
    error = refused(lambda: batches(tmp_path / "row.parquet"))
    assert error.code == "source_unreadable"
    assert error.template == str(tmp_path / "row.parquet")
    assert "did you mean 'rows.parquet'?" in str(error)


def test_a_directory_is_refused(tmp_path: Path) -> None:
    error = refused(lambda: batches(tmp_path))
    assert error.code == "source_unreadable"
    assert "expected a file, found the directory" in str(error)


def test_an_unknown_kind_of_file_is_refused(tmp_path: Path) -> None:
    error = refused(lambda: batches(written(tmp_path, b"", "rows.xlsx")))
    assert "expected a .parquet or .csv file, found 'rows.xlsx'" in str(error)


@pytest.mark.parametrize("kept", [0, 3, 100, -1])
def test_a_truncated_parquet_file_is_refused_before_the_first_row(kept: int, tmp_path: Path) -> None:
    whole = parquet(tmp_path).read_bytes()
    error = refused(lambda: batches(written(tmp_path, whole[:kept], "cut.parquet")))
    assert error.code == "source_unreadable"
    assert error.template == str(tmp_path / "cut.parquet")
    assert "cut short" in str(error)


def test_a_parquet_file_damaged_inside_is_told(tmp_path: Path) -> None:
    damaged = bytearray(parquet(tmp_path).read_bytes())
    damaged[4:200] = b"\xff" * 196
    error = refused(lambda: rows_of(written(tmp_path, bytes(damaged), "bad.parquet")))
    assert error.code == "source_unreadable"
    assert "bad.parquet" in str(error)


def test_a_csv_value_of_the_wrong_type_is_told_with_its_column(tmp_path: Path) -> None:
    path = csv(tmp_path, "name,points\nAnn,3\nBob,many\n")
    error = refused(lambda: batches(path, schema=pa.schema([("points", pa.int64())])))
    assert error.code == "column_type"
    assert error.template == str(path)
    assert error.message == "expected int64 in column 'points', found 'many'"


def test_a_csv_value_of_the_wrong_type_far_down_is_told_with_its_column(tmp_path: Path) -> None:
    path = csv(tmp_path, "name,points\n" + "Ann,3\n" * 800_000 + "Bob,many\n")
    error = refused(lambda: [batch.num_rows for batch in batches(path, columns=["points"])])
    assert error.code == "column_type"
    assert error.message == "expected int64 in column 'points', found 'many'"


def test_a_csv_line_of_the_wrong_length_is_told(tmp_path: Path) -> None:
    error = refused(lambda: rows_of(csv(tmp_path, "a,b\n1,2\n3\n")))
    assert error.code == "source_unreadable"
    assert "Expected 2 columns, got 1" in str(error)


def test_a_csv_file_whose_names_are_in_another_encoding_is_told(tmp_path: Path) -> None:
    path = tmp_path / "other.csv"
    path.write_bytes("größe,b\n1,2\n".encode("latin-1"))
    error = refused(lambda: rows_of(path))
    assert (error.code, error.hint) == ("source_unreadable", "Save the file as UTF-8.")


def test_an_empty_csv_file_is_told_that_it_needs_a_header(tmp_path: Path) -> None:
    error = refused(lambda: batches(csv(tmp_path, "")))
    assert error.hint == "The first line must name the columns."


def test_a_csv_file_lacks_a_column_of_the_schema(tmp_path: Path) -> None:
    error = refused(lambda: batches(csv(tmp_path), schema=pa.schema([("kee", pa.int64())])))
    assert error.code == "missing_column"
    assert error.message == "'rows.csv' has no column 'kee'"
    assert "did you mean 'key'?" in str(error)


def test_a_csv_file_holds_no_lists(tmp_path: Path) -> None:
    error = refused(lambda: batches(csv(tmp_path), schema=pa.schema([("key", pa.list_(pa.int8()))])))
    assert error.code == "column_type"


def test_a_csv_file_in_another_encoding_is_told_when_its_column_is_text(tmp_path: Path) -> None:
    path = written(tmp_path, "name\nJürgen\n".encode("latin-1"), "old.csv")
    error = refused(lambda: batches(path, schema=pa.schema([("name", pa.string())])))
    assert error.hint == "Save the file as UTF-8."


def test_names_that_look_like_missing_values_stay_names(tmp_path: Path) -> None:
    path = csv(tmp_path, 'name,city\nNA,null\nNaN,\nNull,""\n')
    assert rows_of(path) == [
        {"name": "NA", "city": "null"},
        {"name": "NaN", "city": None},
        {"name": "Null", "city": ""},
    ]


def test_a_csv_file_is_read_as_the_types_of_the_schema(tmp_path: Path) -> None:
    schema = pa.schema([("code", pa.string_view()), ("points", pa.float64())])
    assert rows_of(csv(tmp_path, "code,points,more\n007,3,x\n"), schema=schema) == [
        {"code": "007", "points": 3.0}
    ]


def test_kinds_must_fit_but_layouts_may_differ() -> None:
    schema = pa.schema([("key", pa.int8()), ("name", pa.dictionary(pa.int8(), pa.large_string()))])
    assert [batch.schema.names for batch in batches(FRAME, schema=schema)] == [["key", "name"]]
    for column, kind in [("key", pa.float64()), ("name", pa.int64()), ("price", pa.list_(pa.float64()))]:
        error = refused(lambda: batches(FRAME, schema=pa.schema([(column, kind)])))  # noqa: B023
        assert error.code == "column_type"
        assert f"in column '{column}' of the DataFrame" in str(error)


def test_a_struct_must_have_the_expected_fields() -> None:
    table = pa.table({"item": [[{"sku": "a", "price": 1.5}]]})
    narrow = pa.schema([("item", pa.list_(pa.struct([("sku", pa.string())])))])
    wide = pa.schema([("item", pa.list_(pa.struct([("colour", pa.string())])))])
    assert rows_of(table, schema=narrow) == table.to_pylist()
    assert refused(lambda: batches(table, schema=wide)).code == "column_type"


def test_two_columns_of_one_name_are_refused() -> None:
    table = pa.Table.from_arrays([[1], [2]], names=["a", "a"])
    assert refused(lambda: batches(table)).code == "duplicate_column"


@pytest.mark.parametrize("data", [[{"a": 1}], 7, None, {"a": [1]}])
def test_what_speaks_no_arrow_is_refused(data: Any) -> None:
    assert refused(lambda: batches(data)).code == "source_unreadable"
    assert refused(lambda: schema_of(data)).code == "source_unreadable"


def test_a_stream_that_is_no_table_is_refused() -> None:
    assert refused(lambda: batches(pl.Series([1, 2]))).code == "source_unreadable"


def test_an_array_that_is_no_table_is_refused() -> None:
    hashes = core.hash_keys(pa.array([1]))
    assert refused(lambda: batches(hashes)).code == "source_unreadable"


def test_batches_of_no_rows_cannot_be_asked_for() -> None:
    assert refused(lambda: batches(FRAME, max_rows=0)).code == "source_unreadable"


@pytest.mark.parametrize("name", [n for n in SOURCES if "path" not in n and "array" not in n])
def test_the_schema_is_found_without_reading(name: str, tmp_path: Path) -> None:
    source = SOURCES[name](tmp_path)
    if name == "stream object":
        assert "pass" in str(refused(lambda: schema_of(source)))
    else:
        assert schema_of(source).names == ["key", "name", "price"]
    assert rows_of(source) == ROWS


def test_schemas_are_taken_as_they_are() -> None:
    assert schema_of(TABLE.schema) == TABLE.schema
    assert schema_of(FRAME.schema).names == ["key", "name", "price"]
    assert schema_of(Shape()).names == ["key"]


@pytest.mark.parametrize("data", [pa.chunked_array([["a"]]), pa.array(["a"]), pl.Series(["a"]), pa.string()])
def test_a_lone_column_has_no_schema(data: object) -> None:
    assert refused(lambda: schema_of(data)).code == "source_unreadable"
