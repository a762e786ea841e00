"""The sample shop's products, as one Arrow struct array to take from."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files

import pyarrow as pa

PRODUCT = pa.struct(
    [
        pa.field("sku", pa.string(), nullable=False),
        pa.field("title", pa.string(), nullable=False),
        pa.field("price", pa.float64()),
        pa.field("old_price", pa.float64()),
        pa.field("url", pa.string(), nullable=False),
        pa.field("image_url", pa.string(), nullable=False),
        pa.field("category", pa.string(), nullable=False),
    ]
)


@cache
def categories() -> tuple[str, ...]:
    """The categories in the catalogue's order; each has equally many products."""
    return tuple(_tables())


@cache
def catalogue() -> pa.StructArray:
    """Every product, category by category, in euros.

    Returns:
        A struct array of `PRODUCT`; `old_price` is null where a product is not on sale.

    Example:
        >>> catalogue()[0].as_py()["title"]
        'Salt & Pepper Mills, Pair'
    """
    products = [
        {
            "sku": (sku := f"{category[:2]}-{number:03d}"),
            "title": product["title"],
            "price": product["price"],
            "old_price": product.get("was"),
            "url": f"https://alderandfinch.example/{category}/{sku}?utm_source=mail&utm_campaign=welcome",
            "image_url": f"https://img.alderandfinch.example/{sku}.png",
            "category": category,
        }
        for category, table in _tables().items()
        for number, product in enumerate(table["products"], start=1)
    ]
    return pa.array(products, PRODUCT)


def _tables() -> dict[str, dict[str, list[dict[str, object]]]]:
    return tomllib.loads((files(__package__) / "data" / "products.toml").read_text(encoding="utf-8"))
