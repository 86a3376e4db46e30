"""The engine's side: an organisation's sums as evidence, and what the engine makes of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import combinations

import numpy as np
import pandas as pd
from organisations import Group, Organisation, Scale

from servicediag import Instrument, diagnose, load_instrument
from servicediag.diagnosis.bottleneck import readiness_profile
from servicediag.diagnosis.cells import judge_cells, reliability_table
from servicediag.diagnosis.evidence import CELL_SUMS, COUNTS, CROSS_KEYS, CROSS_SUMS, KEYS, WHOLE, Evidence, Moments
from servicediag.diagnosis.model import Diagnosis
from servicediag.diagnosis.settings import Settings
from servicediag.diagnosis.sums import object_frame, sorted_table
from servicediag.diagnosis.targets import Targets

SETTINGS = Settings()


def evidence_of(organisation: Organisation, items: bool = False, pairs: tuple[str, ...] = ()) -> Evidence:
    """Sums of scores; ``items`` adds those of the items, ``pairs`` cross-products between these dimensions."""
    cells, cross, moments, people = [], [], {}, {}
    for group in organisation.groups:
        onehot = _membership(group, organisation.n_units)
        names = np.array([WHOLE, *organisation.units], dtype=object)
        cells.extend(_cells(group, onehot, names, items))
        cross.extend(_cross(group, onehot, names, pairs))
        for place, scale in enumerate(group.scales):
            people[scale.instrument, scale.form, WHOLE] = len(group.unit)
            dimension = _instrument(scale.instrument).dimension(scale.dimension)
            if dimension.measurement == "reflective":
                moments[scale.instrument, scale.form, WHOLE, scale.dimension] = _moments(group, place)
    instruments = {name: _instrument(name) for name, _, _ in people}
    sums = sorted_table(KEYS, CELL_SUMS, cells), sorted_table(CROSS_KEYS, CROSS_SUMS, cross)
    return Evidence(*sums, moments, instruments, people, ("unit",))


@lru_cache(maxsize=32)
def _instrument(name: str) -> Instrument:
    return load_instrument(name)


def judged(evidence: Evidence) -> pd.DataFrame:
    """The engine's cells: what unit gaps and strengths are made from."""
    return judge_cells(evidence, SETTINGS, reliability_table(evidence))


def score_cells(organisation: Organisation) -> pd.DataFrame:
    """Judged unit x scale cells, with the truth about each and what was planted."""
    cells = judged(evidence_of(organisation))
    cells = cells[(cells["by"] != WHOLE) & (cells["hidden"] == "")]
    truth = _truth(organisation)
    return cells.merge(truth, on=["unit", "instrument", "dimension"], how="left")


def readiness_of(organisation: Organisation) -> pd.DataFrame:
    """The engine's know/want/can profile of the units."""
    evidence = evidence_of(organisation, pairs=("know", "want", "can"))
    profile = readiness_profile(evidence, judged(evidence), SETTINGS, Targets())
    return profile[profile["by"] != WHOLE]


def whole_diagnosis(organisation: Organisation) -> Diagnosis:
    """Everything the engine says, from scores, items and cross-products."""
    every = tuple({scale.dimension for group in organisation.groups for scale in group.scales})
    return diagnose(evidence_of(organisation, items=True, pairs=every))


def _truth(organisation: Organisation) -> pd.DataFrame:
    frames = []
    for group in organisation.groups:
        for place, scale in enumerate(group.scales):
            columns = {
                "unit": np.array(organisation.units, dtype=object),
                "instrument": scale.instrument,
                "dimension": scale.dimension,
                "true_health": group.truth[:, place],
                "true_gap": group.true_gap[:, place],
                "planted": group.planted[:, place],
            }
            frames.append(pd.DataFrame(columns))
    return pd.concat(frames, ignore_index=True)


def _membership(group: Group, n_units: int) -> np.ndarray:
    """The whole organisation and its units x people."""
    return np.vstack([np.ones(len(group.unit)), np.arange(n_units)[:, None] == group.unit])


def _signed(scale: Scale, health: np.ndarray) -> np.ndarray:
    return 100.0 - health if scale.weakness else health


def _cells(group: Group, onehot: np.ndarray, names: np.ndarray, items: bool) -> Iterable[pd.DataFrame]:
    scales = group.scales
    signs = [scale.weakness for scale in scales]
    yield _block(
        scales, "score", [""] * len(scales), np.where(signs, 100.0 - group.health, group.health), onehot, names
    )
    if items:
        owners = [scales[place] for place in group.column_scale]
        codes = [code for scale in scales for code in scale.items]
        values = np.where([scale.weakness for scale in owners], 100.0 - group.answers, group.answers)
        yield _block(owners, "item", codes, values, onehot, names)


def _block(
    owners: Sequence[Scale], kind: str, codes: Sequence[str], values: np.ndarray, onehot: np.ndarray, names: np.ndarray
) -> pd.DataFrame:
    """Sums of all columns of values in all groups, a column of values after the other."""
    size, width = len(names), len(owners)

    def repeated(texts: Sequence[str]) -> np.ndarray:
        return np.repeat(np.array(texts, dtype=object), size)

    n = np.tile(onehot.sum(axis=1).astype(int), width)
    frame = {
        "by": np.tile(np.where(names == WHOLE, WHOLE, "unit").astype(object), width),
        "unit": np.tile(names, width),
        **{key: repeated([getattr(one, key) for one in owners]) for key in ("instrument", "form", "rater")},
        "wave": repeated([WHOLE] * width),
        "kind": repeated([kind] * width),
        "dimension": repeated([one.dimension for one in owners]),
        "name": repeated(codes),
        "n": n,
        "total": (onehot @ values).T.ravel(),
        "total_squares": (onehot @ values**2).T.ravel(),
        **dict.fromkeys(["n_apart", *COUNTS], np.zeros(len(n), dtype=int)),
    }
    if kind == "item":
        for category in range(5):
            frame[COUNTS[category]] = (onehot @ (values == 25.0 * category)).T.ravel().astype(int)
    return object_frame(frame)


def _cross(group: Group, onehot: np.ndarray, names: np.ndarray, pairs: tuple[str, ...]) -> Iterable[pd.DataFrame]:
    wanted = [place for place, scale in enumerate(group.scales) if scale.dimension in pairs]
    source = "+".join(dict.fromkeys(f"{scale.instrument}:{scale.form}" for scale in group.scales))
    for first, second in combinations(wanted, 2):
        a, b = (_signed(group.scales[place], group.health[:, place]) for place in (first, second))
        references = [f"{s.instrument}:{s.form}/{s.dimension}" for s in (group.scales[first], group.scales[second])]
        yield object_frame(
            {
                "by": np.where(names == WHOLE, WHOLE, "unit").astype(object), "unit": names,
                **{key: np.full(len(names), value, dtype=object) for key, value in zip(
                    ("wave", "source", "first", "second"), (WHOLE, source, *references), strict=True)},
                "n": onehot.sum(axis=1).astype(int), "first_total": onehot @ a, "second_total": onehot @ b,
                "first_squares": onehot @ a**2, "second_squares": onehot @ b**2, "product": onehot @ (a * b),
            }
        )  # fmt: skip


def _moments(group: Group, place: int) -> Moments:
    scale = group.scales[place]
    values = _signed(scale, group.answers[:, group.column_scale == place]) / 25.0
    return Moments(scale.items, len(values), 0, values.sum(axis=0), values.T @ values)
