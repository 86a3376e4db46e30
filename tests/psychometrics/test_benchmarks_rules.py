"""Rule sets: who owns a boundary, what is judged, and that every one has a source and its critics."""

import itertools

import numpy as np
import pandas as pd
import pytest

from servicediag import psychometrics as pm
from servicediag.psychometrics.benchmarks_rules import RULE_SETS, RuleSet, judge, rule_set
from servicediag.results import ConfidenceInterval


@pytest.mark.parametrize("rules", RULE_SETS.values(), ids=RULE_SETS.keys())
def test_every_rule_set_is_complete(rules):
    assert rules.citation
    assert rules.criticism
    assert rules.coefficients
    assert len(set(rules.labels)) == len(rules.labels)
    assert set(rules.lower_owns) <= set(rules.cuts)


@pytest.mark.parametrize("rules", RULE_SETS.values(), ids=RULE_SETS.keys())
def test_every_cut_is_owned_by_the_band_that_is_said_to_own_it(rules):
    for place, cut in enumerate(rules.cuts):
        below, above = rules.label(np.nextafter(cut, -9)), rules.label(np.nextafter(cut, 9))
        assert (below, above) == (rules.labels[place], rules.labels[place + 1])
        assert rules.label(cut) == (below if cut in rules.lower_owns else above)


def test_bands_cover_every_value_in_order():
    rules = RULE_SETS["landis_koch1977"]
    seen = [label for label, _ in itertools.groupby(rules.label(v) for v in np.linspace(-2, 2, 4001))]
    assert seen == list(rules.labels)
    assert rules.label(float("nan")) == "undefined"


def test_the_interval_is_judged_and_not_the_estimate():
    verdict = judge(RULE_SETS["koo_li2016"], 0.8, ConfidenceInterval(0.45, 0.93, method="f"))
    assert verdict.label == "poor to excellent"
    assert verdict.estimate_label == "good"
    assert "95 % interval, f" in verdict.basis
    assert "Koo & Li" in str(verdict)
    assert verdict.boundary in str(verdict)


def test_an_alpha_is_read_with_its_critics():
    items = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 4)) + np.random.default_rng(1).normal(size=(60, 1)))
    alpha = pm.cronbach_alpha(items)
    verdict = alpha.interpret()
    low, high = alpha.confidence_interval()
    rules = RULE_SETS["nunnally1978"]
    assert (verdict.low_label, verdict.high_label) == (rules.label(low), rules.label(high))
    assert "Lance" in verdict.criticism
    assert alpha.interpret("cicchetti1994").rules == "cicchetti1994"
    assert "90 % interval" in alpha.interpret(level=0.9).basis


def test_a_wider_interval_never_narrows_the_verdict():
    items = pd.DataFrame(np.random.default_rng(0).normal(size=(30, 4)) + np.random.default_rng(1).normal(size=(30, 1)))
    alpha = pm.cronbach_alpha(items)
    labels = RULE_SETS["george_mallery2003"].labels
    spans = []
    for level in (0.5, 0.9, 0.999):
        verdict = alpha.interpret("george_mallery2003", level=level)
        spans.append(labels.index(verdict.high_label) - labels.index(verdict.low_label))
    assert spans == sorted(spans)
    assert spans[0] < spans[-1]


@pytest.mark.parametrize("result", ["omega", "split", "lambdas", "correlation"])
def test_the_whole_family_can_be_read(result):
    items = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 4)) + np.random.default_rng(1).normal(size=(60, 1)))
    made = {
        "omega": pm.mcdonald_omega,
        "split": pm.split_half,
        "lambdas": pm.guttman_lambdas,
        "correlation": pm.inter_item_correlation,
    }[result](items)
    verdict = made.interpret()
    assert verdict.citation in str(verdict)
    assert verdict.to_frame().loc[0, "rules"] == verdict.rules


def test_rules_of_another_coefficient_are_refused_with_those_that_fit():
    with pytest.raises(ValueError, match=r"'nunnally1978', 'cicchetti1994'.*not 'koo_li2016'"):
        rule_set("koo_li2016", "reliability")


def test_own_rules_can_be_given():
    own = RuleSet("ours", ("reliability",), (0.75,), ("below", "enough"), "Contract 7", "ours alone")
    assert rule_set(own, "reliability").label(0.75) == "enough"


@pytest.mark.parametrize(
    ("cuts", "labels"), [((0.5,), ("a",)), ((0.7, 0.5), ("a", "b", "c")), ((0.5, 0.5), ("a", "b", "c"))]
)
def test_broken_rules_are_refused(cuts, labels):
    with pytest.raises(ValueError, match=r"labels|ascend"):
        RuleSet("x", ("icc",), cuts, tuple(labels), "", "")


def test_the_list_names_every_rule_set():
    table = pm.list_rules()
    assert set(table.index) == set(RULE_SETS)
    assert table["criticism"].str.len().gt(0).all()
