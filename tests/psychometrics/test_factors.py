"""Adequacy, factors, rotations and hierarchical omega: exact structures are recovered, and the laws hold."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from servicediag import psychometrics as pm
from servicediag.psychometrics._factor_extraction import FLOOR, extract, one_factor_communalities
from servicediag.psychometrics._rotation import rotate

SIMPLE = np.array(
    [[0.8, 0, 0], [0.7, 0, 0], [0.6, 0, 0], [0.5, 0, 0], [0, 0.75, 0], [0, 0.65, 0], [0, 0.55, 0], [0, 0, 0.7],
     [0, 0, 0.6], [0, 0, 0.5]]
)  # fmt: skip
PHI = np.array([[1, 0.5, 0.3], [0.5, 1, 0.2], [0.3, 0.2, 1]])


def correlation_of(pattern, phi):
    matrix = pattern @ phi @ pattern.T
    np.fill_diagonal(matrix, 1.0)
    return matrix


def exact_sample(matrix, n=200, seed=0, names=None):
    """Answers whose sample correlation matrix is exactly the given one."""
    k = len(matrix)
    raw = np.random.default_rng(seed).normal(size=(n, k))
    raw -= raw.mean(axis=0)
    white = raw @ np.linalg.inv(np.linalg.cholesky(raw.T @ raw / (n - 1))).T
    columns = names or [f"q{i + 1}" for i in range(k)]
    return pd.DataFrame(white @ np.linalg.cholesky(matrix).T, columns=columns)


@st.composite
def scales(draw):
    k = draw(st.integers(4, 8))
    n = draw(st.integers(40, 120))
    generator = np.random.default_rng(draw(st.integers(0, 10_000)))
    level = generator.normal(size=(n, 2)) @ generator.uniform(-0.5, 1, size=(2, k))
    answers = level + generator.uniform(0.5, 1.5, size=k) * generator.normal(size=(n, k))
    return pd.DataFrame(answers, columns=[f"q{i}" for i in range(k)])


SIMPLE_DATA = exact_sample(correlation_of(SIMPLE, PHI))


@pytest.mark.parametrize("method", ["minres", "ml"])
def test_exact_simple_structure_is_recovered_with_its_factor_correlations(method):
    result = pm.exploratory_factor_analysis(SIMPLE_DATA, 3, method=method)
    order = [int(np.abs(result.loadings.to_numpy())[:, j].argmax()) for j in range(3)]
    column = {0: 0, 4: 1, 7: 2}
    wanted = [column[i] for i in order]
    assert_allclose(result.loadings.to_numpy(), SIMPLE[:, wanted], atol=1e-4)
    assert_allclose(result.factor_correlations.to_numpy(), PHI[np.ix_(wanted, wanted)], atol=1e-4)
    assert_allclose(result.uniquenesses.to_numpy(), 1 - (SIMPLE**2).sum(axis=1), atol=1e-5)
    assert result.converged
    assert result.heywood_items == ()
    assert result.fit["chi_square"] == pytest.approx(0, abs=1e-6)
    assert result.fit["df"] == 18
    assert result.fit["rmsr"] == pytest.approx(0, abs=1e-6)
    assert result.fit["rmsea_low"] == result.fit["rmsea"] == 0


def test_promax_and_varimax_keep_what_the_factors_explain():
    plain = pm.exploratory_factor_analysis(SIMPLE_DATA, 3, rotation="none")
    for rotation in ("varimax", "promax", "oblimin"):
        result = pm.exploratory_factor_analysis(SIMPLE_DATA, 3, rotation=rotation)
        phi = result.factor_correlations.to_numpy()
        pattern = result.loadings.to_numpy()
        common = plain.loadings.to_numpy() @ plain.loadings.to_numpy().T
        assert_allclose(pattern @ phi @ pattern.T, common, atol=1e-8)
        assert_allclose(np.diag(phi), 1)
        assert result.variance["proportion"].sum() == pytest.approx(plain.variance["proportion"].sum())
        assert (np.diff(result.variance["sum_of_squares"]) <= 1e-12).all()


def test_each_rotation_names_its_normalisation_by_its_own_convention():
    names = {
        rotation: pm.exploratory_factor_analysis(SIMPLE_DATA, 3, rotation=rotation).normalization
        for rotation in ("varimax", "promax", "oblimin", "none")
    }
    assert names == {"varimax": "kaiser", "promax": "kaiser", "oblimin": "none", "none": "none"}


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_no_other_orthogonal_rotation_has_a_higher_varimax_criterion(seed):
    generator = np.random.default_rng(seed)
    loadings = generator.normal(size=(9, 3)) * 0.4 + np.repeat(np.eye(3), 3, axis=0)
    lengths = np.sqrt((loadings**2).sum(axis=1, keepdims=True))
    turned = rotate(loadings, "varimax", "kaiser").loadings / lengths
    best = (turned**2).var(axis=0).sum()
    for _ in range(20):
        skew = generator.normal(size=(3, 3)) * 0.05
        near = np.linalg.qr(np.eye(3) + skew - skew.T)[0]
        assert ((turned @ near) ** 2).var(axis=0).sum() <= best + 1e-12


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_no_nearby_oblique_rotation_has_a_lower_quartimin_criterion(seed):
    generator = np.random.default_rng(seed)
    loadings = generator.normal(size=(9, 3)) * 0.2 + np.repeat(np.eye(3), 3, axis=0)
    result = rotate(loadings, "oblimin", "none")

    def criterion(pattern):
        squares = pattern**2
        return (squares * (squares.sum(axis=1, keepdims=True) - squares)).sum()

    best = criterion(result.loadings)
    axes = np.linalg.cholesky(result.factor_correlations).T
    plain = result.loadings @ axes.T
    for _ in range(20):
        near = axes + generator.normal(size=(3, 3)) * 0.01
        near = near / np.sqrt((near**2).sum(axis=0))
        assert criterion(plain @ np.linalg.inv(near).T) >= best - 1e-9


@given(scales(), st.sampled_from(["minres", "ml"]))
@settings(max_examples=25, deadline=None)
def test_nearby_uniquenesses_fit_no_better(items, method):
    matrix = np.corrcoef(items.to_numpy(), rowvar=False)
    found = extract(matrix, 1, method)
    generator = np.random.default_rng(0)

    def discrepancy(loadings, unique):
        implied = loadings @ loadings.T
        if method == "minres":
            return ((matrix - implied)[np.triu_indices(len(matrix), 1)] ** 2).sum()
        implied[np.diag_indices(len(matrix))] = np.diag(implied) + unique
        return np.linalg.slogdet(implied)[1] + np.trace(np.linalg.solve(implied, matrix))

    if found.heywood.any():
        return
    best = discrepancy(found.loadings, found.uniquenesses)
    for _ in range(10):
        loadings = found.loadings + generator.normal(size=found.loadings.shape) * 0.01
        unique = np.clip(found.uniquenesses * np.exp(generator.normal(size=len(matrix)) * 0.01), 0.005, 1)
        assert discrepancy(loadings, unique) >= best - 1e-9


@given(scales(), st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_order_of_rows_and_columns_and_units_do_not_matter(items, seed):
    generator = np.random.default_rng(seed)
    moved = items.sample(frac=1, random_state=seed)[list(generator.permutation(items.columns))]
    moved = moved * generator.uniform(0.1, 9, size=items.shape[1]) + 4
    first = pm.exploratory_factor_analysis(items, 1, rotation="none")
    second = pm.exploratory_factor_analysis(moved, 1, rotation="none")
    if not first.heywood_items:
        assert_allclose(first.loadings.abs(), second.loadings.abs().loc[items.columns], atol=1e-5)
    assert first._extraction.objective == pytest.approx(second._extraction.objective, abs=1e-9)
    before, after = pm.kmo(items), pm.kmo(moved)
    assert before.overall == pytest.approx(after.overall, abs=1e-9)
    assert_allclose(before.per_item, after.per_item[items.columns], atol=1e-9)
    assert pm.bartlett_sphericity(items).statistic == pytest.approx(pm.bartlett_sphericity(moved).statistic)


@given(scales())
@settings(max_examples=15, deadline=None)
def test_turning_an_item_turns_its_loading_and_nothing_else(items):
    turned = items.assign(q0=-items["q0"])
    first = pm.exploratory_factor_analysis(items, 1, rotation="none")
    second = pm.exploratory_factor_analysis(turned, 1, rotation="none")
    if first.heywood_items:
        return
    assert_allclose(first.loadings.abs(), second.loadings.abs(), atol=1e-5)
    assert pm.kmo(items).overall == pytest.approx(pm.kmo(turned).overall)


def test_loadings_are_oriented_so_that_their_sum_is_not_negative():
    result = pm.exploratory_factor_analysis(-SIMPLE_DATA, 3)
    assert (result.loadings.sum() >= 0).all()


def test_the_sorted_pattern_groups_items_by_their_factor():
    shuffled = SIMPLE_DATA[["q8", "q2", "q5", "q1", "q10", "q7", "q3", "q9", "q4", "q6"]]
    table = pm.exploratory_factor_analysis(shuffled, 3).sorted_loadings(cut=0.3)
    strongest = table.abs().to_numpy()
    strongest = np.where(np.isnan(strongest), 0, strongest).argmax(axis=1)
    assert list(strongest) == sorted(strongest)
    assert list(table.index[:4]) == ["q1", "q2", "q3", "q4"]
    assert table.isna().sum().sum() == 20


def test_a_heywood_case_is_reported_by_name():
    loadings = np.array([[1.02], [0.6], [0.5], [0.4]])
    matrix = loadings @ loadings.T
    np.fill_diagonal(matrix, 1)
    result = pm.exploratory_factor_analysis(exact_sample(matrix), 1)
    assert result.heywood_items == ("q1",)
    assert "q1" in result.describe()
    assert (result.uniquenesses >= 0).all()


def test_more_factors_than_items_can_tell_apart_are_said_to_be_unidentified():
    result = pm.exploratory_factor_analysis(SIMPLE_DATA[["q1", "q2", "q3", "q4", "q5"]], 3)
    assert math.isnan(result.fit["chi_square"])
    assert "not identified" in " ".join(result.notes)


def test_polychoric_factors_of_coarse_answers_are_stronger_than_pearson_ones():
    coarse = pd.DataFrame(
        np.digitize(exact_sample(correlation_of(SIMPLE, PHI), 3000), [0.8]), columns=SIMPLE_DATA.columns
    )
    pearson = pm.exploratory_factor_analysis(coarse, 3)
    polychoric = pm.exploratory_factor_analysis(coarse, 3, correlation="polychoric")
    assert polychoric.communalities.mean() > pearson.communalities.mean() + 0.1
    assert polychoric.communalities.mean() == pytest.approx((SIMPLE**2).sum(axis=1).mean(), abs=0.05)


def test_one_factor_communalities_of_exact_structures():
    loadings = np.array([0.8, 0.7, 0.6, 0.5])
    matrix = np.outer(loadings, loadings)
    np.fill_diagonal(matrix, 1)
    assert_allclose(one_factor_communalities(matrix[None])[0], loadings**2, atol=1e-6)


@settings(max_examples=30)
@given(seed=st.integers(0, 10_000), k=st.integers(3, 12), n=st.sampled_from([15, 60, 2000]))
def test_communalities_of_many_matrices_are_least_squares_ones(seed, k, n):
    """Of unrelated items, where Heywood cases abound: no small move of a loading inside the limits fits better."""
    generator = np.random.default_rng(seed)
    matrices = np.stack([np.corrcoef(generator.normal(size=(n, k)), rowvar=False) for _ in range(8)])
    off = ~np.eye(k, dtype=bool)

    def misfit(matrix, loadings):
        return ((matrix - np.outer(loadings, loadings))[off] ** 2).sum()

    communalities = one_factor_communalities(matrices)
    assert communalities.max() <= 1 - FLOOR + 1e-12
    for matrix, own in zip(matrices, np.sqrt(communalities), strict=True):
        signs = min(itertools.product([1, -1], repeat=k), key=lambda s: misfit(matrix, own * s)) if k < 8 else None
        if signs is None:
            continue
        loadings = own * signs
        best = misfit(matrix, loadings)
        for item, step in itertools.product(range(k), (1e-3, -1e-3)):
            moved = loadings.copy()
            moved[item] = np.clip(moved[item] + step, -np.sqrt(1 - FLOOR), np.sqrt(1 - FLOOR))
            assert misfit(matrix, moved) >= best - 1e-9
    alone = np.stack([one_factor_communalities(matrix[None])[0] for matrix in matrices])
    assert_allclose(communalities, alone, atol=1e-6)


def test_kmo_of_two_items_is_one_half_and_bartlett_is_the_log_determinant():
    items = exact_sample(np.array([[1, 0.6], [0.6, 1]]), n=50)
    assert pm.kmo(items).overall == pytest.approx(0.5)
    result = pm.bartlett_sphericity(items)
    assert result.statistic == pytest.approx(-(49 - 9 / 6) * math.log(1 - 0.36))
    assert result.df == 1


def test_kmo_is_read_by_kaisers_labels():
    result = pm.kmo(SIMPLE_DATA)
    assert result.interpret().rules == "kaiser1974"
    assert result.to_frame().columns.tolist() == ["kmo", "label"]


# ------------------------------------------------------------------------------------------------------- omega


def hierarchical(second, groups=3, size=3, loading=0.8):
    pattern = np.kron(np.eye(groups), np.full((size, 1), loading))
    phi = np.outer(second, second)
    np.fill_diagonal(phi, 1)
    return correlation_of(pattern, phi)


def test_omega_of_an_exact_hierarchy_is_its_closed_form():
    second = np.array([0.9, 0.8, 0.7])
    matrix = hierarchical(second)
    result = pm.omega_hierarchical(exact_sample(matrix))
    general = np.repeat(second, 3) * 0.8
    assert result.hierarchical == pytest.approx(general.sum() ** 2 / matrix.sum(), abs=1e-4)
    assert result.total == pytest.approx(1 - 9 * 0.36 / matrix.sum(), abs=1e-6)
    assert_allclose(result.loadings["general"], general, atol=1e-4)
    assert result.explained_common_variance == pytest.approx((general**2).sum() / (9 * 0.64), abs=1e-4)
    assert result.uncontaminated_correlations == pytest.approx(27 / 36)
    odds = (general**2 / (1 - general**2)).sum()
    assert result.general_h == pytest.approx(odds / (1 + odds), abs=1e-4)
    assert result.identified
    assert sorted(result.second_order_loadings) == pytest.approx([0.7, 0.8, 0.9], abs=1e-3)


def test_omega_adds_up_over_general_and_group_factors():
    result = pm.omega_hierarchical(SIMPLE_DATA)
    table = result.to_frame()
    assert_allclose(table["communality"] + table["uniqueness"], 1, atol=1e-4)
    assert 0 < result.hierarchical < result.total < 1
    assert result.groups.loc["general", "omega_general"] == result.hierarchical
    assert result.groups["n_items"].tolist()[0] == 10
    assert sum(result.groups["n_items"].tolist()[1:]) == 10


def test_two_group_factors_take_equal_second_order_loadings():
    matrix = hierarchical(np.array([0.8, 0.8]), groups=2, size=4)
    result = pm.omega_hierarchical(exact_sample(matrix), n_factors=2, second_order="equal")
    assert_allclose(result.second_order_loadings, 0.8, atol=1e-4)
    assert "equal loadings" in " ".join(result.notes)


def test_a_reversed_item_is_named_and_not_turned():
    items = exact_sample(hierarchical(np.array([0.9, 0.8, 0.7])))
    straight = pm.omega_hierarchical(items)
    turned = pm.omega_hierarchical(items.assign(q1=-items["q1"]))
    assert turned.negative_items == ("q1",)
    assert turned.loadings.loc["q1", "general"] == pytest.approx(-straight.loadings.loc["q1", "general"], abs=1e-3)
    assert turned.hierarchical < straight.hierarchical


@given(st.integers(0, 1000))
@settings(max_examples=10, deadline=None)
def test_omega_does_not_depend_on_the_order_of_items(seed):
    items = exact_sample(hierarchical(np.array([0.9, 0.7, 0.6])), seed=seed)
    noisy = items + np.random.default_rng(seed).normal(size=items.shape) * 0.3
    moved = noisy[list(np.random.default_rng(seed).permutation(noisy.columns))]
    first, second = pm.omega_hierarchical(noisy), pm.omega_hierarchical(moved)
    assert first.hierarchical == pytest.approx(second.hierarchical, abs=1e-5)
    assert first.total == pytest.approx(second.total, abs=1e-6)


def made_scale(n, seed=0):
    generator = np.random.default_rng(seed)
    general = generator.normal(size=(n, 1))
    parts = np.repeat(generator.normal(size=(n, 3)), 3, axis=1)
    return pd.DataFrame(0.6 * general + 0.5 * parts + 0.6 * generator.normal(size=(n, 9)))


@pytest.mark.parametrize("method", ["percentile", "bca"])
@pytest.mark.parametrize("coefficient", ["hierarchical", "total"])
def test_interval_of_omega_holds_the_estimate_repeats_and_reports(method, coefficient):
    result = pm.omega_hierarchical(made_scale(90))
    seen = []
    options = {"coefficient": coefficient, "n_resamples": 40, "seed": 4}
    first = result.confidence_interval(0.9, method, progress=lambda *at: seen.append(at), **options)
    again = result.confidence_interval(0.9, method, **options)
    assert (first.low, first.high) == (again.low, again.high)
    assert first.low < getattr(result, coefficient) < first.high
    assert (first.method, first.n_resamples, first.level, first.seed) == (method, 40, 0.9, 4)
    assert seen[-1] == (40, 40)
    other = result.confidence_interval(0.9, method, coefficient=coefficient, n_resamples=40, seed=5)
    assert other.low != first.low


def test_interval_of_omega_is_as_wide_as_the_estimates_spread():
    estimates = [pm.omega_hierarchical(made_scale(300, seed)).hierarchical for seed in range(60)]
    interval = pm.omega_hierarchical(made_scale(300, 1)).confidence_interval(n_resamples=200)
    assert (interval.high - interval.low) / (2 * 1.96 * np.std(estimates)) == pytest.approx(1, abs=0.35)


def test_interval_of_omega_of_incomplete_answers_resamples_them_as_they_are():
    gappy = made_scale(300).mask(np.random.default_rng(1).random((300, 9)) < 0.1)
    result = pm.omega_hierarchical(gappy, missing="pairwise")
    interval = result.confidence_interval(n_resamples=40)
    assert interval.low < result.hierarchical < interval.high


def test_omega_of_polychoric_correlations_has_no_interval():
    coarse = made_scale(300).apply(lambda column: np.digitize(column, [-1, 0, 1]))
    result = pm.omega_hierarchical(coarse, correlation="polychoric")
    with pytest.raises(ValueError, match="correlation='polychoric' has no interval"):
        result.confidence_interval()
