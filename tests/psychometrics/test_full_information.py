"""Factor models of incomplete answers in hundreds of patterns, their progress, and names of any kind."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from servicediag import psychometrics as pm
from servicediag.psychometrics import _structure_engine

MODEL = {"one": ["a1", "a2", "a3"], "two": ["b1", "b2", "b3", "b4"], "three": ["c1", "c2", "c3"]}
NAMES = [item for block in MODEL.values() for item in block]
OWN = np.repeat([0, 1, 2], [3, 4, 3])


def drawn(seed=1, n=250):
    generator = np.random.default_rng(seed)
    factors = generator.normal(size=(n, 3)) + 0.7 * generator.normal(size=(n, 1))
    return pd.DataFrame(factors[:, OWN] * 0.8 + generator.normal(size=(n, 10)), columns=NAMES)


def gappy_answers(share=0.3, n=400, seed=8):
    answers = drawn(seed, n)
    return answers.mask(np.random.default_rng(seed + 1).random(answers.shape) < share)


def observed_discrepancy(answers, mean, covariance):
    """Minus twice the log-likelihood, without its constant, respondent by respondent."""
    value = 0.0
    for row in answers.to_numpy():
        held = np.flatnonzero(~np.isnan(row))
        if len(held):
            own, away = covariance[np.ix_(held, held)], row[held] - mean[held]
            value += np.linalg.slogdet(own)[1] + away @ np.linalg.solve(own, away)
    return value


def test_full_information_of_hundreds_of_patterns_converges_to_the_likelihoods_maximum():
    answers = gappy_answers()
    assert len(np.unique(answers.isna(), axis=0)) > 200
    result = pm.confirmatory_factor_analysis(answers, MODEL, missing="fiml")
    assert result.converged
    table = result.to_frame().set_index(["kind", "to"])
    mean = table.loc["intercept"]["estimate"][NAMES].to_numpy()
    best = observed_discrepancy(answers, mean, result.implied_covariance.to_numpy())
    kept = answers.notna().to_numpy().sum()
    assert -2 * result.fit.log_likelihood == pytest.approx(best + kept * np.log(2 * np.pi), rel=1e-9)
    loadings = result.loadings.to_numpy()
    for at in range(len(NAMES)):
        for change in (-0.02, 0.02):
            moved = loadings.copy()
            moved[at, OWN[at]] += change
            implied_by = moved @ result.factor_covariances.to_numpy() @ moved.T
            implied_by += np.diag(result.residual_variances["variance"])
            assert observed_discrepancy(answers, mean, implied_by) > best


def test_inverses_that_are_not_kept_give_the_same_solution(monkeypatch):
    answers = gappy_answers()
    kept = pm.confirmatory_factor_analysis(answers, MODEL, missing="fiml")
    monkeypatch.setattr(_structure_engine, "_KEPT", 0)
    anew = pm.confirmatory_factor_analysis(answers, MODEL, missing="fiml")
    assert anew.fit == kept.fit
    assert_allclose(anew.loadings, kept.loadings, atol=1e-12)


def test_progress_counts_up_and_ends_where_it_says():
    seen = []
    pm.confirmatory_factor_analysis(gappy_answers(), MODEL, missing="fiml", progress=lambda *at: seen.append(at))
    done = [at for at, _ in seen]
    assert done == sorted(done)
    assert len(seen) > 5
    assert all(at < whole for at, whole in seen[:-1])
    assert seen[-1][0] == seen[-1][1]


@pytest.mark.parametrize("after", [1, 3, 8])
def test_a_callback_that_raises_stops_the_fit(after):
    def stop(done, _):
        if done >= after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pm.confirmatory_factor_analysis(gappy_answers(), MODEL, missing="fiml", progress=stop)
    with pytest.raises(KeyboardInterrupt):
        groups = ["north", "south"] * 200
        pm.measurement_invariance(gappy_answers(), MODEL, groups, missing="fiml", progress=stop)


def test_names_that_are_tuples_stay_whole_in_every_table():
    names = [("q", i) for i in range(10)]
    answers = drawn().set_axis(pd.Index(names, tupleize_cols=False), axis=1)
    model = {"one": names[:3], "two": names[3:7], "three": names[7:]}
    result = pm.confirmatory_factor_analysis(answers, model)
    assert result.to_frame()["to"].tolist()[:10] == names
    indices = result.modification_indices()
    assert set(indices["to"]) <= set(names)
    assert ("q", 0) in set(indices["from"]) | set(indices["to"])


def test_an_item_of_two_factors_and_one_of_two_items_still_start_somewhere():
    answers = drawn(n=600)
    crossed = pm.confirmatory_factor_analysis(answers, MODEL | {"two": [*MODEL["two"], "a3"]})
    assert crossed.converged
    assert crossed.fit.df == 31
    pair = pm.confirmatory_factor_analysis(answers, {"one": ["a1", "a2"], "two": MODEL["two"]})
    assert pair.converged
