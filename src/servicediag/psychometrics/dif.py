"""Differential item functioning of ordered items: do groups of the same level answer an item differently?"""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import ClassVar, Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from servicediag.errors import InsufficientDataError
from servicediag.psychometrics._cumulative_logit import CumulativeLogit, fit_cumulative_logit
from servicediag.psychometrics._frames import FloatArray, Result, check_choice, check_count, check_number, name_list
from servicediag.psychometrics._moments import DroppedItem
from servicediag.psychometrics._units import unit_codes
from servicediag.psychometrics.polychoric import Categories, OrdinalAnswers, ordinal_answers

__all__ = ["OrdinalDif", "PseudoR2", "ordinal_dif"]

PseudoR2 = Literal["nagelkerke", "mcfadden", "cox_snell"]
_STATISTIC = "Ordinal DIF"
_SMALLEST_GROUP = 10
_BANDS = (0.035, 0.070)  # Jodoin & Gierl (2001), for Nagelkerke's


@dataclass(frozen=True, repr=False)
class OrdinalDif(Result):
    """Logistic-regression tests of differential item functioning.

    Attributes
    ----------
    flagged : tuple
        Items whose adjusted p is below ``alpha`` and whose change of pseudo-R2 reaches ``smallest_change``.
    anchors : tuple
        Items that make up the score that persons are matched on; the item under test is always added.
    groups : tuple
        Groups in order; the first is the reference.
    group_sizes : tuple of int
    n_items, n_respondents, n_dropped : int
    n_rounds : int
        Rounds of purification, at most those allowed.
    settled : bool
        Whether the last round flagged the same items as the one before.
    alpha, smallest_change : float
    pseudo_r2 : {"nagelkerke", "mcfadden", "cox_snell"}
    dropped_items : tuple of DroppedItem
    notes : tuple of str
    """

    flagged: tuple[Hashable, ...]
    anchors: tuple[Hashable, ...]
    groups: tuple[Hashable, ...]
    group_sizes: tuple[int, ...]
    n_items: int
    n_respondents: int
    n_dropped: int
    n_rounds: int
    settled: bool
    alpha: float
    smallest_change: float
    pseudo_r2: PseudoR2
    dropped_items: tuple[DroppedItem, ...]
    notes: tuple[str, ...]
    _table: pd.DataFrame = field(repr=False, compare=False)

    _shown: ClassVar[tuple[str, ...]] = ("flagged", "n_items", "n_respondents", "n_rounds", "settled")

    def to_frame(self) -> pd.DataFrame:
        """A row an item.

        Returns
        -------
        DataFrame
            chi_square, df, p: any DIF; adjusted_p (Benjamini-Hochberg); chi_square_uniform, p_uniform: a shift that is
            the same at all levels; chi_square_nonuniform, p_nonuniform: one that is not; r2_change, r2_change_uniform,
            r2_change_nonuniform; size (Jodoin & Gierl 2001: negligible, moderate, large; for Nagelkerke only);
            flagged, anchor, note.
        """
        return self._table.copy()

    def describe(self) -> str:
        """One sentence in APA style."""
        listed = f" ({name_list(self.flagged)})" if self.flagged else ""
        sentence = (
            f"Ordinal logistic regression flagged {len(self.flagged)} of {self.n_items} items{listed} for differential "
            f"functioning over {len(self.groups)} groups, n = {self.n_respondents}, after {self.n_rounds} "
            f"round{'s' if self.n_rounds != 1 else ''} of purification."
        )
        return " ".join([sentence, *self.notes])


@dataclass(frozen=True)
class _Test:
    models: tuple[CumulativeLogit, CumulativeLogit, CumulativeLogit]
    null: float
    n: int


