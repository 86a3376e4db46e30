"""Sums of the products of every two scores within many groups of people."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["CROSS_SUMS", "group_products"]

CROSS_SUMS = ["n", "first_total", "second_total", "first_squares", "second_squares", "product"]
GROUPS_AT_ONCE = 256
"""Products are made for so many groups together, which bounds the memory they take and keeps it in the cache."""
ROWS_AT_ONCE = 65_536
"""And for as many groups as have so many people, but one at least."""


def group_products(
    columns: Sequence[np.ndarray], group: np.ndarray, n_groups: int, pairs: tuple[np.ndarray, np.ndarray]
) -> dict[str, np.ndarray]:
    """``CROSS_SUMS`` of pairs of columns by name, each pairs x groups.

    A column's totals and squares are over the people who have the other one too. Who has a negative group is left out.

    Examples
    --------
    >>> scores = np.array([1.0, 3.0, 5.0]), np.array([2.0, np.nan, 6.0])
    >>> sums = group_products(scores, np.array([0, 1, 1]), 2, (np.array([0]), np.array([1])))
    >>> [sums[name].tolist() for name in ("n", "first_total", "product")]
    [[[1, 1]], [[1.0, 5.0]], [[2.0, 30.0]]]
    """
    # small numbers are sorted several times faster
    order = np.argsort((group + 1).astype(np.min_scalar_type(n_groups)), kind="stable")
    order = order[np.count_nonzero(group < 0) :]
    borders = np.concatenate([[0], np.cumsum(np.bincount(group[order], minlength=n_groups))])
    sums = {name: np.zeros((len(pairs[0]), n_groups), dtype=np.int64 if name == "n" else float) for name in CROSS_SUMS}
    end = 0
    while end < n_groups:
        begin = end
        few_enough = int(np.searchsorted(borders, borders[begin] + ROWS_AT_ONCE, side="right")) - 1
        end = min(max(begin + 1, few_enough), begin + GROUPS_AT_ONCE)
        inside = np.arange(begin, end)
        rows = order[borders[inside[0]] : borders[inside[-1] + 1]]
        filled = np.column_stack([column[rows] for column in columns])
        known = ~np.isnan(filled)
        filled[~known] = 0.0
        local = borders[inside[0] : inside[-1] + 2] - borders[inside[0]]
        n, totals, squares, products = _dense_products(filled, known.astype(np.float64), local)
        there, back = (slice(None), *pairs), (slice(None), *pairs[::-1])
        parts = (n[there], totals[there], totals[back], squares[there], squares[back], products[there])
        for name, part in zip(CROSS_SUMS, parts, strict=True):
            sums[name][:, inside] = part.T
    return sums


def _dense_products(x: np.ndarray, known: np.ndarray, borders: np.ndarray) -> tuple[np.ndarray, ...]:
    """Counts, totals, squares and products of consecutive groups of rows, each groups x columns x columns."""
    sizes, width = np.diff(borders), x.shape[1]
    n, totals, squares, products = (np.zeros((len(sizes), width, width)) for _ in range(4))
    alone = np.flatnonzero(sizes == 1)
    if len(alone):
        one, there = x[borders[alone]], known[borders[alone]]
        n[alone], totals[alone] = _outer(there, there), _outer(one, there)
        squares[alone], products[alone] = _outer(one * one, there), _outer(one, one)
    for position in np.flatnonzero(sizes > 1):
        rows = slice(borders[position], borders[position + 1])
        one, there = x[rows], known[rows]
        n[position], totals[position] = there.T @ there, one.T @ there
        squares[position], products[position] = (one * one).T @ there, one.T @ one
    return n, totals, squares, products


def _outer(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    return np.asarray(left[:, :, None] * right[:, None, :])
