"""The sample library loads, and its links lead to pictures that exist."""

from __future__ import annotations

import re

from labfactory.content import Library
from labfactory.samples import folder, pictures


def test_the_sample_library_has_three_mails_and_a_slot() -> None:
    library = Library.load(folder() / "library")
    assert [creative.name for creative in library.creatives] == [
        "welcome/bold",
        "welcome/plain",
        "welcome/warm",
    ]
    for creative in library.creatives:
        assert set(creative.slots["hero"]) == {component.name for component in library.components_of("hero")}
        assert list(creative.parts) == ["subject", "preheader", "html", "text"]


def test_every_hero_has_its_picture() -> None:
    for component in Library.load(folder() / "library").components_of("hero"):
        (address,) = re.findall(r'src="([^"]+)"', component.parts["html"])
        assert address in pictures()


def test_somebody_of_every_kind_can_get_a_hero() -> None:
    eligibility = {one.name: one.eligible for one in Library.load(folder() / "library").components_of("hero")}
    assert [name for name, expression in eligibility.items() if expression is None] == ["bestsellers"]