def ordinal_dif(
    items: pd.DataFrame,
    group: pd.Series,
    *,
    categories: Categories | None = None,
    alpha: float = 0.01,
    smallest_change: float = 0.035,
    pseudo_r2: PseudoR2 = "nagelkerke",
    max_rounds: int = 10,
) -> OrdinalDif:
    """Differential item functioning by cumulative logistic regression on the sum score.

    Parameters
    ----------
    items : DataFrame, shape (n_respondents, n_items)
        Ordered answers of one scale, at least 3 items; reverse-keyed items already turned. Rows with a missing answer
        or group are left out and counted.
    group : Series, shape (n_respondents,)
        2 or more groups of at least 10, same index as ``items``; the first in order is the reference.
    categories : optional
        See :func:`polychoric_correlation`.
    alpha : float
        For the adjusted p; 0 to 1.
    smallest_change : float
        Least change of pseudo-R2 that is flagged; 0 flags by p alone. .035 is where Jodoin & Gierl (2001) begin
        moderate DIF.
    pseudo_r2 : {"nagelkerke", "mcfadden", "cox_snell"}
    max_rounds : int
        Rounds of purification, 0 to 10: flagged items leave the matching score, and all are tested again.

    Returns
    -------
    OrdinalDif

    Raises
    ------
    InsufficientDataError
        Fewer than 3 items that vary, fewer than 2 groups, or a group of fewer than 10.
    ValueError, TypeError
        An argument is out of range, or the index does not fit.

    Notes
    -----
    Likelihood ratio of the model with score, group and their product against the one with the score alone (2 degrees of
    freedom for two groups; Zumbo 1999 [1]_); purification as in Crane et al. (2006) and Choi et al. (2011) [2]_, with
    the sum score instead of a latent one.

    References
    ----------
    .. [1] Zumbo, B. D. (1999). A handbook on the theory and methods of differential item functioning.
    .. [2] Choi, S. W., Gibbons, L. E., & Crane, P. K. (2011). Journal of Statistical Software, 39(8).
    .. [3] Jodoin, M. G., & Gierl, M. J. (2001). Applied Measurement in Education, 14, 329-349.

    Examples
    --------
    >>> generator = np.random.default_rng(4)
    >>> group = np.repeat(["a", "b"], 200)
    >>> level = generator.normal(size=(400, 1)) + generator.normal(size=(400, 4))
    >>> level[:, 0] += 2 * (group == "b")
    >>> items = pd.DataFrame(np.digitize(level, [-1, 0, 1]), columns=list("wxyz"))
    >>> ordinal_dif(items, pd.Series(group)).flagged
    ('w',)
    """
    alpha = check_number("alpha", alpha, 0.0, 1.0)
    smallest_change = check_number("smallest_change", smallest_change, 0.0, 1.0)
    check_choice("pseudo_r2", pseudo_r2, get_args(PseudoR2))
    max_rounds = check_count("max_rounds", max_rounds, 0)
    if max_rounds > 10:
        raise ValueError(f"max_rounds must be at most 10, not {max_rounds}")
    known, codes, labels = _prepared(items, group, categories)
    answers = np.column_stack([known.values[i][known.codes[:, i]] for i in range(len(known.items))])
    anchor = np.ones(len(known.items), dtype=bool)
    seen: list[tuple[bool, ...]] = []
    settled, notes = False, []
    for n_rounds in range(max_rounds + 1):
        table = _tested(known, answers, codes, len(labels), anchor, pseudo_r2)
        table["flagged"] = (table["adjusted_p"] < alpha) & (table["r2_change"] >= smallest_change)
        flags = table["flagged"].to_numpy()
        settled = bool((flags == ~anchor).all())
        if settled or tuple(flags) in seen or n_rounds == max_rounds:
            break
        if (~flags).sum() < 2:
            notes.append("Nearly every item is flagged, so nothing is left to match persons on.")
            break
        seen.append(tuple(flags))
        anchor = ~flags
    if not settled and max_rounds:
        notes.append("Purification did not settle: the flags of the last round differ from its anchors.")
    return _result(known, table, anchor, labels, codes, n_rounds, settled, notes, (alpha, smallest_change), pseudo_r2)


def _result(
    known: OrdinalAnswers,
    table: pd.DataFrame,
    anchor: npt.NDArray[np.bool_],
    labels: pd.Index,
    codes: npt.NDArray[np.int64],
    n_rounds: int,
    settled: bool,
    notes: list[str],
    limits: tuple[float, float],
    pseudo_r2: PseudoR2,
) -> OrdinalDif:
    if known.dropped_items:
        notes = [f"Left out: {name_list(known.dropped_items)}.", *notes]
    doubtful = table.index[table["note"] != ""]
    if len(doubtful):
        notes.append(f"Not converged: {name_list(doubtful)}.")
    table["anchor"] = anchor
    order = [name for name in table.columns if name not in ("flagged", "anchor", "note")]
    return OrdinalDif(
        flagged=tuple(name for name, flag in zip(known.items, table["flagged"], strict=True) if flag),
        anchors=tuple(known.items[i] for i in np.flatnonzero(anchor)),
        groups=tuple(labels),
        group_sizes=tuple(int(count) for count in np.bincount(codes, minlength=len(labels))),
        n_items=len(known.items),
        n_respondents=len(known.codes),
        n_dropped=known.n_dropped,
        n_rounds=n_rounds,
        settled=settled,
        alpha=limits[0],
        smallest_change=limits[1],
        pseudo_r2=pseudo_r2,
        dropped_items=known.dropped_items,
        notes=tuple(notes),
        _table=table[[*order, "flagged", "anchor", "note"]],
    )


