"""In how many repeated surveys a finding would be told as surely again: against draws, and answers drawn anew."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import servicediag as sd
from servicediag.diagnosis.cells import judge_cells, reliability_table
from servicediag.diagnosis.settings import Settings
from servicediag.diagnosis.stability import (
    RANKS,
    Redrawn,
    border_shares,
    rejection_bars,
    share_stability,
    tier_shares,
)
from servicediag.diagnosis.statistics import (
    benjamini_hochberg,
    directional_rates,
    limited_weights,
    minimum_effect_p,
    pooled_variance,
    shrinkage_weights,
    unit_contrasts,
)
from servicediag.diagnosis.tiers import tiers_of

SETTINGS = Settings()
BRANCHES = [f"Branch {k:02d}" for k in range(1, 11)]
EACH = np.repeat(BRANCHES, 40)
LANGUAGES = ("en", "es", "ru", "zh-Hans")


@pytest.fixture(scope="module")
def answers(make_responses):
    shifts = [(BRANCHES[0], "cold", -0.55), (BRANCHES[1], "rule", -0.45), (BRANCHES[2], "run", -0.8)]
    shifts.append((BRANCHES[3], "cold", 0.6))
    return make_responses([("seven-sins", "customer")], EACH, seed=5, shifts=shifts)


@pytest.fixture(scope="module")
def diagnosis(answers):
    return sd.diagnose(answers)


def at_least(tier):
    return RANKS.index(tier) if tier in RANKS else -1


# The rule, with one estimate of the family drawn again


def rule_for(family, position, estimate, shrinkage):
    """Tier that the library's rule gives an estimate in the place of one of the family."""
    estimates = family["estimate"].copy()
    estimates[position] = estimate
    p = minimum_effect_p(estimates, family["error"], family["df"], 0.0)
    q = directional_rates(p, estimates) if shrinkage else benjamini_hochberg(p)
    p_minimum = minimum_effect_p(estimates, family["error"], family["df"], SETTINGS.minimum_effect)
    kept = np.ones(len(estimates))
    if shrinkage:
        kept = limited_weights(family["weight"], estimates, family["error"])
    n, trust = family["n"], np.ones(len(estimates))
    tiers, _ = tiers_of(q, benjamini_hochberg(p_minimum), kept * estimates, estimates, n, trust, SETTINGS)
    return tiers[position]


def made_family(seed):
    generator = np.random.default_rng(seed)
    size = 12
    return {
        "estimate": np.append(generator.normal(0, 7, size - 2), [-9.0, 12.0]),
        "error": generator.uniform(2, 4, size),
        "df": np.full(size, 30.0),
        "n": np.full(size, 20.0),
        "weight": generator.uniform(0.3, 0.9, size),
    }


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("shrinkage", [False, True])
def test_shares_are_those_of_draws_from_the_t_distribution(seed, shrinkage):
    family = made_family(seed)
    estimate, error, df, n = (family[name] for name in ("estimate", "error", "df", "n"))
    redrawn = Redrawn.of(estimate, error, df, n, SETTINGS)
    if shrinkage:
        redrawn = replace(redrawn, weight=family["weight"], by_direction=True)
    shares = tier_shares(redrawn, SETTINGS)
    draws = np.random.default_rng(9).standard_t(30, 400)
    for position in (0, 1, len(estimate) - 2, len(estimate) - 1):
        again = estimate[position] + error[position] * draws
        same = np.sign(again) == np.sign(estimate[position])
        ranks = [at_least(rule_for(family, position, one, shrinkage)) for one in again]
        for column in range(3):
            drawn = np.mean(same & (np.array(ranks) >= column))
            # four standard errors of 400 draws
            assert shares[position, column] == pytest.approx(drawn, abs=4 * 0.5 / 20)


def test_a_tier_is_kept_in_half_of_the_surveys_where_the_estimate_lies_at_its_border():
    error, df = np.array([3.0]), np.array([25.0])
    at = stats.t.isf(0.04, 25) * 3
    assert at > SETTINGS.smallest_gap
    alone = Redrawn.of(np.array([-at]), error, df, np.array([40.0]), SETTINGS)
    assert tier_shares(alone, SETTINGS)[0, 1] == pytest.approx(0.5, abs=1e-3)


def test_stronger_tiers_are_reached_more_seldom_and_few_people_never_establish():
    generator = np.random.default_rng(3)
    estimate, n = generator.normal(0, 9, 200), generator.integers(5, 60, 200).astype(float)
    family = Redrawn.of(estimate, generator.uniform(1, 6, 200), n - 1, n, SETTINGS)
    shares = tier_shares(family, SETTINGS)
    assert (np.diff(shares, axis=1) <= 1e-12).all()
    assert (shares[n < 10, 2] == 0).all()


