"""Customers made from a seed: a stream that can be read again, batch by batch, and is never held as a whole.

Batch `i` depends on seed and `i` alone, so any shard can be made by itself; no loop over rows is in Python.
"""

from __future__ import annotations

import datetime as dt
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from labfactory.base.canonical import sha256_hex
from labfactory.base.errors import UsageError
from labfactory.factory import Shard
from labfactory.samples.catalogue import PRODUCT, catalogue, categories

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    Indices = npt.NDArray[np.int32]

SCHEMA = pa.schema(
    [
        pa.field("customer_id", pa.string()),
        pa.field("first_name", pa.string()),
        pa.field("country", pa.string(), nullable=False),
        pa.field("language", pa.string(), nullable=False),
        pa.field("city", pa.string(), nullable=False),
        pa.field("time_zone", pa.string(), nullable=False),
        pa.field("signup_date", pa.date32(), nullable=False),
        pa.field("last_order_at", pa.timestamp("us", tz="UTC")),
        pa.field("points", pa.int64(), nullable=False),
        pa.field("balance", pa.float64(), nullable=False),
        pa.field("segment", pa.dictionary(pa.int8(), pa.string()), nullable=False),
        pa.field("consent_email", pa.bool_()),
        pa.field("opted_out", pa.bool_(), nullable=False),
        pa.field("has_app", pa.bool_(), nullable=False),
        pa.field("favourite_category", pa.string()),
        pa.field("age", pa.int16()),
        pa.field("orders_12m", pa.int32(), nullable=False),
        pa.field("spend_12m", pa.float64(), nullable=False),
        pa.field("recommended", pa.list_(pa.field("item", PRODUCT)), nullable=False),
    ]
)
SEGMENTS = ("new", "active", "loyal", "lapsing")

# The last day that the sample data knows: signups and orders lie before it.
_LAST_DAY = dt.date(2026, 6, 30)
_SIGNUP_DAYS = 8 * 365
_KEY_DIGITS = 9
# Of a customer's recommended products, the share that comes from the favourite category.
_FAVOURITE_SHARE = 0.6
_MOST_RECOMMENDED = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class BadRows:
    """The share of customers that a run has to set aside, by kind.

    Args:
        null_key: Rows without a customer_id.
        duplicate_key: Rows with the customer_id of the row before.
        null_price: Rows whose first recommended product has no price, so that it cannot be printed.
    """

    null_key: float = 1e-4
    duplicate_key: float = 1e-4
    null_price: float = 1e-4