def _prepared(
    items: pd.DataFrame, group: object, categories: Categories | None
) -> tuple[OrdinalAnswers, npt.NDArray[np.int64], pd.Index]:
    """Answers of the respondents that have a group, the numbers of their groups, and the groups."""
    if isinstance(items, np.ndarray) and items.ndim == 2:
        items = pd.DataFrame(items)
    if not isinstance(items, pd.DataFrame):
        raise TypeError(f"items must be a DataFrame (respondents x items), not {type(items).__name__}")
    codes, labels = unit_codes(group, items.index)
    grouped = codes >= 0
    known = ordinal_answers(items.loc[grouped], categories, "listwise", statistic=_STATISTIC, minimum_items=3)
    used = codes[grouped][known.kept_rows]
    sizes = np.bincount(used, minlength=len(labels))
    small = [f"{label} ({count})" for label, count in zip(labels, sizes, strict=True) if count < _SMALLEST_GROUP]
    if len(labels) < 2 or small:
        listed = f"; too small: {name_list(small)}" if small else f"; there are {len(labels)}"
        raise InsufficientDataError(f"{_STATISTIC} needs at least 2 groups of at least {_SMALLEST_GROUP}{listed}.")
    lost = int((~grouped).sum())
    return _with_dropped(known, lost), used, labels


def _with_dropped(known: OrdinalAnswers, lost: int) -> OrdinalAnswers:
    from dataclasses import replace

    return replace(known, n_dropped=known.n_dropped + lost)


def _tested(
    known: OrdinalAnswers,
    answers: FloatArray,
    codes: npt.NDArray[np.int64],
    n_groups: int,
    anchor: npt.NDArray[np.bool_],
    pseudo_r2: PseudoR2,
) -> pd.DataFrame:
    base = answers[:, anchor].sum(axis=1)
    rows = []
    for i in range(len(known.items)):
        matching = base if anchor[i] else base + answers[:, i]
        rows.append(_row(_models(known.codes[:, i], matching, codes, n_groups), n_groups, pseudo_r2))
    table = pd.DataFrame(rows, index=pd.Index(known.items, tupleize_cols=False, name="item"))
    table.insert(3, "adjusted_p", _adjusted(table["p"].to_numpy()))
    return table


def _models(item: npt.NDArray[np.int64], matching: FloatArray, codes: npt.NDArray[np.int64], n_groups: int) -> _Test:
    """Models with the score; score and group; score, group and their product, fitted to counts of equal rows."""
    levels, position = np.unique(matching, return_inverse=True)
    width = int(item.max()) + 1
    cells = (position.ravel() * n_groups + codes) * width + item
    counts = np.bincount(cells, minlength=len(levels) * n_groups * width).reshape(-1, width).astype(np.float64)
    spread = float(np.std(matching))
    score = np.repeat((levels - matching.mean()) / (spread if spread > 0 else 1.0), n_groups)
    dummies = np.tile(np.eye(n_groups)[:, 1:], (len(levels), 1))
    used = counts.sum(axis=1) > 0
    designs = [score[:, None], np.column_stack([score, dummies])]
    designs.append(np.column_stack([designs[1], dummies * score[:, None]]))
    fits = tuple(fit_cumulative_logit(counts[used], design[used]) for design in designs)
    totals = counts.sum(axis=0)
    null = float((totals * np.log(totals / totals.sum())).sum())
    return _Test((fits[0], fits[1], fits[2]), null, int(totals.sum()))


def _row(test: _Test, n_groups: int, pseudo_r2: PseudoR2) -> dict[str, object]:
    from scipy.special import chdtrc

    logs = [model.log_likelihood for model in test.models]
    steps = {"": (logs[2], logs[0], 2), "_uniform": (logs[1], logs[0], 1), "_nonuniform": (logs[2], logs[1], 1)}
    explained = [_r2(log, test.null, test.n, pseudo_r2) for log in logs]
    row: dict[str, object] = {}
    for name, (larger, smaller, factor) in steps.items():
        statistic, df = max(2 * (larger - smaller), 0.0), factor * (n_groups - 1)
        row[f"chi_square{name}"] = statistic
        if not name:
            row["df"] = df
        row[f"p{name}"] = float(chdtrc(df, statistic))
    change = explained[2] - explained[0]
    row["r2_change"] = change
    row["r2_change_uniform"] = explained[1] - explained[0]
    row["r2_change_nonuniform"] = explained[2] - explained[1]
    size = "negligible" if change < _BANDS[0] else "moderate" if change < _BANDS[1] else "large"
    row["size"] = size if pseudo_r2 == "nagelkerke" else ""
    row["note"] = "" if all(model.converged for model in test.models) else "a model did not converge"
    return row


def _r2(log: float, null: float, n: int, kind: PseudoR2) -> float:
    if kind == "mcfadden":
        return 1 - log / null
    cox_snell = -math.expm1(2 * (null - log) / n)
    return cox_snell if kind == "cox_snell" else cox_snell / -math.expm1(2 * null / n)


def _adjusted(p: FloatArray) -> FloatArray:
    """Benjamini-Hochberg."""
    order = np.argsort(p)
    scaled = p[order] * len(p) / np.arange(1, len(p) + 1)
    result = np.empty(len(p))
    result[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return result