@pytest.mark.parametrize("seed", range(20))
def test_the_bar_is_what_benjamini_and_hochberg_let_through(seed):
    generator = np.random.default_rng(seed)
    p = generator.beta(0.4, 1.0, 15)
    bars = rejection_bars(p, 0.08)
    for position, bar in enumerate(bars):
        for moved, passes in ((bar * 0.9999, True), (bar * 1.0001, False)):
            others = p.copy()
            others[position] = moved
            assert (benjamini_hochberg(others)[position] <= 0.08) == passes


def test_an_unknown_error_has_no_share():
    family = Redrawn.of(
        np.array([-9.0, 3.0]), np.array([np.nan, 2.0]), np.array([9.0, 9.0]), np.array([20.0, 20.0]), SETTINGS
    )
    shares = tier_shares(family, SETTINGS)
    assert np.isnan(shares[0]).all()
    assert not np.isnan(shares[1]).any()


def test_levels_below_a_border_are_drawn_from_their_t_distribution():
    distance, error, df = np.array([-6.0, -2.0, 1.0]), np.array([2.0, 3.0, 2.0]), np.array([30.0, 12.0, 40.0])
    shares = border_shares(distance, error, df, SETTINGS)
    draws = np.random.default_rng(2).standard_t(30, 4000) * 2 - 6
    p = [stats.t.cdf(distance / error, df)] * len(draws)
    for column, rate in ((1, 0.08), (2, 0.05)):
        told = []
        for one, row in zip(draws, p, strict=True):
            moved = row.copy()
            moved[0] = stats.t.cdf(one / 2, 30)
            told.append(benjamini_hochberg(moved)[0] <= rate)
        assert shares[0, column] == pytest.approx(np.mean(told), abs=0.03)
    assert shares[0, 0] == pytest.approx(stats.t.cdf(3, 30))


def test_shares_of_people_are_drawn_from_the_binomial_distribution():
    count, n = np.array([30.0, 12.0]), np.array([80.0, 30.0])
    tiers = ["established", "likely"]
    found = share_stability(count, n, tiers, SETTINGS)
    for position, rate in enumerate((SETTINGS.established_error_rate, SETTINGS.likely_error_rate)):
        expected = 0.0
        for people in range(int(n[position]) + 1):
            moved = count.copy()
            moved[position] = people
            p = stats.norm.sf((moved / n - 0.25) / np.sqrt(0.25 * 0.75 / n))
            if benjamini_hochberg(p)[position] <= rate:
                expected += stats.binom.pmf(people, n[position], count[position] / n[position])
        assert found[position] == pytest.approx(expected)


def test_few_answers_count_as_the_rule_holds_tiers_down(make_responses):
    answers = make_responses([("readiness", "employee")], EACH, seed=8, shifts=[(BRANCHES[0], "can", -1.0)])
    invited = pd.DataFrame({"unit": BRANCHES, "invited": [900] + [160] * 9})
    evidence = sd.build_evidence(answers)
    plain = judge_cells(evidence, SETTINGS, reliability_table(evidence))
    asked = sd.diagnose(answers, invited=invited)
    of_unit = {f.dimension: f for f in asked.findings if (f.unit, f.kind) == (BRANCHES[0], "unit_gap")}
    finding = of_unit["can"]
    assert any(note.startswith("LOW_RESPONSE") for note in finding.abstentions)
    cell = plain[(plain["unit"] == BRANCHES[0]) & (plain["dimension"] == "can") & (plain["kind"] == "score")].iloc[0]
    assert (cell["tier"], finding.tier) == ("established", "likely")
    # held down from established, it is likely again wherever it would be established again
    assert finding.stability == pytest.approx(cell["stability"])


# Answers drawn anew


