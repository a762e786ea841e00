"""The engine's identity names versions; a moment has a zone and one text."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime, timedelta, timezone

import jinja2
import pyarrow
import pytest

from labfactory.base.canonical import canonical_json
from labfactory.base.errors import UsageError
from labfactory.base.identity import engine_identity
from labfactory.base.instants import instant, instant_text
from labfactory.base.settings import Settings, read_bounded, settings_from


def test_the_identity_names_what_the_bytes_depend_on() -> None:
    identity = engine_identity()
    assert identity.unicode == unicodedata.unidata_version
    assert identity.jinja2 == jinja2.__version__
    assert identity.pyarrow == pyarrow.__version__
    assert identity == engine_identity()
    assert canonical_json(identity.to_dict())


def test_a_moment_is_read_into_utc_and_written_one_way() -> None:
    noon = datetime(2026, 5, 1, 12, tzinfo=UTC)
    assert instant("2026-05-01T12:00:00Z") == noon
    assert instant_text(noon.astimezone(timezone(timedelta(hours=5, minutes=30)))) == "2026-05-01T12:00:00Z"


NAIVE = datetime(2026, 5, 1)


@pytest.mark.parametrize(
    "value", [NAIVE, "2026-05-01", "2026-05-01T12:00:00", "soon", 5, None, "0001-01-01T00:00:00+14:00"]
)
def test_a_moment_without_a_zone_or_before_all_years_is_refused(value: object) -> None:
    with pytest.raises(UsageError) as raised:
        instant(value)
    assert raised.value.code == "instant"


class Limits(Settings):
    rows: int
    name: str = "none"


def test_all_faults_of_a_settings_file_are_told_at_once() -> None:
    with pytest.raises(UsageError) as raised:
        settings_from(Limits, b"rows = '5'\nnames = 'x'", name="limits.toml")
    assert raised.value.code == "settings"
    assert "rows" in raised.value.message
    assert "names" in raised.value.message
    assert raised.value.hint is not None
    assert "'name'" in raised.value.hint


def test_a_settings_file_that_is_no_toml_is_refused(tmp_path) -> None:
    with pytest.raises(UsageError) as raised:
        settings_from(Limits, b"rows = = 5", name="limits.toml")
    assert raised.value.code == "settings"
    with pytest.raises(UsageError) as raised:
        read_bounded(tmp_path / "absent.toml")
    assert raised.value.code == "file_unreadable"
    (tmp_path / "large.toml").write_bytes(b"#" * 100)
    with pytest.raises(UsageError) as raised:
        read_bounded(tmp_path / "large.toml", max_bytes=99)
    assert raised.value.code == "file_unreadable"
