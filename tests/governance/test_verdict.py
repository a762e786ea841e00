"""A verdict holds every gate to its figure and bound; what is missing never passes."""

from __future__ import annotations

import copy
import math
from datetime import datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labfactory.base.canonical import canonical_json, sha256_hex
from labfactory.base.errors import GovernanceError, HandoffError, UsageError
from labfactory.governance import GraduationPolicy, Verdict, sections
from labfactory.lab import Experiment, Hypothesis, Mean, Preregistration

WORDS = [
    *("rows", "units", "srm", "p", "golden", "count", "errors", "findings", "playbook", "sections", "alpha"),
    *("variants", "control", "metric", "variant", "margin", "direction", "lower", "role", "Owner"),
]
ORDER = {"refused": 0, "inconclusive": 1, "passed": 2}


def row(verdict: Verdict, name: str) -> Any:
    (found,) = [row for row in verdict.gates if row.name == name]
    return found


def judged(gate: str, evidence: dict, now: datetime) -> Verdict:
    head = 'policy = {id = "p", version = 1}\napprovals = {roles = ["lead"]}\n'
    return GraduationPolicy.from_toml(f"{head}gate = [{gate}]".encode()).judge(evidence, now)


def test_good_evidence_passes_every_gate(policy, evidence, now) -> None:
    verdict = policy.judge(evidence, now)
    assert {row.status for row in verdict.gates} == {"pass"}
    assert verdict.status == "passed"
    assert verdict.expires_at == now + timedelta(days=90)
    assert verdict.policy_sha256 == sha256_hex(policy.source)
    assert verdict.evidence_sha256 == sha256_hex(canonical_json(evidence))


def test_a_verdict_shows_every_gate_its_figure_and_its_bound(policy, evidence, now) -> None:
    lines = repr(policy.judge(evidence, now)).splitlines()
    assert lines[0] == "Verdict of email-graduation@3: passed"
    assert [" ".join(line.split()) for line in lines[1:4]] == [
        "gate status figure bound figure is",
        "lift orders welcome/warm pass 0.029 > 0.02 lower end of the relative improvement",
        "sample welcome/plain pass 3,010 >= 1,000 units in the arm",
    ]
    assert lines[-1].startswith("asks approval by: experimentation_lead, bridge_manager, scale_architect")


def test_equal_arguments_give_equal_verdicts(policy, evidence, now) -> None:
    again = GraduationPolicy.from_toml(policy.source).judge(copy.deepcopy(evidence), now)
    assert again == policy.judge(evidence, now)
    assert again.to_json() == policy.judge(evidence, now).to_json()


def test_a_verdict_reads_back_from_its_statement(policy, evidence, now) -> None:
    verdict = policy.judge(evidence, now).about("welcome@1", "ab" * 32)
    assert Verdict.read(verdict.statement()) == verdict


@pytest.mark.parametrize(
    ("path", "value", "gate"),
    [
        (("rows", 0, "relative_lower"), 0.02, "lift orders welcome/warm"),
        (("units", "welcome/plain"), 999, "sample welcome/plain"),
        (("units", "welcome/warm"), 0, "sample welcome/warm"),
        (("srm", "p"), 0.00099, "srm"),
        (("rows", 2, "upper"), 0.00301, "guardrail opt_outs welcome/warm"),
        (("runtime_days",), 13.9, "runtime"),
        (("golden", "count"), 9, "assets count"),
        (("golden", "errors"), 1, "assets errors"),
        (("golden", "findings"), [{"rule": "unsubscribe", "severity": "error"}], "compliance"),
        (("golden", "findings"), ["unsubscribe"], "compliance"),
        (("playbook", "sections", "Owner"), "TBD", "playbook Owner"),
    ],
)
def test_one_bad_figure_refuses_the_whole(path, value, gate, policy, evidence, now) -> None:
    put(evidence, path, value)
    verdict = policy.judge(evidence, now)
    assert verdict.status == "refused"
    assert [row.name for row in verdict.gates if row.status == "fail"] == [gate]


@pytest.mark.parametrize(
    ("path", "value", "gate"),
    [
        (("rows", 0, "relative_lower"), 0.0200001, "lift orders welcome/warm"),
        (("units", "welcome/plain"), 1000, "sample welcome/plain"),
        (("srm", "p"), 0.001, "srm"),
        (("rows", 2, "upper"), 0.003, "guardrail opt_outs welcome/warm"),
        (("runtime_days",), 14, "runtime"),
        (("golden", "count"), 10, "assets count"),
        (("golden", "findings"), [{"rule": "alt", "severity": "warning"}], "compliance"),
    ],
)
def test_a_figure_at_its_bound_passes(path, value, gate, policy, evidence, now) -> None:
    put(evidence, path, value)
    assert row(policy.judge(evidence, now), gate).status == "pass"


