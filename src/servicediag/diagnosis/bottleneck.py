"""Know, want, can: which one is the lowest, with what probability, per unit and for the whole organisation."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from servicediag.diagnosis.cross_products import CROSS_SUMS
from servicediag.diagnosis.draft import Draft, finding_id, name_or_none
from servicediag.diagnosis.evidence import WHOLE, Evidence
from servicediag.diagnosis.model import Finding, Tier
from servicediag.diagnosis.settings import Settings
from servicediag.diagnosis.statistics import benjamini_hochberg
from servicediag.diagnosis.targets import Targets
from servicediag.results import table_rows
from servicediag.wording.telling import sentence

__all__ = [
    "READINESS_COLUMNS", "JudgedStates", "StateProfile", "bottleneck_findings", "judge_groups", "judge_states",
    "readiness_profile",
]  # fmt: skip

STATES = ("know", "want", "can")
FIRST, SECOND = [0, 0, 1], [1, 2, 2]
"""The pairs of states; what holds of them in this order is followed by what holds of them the other way round."""
ALONE = ([0, 3, 4], [1, 2, 5])
"""For each state the two pairs in which it is the first one."""
TOGETHER = ([3, 0, 1], [4, 5, 2])
"""For each state the two pairs in which it is the second one."""
OTHERS = ([1, 0, 0], [2, 2, 1])
"""For each state the two others."""
N_DRAWS = 20_000
MOST_VALUES, FEWEST_DRAWS = 2_000_000, 2_000
"""With very many units fewer draws are made for each; 2,000 leave a standard error of 0.007 at a probability of 0.9."""
DRAWS_AT_ONCE = 40_000
"""Groups are judged so many draws at a time, which keeps them in the processor's cache."""
WITHHELD = "\x00withheld"
"""Name of the pool of withheld units; no unit of a file can have it, since control characters are refused there."""
READINESS_COLUMNS = (
    "by", "unit", "wave", "form", "n", "know", "want", "can", "p_lowest_know", "p_lowest_want", "p_lowest_can",
    "bottleneck", "verdict", "shortfall",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class StateProfile:
    """Means of the three states in one group, their reference, and the covariance of a person's scores."""

    n: np.ndarray
    means: np.ndarray
    reference: np.ndarray
    reference_n: np.ndarray
    covariance: np.ndarray


@dataclass(frozen=True, eq=False)
class JudgedStates:
    """Probability that each state is the lowest, the one that is named, and how far below its reference it lies."""

    probability: np.ndarray
    bottleneck: str | None
    verdict: str
    shortfall: float


def readiness_profile(evidence: Evidence, cells: pd.DataFrame, settings: Settings, targets: Targets) -> pd.DataFrame:
    """A row a group: levels and the probability that each state is the lowest by at least the minimum effect.

    The probability is the smaller of two: among the raw levels, and among the distances to each state's own target
    (or, for a unit without targets, to the rest of the organisation). It comes from draws of a multivariate t
    posterior of the means with the covariance pooled over units.
    """
    rows = []
    for (form, wave), scores in _state_cells(cells):
        generator = np.random.default_rng(settings.seed)
        normal = generator.standard_normal((N_DRAWS, 3))
        uniform = generator.random(N_DRAWS)
        cross = _state_pairs(evidence, form, wave)
        for by, group in scores.groupby("by", sort=True):
            n_draws = int(np.clip(MOST_VALUES // group["unit"].nunique(), FEWEST_DRAWS, N_DRAWS))
            withheld = set(group.loc[group["hidden"] != "", "unit"])
            covariance, df = _pooled_covariance(cross[cross["by"] == by], form, withheld)
            if covariance is None:
                continue
            draws = normal[:n_draws] / _chi_square(uniform[:n_draws], df)[:, None]
            nowhere = _people_of_no_unit(scores, group, settings) if by != WHOLE else np.zeros((2, len(STATES)))
            profiles = dict(_profiles(group, str(by), targets, covariance, nowhere))
            judged = judge_groups(list(profiles.values()), draws, settings)
            for (unit, profile), states in zip(profiles.items(), judged, strict=True):
                rows.append(_row(str(by), unit, wave, form, profile, states))
    return pd.DataFrame(rows, columns=list(READINESS_COLUMNS))


def _state_cells(cells: pd.DataFrame) -> Iterable[tuple[tuple[str, str], pd.DataFrame]]:
    mask = (cells["instrument"] == "readiness") & (cells["kind"] == "score") & cells["dimension"].isin(STATES)
    for (form, wave), scores in cells[mask & cells["current"] & (cells["rater"] == "employee")].groupby(
        ["form", "wave"]
    ):
        if set(scores["dimension"]) == set(STATES):
            yield (str(form), str(wave)), scores


def _state_pairs(evidence: Evidence, form: str, wave: str) -> pd.DataFrame:
    """Cross-products of the three states."""
    cross = evidence.cross
    # few of all pairs are of these scores, so the first look leaves little for the others
    for column, wanted in (("first", _scores(form)), ("second", _scores(form)), ("wave", [wave])):
        cross = cross[cross[column].isin(wanted).to_numpy()]
    return cross


def _scores(form: str) -> list[str]:
    """What the evidence calls the scores of the three states."""
    return [f"readiness:{form}/{state}" for state in STATES]


def _pooled_covariance(cross: pd.DataFrame, form: str, withheld: set[str]) -> tuple[np.ndarray | None, float]:
    """Covariance of the three scores within the groups of a grouping, and its degrees of freedom.

    Withheld units count as one group, so that nothing published tells them apart.
    """
    names = _scores(form)
    cross = cross.assign(unit=cross["unit"].where(~cross["unit"].isin(withheld), WITHHELD))
    cross = cross.groupby(["first", "second", "unit"], as_index=False)[CROSS_SUMS].sum()
    cross = cross[cross["n"] > 1]
    covariance = np.full((3, 3), np.nan)
    df = math.inf
    for (first, second), pairs in cross.groupby(["first", "second"]):
        a, b = names.index(str(first)), names.index(str(second))
        n = pairs["n"].to_numpy(float)
        freedom = float((n - 1).sum())
        for i, j, left, right, product in (
            (a, b, "first_total", "second_total", "product"),
            (a, a, "first_total", "first_total", "first_squares"),
            (b, b, "second_total", "second_total", "second_squares"),
        ):
            value = float((pairs[product] - pairs[left] * pairs[right] / n).sum()) / freedom
            covariance[i, j] = covariance[j, i] = value
        df = min(df, freedom)
    if np.isnan(covariance).any() or not np.diag(covariance).min() > 0:
        return None, 0.0
    return covariance, df


def _chi_square(uniform: np.ndarray, df: float) -> np.ndarray:
    from scipy.special import chdtri

    # chdtri inverts the upper tail, so the draws are the same chi-square quantiles for every df
    return np.sqrt(np.asarray(chdtri(df, uniform)) / df)


def _people_of_no_unit(scores: pd.DataFrame, group: pd.DataFrame, settings: Settings) -> np.ndarray:
    """n and total of the people of no unit, where a reference without them would tell about these few; else 0."""
    sums = [table.groupby("dimension")[["n", "total"]].sum() for table in (scores[scores["by"] == WHOLE], group)]
    rest = (sums[0] - sums[1]).loc[list(STATES)].to_numpy(float).T
    few = (rest[0] > 0) & (rest[0] < settings.minimum_group)
    return np.where(few, rest, 0.0)


def _profiles(
    group: pd.DataFrame, by: str, targets: Targets, covariance: np.ndarray, nowhere: np.ndarray
) -> Iterable[tuple[str, StateProfile]]:
    """Every group of a grouping whose three states may be shown."""
    tables = {name: group.pivot(index="unit", columns="dimension", values=name) for name in ("n", "total", "hidden")}
    n, total = (tables[name][list(STATES)].to_numpy(float) for name in ("n", "total"))
    shown = (tables["hidden"][list(STATES)].to_numpy() == "").all(axis=1) & ~np.isnan(n).any(axis=1)
    others = np.nansum(n, axis=0) + nowhere[0] - n
    rest = np.full(n.shape, np.nan)
    if by != WHOLE and len(n) > 1:
        with np.errstate(invalid="ignore", divide="ignore"):
            rest = (np.nansum(total, axis=0) + nowhere[1] - total) / others
    units, chosen = tables["n"].index.to_numpy(dtype=object)[shown].tolist(), np.flatnonzero(shown)
    reference, reference_n = rest[chosen], others[chosen]
    if targets.values:
        declared = np.array([[targets.of("readiness", s, name_or_none(str(unit))) for s in STATES] for unit in units])
        known = ~np.isnan(declared.reshape(-1, len(STATES))).any(axis=1)
        reference[known], reference_n[known] = declared[known], math.inf
    columns = zip(units, n[chosen], total[chosen] / n[chosen], reference, reference_n, strict=True)
    for unit, people, means, other_means, other_people in columns:
        yield str(unit), StateProfile(people, means, other_means, other_people, covariance)


def _row(by: str, unit: str, wave: str, form: str, profile: StateProfile, judged: JudgedStates) -> tuple[object, ...]:
    """In the order of ``READINESS_COLUMNS``."""
    n, means, probability = int(profile.n.min()), profile.means.tolist(), judged.probability.tolist()
    return by, unit, wave, form, n, *means, *probability, judged.bottleneck, judged.verdict, judged.shortfall


def judge_states(profile: StateProfile, normal: np.ndarray, settings: Settings) -> JudgedStates:
    """Whether one state of a group is the lowest beyond reasonable doubt.

    Parameters
    ----------
    profile : StateProfile
    normal : array, shape (n_draws, 3)
        Independent draws of the posterior's shape, standard normal or Student's t.
    settings : Settings
    """
    return judge_groups([profile], normal, settings)[0]


def judge_groups(profiles: Sequence[StateProfile], normal: np.ndarray, settings: Settings) -> list[JudgedStates]:
    """The same for many groups."""
    at_once = max(1, DRAWS_AT_ONCE // len(normal))
    noise = np.ascontiguousarray(normal.T)
    return [
        judged
        for begin in range(0, len(profiles), at_once)
        for judged in _judged(profiles[begin : begin + at_once], noise, settings)
    ]


def _judged(profiles: Sequence[StateProfile], noise: np.ndarray, settings: Settings) -> list[JudgedStates]:
    names = ("n", "means", "reference", "reference_n", "covariance")
    n, means, reference, reference_n, covariance = (np.array([getattr(p, name) for p in profiles]) for name in names)
    needed, margin, row = settings.bottleneck_probability, settings.minimum_effect, np.arange(len(profiles))
    comparable = ~np.isnan(reference).any(axis=1)
    distance = means - reference
    spread = _spread(covariance, 1 / n + 1 / np.maximum(reference_n, 1))
    raw, own = _below(means, _spread(covariance, 1 / n), noise, margin), _below(distance, spread, noise, margin)
    lowest = _both(raw, ALONE)
    probability = np.minimum(lowest, np.where(comparable[:, None], _both(own, ALONE), lowest))
    pairs = np.minimum(_both(raw, TOGETHER), _both(own, TOGETHER))
    best = probability.argmax(axis=1)
    named, joint = np.zeros((2, len(profiles)), dtype=bool)
    # most groups are neither, and need not be held against their references
    told = np.flatnonzero(comparable & (np.maximum(probability, pairs).max(axis=1) >= needed))
    short = distance[told, :, None] + spread[told] @ noise < 0
    named[told] = (np.minimum(probability[told], _shares(short)) >= needed)[row[: len(told)], best[told]]
    joint[told] = ~named[told] & (np.minimum(pairs[told], _both(short, OTHERS)) >= needed).any(axis=1)
    verdicts = np.select([named, joint, comparable], ["bottleneck", "joint", "tied"], "no target declared")
    return [
        JudgedStates(
            probability[k],
            STATES[best[k]] if named[k] else None,
            str(verdicts[k]),
            float(distance[k, best[k]]) if comparable[k] else math.nan,
        )
        for k in range(len(profiles))
    ]


def _spread(covariance: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Square roots of the covariances of means; counted by pairs they may have negative roots, which are cut at 0."""
    values, vectors = np.linalg.eigh(covariance * np.sqrt(weight[:, :, None] * weight[:, None, :]))
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0))[:, None, :])


def _below(centre: np.ndarray, spread: np.ndarray, noise: np.ndarray, margin: float) -> np.ndarray:
    """Draws in which one state of a pair lies below the other by at least the margin, groups x 6 pairs x draws."""
    difference = (spread[:, FIRST] - spread[:, SECOND]) @ noise
    difference += (centre[:, FIRST] - centre[:, SECOND])[:, :, None]
    return np.concatenate([difference <= -margin, difference >= margin], axis=1)


def _both(holds: np.ndarray, places: tuple[list[int], list[int]]) -> np.ndarray:
    """Share of draws in which two things hold, for each group and pair of places."""
    return _shares(holds[:, places[0]] & holds[:, places[1]])


def _shares(holds: np.ndarray) -> np.ndarray:
    """Share of draws in which something holds; counting row by row is several times faster than their mean."""
    n_draws = holds.shape[-1]
    counts = np.array([np.count_nonzero(one) for one in holds.reshape(-1, n_draws)], dtype=np.int64)
    return np.asarray(counts.reshape(holds.shape[:-1]) / n_draws)


def bottleneck_findings(
    profile: pd.DataFrame, settings: Settings, trust: dict[tuple[str, str, str, str], float | None]
) -> Iterable[Draft]:
    """A finding for every group in which one state, or two together, are the lowest beyond reasonable doubt.

    How sure follows the other gaps: the chance that it is otherwise is adjusted over the groups of the grouping.
    """
    for row in table_rows(profile[profile["verdict"] == "joint"]):
        yield _joint_draft(row)
    named = profile["bottleneck"].notna().to_numpy()
    for row, doubt in zip(table_rows(profile[named]), _doubts(profile)[named], strict=True):
        reliabilities = [trust.get(("readiness", row.form, row.wave, state)) for state in STATES]
        trusted = all(value is None or value >= settings.reliability_needed for value in reliabilities)
        probability = float(getattr(row, f"p_lowest_{row.bottleneck}"))
        tier = _tier(doubt, trusted and row.n >= settings.established_n, settings)
        against = "other_states" if row.by != WHOLE else "other_states_targets"
        yield Draft(
            Finding(
                id=finding_id("bottleneck", row.by, row.unit, row.wave, row.form),
                kind="bottleneck",
                by=name_or_none(row.by),
                unit=name_or_none(row.unit),
                wave=name_or_none(row.wave),
                instrument="readiness",
                dimension=row.bottleneck,
                item=None,
                rater="employee",
                form=row.form,
                estimate=probability,
                ci_low=None,
                ci_high=None,
                n=int(row.n),
                comparator=sentence(f"finding.comparator.{against}"),
                direction="worse",
                severity=settings.severity(row.shortfall),
                tier=tier,
                shrunk=float(row.shortfall),
                q_value=float(doubt),
                metric="probability",
            ),
            loss=max(0.0, -float(row.shortfall) - settings.smallest_gap),
            values=tuple((state, float(getattr(row, state))) for state in STATES),
        )


def _doubts(profile: pd.DataFrame) -> np.ndarray:
    """Chance that no state is the lowest, adjusted over the groups of a grouping (Benjamini and Hochberg, 1995)."""
    lowest = profile[[f"p_lowest_{state}" for state in STATES]].to_numpy(float)
    doubts = np.asarray(1.0 - lowest.max(axis=1, initial=0.0))
    for rows in profile.groupby(["by", "wave", "form"], sort=False).indices.values():
        doubts[rows] = benjamini_hochberg(doubts[rows])
    return doubts


def _tier(doubt: float, firm: bool, settings: Settings) -> Tier:
    if firm and doubt <= settings.established_error_rate:
        return "established"
    return "likely" if doubt <= settings.likely_error_rate else "watch"


def _joint_draft(row: Any) -> Draft:
    return Draft(
        Finding(
            id=finding_id("bottleneck", row.by, row.unit, row.wave, row.form),
            kind="bottleneck",
            by=name_or_none(row.by),
            unit=name_or_none(row.unit),
            wave=name_or_none(row.wave),
            instrument="readiness",
            dimension=None,
            item=None,
            rater="employee",
            form=row.form,
            estimate=None,
            ci_low=None,
            ci_high=None,
            n=int(row.n),
            comparator=sentence("finding.comparator.third_state"),
            direction="none",
            severity="none",
            tier="abstained",
            metric="probability",
            abstentions=(sentence("finding.abstention.tie"),),
        ),
        values=(("wording", "bottleneck_joint"), *((state, float(getattr(row, state))) for state in STATES)),
    )
