"""A host gives creatives the functions and tables that they ask for by name, and refuses what is not its own."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import labfactory as lf
from labfactory.base.errors import LabfactoryError, SourceError, UsageError
from labfactory.content import Creative, channel

MODULE = """
import dataclasses
import labfactory as lf, pyarrow as pa

__version__ = "3"

@dataclasses.dataclass
class Tiers:
    gold: "int" = 1000

@lf.function(returns=pa.string(), scalar=True)
def tier(points):
    return "gold" if points > Tiers().gold else "silver"

functions = lf.Functions(tier)
others = lf.Functions()
"""
DECLARED = """
[functions.shop]
module = "shop.py"
sha256 = "{digest}"

[locales.de_DE]
currency = "EUR"
zone = "Europe/Berlin"

[tables.product]
path = "catalogue.parquet"
key = "sku"
"""
CATALOGUE = pa.table({"sku": [1, 2], "title": ["Hat", "Cap"]})
ROWS = pa.table({"points": [1200, 3], "sku": pa.array([2, None], pa.int16()), "spent": [1234.5, 0.5]})


def host_of(folder: Path, text: str = DECLARED, module: str = MODULE, digest: str | None = None) -> lf.Host:
    (folder / "shop.py").write_text(module)
    pq.write_table(CATALOGUE, folder / "catalogue.parquet")
    found = hashlib.sha256((folder / "shop.py").read_bytes()).hexdigest()
    (folder / "host.toml").write_text(text.replace("{digest}", digest or found))
    return lf.Host.load(folder / "host.toml")


def sms(text: str, locale: str | None = "de_DE") -> Creative:
    return Creative(name="hello/short", channel=channel("sms"), parts={"text": text}, locale=locale)


def made(host: lf.Host, creative: Creative, rows: pa.Table = ROWS) -> list[str]:
    served = host.serve(creative)
    plan = creative.compile(rows, functions=served.functions, tables=served.tables)
    assert all(preview.agrees for preview in plan.preview(rows))
    return [parts["text"] for parts in plan.assemble(rows)["parts"].to_pylist()]


def test_a_creative_gets_the_functions_and_tables_that_it_asks_for(tmp_path: Path) -> None:
    host = host_of(tmp_path)
    assert repr(host) == "Host(functions=['tier'], locales=['de_DE'], tables=['product'])"
    creative = sms("{{ tier(points) }} {{ money(spent) }} {{ product.title if product else '-' }}")
    assert made(host, creative) == ["gold 1.234,50\xa0€ Cap", "silver 0,50\xa0€ -"]
    served = host.serve(creative)
    assert (set(served.functions), set(served.tables)) == ({"tier", "money"}, {"product"})


def test_what_a_creative_does_not_ask_for_stands_in_no_columns_way(tmp_path: Path) -> None:
    rows = pa.table({"date": ["today"], "product": ["Hat"]})
    served = host_of(tmp_path).serve(sms("{{ points }}{% set product = 1 %}{{ product }}"))
    assert (dict(served.functions), served.tables) == ({}, {})
    assert made(host_of(tmp_path), sms("{{ date }}", locale=None), rows) == ["today"]


def test_names_are_found_in_components_and_in_shared_templates(tmp_path: Path) -> None:
    shared = {
        "layout.j2": "{% block body %}{% endblock %}{% include 'foot.j2' %}",
        "foot.j2": "{{ url('https://a.b') }}",
    }
    creative = Creative(
        name="hello/short",
        channel=channel("sms"),
        parts={"text": "{% extends 'layout.j2' %}{% block body %}{{ slot('hero') }}{% endblock %}"},
        slots={"hero": ["one"]},
        environment=lf.Environment(loader=shared),
        locale="de_DE",
    )
    component = lf.Component(slot="hero", name="one", parts={"text": "{{ product.title }}"})
    served = host_of(tmp_path).serve(creative, [component])
    assert (set(served.functions), set(served.tables)) == ({"url"}, {"product"})


def test_standard_functions_are_those_of_the_creatives_own_locale(tmp_path: Path) -> None:
    text = DECLARED + '[locales.en_GB]\ncurrency = "GBP"\n'
    host = host_of(tmp_path, text)
    assert made(host, sms("{{ money(spent) }}", "en_GB")) == ["£1,234.50", "£0.50"]
    assert dict(host.serve(sms("{{ money(spent) }}", None)).functions) == {}
    with pytest.raises(lf.CompileError, match="money"):
        made(host, sms("{{ money(spent) }}", None))


def test_what_was_served_is_told_with_its_digests(tmp_path: Path) -> None:
    host = host_of(tmp_path, DECLARED.replace('"shop.py"', '"shop.py:functions"\nversion = "3"'))
    told = host.serve(sms("{{ tier(points) }}{{ money(spent) }}{{ product.title }}")).to_dict()
    digest = hashlib.sha256(MODULE.encode()).hexdigest()
    assert told["functions"] == {
        "money": {"locale": "de_DE", "currency": "EUR", "zone": "Europe/Berlin"},
        "tier": {"module": "shop.py:functions", "sha256": digest, "version": "3"},
    }
    assert told["tables"]["product"] == {
        "key": "sku",
        "on": "sku",
        "missing": "null",
        "sha256": lf.Table(CATALOGUE, "sku").digest,
    }
    assert host.serve(sms("Hi")).to_dict() == {}


def test_a_module_that_python_can_import_is_found_without_running_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "hosted_shop"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    (package / "functions.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    text = DECLARED.replace('"shop.py"', '"hosted_shop.functions:functions"')
    assert set(host_of(tmp_path, text).functions) == {"tier"}
    with pytest.raises(UsageError) as changed:
        host_of(tmp_path, text, digest="0" * 64)
    assert changed.value.code == "host_changed"
    assert "hosted_shop" not in sys.modules


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".arrow", ".feather"])
def test_tables_of_every_format_have_one_digest(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"other{suffix}"
    frame = pl.DataFrame(CATALOGUE)
    writers = {".parquet": frame.write_parquet, ".csv": frame.write_csv}
    writers.get(suffix, lambda path: frame.write_ipc(path, compat_level=pl.CompatLevel.oldest()))(path)
    text = DECLARED.replace("catalogue.parquet", path.name)
    table = host_of(tmp_path, text).tables["product"]
    assert table.data.column("title").to_pylist() == ["Hat", "Cap"]
    plain = table.data.cast(pa.schema({"sku": pa.int64(), "title": pa.string()}))
    assert lf.Table(plain, "sku").digest == lf.Table(CATALOGUE, "sku").digest


@pytest.mark.parametrize(
    ("wrong", "code", "words"),
    [
        (("shop.py", "absent.py"), "host_module", "absent.py, found: No such file"),
        (("shop.py", "no_such_module"), "host_module", "'no_such_module' that Python can import, found none"),
        (("shop.py", "json.no_such"), "host_module", "'json.no_such' that Python can import"),
        (("shop.py", "sys"), "host_module", "found none"),
        (("shop.py", "shop.py:functoins"), "host_module", "to be lf.Functions, found none"),
        (("shop.py", "shop.py:tier"), "host_module", "to be lf.Functions, found Function"),
        (('"shop.py"', '"shop.py"\nversion = "4"'), "host_changed", "of version 4, found 3"),
        (("{digest}", "0" * 64), "host_changed", "sha256:" + hashlib.sha256(MODULE.encode()).hexdigest()),
        (("{digest}", "abc"), "settings", "functions.shop.sha256"),
        (("sha256 = ", "sha265 = "), "settings", "functions.shop.sha256: field required"),
        (("catalogue.parquet", "absent.parquet"), "source_unreadable", "'absent.parquet'"),
        (("catalogue.parquet", "absent.arrow"), "source_unreadable", "'absent.arrow'"),
        (("catalogue.parquet", "shop.py"), "source_unreadable", ".parquet or .csv"),
        (('key = "sku"', 'key = "skv"'), "table_key", "'skv'"),
        (('key = "sku"', 'key = "sku"\nmissing = "drop"'), "settings", "tables.product.missing"),
        (("[tables.product]", '[tables."a b"]'), "settings", "tables.a b"),
        (("de_DE", "xx_YY"), "locale", "'xx_YY'"),
    ],
)
def test_a_wrong_declaration_is_refused_by_name(
    tmp_path: Path, wrong: tuple[str, str], code: str, words: str
) -> None:
    with pytest.raises(LabfactoryError) as caught:
        host_of(tmp_path, DECLARED.replace(*wrong))
    assert caught.value.code == code
    assert words in caught.value.message


def test_a_misspelt_attribute_is_told_with_those_that_are_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        host_of(tmp_path, DECLARED.replace("shop.py", "shop.py:functoins"))
    assert "did you mean 'functions'" in (caught.value.hint or "")


@pytest.mark.parametrize("module", ["raise RuntimeError('down')", "functions = ("])
def test_a_module_that_does_not_run_is_refused(tmp_path: Path, module: str) -> None:
    with pytest.raises(UsageError, match=r"expected shop\.py to run, found (Runtime|Syntax)Error") as caught:
        host_of(tmp_path, module=module)
    assert caught.value.code == "host_module"


def test_a_changed_module_does_not_run(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        host_of(tmp_path, module="raise SystemExit('it ran')", digest="0" * 64)
    assert caught.value.code == "host_changed"


def test_a_table_file_that_is_damaged_or_repeats_a_key_is_refused(tmp_path: Path) -> None:
    host_of(tmp_path)
    pl.DataFrame({"sku": [7, 7]}).write_csv(tmp_path / "twice.csv")
    (tmp_path / "torn.arrow").write_bytes(b"ARROW1\0\0torn")
    for name, kind, code in (
        ("twice.csv", UsageError, "table_key"),
        ("torn.arrow", SourceError, "source_unreadable"),
    ):
        with pytest.raises(kind) as caught:
            host_of(tmp_path, DECLARED.replace("catalogue.parquet", name))
        assert caught.value.code == code


def test_a_function_may_not_have_a_standard_ones_name(tmp_path: Path) -> None:
    module = MODULE.replace("def tier", "def money").replace("Functions(tier)", "Functions(money)")
    with pytest.raises(UsageError, match="'money'") as caught:
        host_of(tmp_path, module=module)
    assert caught.value.code == "duplicate_name"