@dataclass(frozen=True, slots=True)
class Customers:
    """A source of customers that can be read any number of times, in a Factory run shard by shard.

    Args:
        count: How many rows there are.
        seed: Any integer from 0; another seed makes other people.
        batch_rows: Rows of every batch but the last. Part of the identity: other batches make other people.
        bad: The shares of bad rows.

    Raises:
        UsageError: `sample_size`, when count, seed or batch_rows is out of range.
    """

    count: int
    seed: int
    batch_rows: int = 65536
    bad: BadRows = BadRows()

    def __post_init__(self) -> None:
        if self.count < 0 or self.seed < 0 or self.batch_rows < 1 or self.count >= 10**_KEY_DIGITS:
            message = (
                f"expected a count from 0 below 10^{_KEY_DIGITS}, a seed from 0 and batch_rows from 1, "
                f"found {self.count}, {self.seed} and {self.batch_rows}"
            )
            raise UsageError(message, code="sample_size")

    @property
    def schema(self) -> pa.Schema:
        """The columns."""
        return SCHEMA

    @property
    def batch_count(self) -> int:
        """How many batches there are."""
        return -(-self.count // self.batch_rows)

    def batch(self, index: int) -> pa.RecordBatch:
        """One batch, made by itself.

        Args:
            index: From 0 below `batch_count`.

        Returns:
            Its rows; the same each time.
        """
        first = index * self.batch_rows
        return _batch(first, min(self.batch_rows, self.count - first), self.seed, index, self.bad)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Every batch in order, one in memory at a time."""
        return (self.batch(index) for index in range(self.batch_count))

    @property
    def digest(self) -> str:
        """Digest of what decides the rows: count, seed, batch size and the shares of bad rows."""
        return sha256_hex(repr(self).encode())

    def shards(self, rows: int) -> Sequence[Shard]:
        """A shard per batch, made anew for each worker and never kept; `rows` does not change them."""
        del rows
        return [
            Shard(
                index=index,
                start=index * self.batch_rows,
                rows=min(self.batch_rows, self.count - index * self.batch_rows),
                digest=sha256_hex(f"{self.digest}/{index}".encode()),
            )
            for index in range(self.batch_count)
        ]

    def read(self, shard: Shard, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """The customers of one shard, with only `columns` where they are given."""
        batch = self.batch(shard.index)
        yield batch if columns is None else batch.select(list(columns))

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return pa.RecordBatchReader.from_batches(SCHEMA, self.batches()).__arrow_c_stream__(requested_schema)

    def __len__(self) -> int:
        return self.count


def customers(count: int, *, seed: int, batch_rows: int = 65536, bad: BadRows | None = None) -> Customers:
    """Customers of the sample shop: many scripts, nulls, money, dates, consent, lists of products.

    Args:
        count: How many.
        seed: Any integer from 0.
        batch_rows: Rows of a batch.
        bad: Shares of bad rows; null for a few of each kind.

    Returns:
        A source that can be read again; `pl.DataFrame(source)` and `pa.table(source)` hold all of it.

    Example:
        >>> customers(3, seed=7).batch(0)["customer_id"].to_pylist()
        ['c000000000', 'c000000001', 'c000000002']
    """
    return Customers(count, seed, batch_rows, bad or BadRows())


@dataclass(frozen=True, slots=True)
class _People:
    """The countries file as arrays: what a customer of a country can be called and where they can live."""

    shares: npt.NDArray[np.float64]
    codes: pa.StringArray
    languages: pa.StringArray
    cities: pa.StringArray
    city_zones: pa.StringArray
    city_starts: Indices
    city_counts: Indices
    names: pa.StringArray
    name_starts: Indices
    name_counts: Indices
    unusual_start: int
    unusual_count: int


@cache
def _people() -> _People:
    tables = tomllib.loads((files(__package__) / "data" / "countries.toml").read_text(encoding="utf-8"))
    countries = tables["country"]
    weights = np.array([country["weight"] for country in countries], np.float64)
    cities = [len(country["cities"]) for country in countries]
    names = [len(country["first_names"]) for country in countries]
    return _People(
        shares=np.cumsum(weights) / weights.sum(),
        codes=pa.array([country["code"] for country in countries]),
        languages=pa.array([country["language"] for country in countries]),
        cities=pa.array([city for country in countries for city, _ in country["cities"]]),
        city_zones=pa.array([zone for country in countries for _, zone in country["cities"]]),
        city_starts=np.cumsum([0, *cities[:-1]], dtype=np.int32),
        city_counts=np.array(cities, np.int32),
        names=pa.array(
            [name for country in countries for name in country["first_names"]] + tables["unusual"]
        ),
        name_starts=np.cumsum([0, *names[:-1]], dtype=np.int32),
        name_counts=np.array(names, np.int32),
        unusual_start=sum(names),
        unusual_count=len(tables["unusual"]),
    )


def _batch(first: int, rows: int, seed: int, index: int, bad: BadRows) -> pa.RecordBatch:
    rng = np.random.Generator(np.random.SFC64(np.random.SeedSequence([seed, index])))
    orders = np.where(_share(rng, rows) < 0.25, 0, rng.poisson(2.6, rows)).astype(np.int32)
    tenure_days = (_SIGNUP_DAYS * _share(rng, rows) ** 2).astype(np.int32) + 1
    has_ordered = orders > 0
    spend = np.round(orders * 18.0 * np.exp(0.7 * rng.standard_normal(rows, np.float32)), 2).astype(
        np.float64
    )
    since_order_s = (np.minimum(tenure_days, 365) * 86_400.0 * _share(rng, rows) ** 1.5).astype(np.int64)
    favourite = _below(rng, rows, len(categories()))
    people = _people()
    country = np.searchsorted(people.shares, _share(rng, rows)).astype(np.int32)
    city = people.city_starts[country] + _scaled(_share(rng, rows), people.city_counts[country])
    last_day = np.datetime64(_LAST_DAY, "D")
    last_order = np.datetime64(_LAST_DAY, "s") - since_order_s.astype("timedelta64[s]")
    columns: list[pa.Array] = [
        _keys(rng, first, rows, bad),
        _first_names(rng, country),
        people.codes.take(pa.array(country)),
        people.languages.take(pa.array(country)),
        people.cities.take(pa.array(city)),
        people.city_zones.take(pa.array(city)),
        pa.array((last_day - tenure_days).astype("datetime64[D]")),
        pa.array(last_order.astype("datetime64[us]"), mask=~has_ordered).cast(pa.timestamp("us", tz="UTC")),
        pa.array((spend * 1.5 + 400 * _share(rng, rows) ** 4).astype(np.int64)),
        pa.array(np.where(_share(rng, rows) < 0.12, np.round(60.0 * _share(rng, rows) - 5.0, 2), 0.0)),
        _segments(orders, tenure_days, since_order_s),
        pa.array(_share(rng, rows) < 0.86, mask=_share(rng, rows) < 0.04),
        pa.array(_share(rng, rows) < 0.03),
        pa.array(_share(rng, rows) < 0.45),
        pa.array(categories()).take(pa.array(favourite, mask=_share(rng, rows) < 0.2)),
        pa.array((17 + 60 * _share(rng, rows) ** 1.3).astype(np.int16), mask=_share(rng, rows) < 0.15),
        pa.array(orders),
        pa.array(spend),
        _recommended(rng, favourite, bad),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


def _share(rng: np.random.Generator, rows: int) -> npt.NDArray[np.float32]:
    return rng.random(rows, np.float32)


def _below(rng: np.random.Generator, rows: int, limit: int) -> Indices:
    return rng.integers(0, limit, rows, np.int32)


def _scaled(share: npt.NDArray[np.float32], limit: Indices) -> Indices:
    # A float32 below 1 times a small count can round up to the count itself.
    return np.minimum((share * limit).astype(np.int32), limit - 1)


def _keys(rng: np.random.Generator, first: int, rows: int, bad: BadRows) -> pa.StringArray:
    """`c` and nine digits, written column by column of digits."""
    fate = rng.random(rows)
    number = np.arange(first, first + rows, dtype=np.int64)
    repeats = (fate >= bad.null_key) & (fate < bad.null_key + bad.duplicate_key)
    number[repeats] = np.maximum(number[repeats] - 1, 0)
    text = np.empty((rows, 1 + _KEY_DIGITS), np.uint8)
    text[:, 0] = ord("c")
    for place in range(_KEY_DIGITS, 0, -1):
        number, digit = np.divmod(number, 10)
        text[:, place] = digit + ord("0")
    offsets = np.arange(0, (rows + 1) * text.shape[1], text.shape[1], dtype=np.int32)
    missing = fate < bad.null_key
    valid = pa.py_buffer(np.packbits(~missing, bitorder="little")) if missing.any() else None
    return pa.StringArray.from_buffers(rows, pa.py_buffer(offsets), pa.py_buffer(text), valid)


def _first_names(rng: np.random.Generator, country: Indices) -> pa.StringArray:
    people = _people()
    rows = len(country)
    usual = people.name_starts[country] + _scaled(_share(rng, rows), people.name_counts[country])
    unusual = people.unusual_start + _below(rng, rows, people.unusual_count)
    fate = _share(rng, rows)
    return people.names.take(pa.array(np.where(fate < 0.01, unusual, usual), mask=fate > 0.98))


def _segments(orders: Indices, tenure_days: Indices, since_order_s: npt.NDArray[np.int64]) -> pa.Array:
    is_new = tenure_days < 60
    is_loyal = orders >= 4
    is_lapsing = (orders == 0) | (since_order_s > 200 * 86_400)
    codes = np.select([is_new, is_loyal, is_lapsing], [0, 2, 3], default=1).astype(np.int8)
    return pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(SEGMENTS))


@cache
def _shelf() -> pa.StructArray:
    """The catalogue, and after it the same products without a price."""
    products = catalogue()
    unpriced = pa.StructArray.from_arrays(
        [
            pa.nulls(len(products), pa.float64()) if field.name == "price" else products.field(field.name)
            for field in PRODUCT
        ],
        fields=list(PRODUCT),
    )
    return pa.concat_arrays([products, unpriced])


def _recommended(rng: np.random.Generator, favourite: Indices, bad: BadRows) -> pa.ListArray:
    """No product to four, most of them from the favourite category, none twice for one customer."""
    rows = len(favourite)
    counts = _scaled(_share(rng, rows), np.full(rows, _MOST_RECOMMENDED + 1, np.int32))
    offsets = np.zeros(rows + 1, np.int32)
    np.cumsum(counts, out=offsets[1:])
    items = int(offsets[-1])
    owner = np.repeat(np.arange(rows, dtype=np.int32), counts)
    position = np.arange(items, dtype=np.int32) - offsets[owner]
    kinds = len(categories())
    per_kind = len(catalogue()) // kinds
    # Two steps of a walk that meets no product twice: the shelf by category, the place on it by position.
    start = _below(rng, rows, per_kind)[owner]
    place = (start + position * 3) % per_kind
    is_favourite = _share(rng, items) < _FAVOURITE_SHARE
    kind = np.where(is_favourite, favourite[owner], (favourite[owner] + 1 + position) % kinds)
    product = (kind * per_kind + place).astype(np.int32)
    spoiled = rng.random(rows) < bad.null_price
    product[offsets[:-1][spoiled & (counts > 0)]] += len(catalogue())
    return pa.ListArray.from_arrays(pa.array(offsets), _shelf().take(pa.array(product)))