@pytest.mark.parametrize("value", [None, math.nan, math.inf, "0.9", True, [], {}, 2**60])
@pytest.mark.parametrize(
    ("path", "gate"),
    [
        (("rows", 0, "relative_lower"), "lift orders welcome/warm"),
        (("units", "welcome/plain"), "sample welcome/plain"),
        (("srm", "p"), "srm"),
        (("runtime_days",), "runtime"),
        (("golden", "count"), "assets count"),
        (("golden", "errors"), "assets errors"),
        (("alpha",), "lift orders welcome/warm"),
        (("rows", 2, "direction"), "guardrail opt_outs welcome/warm"),
    ],
)
def test_a_figure_that_is_none_is_inconclusive(path, gate, value, policy, evidence, now) -> None:
    put(evidence, path, value)
    if value == 2**60:
        with pytest.raises(UsageError):
            policy.judge(evidence, now)
        return
    verdict = policy.judge(evidence, now)
    assert row(verdict, gate).status == "inconclusive"
    assert verdict.status == "inconclusive"


def test_missing_evidence_can_be_made_to_fail(now) -> None:
    verdict = judged('{type = "srm", on_missing = "fail"}', {}, now)
    assert verdict.status == "refused"


@pytest.mark.parametrize(
    "gate",
    [
        '{type = "lift", metric = "orders", min_lower = -1e9}',
        '{type = "sample", min_per_arm = 1}',
        '{type = "srm"}',
        '{type = "guardrails", margins = {opt_outs = 1e9}}',
        '{type = "guardrails"}',
        '{type = "runtime", min_days = 0.001}',
        '{type = "assets"}',
        '{type = "compliance", max_errors = 1000}',
        '{type = "playbook", required = ["Owner"]}',
    ],
)
@pytest.mark.parametrize("evidence", [{}, {"rows": "x", "units": [], "golden": 5, "playbook": []}])
def test_no_gate_passes_on_no_evidence(gate, evidence, now) -> None:
    assert judged(gate, evidence, now).status == "inconclusive"


def test_every_graduating_arm_is_judged(policy, evidence, now) -> None:
    evidence["variants"] = ["welcome/warm", "welcome/bold"]
    verdict = policy.judge(evidence, now)
    assert row(verdict, "lift orders welcome/bold").status == "fail"
    del evidence["variants"]
    assert set(policy.judge(evidence, now).gates) == set(verdict.gates)


def test_a_metric_that_should_fall_improves_by_falling(evidence, now) -> None:
    gate = '{type = "lift", metric = "opt_outs", min_lower = 0.0, scale = "absolute"}'
    evidence["rows"][2].update(lower=-0.004, upper=-0.001)
    found = judged(gate, evidence, now).gates[0]
    assert (found.status, found.figure) == ("pass", 0.001)


def test_the_tighter_margin_holds(evidence, now) -> None:
    evidence["rows"][2]["upper"] = 0.0025
    loose = judged('{type = "guardrails", margins = {opt_outs = 0.01}}', evidence, now)
    tight = judged('{type = "guardrails", margins = {opt_outs = 0.002}}', evidence, now)
    assert (loose.gates[0].bound, loose.status) == (-0.003, "passed")
    assert (tight.gates[0].bound, tight.status) == (-0.002, "refused")


def test_a_guardrail_without_any_margin_is_inconclusive(policy, evidence, now) -> None:
    del evidence["rows"][2]["margin"]
    found = row(policy.judge(evidence, now), "guardrail opt_outs welcome/warm")
    assert (found.status, found.reason) == ("inconclusive", "no bound is set")


def test_a_row_said_twice_is_inconclusive(policy, evidence, now) -> None:
    evidence["rows"].append(dict(evidence["rows"][0], relative_lower=0.5))
    found = row(policy.judge(evidence, now), "lift orders welcome/warm")
    assert found.reason == "expected one row of orders and welcome/warm, found 2"


def test_intervals_narrower_than_the_policy_allows_are_inconclusive(policy, evidence, now) -> None:
    evidence["alpha"] = 0.2
    found = row(policy.judge(evidence, now), "lift orders welcome/warm")
    assert (found.status, found.reason) == (
        "inconclusive",
        "expected intervals at alpha at most 0.05, found 0.2",
    )


