"""What people do without a diagnosis: three rules that call cells troubles, from the same numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from organisations import Organisation
from scipy.special import stdtr

RAW_GAP = -7.5
"""-0.3 on a scale from 1 to 5."""


def ten_worst(cells: pd.DataFrame) -> np.ndarray:
    """The ten cells that lie furthest below the rest of the organisation."""
    return (cells["baseline_gap"].rank(method="first") <= 10).to_numpy()


def raw_gap(cells: pd.DataFrame) -> np.ndarray:
    return (cells["baseline_gap"] < RAW_GAP).to_numpy()


def each_at_five_percent(cells: pd.DataFrame) -> np.ndarray:
    """Every cell that differs from the rest by a Welch test at .05, without any correction."""
    return (cells["baseline_p"] < 0.05).to_numpy()


BASELINES: Mapping[str, Callable[[pd.DataFrame], np.ndarray]] = {
    "ten worst": ten_worst,
    "raw gap < -0.3": raw_gap,
    "p < .05 per cell": each_at_five_percent,
}


def baseline_numbers(organisation: Organisation) -> pd.DataFrame:
    """Gap to the rest and p of Welch's test of every unit x scale, computed from the people's scores."""
    frames = []
    for group in organisation.groups:
        onehot = (np.arange(organisation.n_units)[:, None] == group.unit).astype(float)
        n = onehot.sum(axis=1)[:, None]
        total, squares = onehot @ group.health, onehot @ group.health**2
        others = n.sum() - n
        gap = total / n - (total.sum(axis=0) - total) / others
        with np.errstate(divide="ignore", invalid="ignore"):
            first = (squares - total**2 / n) / (n - 1) / n
            rest_total = total.sum(axis=0) - total
            second = (squares.sum(axis=0) - squares - rest_total**2 / others) / (others - 1) / others
            df = (first + second) ** 2 / (first**2 / (n - 1) + second**2 / (others - 1))
            p = 2 * stdtr(df, -np.abs(gap) / np.sqrt(first + second))
        for place, scale in enumerate(group.scales):
            columns = {"unit": organisation.units, "instrument": scale.instrument, "dimension": scale.dimension}
            frames.append(pd.DataFrame({**columns, "baseline_gap": gap[:, place], "baseline_p": p[:, place]}))
    return pd.concat(frames, ignore_index=True)
