"""The sample shop's pictures: what its mails link to, drawn as SVG, so that they can be looked at offline."""

from __future__ import annotations

import base64
from functools import cache
from importlib.resources import files

from labfactory.samples.catalogue import catalogue


@cache
def pictures() -> dict[str, str]:
    """Every picture that a sample mail links to.

    Returns:
        A `data:` URI by the address in the mail.

    Example:
        >>> pictures()["https://img.alderandfinch.example/ki-001.png"][:26]
        'data:image/svg+xml;base64,'
    """
    drawn = {
        picture.name.removesuffix(".svg"): _data_uri(picture.read_bytes())
        for picture in (files(__package__) / "data" / "pictures").iterdir()
        if picture.name.endswith(".svg")
    }
    heroes = {_address(name): uri for name, uri in drawn.items() if name.startswith("hero-")}
    products = {product["image_url"]: drawn[product["category"]] for product in catalogue().to_pylist()}
    return dict(sorted((heroes | products).items()))


def _address(name: str) -> str:
    return f"https://img.alderandfinch.example/{name}.png"


def _data_uri(svg: bytes) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(svg).decode()
