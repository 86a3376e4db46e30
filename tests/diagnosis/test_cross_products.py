"""Sums of products within groups do not depend on how many groups are looked at together."""

import numpy as np
import pytest

from servicediag.diagnosis import cross_products


@pytest.mark.parametrize(("groups_at_once", "rows_at_once"), [(256, 65_536), (2, 65_536), (256, 1), (256, 7), (3, 7)])
def test_products_are_those_of_each_group_by_itself(monkeypatch, groups_at_once, rows_at_once):
    monkeypatch.setattr(cross_products, "GROUPS_AT_ONCE", groups_at_once)
    monkeypatch.setattr(cross_products, "ROWS_AT_ONCE", rows_at_once)
    generator = np.random.default_rng(4)
    scores = generator.integers(0, 5, (40, 3)).astype(float)
    scores[generator.random(scores.shape) < 0.2] = np.nan
    # groups 3, 8 and 9 are empty, and some people are in none
    group = generator.choice([-1, 0, 1, 2, 4, 5, 6, 7], 40)
    sums = cross_products.group_products(list(scores.T), group, 10, (np.array([0, 0, 1]), np.array([1, 2, 2])))
    for pair, (a, b) in enumerate([(0, 1), (0, 2), (1, 2)]):
        for g in range(10):
            x, y = scores[(group == g) & ~np.isnan(scores[:, [a, b]]).any(axis=1)][:, [a, b]].T
            expected = [len(x), x.sum(), y.sum(), x @ x, y @ y, x @ y]
            assert [sums[name][pair, g] for name in cross_products.CROSS_SUMS] == expected
