"""Seeded customers that every peer gets, and the two messages that are written to them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

NAMES = ["Ann", "O'Neil", "Zoë", "Łukasz", "Иван", "李雷", "Smith & Sons", "Müller", "Nguyễn", "Sørensen"]
CITIES = ["Łódź", "São Paulo", "Leeds", "北京", "Köln", "St. John's", "Ålesund", "Brno"]
OFFERS = ["<b>spring</b> sale", "early access", "free returns", "members' night", "2 & 1 free"]


@dataclass(frozen=True)
class Workload:
    """A message in every peer's own language; all give the same bytes.

    Args:
        name: As the table shows it.
        template: Jinja2 source, autoescape on; minijinja reads it too.
        text: The fixed texts between the holes; Polars and DuckDB join them.
    """

    name: str
    template: str
    text: tuple[str, str, str, str, str, str, str]


def customers(rows: int, *, seed: int = 7) -> pl.DataFrame:
    """first_name, city, offer (str), points (int), price (float), vip (bool); no nulls."""
    random = np.random.default_rng(seed)
    number = np.arange(rows) % 997
    return pl.DataFrame(
        {
            "first_name": pl.Series(random.choice(NAMES, rows)) + pl.Series(number.astype(str)),
            "city": random.choice(CITIES, rows),
            "offer": random.choice(OFFERS, rows),
            "points": random.integers(0, 100_000, rows),
            "price": np.round(random.uniform(1, 900, rows), 2),
            "vip": random.random(rows) < 0.3,
        }
    )


def _message(name: str, filler: str) -> Workload:
    text = (
        f"{filler}Hi ",
        " from ",
        ", enjoy ",
        " for EUR ",
        ". You have ",
        f" points, free delivery.{filler}",
        f" points. Thank you!{filler}",
    )
    greeting, place, offer, price, points, yes, no = text
    template = (
        f"{greeting}{{{{ first_name }}}}{place}{{{{ city }}}}{offer}{{{{ offer }}}}{price}{{{{ '%.2f' | format(price) }}}}"
        f"{points}{{{{ points }}}}{{% if vip %}}{yes}{{% else %}}{no}{{% endif %}}"
    )
    return Workload(name, template, text)


# 1,150 bytes before and after the words: what an e-mail's frame of tables and styles weighs.
_FRAME = (
    '<table role="presentation" width="600"><tr><td style="padding:24px 32px;font:16px/1.5 Arial,sans-serif">'
)
FILLER = (_FRAME * 12)[:1150]

SMS = _message("SMS", "")
EMAIL = _message("e-mail of 2.4 KB", FILLER)