def test_an_interval_the_wrong_way_round_is_inconclusive(policy, evidence, now) -> None:
    evidence["rows"][0].update(relative_lower=0.9, relative_upper=0.1)
    assert row(policy.judge(evidence, now), "lift orders welcome/warm").status == "inconclusive"


@pytest.mark.parametrize(
    "body",
    [
        "",
        "TBD",
        "to do: todo",
        "<your team here>",
        "[fill in the owner]",
        "Lorem ipsum dolor sit",
        "N/A n/a N/A",
        "…",
    ],
)
def test_a_section_that_only_holds_the_place_has_no_words(body, policy, evidence, now) -> None:
    evidence["playbook"]["sections"]["Rollback"] = body
    found = row(policy.judge(evidence, now), "playbook Rollback")
    assert (found.status, found.figure) == ("fail", 0)


def test_a_section_is_found_whatever_its_case(policy, evidence, now) -> None:
    evidence["playbook"]["sections"] = {
        "OWNER": "Ana of CRM, <ana@example.com>",
        " roll  back": "x",
        "rollback": "stop the run",
    }
    assert {row.status for row in policy.judge(evidence, now).gates if "playbook" in row.name} == {"pass"}


def test_sections_follow_headings_outside_code_and_comments() -> None:
    text = "intro\n# Welcome\n<!-- # no\n## heading -->\n## Owner ##\nAna\n```\n# not a heading\n```\n"
    text += "## Owner\nBo"
    assert sections(text) == {"Welcome": "", "Owner": "Ana\n```\n# not a heading\n```\nBo"}


def leaves(value: object, path: tuple = ()) -> list[tuple]:
    """The paths of every key of every dict in some evidence."""
    found: list[tuple] = []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        if isinstance(value, dict):
            found.append((*path, key))
        found += leaves(item, (*path, key))
    return found


def put(value: Any, path: tuple, new: object) -> None:
    for key in path[:-1]:
        value = value[key]
    value[path[-1]] = new


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(data=st.data())
def test_deleting_evidence_never_helps(data: st.DataObject, policy, evidence, now) -> None:
    changed = copy.deepcopy(evidence)
    if data.draw(st.booleans()):
        put(changed, ("srm", "p"), data.draw(st.sampled_from([0.0001, 0.5])))
        put(changed, ("rows", 0, "relative_lower"), data.draw(st.sampled_from([-0.1, 0.025])))
    before = policy.judge(changed, now)
    path = data.draw(st.sampled_from(leaves(changed)))
    holder: Any = changed
    for key in path[:-1]:
        holder = holder[key]
    del holder[path[-1]]
    after = policy.judge(changed, now)
    assert ORDER[after.status] <= max(ORDER[before.status], ORDER["inconclusive"])
    if before.status == "passed" and after.status == "passed":
        passed = {row.name for row in after.gates}
        assert {row.name for row in before.gates} <= passed


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(figure=st.floats(-1, 1), worse=st.floats(0, 1))
def test_worse_evidence_never_helps(figure: float, worse: float, policy, evidence, now) -> None:
    evidence["rows"][0].update(relative_lower=figure, relative_upper=2)
    before = policy.judge(evidence, now)
    evidence["rows"][0]["relative_lower"] = figure - worse
    assert ORDER[policy.judge(evidence, now).status] <= ORDER[before.status]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    value=st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(WORDS),
                inner,
                max_size=6,
            )
        ),
        max_leaves=20,
    )
)
def test_evidence_of_any_shape_is_judged_and_never_passes_by_accident(value: object, policy, now) -> None:
    shape = value if isinstance(value, dict) else {"rows": value}
    try:
        assert policy.judge(shape, now).status != "passed"
    except UsageError as error:
        assert error.code == "json_value"  # noqa: PT017 - a surrogate, or a float beyond 2**53


@pytest.mark.parametrize(
    "change",
    [
        ('type = "srm"', 'type = "luck"'),
        ("min_lower = 0.02", "min_lower = '0.02'"),
        ("min_lower = 0.02", "min_lower = nan"),
        ("min_lower = 0.02", ""),
        ("min_per_arm = 1000", "min_per_arm = 1000.5"),
        ("min_per_arm = 1000", "min_per_arm = 0"),
        ("min_per_arm = 1000", "min_per_arm = 1000\nextra = 1"),
        ("version = 3", "version = 0"),
        ("expires_days = 90", "expires_days = 0"),
        ('"bridge_manager", ', '"bridge_manager", "bridge_manager", '),
        ('"bridge_manager"', '"../evil"'),
        ("[approvals]", "[approval]"),
    ],
)
def test_a_policy_file_with_a_fault_is_refused(change, policy) -> None:
    source = policy.source.decode()
    assert change[0] in source
    with pytest.raises(UsageError) as raised:
        GraduationPolicy.from_toml(source.replace(change[0], change[1], 1).encode())
    assert raised.value.code in ("settings", "json_value")


