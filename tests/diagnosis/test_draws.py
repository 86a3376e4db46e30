"""What is read from random draws, against the plain definition worked out from the same draws."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import rankdata

from servicediag.diagnosis.attribution import _limits
from servicediag.diagnosis.bottleneck import STATES, StateProfile, judge_groups
from servicediag.diagnosis.settings import Settings
from servicediag.diagnosis.statistics import rank_draws, rank_uncertainty

GENERATOR = np.random.default_rng(20)
SHARES = {
    "even": GENERATOR.random(4000),
    "skewed": GENERATOR.beta(8.0, 0.4, 4000),
    "mostly one value": np.where(GENERATOR.random(4000) < 0.03, GENERATOR.random(4000), 0.5),
    "two values": np.repeat([0.0, 1.0], 2000),
    "a single value": np.full(4000, 0.5),
}


@pytest.mark.parametrize("draws", SHARES.values(), ids=SHARES.keys())
def test_limits_of_a_share_are_quantiles_of_its_draws(draws):
    limits = _limits(draws, float(draws.mean()), float(draws.std(ddof=1)))
    np.testing.assert_allclose(limits, np.quantile(draws, [0.025, 0.975]), rtol=0, atol=1e-12)


def _root(covariance, weight):
    values, vectors = np.linalg.eigh(covariance * np.sqrt(np.outer(weight, weight)))
    return vectors * np.sqrt(np.maximum(values, 0.0))


def _plain(profile, normal, settings):
    """Probabilities and verdict, draw by draw."""
    needed, margin = settings.bottleneck_probability, settings.minimum_effect
    raw = profile.means + normal @ _root(profile.covariance, 1 / profile.n).T
    distance = profile.means - profile.reference
    own = distance + normal @ _root(profile.covariance, 1 / profile.n + 1 / profile.reference_n).T

    def lowest(draws, k):
        return np.mean([one[k] + margin <= min(np.delete(one, k)) for one in draws])

    def pair(draws, k):
        return np.mean([max(np.delete(one, k)) + margin <= one[k] for one in draws])

    probability = np.array([min(lowest(raw, k), lowest(own, k)) for k in range(3)])
    best = int(probability.argmax())
    if probability[best] >= needed and (own[:, best] < 0).mean() >= needed:
        return probability, "bottleneck"
    for k in range(3):
        short = np.mean([(np.delete(one, k) < 0).all() for one in own])
        if min(pair(raw, k), pair(own, k), short) >= needed:
            return probability, "joint"
    return probability, "tied"


def test_bottlenecks_are_those_of_every_draw_looked_at_alone():
    generator, settings = np.random.default_rng(3), Settings()
    normal = generator.standard_normal((400, len(STATES)))
    profiles = []
    for number in range(60):
        loadings = generator.normal(0, 8, (3, 3))
        gap = np.array([[-12.0, 0, 0], [-12.0, -12, 0], [0.0, 0, 0], [0, -4.0, 0]])[number % 4]
        profiles.append(
            StateProfile(
                generator.integers(20, 200, 3).astype(float), 60 + gap + generator.normal(0, 1.5, 3), np.full(3, 60.0),
                np.full(3, 500.0), loadings @ loadings.T + 30 * np.eye(3),
            )
        )  # fmt: skip
    judged = judge_groups(profiles, normal, settings)
    assert {one.verdict for one in judged} == {"bottleneck", "joint", "tied"}
    for profile, one in zip(profiles, judged, strict=True):
        probability, verdict = _plain(profile, normal, settings)
        np.testing.assert_allclose(one.probability, probability, rtol=0, atol=1e-12)
        assert one.verdict == verdict


@pytest.mark.parametrize("n_units", [7, 300])
def test_rank_intervals_are_those_of_the_draws_ranked_one_by_one(n_units):
    generator = np.random.default_rng(n_units)
    estimate, spread = generator.normal(0, 5, n_units), generator.uniform(0.5, 4, n_units)
    normal = rank_draws(n_units, seed=4)
    ranks = np.sort([rankdata(-(estimate + spread * one)) for one in normal], axis=0)
    cut = int(len(normal) * 0.025)
    found = rank_uncertainty(estimate, spread, normal=normal)
    np.testing.assert_array_equal(found.low, ranks[cut])
    np.testing.assert_array_equal(found.high, ranks[-1 - cut])
    np.testing.assert_allclose(found.worst_fifth, (ranks > n_units - max(1, n_units // 5)).mean(axis=0))
