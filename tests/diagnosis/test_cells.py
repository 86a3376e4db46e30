"""Judged cells: equivalence, targets, nested respondents, response, ranks, and what a unit could have shown."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import stats

import servicediag as sd

BRANCHES = [f"Branch {k:02d}" for k in range(1, 13)]
UNITS = np.repeat(BRANCHES, 40)
SINS = [("seven-sins", "customer")]


@pytest.fixture(scope="module")
def customers(make_responses):
    return make_responses(SINS, UNITS, seed=1, shifts=[("Branch 03", "rule", -0.9)], missing=0.03)


def with_columns(responses, **columns):
    return replace(responses, respondents=responses.respondents.assign(**columns))


def cell(diagnosis, unit, dimension):
    table = diagnosis.evidence
    (row,) = table[(table["unit"] == unit) & (table["dimension"] == dimension)].itertuples()
    return row


def servers(per_unit, responses):
    """Servers of every branch in turn, each with a name of its own."""
    units = responses.respondents["unit"]
    turn = responses.respondents.groupby("unit").cumcount() % per_unit
    return [f"{unit} server {k}" for unit, k in zip(units, turn, strict=True)]


def one_bad_server(make_responses, per_unit, share=4):
    """In Branch 03 one server in ``share`` is far worse on one scale; everything else is alike."""
    units = UNITS.copy()
    place = np.arange(len(units)) % 40
    bad = (units == "Branch 03") & (place % share == 0)
    units[bad] = "bad"
    responses = make_responses(SINS, units, seed=3, shifts=[("bad", "cold", -3.0)])
    respondents = responses.respondents.assign(unit=UNITS)
    return replace(responses, respondents=respondents.assign(server=servers(per_unit, replace(
        responses, respondents=respondents))))  # fmt: skip


def test_every_unit_row_says_which_gap_it_could_have_shown(customers):
    rows = sd.diagnose(customers).evidence.dropna(subset="unit")
    assert len(rows) == 12 * 7
    assert (rows["minimum_detectable_gap"] > 0).all()


def test_verdict_on_equivalence_follows_the_90_percent_interval(make_responses):
    alike = make_responses(SINS, np.repeat(["A", "B", "C"], 400), seed=5, shifts=[("C", "cold", -1.0)])
    table = sd.diagnose(alike, smallest_gap=6).evidence.dropna(subset="unit")
    half = (table["gap_high"] - table["gap_low"]) / 2 * stats.norm.ppf(0.95) / stats.norm.ppf(0.975)
    low, high = table["gap"] - half, table["gap"] + half
    expected = np.where((low > -6) & (high < 6), "inside", "undetermined")
    expected[(low > 6) | (high < -6)] = "outside"
    assert (table["equivalence"] == expected).all()
    assert {"inside", "outside"} <= set(table["equivalence"])


def test_target_is_judged_with_its_own_interval(customers):
    diagnosis = sd.diagnose(customers, targets={"rule": 60, "cold": 1})
    row = cell(diagnosis, "Branch 05", "rule")
    assert row.target == 60
    assert_allclose(row.target_gap, row.health - 60)
    assert row.target_gap_low < row.target_gap < row.target_gap_high
    assert cell(diagnosis, "Branch 05", "cold").target_equivalence == "outside"
    assert np.isnan(cell(diagnosis, "Branch 05", "run").target)
    whole = diagnosis.evidence[diagnosis.evidence["unit"].isna() & (diagnosis.evidence["dimension"] == "rule")].iloc[0]
    assert_allclose(whole["target_gap_high"] - whole["target_gap"], (whole["ci_high"] - whole["ci_low"]) / 2)


def test_level_of_nested_respondents_has_the_error_of_its_clusters(customers):
    nested = with_columns(customers, server=servers(8, customers))
    row = cell(sd.diagnose(nested, cluster="server"), "Branch 05", "cold")
    scores = sd.score(customers).values["cold"]
    mine = (nested.respondents["unit"] == "Branch 05") & scores.notna()
    groups = scores[mine].groupby(nested.respondents["server"][mine])
    residual = groups.sum() - row.mean * groups.size()
    error = np.sqrt(8 / 7 * (residual**2).sum()) / row.n
    assert row.n_clusters == 8
    assert_allclose((row.ci_high - row.ci_low) / 2, stats.t.ppf(0.975, 7) * error)
    assert_allclose(row.design_effect, error**2 / (row.sd**2 / row.n))


def test_one_bad_server_does_not_condemn_the_branch_where_it_is_known_who_served(make_responses):
    responses = one_bad_server(make_responses, per_unit=8)
    plain = cell(sd.diagnose(responses), "Branch 03", "cold")
    nested = cell(sd.diagnose(responses, cluster="server"), "Branch 03", "cold")
    assert_allclose(plain.gap, nested.gap)
    assert plain.tier == "established"
    assert nested.tier == "watch"
    assert nested.gap_low < plain.gap_low
    assert nested.design_effect > 2


def test_shares_of_nested_respondents_have_the_design_effect_of_their_scale(make_responses):
    responses = one_bad_server(make_responses, per_unit=8)
    effect = cell(sd.diagnose(responses, cluster="server"), "Branch 03", "cold").design_effect
    plain, nested = (
        whole.indicators[(whole.indicators["unit"] == "Branch 03") & (whole.indicators["dimension"] == "cold")]
        for whole in (sd.diagnose(responses), sd.diagnose(responses, cluster="server"))
    )
    assert effect > 2
    assert len(nested)
    for before, row in zip(plain.itertuples(), nested.itertuples(), strict=True):
        z, n = stats.norm.ppf(0.975), row.n / effect
        limits = [
            (row.share + z**2 / 2 / n + sign * z * np.sqrt(row.share * (1 - row.share) / n + (z / 2 / n) ** 2))
            / (1 + z**2 / n)
            for sign in (-1, 1)
        ]
        assert_allclose([row.ci_low, row.ci_high], limits)
        assert row.ci_high - row.ci_low > before.ci_high - before.ci_low
        assert row.share == before.share


def test_branch_of_few_servers_is_not_judged_and_says_why(make_responses):
    responses = one_bad_server(make_responses, per_unit=4)
    diagnosis = sd.diagnose(responses, cluster="server")
    row = cell(diagnosis, "Branch 03", "cold")
    assert row.tier == "abstained"
    assert np.isnan(row.gap_low)
    (finding,) = [f for f in diagnosis.findings if f.unit == "Branch 03" and f.dimension == "cold"]
    assert finding.ci_low is None
    assert finding.abstentions[0].startswith("TOO_FEW_CLUSTERS")
    assert "too few persons" in finding.text
    assert not finding.is_trouble


def test_unit_whose_clusters_are_mostly_unknown_is_not_judged(customers):
    names = np.array(servers(8, customers), dtype=object)
    names[(customers.respondents["unit"] == "Branch 03").to_numpy() & (np.arange(len(customers)) % 4 == 0)] = None
    diagnosis = sd.diagnose(with_columns(customers, server=names), cluster="server")
    assert cell(diagnosis, "Branch 03", "rule").tier == "abstained"
    assert cell(diagnosis, "Branch 04", "rule").tier != "abstained"


def test_respondents_who_are_each_a_cluster_are_not_nested(customers):
    alone = with_columns(customers, server=[f"s{k}" for k in range(len(customers))])
    nested, plain = sd.diagnose(alone, cluster="server").evidence, sd.diagnose(customers).evidence
    assert_allclose(nested["design_effect"], 1.0)
    assert_allclose(nested["ci_low"], plain["ci_low"])


def test_census_asks_about_these_people_so_clusters_do_not_count(customers):
    size = dict.fromkeys(BRANCHES, 50)
    nested = with_columns(customers, server=servers(8, customers))
    columns = ["gap", "gap_low", "gap_high", "tier"]
    one = sd.diagnose(nested, cluster="server", population="census", population_size=size).evidence
    other = sd.diagnose(customers, population="census", population_size=size).evidence
    pd.testing.assert_frame_equal(one[columns], other[columns])


def test_forms_without_the_cluster_column_are_judged_as_ever(customers, make_responses):
    staff = make_responses([("readiness", "employee")], np.repeat(BRANCHES, 15), seed=8)
    nested = with_columns(customers, server=servers(8, customers))
    both = sd.diagnose(nested, staff, cluster="server").evidence
    mine = both["rater"] == "employee"
    assert both.loc[mine, "n_clusters"].isna().all()
    alone = sd.diagnose(staff).evidence
    assert_allclose(both.loc[mine, "gap_low"], alone["gap_low"])


def test_response_rate_and_bounds_are_those_of_the_silent_at_the_quartiles(customers):
    diagnosis = sd.diagnose(customers, invited=dict.fromkeys(BRANCHES, 100))
    row = cell(diagnosis, "Branch 03", "rule")
    scores = sd.score(customers).values["rule"].dropna()
    low, high = (np.floor(np.quantile(scores, q, method="inverted_cdf") + 0.5) for q in (0.25, 0.75))
    silent = 100 - row.n
    means = [(row.n * row.mean + silent * quartile) / 100 for quartile in (high, low)]
    assert row.invited == 100
    assert_allclose(row.response_rate, row.n / 100)
    assert_allclose([row.gap_bound_low, row.gap_bound_high], [row.gap - (m - row.mean) for m in means])


def test_gap_that_the_silent_could_turn_round_is_held_down_where_few_answered(customers):
    full = sd.diagnose(customers)
    few = sd.diagnose(customers, invited={**dict.fromkeys(BRANCHES, 50), "Branch 03": 200})
    assert cell(full, "Branch 03", "rule").tier == "established"
    row = cell(few, "Branch 03", "rule")
    assert row.response_rate < 0.30
    assert not row.survives_nonresponse
    assert row.tier == "likely"
    (finding,) = [f for f in few.findings if f.unit == "Branch 03" and f.dimension == "rule" and f.kind == "unit_gap"]
    assert any(a.startswith("LOW_RESPONSE") for a in finding.abstentions)
    others = [table.loc[table["unit"] != "Branch 03", "tier"] for table in (few.evidence, full.evidence)]
    pd.testing.assert_series_equal(*others)
    assert full.evidence["survives_nonresponse"].isna().all()


def test_low_response_does_not_hold_down_a_gap_that_no_silent_quarter_could_turn(make_responses):
    huge = make_responses(SINS, UNITS, seed=1, shifts=[("Branch 03", "rule", -4.0)], halo=0.1, trait=0.2)
    row = cell(sd.diagnose(huge, invited=dict.fromkeys(BRANCHES, 150)), "Branch 03", "rule")
    assert row.response_rate < 0.30
    assert row.survives_nonresponse == (row.gap_bound_high < 0)
    assert row.tier == "established"


def test_people_asked_may_differ_by_form(customers, make_responses):
    staff = make_responses([("readiness", "employee")], np.repeat(BRANCHES, 15), seed=8)
    with pytest.raises(ValueError, match=r"customer, employee were asked; say in a column form"):
        sd.diagnose(customers, staff, invited={"Branch 01": 60})
    frame = pd.DataFrame({"unit": ["Branch 01", "Branch 01"], "form": ["customer", "employee"], "invited": [80, 20]})
    table = sd.diagnose(customers, staff, invited=frame).evidence
    asked = table[table["unit"] == "Branch 01"].groupby("rater")["invited"].unique()
    assert [asked["customer"].tolist(), asked["employee"].tolist()] == [[80], [20]]


@pytest.mark.parametrize(
    ("invited", "message"),
    [
        ({"Nowhere": 40}, "'Nowhere' is not a unit"),
        ({"Branch 01": 5}, "5 people asked but"),
        ({"Branch 01": 50.5}, "no whole number"),
        ({"Branch 01": "many"}, "no whole number"),
        (pd.DataFrame({"unit": ["Branch 01"]}), "lacks the columns"),
        (pd.DataFrame({"unit": ["Branch 01"], "invited": [50], "form": ["leader"]}), "leader was not answered"),
        (pd.DataFrame({"unit": ["Branch 01"], "invited": [50], "wave": ["2020"]}), "'2020' is not a wave"),
    ],
)
def test_impossible_numbers_of_people_asked_are_refused(customers, invited, message):
    with pytest.raises(ValueError, match=message):
        sd.diagnose(customers, invited=invited)


def test_whole_organisation_has_a_response_rate_where_it_is_declared(customers):
    table = sd.diagnose(customers, invited={None: 960}).evidence
    whole = table[table["unit"].isna()]
    assert_allclose(whole["response_rate"], whole["n"] / 960)
    assert table.loc[table["unit"].notna(), "response_rate"].isna().all()


def test_units_are_ranked_only_where_they_differ_reliably(make_responses):
    shifts = [(branch, "cold", -1.5 + 0.25 * k) for k, branch in enumerate(BRANCHES)]
    table = sd.diagnose(make_responses(SINS, UNITS, seed=2, shifts=shifts)).evidence.dropna(subset="unit")
    cold, rule = (table[table["dimension"] == d].set_index("unit") for d in ("cold", "rule"))
    assert (cold["icc2"] >= 0.5).all()
    assert (rule["icc2"] < 0.5).all()
    assert rule[["rank_low", "rank_high", "p_worst_fifth"]].isna().all(axis=None)
    assert (cold["rank_low"] <= cold["rank_high"]).all()
    assert_allclose(cold["p_worst_fifth"].sum(), 2.0)
    assert cold.loc["Branch 01", "p_worst_fifth"] > 0.5
    assert cold.loc["Branch 01", "rank_high"] == 12
    assert cold.loc["Branch 12", "rank_low"] == 1


def test_four_units_have_no_worst_fifth(make_responses):
    shifts = [("Branch 01", "cold", -2.0), ("Branch 02", "cold", 1.0)]
    table = sd.diagnose(make_responses(SINS, UNITS[:160], seed=2, shifts=shifts)).evidence
    assert table.loc[table["dimension"] == "cold", "icc2"].max() >= 0.5
    assert table["rank_low"].isna().all()


def test_clusters_and_backgrounds_are_asked_of_responses_not_of_evidence(customers):
    with pytest.raises(ValueError, match="build_evidence"):
        sd.diagnose(sd.build_evidence(customers), cluster="server")