def test_a_policy_without_gates_or_roles_is_refused() -> None:
    for text in (
        'gate = []\npolicy = {id = "p", version = 1}\napprovals = {roles = ["lead"]}',
        'gate = [{type = "srm"}]\npolicy = {id = "p", version = 1}\napprovals = {roles = []}',
    ):
        with pytest.raises(UsageError):
            GraduationPolicy.from_toml(text.encode())


def test_a_moment_without_a_zone_is_refused(policy, evidence) -> None:
    with pytest.raises(UsageError) as raised:
        policy.judge(evidence, datetime(2026, 5, 1))
    assert raised.value.code == "instant"


def test_a_verdict_about_no_package_cannot_be_signed(policy, evidence, now) -> None:
    with pytest.raises(GovernanceError) as raised:
        policy.judge(evidence, now).statement()
    assert raised.value.code == "verdict_unbound"


@pytest.mark.parametrize(
    "change",
    [
        (b'"status":"passed"', b'"status":"refused"'),
        (b'"status":"pass"', b'"status":"fail"'),
        (b'"judged_at":"2026-05-01T12:00:00Z"', b'"judged_at":"2026-05-01T12:00:00"'),
        (b'"roles":["', b'"rules":["'),
        (b"urn:labfactory:verdict:v1", b"urn:labfactory:verdict:v2"),
        (b'"sha256":"ab', b'"sha256":"xx'),
        (b'"_type":"', b'"_type":"x'),
    ],
)
def test_a_statement_that_is_no_verdict_is_refused(change, policy, evidence, now) -> None:
    data = policy.judge(evidence, now).about("welcome@1", "ab" * 32).statement()
    assert change[0] in data
    changed = data.replace(change[0], change[1], 1)
    with pytest.raises(HandoffError) as raised:
        Verdict.read(changed)
    assert raised.value.code == "statement_malformed"


def test_the_status_of_no_gates_is_inconclusive(now) -> None:
    empty = Verdict("p@1", "", "", now, now, (), ())
    assert empty.status == "inconclusive"


DIGEST = "ab" * 32
PLANNED = {"planned": DIGEST, "departures": [{"code": "ran_on", "planned": "10", "found": "20"}]}


@pytest.mark.parametrize(
    ("gate", "changes", "status", "figure"),
    [
        ("", PLANNED | {"departures": []}, "pass", 0),
        ("", PLANNED, "fail", 1),
        (', allowed = ["ran_on"]', PLANNED, "pass", 0),
        (', allowed = ["ran_on"]', PLANNED | {"departures": [{"code": "plan_changed"}]}, "fail", 1),
        ("", PLANNED | {"departures": ["ran_on"]}, "fail", 1),
        ("", PLANNED | {"departures": None}, "inconclusive", None),
        ("", {"departures": []}, "inconclusive", None),
        (f', digest = "{DIGEST}"', PLANNED | {"departures": []}, "pass", 0),
        (', digest = "' + "cd" * 32 + '"', PLANNED | {"departures": []}, "inconclusive", None),
        (', on_missing = "fail"', {}, "fail", None),
    ],
)
def test_departures_from_the_plan_are_judged(gate, changes, status, figure, evidence, now) -> None:
    verdict = judged(f'{{type = "preregistration"{gate}}}', evidence | changes, now)
    assert (verdict.gates[0].status, verdict.gates[0].figure) == (status, figure)


def test_a_real_evaluation_brings_its_departures(now) -> None:
    experiment = Experiment(
        "tone", hypothesis=Hypothesis("None.", 0.0), variants=["a", "b"], metrics={"m": Mean("m")}
    )
    planned = Preregistration.of(experiment, control="a", units=4)
    data = pl.DataFrame({"variant": ["a", "b"] * 4, "m": range(8)})
    done = experiment.evaluate(data, control="a", preregistration=planned)
    found = judged(f'{{type = "preregistration", digest = "{planned.digest}"}}', done.to_dict(), now)
    assert found.gates[0].status == "fail"
    assert [departure.code for departure in done.departures or ()] == ["ran_on"]
    within = experiment.evaluate(data.head(4), control="a", preregistration=planned)
    assert judged('{type = "preregistration"}', within.to_dict(), now).status == "passed"