def ranks_of(health, unit):
    """Rank of the tier of one unit in every dimension and its gap, by the rule for units, from people's scores."""
    gaps, errors, df, kept = [], [], [], []
    of_unit = unit == EACH
    codes = pd.factorize(EACH)[0]
    n = np.bincount(codes).astype(float)
    for values in health.T:
        total, squares = np.bincount(codes, values), np.bincount(codes, values**2)
        contrast = unit_contrasts(n, total, squares)
        variance, _ = pooled_variance(n, total, squares)
        weight = limited_weights(shrinkage_weights(n, total, variance), contrast.gap, contrast.standard_error)
        gaps.append(contrast.gap)
        errors.append(contrast.standard_error)
        df.append(np.full(len(n), float(contrast.df)))
        kept.append(weight)
    gap, error, df, kept = (np.concatenate(parts) for parts in (gaps, errors, df, kept))
    q = directional_rates(minimum_effect_p(gap, error, df, 0.0), gap)
    q_minimum = benjamini_hochberg(minimum_effect_p(gap, error, df, SETTINGS.minimum_effect))
    many = np.full(len(gap), 40.0)
    tiers, _ = tiers_of(q, q_minimum, kept * gap, gap, many, np.ones(len(gap)), SETTINGS)
    rows = np.arange(health.shape[1]) * len(n) + codes[of_unit][0]
    return np.array([at_least(tiers[row]) for row in rows]), gap[rows]


@pytest.mark.parametrize("unit", BRANCHES[:4])
def test_answers_of_a_unit_drawn_again_give_about_the_same_share(answers, diagnosis, unit):
    repeats = 500
    scores = sd.score(answers).values
    health = 100 - scores.to_numpy(float)
    observed, gap = ranks_of(health, unit)
    cells = {f.dimension: f for f in diagnosis.findings if f.unit == unit and f.kind in ("unit_gap", "strength")}
    told = {name: k for k, name in enumerate(scores.columns) if observed[k] > 0 or (observed[k] == 0 and gap[k] < 0)}
    assert {name: RANKS[observed[k]] for name, k in told.items()} == {name: f.tier for name, f in cells.items()}
    generator = np.random.default_rng(17)
    own = np.flatnonzero(unit == EACH)
    kept = np.zeros(len(observed))
    for _ in range(repeats):
        rows = np.arange(len(EACH))
        rows[own] = generator.choice(own, len(own))
        again, side = ranks_of(health[rows], unit)
        kept += (again >= observed) & (np.sign(side) == np.sign(gap))
    for name, k in told.items():
        # beyond chance: people are few, and answers are no normal distribution
        assert kept[k] / repeats == pytest.approx(cells[name].stability, abs=0.06), name


# What is told


def test_the_sentence_stands_only_where_it_would_be_told_again_seldom(diagnosis):
    told = [f for f in diagnosis.findings if f.tier in ("established", "likely") and f.stability is not None]
    for finding in told:
        percent = round(100 * finding.stability)
        sentence = f"In {percent} of 100 repeated surveys this would be "
        assert (sentence in finding.text) == (percent < 80)
        assert ("repeated surveys" in finding.text) == (percent < 80)
    assert {round(100 * f.stability) < 80 for f in told} == {True, False}


def test_what_is_only_watched_has_a_share_and_no_sentence(diagnosis):
    watched = [f for f in diagnosis.findings if f.kind == "unit_gap" and f.tier == "watch"]
    assert watched
    assert all(0 <= f.stability <= 1 and "repeated" not in f.text for f in watched)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_sentence_is_told_in_every_language(diagnosis, language):
    (finding, *_) = [f for f in diagnosis.findings if "repeated surveys" in f.text]
    told = {f.id: f for f in diagnosis.in_language(language).findings}[finding.id]
    assert f"{100 * finding.stability:.0f}" in told.text
    assert "100" in told.text


def test_kinds_whose_estimate_is_not_drawn_again_have_none(make_responses):
    low = [(branch, "know", -1.6) for branch in BRANCHES]
    shifts = [*low, (BRANCHES[0], "want", -3.0)]
    diagnosis = sd.diagnose(make_responses([("readiness", "employee")], EACH, seed=6, shifts=shifts))
    kinds = {f.kind: f.stability for f in diagnosis.findings}
    assert kinds["bottleneck"] is None
    assert kinds["organisation_wide"] is not None


def test_frame_json_and_workbook_hold_it(diagnosis, tmp_path):
    import json

    import openpyxl

    frame = diagnosis.to_frame()
    assert frame["stability"].dropna().between(0, 1).all()
    written = json.loads(diagnosis.to_json(tmp_path / "d.json").read_text(encoding="utf-8"))
    expected = [None if f.stability is None else round(f.stability, 4) for f in diagnosis.findings]
    assert [f["stability"] for f in written["findings"]] == expected
    sheet = openpyxl.load_workbook(diagnosis.to_excel(tmp_path / "d.xlsx"))["Findings"]
    rows = list(sheet.iter_rows(values_only=True))
    (head,) = [row for row in rows if "Told again" in row]
    column = head.index("Told again")
    shown = [row[column] for row in rows[rows.index(head) + 1 :] if row[column] is not None]
    assert shown == pytest.approx([one for one in expected if one is not None])
