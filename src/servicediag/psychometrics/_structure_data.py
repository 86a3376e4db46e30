"""What a covariance structure is fitted to: respondents by group and by which items they answered, in scaled units."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from servicediag.errors import InsufficientDataError
from servicediag.psychometrics._correlations import singular_items
from servicediag.psychometrics._frames import FloatArray, name_list, numeric_frame
from servicediag.psychometrics._structure_steps import FIRM, Steps

__all__ = [
    "Block",
    "MissingAnswers",
    "Sample",
    "Study",
    "clearly_regular",
    "group_order",
    "moment_sample",
    "pooled_units",
    "study",
]

MissingAnswers = Literal["listwise", "fiml"]
_BLOCK = 256  # patterns handled at a time
_TAME = (1e-100, 1e100)  # sizes of answers whose squares are ordinary floats
_EM_ROUNDS = 5000
_EM_WORK = 2e9  # patterns times the cube of the items, over all rounds
_FEWEST_ROUNDS = 300
_AT_REST = 1e-10
_SETTLED = 1e-7  # change a round, in standard deviations, from which more rounds would not matter


@dataclass(frozen=True)
class Block:
    """Some patterns of answered items with as many gaps each, stacked; entries of items not answered are 0.

    Attributes
    ----------
    answered : ndarray, shape (n_patterns, n_items)
        1 where the pattern's respondents answered, else 0.
    gaps : ndarray of int, shape (n_patterns, n_gaps)
        Numbers of the items not answered.
    n : ndarray, shape (n_patterns,)
        Respondents of each pattern.
    mean : ndarray, shape (n_patterns, n_items)
    covariance : ndarray, shape (n_patterns, n_items, n_items)
        Divided by the number of respondents.
    """

    answered: FloatArray
    gaps: npt.NDArray[np.intp]
    n: FloatArray
    mean: FloatArray
    covariance: FloatArray

    def inverses(self, covariance: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Inverse of the covariance of each pattern's items, 0 elsewhere, and logs of the determinants.

        From the inverse of the whole: what is conditioned on the gaps is taken out again, which for few gaps is
        quicker than inverting each pattern's part.

        Raises
        ------
        LinAlgError
            The covariance is not positive definite.
        """
        root = np.linalg.cholesky(covariance)
        log_determinant = 2 * np.log(np.diag(root)).sum()
        half = np.linalg.inv(root)
        whole = half.T @ half
        if not self.gaps.shape[1]:
            return np.tile(whole, (len(self.n), 1, 1)), np.full(len(self.n), log_determinant)
        inner = whole[self.gaps[:, :, None], self.gaps[:, None, :]]
        across = whole[:, self.gaps].transpose(1, 0, 2)
        inverse = whole - across @ np.linalg.solve(inner, across.transpose(0, 2, 1))
        inverse *= self.answered[:, :, None]
        inverse *= self.answered[:, None, :]
        return inverse, log_determinant + np.linalg.slogdet(inner)[1]


@dataclass(frozen=True)
class Sample:
    """One group of respondents.

    Attributes
    ----------
    label : Hashable
        Name of the group; None where there is one.
    n : int
    blocks : tuple of Block
    mean, covariance : ndarray
        Maximum-likelihood moments without any model; the covariance is divided by n.
    saturated : float
        Discrepancy at those moments: the least possible.
    baseline : float
        Discrepancy of the model in which items are unrelated.
    mean_structure : bool
        Whether means count in the discrepancy.
    answers_per_item : ndarray, shape (n_items,)
    answers : ndarray, shape (n, n_items), or None
        In their own units, NaN where missing; None where only their moments are known.
    units : tuple of ndarray, shape (n_items,)
        What to subtract from answers, and then to divide them by.
    """

    label: Hashable
    n: int
    blocks: tuple[Block, ...]
    mean: FloatArray
    covariance: FloatArray
    saturated: float
    baseline: float
    mean_structure: bool
    answers_per_item: FloatArray
    answers: FloatArray | None
    units: tuple[FloatArray, FloatArray]

    @cached_property
    def rows(self) -> FloatArray | None:
        """The scaled answers, shape (n, n_items)."""
        return None if self.answers is None else _scaled(self.answers, *self.units)


@dataclass(frozen=True)
class Study:
    """All groups, and the units in which their answers are held: ``(answers - shift) / scale``."""

    samples: tuple[Sample, ...]
    shift: FloatArray
    scale: FloatArray
    n_dropped: int
    n_incomplete: int

    @property
    def n(self) -> int:
        return sum(sample.n for sample in self.samples)


def study(
    items: object,
    names: Sequence[Hashable],
    *,
    groups: object = None,
    missing: MissingAnswers = "listwise",
    mean_structure: bool,
    statistic: str,
    steps: Steps | None = None,
) -> Study:
    """Check the answers to some items and sort them by group and pattern.

    Raises
    ------
    InsufficientDataError
        A group has too few respondents, an item does not vary, or items repeat each other; groups and items are named.
    ValueError, TypeError
        Answers that are no numbers; groups that do not fit the answers.
    """
    frame = items if isinstance(items, pd.DataFrame) else pd.DataFrame(numeric_frame(items).values)
    places: dict[Hashable, int] = {name: position for position, name in enumerate(frame.columns.tolist())}
    positions = [places[name] for name in names]
    checked = numeric_frame(frame if positions == list(range(len(places))) else frame.iloc[:, positions])
    values = checked.floats
    labels = None if groups is None else _labels(groups, checked.index)
    gaps = np.isnan(values) if checked.values.dtype.kind == "f" else np.zeros((1, 1), dtype=bool)
    whole = not gaps.any()
    left_out = np.any if missing == "listwise" else np.all
    keep = np.ones(len(values), dtype=bool) if whole else ~np.asarray(left_out(gaps, axis=1))
    if labels is not None:
        keep &= ~pd.isna(pd.Series(labels, dtype=object)).to_numpy()
    kept = values if keep.all() else values[keep]
    n_incomplete = 0 if whole else int(gaps[keep].any(axis=1).sum())
    n_dropped = len(values) - len(kept)
    parts = [(None, kept)] if labels is None else _split(labels[keep], kept, statistic)
    largest = [_refuse_thin(part, label, names, n_dropped, n_incomplete > 0, statistic) for label, part in parts]
    tame = all(_TAME[0] < size.min() and size.max() < _TAME[1] for size in largest)
    if tame and not n_incomplete:
        samples, shift, scale = _complete_samples(parts, names, mean_structure, statistic)
    else:
        shift, scale = _units(kept, np.max(largest, axis=0), tame)
        samples = tuple(
            _sample(label, part, (shift, scale), names, mean_structure, statistic, steps or Steps())
            for label, part in parts
        )
    return Study(samples, shift, scale, n_dropped, n_incomplete)


def _scaled(values: FloatArray, shift: FloatArray, scale: FloatArray) -> FloatArray:
    result: FloatArray = values - shift
    result /= scale
    return result


def _labels(groups: object, index: pd.Index) -> npt.NDArray[np.object_]:
    """The group of each row of the answers, matched by index where there is one."""
    if isinstance(groups, pd.DataFrame) and groups.shape[1] == 1:
        groups = groups.iloc[:, 0]
    if isinstance(groups, pd.Series):
        if not groups.index.equals(index):
            if not groups.index.is_unique or not index.is_unique or len(index.difference(groups.index)):
                raise ValueError("groups must have the index of items: a group for each respondent")
            groups = groups.reindex(index)
        return np.asarray(groups.astype(object).to_numpy(), dtype=object)
    if isinstance(groups, (str, bytes)) or not isinstance(groups, (Sequence, np.ndarray, pd.Index, pd.Categorical)):
        raise TypeError(f"groups must be a Series or a list with a group a respondent, not {type(groups).__name__}")
    if getattr(groups, "ndim", 1) != 1 or len(groups) != len(index):
        raise ValueError(f"groups must hold one group for each of the {len(index)} respondents")
    return np.asarray(pd.Series(list(groups), dtype=object).to_numpy(), dtype=object)


def _split(labels: npt.NDArray[np.object_], values: FloatArray, statistic: str) -> list[tuple[Hashable, FloatArray]]:
    try:
        codes, names = pd.factorize(labels)
    except TypeError:
        raise TypeError("groups must hold labels, such as text or numbers; some of them are lists or tables") from None
    if len(names) < 2:
        raise InsufficientDataError(f"{statistic} of groups needs at least 2 groups with answers, not {len(names)}.")
    return [(names[g], values[codes == g]) for g in group_order(list(names))]


def group_order(names: Sequence[Hashable]) -> list[int]:
    """Positions of the labels of groups in their own order; labels of several types have none and go by type."""
    labels: list[Any] = list(names)
    try:
        return sorted(range(len(labels)), key=lambda g: labels[g])
    except TypeError:
        return sorted(range(len(labels)), key=lambda g: (type(labels[g]).__name__, str(labels[g])))


def _in(label: Hashable) -> str:
    return "" if label is None else f" in group {label}"


def _refuse_thin(
    values: FloatArray, label: Hashable, names: Sequence[Hashable], n_dropped: int, gaps: bool, statistic: str
) -> FloatArray:
    """The largest absolute answer to each item of a group, which must hold enough answers that vary."""
    n, k = values.shape
    _refuse_few(n, k, label, n_dropped, statistic)
    if gaps:
        _refuse_unanswered(values, label, names, statistic)
    lowest, highest = (np.nanmin(values, axis=0), np.nanmax(values, axis=0)) if gaps else _range(values)
    largest: FloatArray = np.maximum(np.abs(lowest), np.abs(highest))
    _refuse_constant(highest - lowest <= 1e-12 * largest, label, names, statistic)
    return largest


def _range(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    return values.min(axis=0), values.max(axis=0)


def _refuse_unanswered(values: FloatArray, label: Hashable, names: Sequence[Hashable], statistic: str) -> None:
    answered = (~np.isnan(values)).astype(np.float64)
    together = answered.T @ answered
    few = [name for name, count in zip(names, together.diagonal(), strict=True) if count < 3]
    if few:
        raise InsufficientDataError(f"{statistic}: fewer than 3 respondents{_in(label)} answered {name_list(few)}.")
    lonely = np.argwhere(np.triu(together < 2, 1))
    if len(lonely):
        pairs = [f"{names[i]} and {names[j]}" for i, j in lonely]
        raise InsufficientDataError(
            f"{statistic}: fewer than 2 respondents{_in(label)} answered both {name_list(pairs)}, so their covariance "
            "is unknown."
        )


def _refuse_few(n: int, k: int, label: Hashable, n_dropped: int, statistic: str) -> None:
    left = f" ({n_dropped} left out for missing answers)" if n_dropped else ""
    if n <= k:
        raise InsufficientDataError(
            f"{statistic} needs more respondents than its {k} items{_in(label)}, and there are {n}{left}. "
            "Collect more answers or use fewer items."
        )


def _refuse_constant(same: npt.NDArray[np.bool_], label: Hashable, names: Sequence[Hashable], statistic: str) -> None:
    constant = [name for name, fixed in zip(names, same, strict=True) if fixed]
    if constant:
        raise InsufficientDataError(
            f"{statistic} needs items that vary; constant{_in(label)}: {name_list(constant)}. Leave them out."
        )


def _units(values: FloatArray, largest: FloatArray, tame: bool) -> tuple[FloatArray, FloatArray]:
    """Mean and standard deviation of each item over all groups."""
    held = values if tame else values / largest  # squares of very small or large answers would leave the floats
    shift = np.nanmean(held, axis=0)
    scale = np.nanstd(held, axis=0)
    return (shift, scale) if tame else (shift * largest, scale * largest)


def _complete_samples(
    parts: Sequence[tuple[Hashable, FloatArray]], names: Sequence[Hashable], mean_structure: bool, statistic: str
) -> tuple[tuple[Sample, ...], FloatArray, FloatArray]:
    """Groups in which every answer is known, and the units of all of them together."""
    moments = [(len(values), *_moments(values)) for _, values in parts]
    shift, scale = pooled_units(moments)
    across = scale[:, None] * scale
    samples = tuple(
        _complete_sample(
            label, n, (mean - shift) / scale, covariance / across, names, mean_structure, statistic,
            answers=values, units=(shift, scale),
        )
        for (label, values), (n, mean, covariance) in zip(parts, moments, strict=True)
    )  # fmt: skip
    return samples, shift, scale


def _moments(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    mean = values.mean(axis=0)
    away = values - mean
    return mean, away.T @ away / len(values)


def pooled_units(moments: Sequence[tuple[int, FloatArray, FloatArray]]) -> tuple[FloatArray, FloatArray]:
    """Mean and standard deviation of each item over all groups, given the number, means and covariances of each."""
    total = sum(n for n, _, _ in moments)
    shift: FloatArray = np.asarray(sum(n / total * mean for n, mean, _ in moments))
    own = sum(n / total * (covariance.diagonal() + (mean - shift) ** 2) for n, mean, covariance in moments)
    return shift, np.sqrt(np.asarray(own))


def _sample(
    label: Hashable,
    answers: FloatArray,
    units: tuple[FloatArray, FloatArray],
    names: Sequence[Hashable],
    mean_structure: bool,
    statistic: str,
    steps: Steps,
) -> Sample:
    rows = _scaled(answers, *units)
    if not np.isnan(rows.sum()):
        mean, covariance = _moments(rows)
        return _complete_sample(
            label, len(rows), mean, covariance, names, mean_structure, statistic, answers=answers, units=units
        )
    blocks = _blocks(rows)
    mean, covariance = _saturated_moments(blocks, rows, names, statistic, label, steps)
    _refuse_repeating(covariance, label, names, statistic)
    n_answers = (~np.isnan(rows)).sum(axis=0).astype(np.float64)
    variances = np.nanmean((rows - np.nanmean(rows, axis=0)) ** 2, axis=0)
    return Sample(
        label=label,
        n=len(rows),
        blocks=blocks,
        mean=mean,
        covariance=covariance,
        saturated=_least(blocks, mean, covariance, len(rows)),
        baseline=float((n_answers / len(rows) * (np.log(variances) + 1)).sum()),
        mean_structure=mean_structure,
        answers_per_item=n_answers,
        answers=answers,
        units=units,
    )


def moment_sample(
    label: Hashable,
    n: int,
    mean: FloatArray,
    covariance: FloatArray,
    names: Sequence[Hashable],
    n_dropped: int,
    statistic: str,
) -> Sample:
    """A group of which only the scaled means and covariances (divided by n) of complete answers are known.

    Raises
    ------
    InsufficientDataError
        As :func:`study`.
    """
    _refuse_few(n, len(mean), label, n_dropped, statistic)
    _refuse_constant(np.diag(covariance) <= 1e-24, label, names, statistic)
    unknown = np.zeros_like(mean), np.ones_like(mean)
    return _complete_sample(label, n, mean, covariance, names, True, statistic, answers=None, units=unknown)


def _complete_sample(
    label: Hashable,
    n: int,
    mean: FloatArray,
    covariance: FloatArray,
    names: Sequence[Hashable],
    mean_structure: bool,
    statistic: str,
    *,
    answers: FloatArray | None,
    units: tuple[FloatArray, FloatArray],
) -> Sample:
    log_determinant = _refuse_repeating(covariance, label, names, statistic)
    k = len(mean)
    block = Block(np.ones((1, k)), np.zeros((1, 0), dtype=np.intp), np.array([float(n)]), mean[None], covariance[None])
    return Sample(
        label=label,
        n=n,
        blocks=(block,),
        mean=mean,
        covariance=covariance,
        saturated=log_determinant + k,
        baseline=float(np.log(covariance.diagonal()).sum()) + k,
        mean_structure=mean_structure,
        answers_per_item=np.full(k, float(n)),
        answers=answers,
        units=units,
    )


def _refuse_repeating(covariance: FloatArray, label: Hashable, names: Sequence[Hashable], statistic: str) -> float:
    """Log of the determinant of a covariance matrix whose items must not repeat each other."""
    spread = np.sqrt(covariance.diagonal())
    correlation = covariance / (spread[:, None] * spread)
    root = _root(correlation)
    if root.min() <= FIRM:
        fault = singular_items(correlation, tuple(names))
        if fault:
            raise InsufficientDataError(
                f"{statistic} needs items that do not repeat each other, and{_in(label)} {fault}. "
                "Leave some of them out."
            )
    with np.errstate(divide="ignore"):
        return 2 * float(np.log(root).sum() + np.log(spread).sum())


def _root(scaled: FloatArray) -> FloatArray:
    """Diagonal of the Cholesky root; 0 where there is none."""
    try:
        return np.asarray(np.linalg.cholesky(scaled).diagonal())
    except np.linalg.LinAlgError:
        return np.zeros(1)


def clearly_regular(scaled: FloatArray) -> bool:
    """Whether a matrix with a diagonal of 1 is far from singular, by its Cholesky root, which is quick."""
    return bool(_root(scaled).min(initial=1.0) > FIRM)


def _blocks(rows: FloatArray) -> tuple[Block, ...]:
    answered = ~np.isnan(rows)
    patterns, member = np.unique(answered, axis=0, return_inverse=True)
    member = member.reshape(-1)
    order = np.argsort(member, kind="stable")
    rows_of = np.split(order, np.cumsum(np.bincount(member, minlength=len(patterns)))[:-1])
    n_gaps = (~patterns).sum(axis=1)
    result = []
    for size in np.unique(n_gaps):
        alike = np.flatnonzero(n_gaps == size)
        for start in range(0, len(alike), _BLOCK):
            result.append(_block(rows, patterns, rows_of, alike[start : start + _BLOCK]))
    return tuple(result)


def _block(
    rows: FloatArray,
    patterns: npt.NDArray[np.bool_],
    rows_of: Sequence[npt.NDArray[np.intp]],
    chosen: npt.NDArray[np.intp],
) -> Block:
    part = patterns[chosen]
    n, mean = np.zeros(len(part)), np.zeros(part.shape)
    covariance = np.zeros((*part.shape, part.shape[1]))
    for at, pattern in enumerate(chosen):
        held = rows[rows_of[pattern]]
        if not part[at].all():
            held = np.where(part[at], held, 0.0)
        n[at], mean[at] = len(held), held.mean(axis=0)
        away = held - mean[at]
        covariance[at] = away.T @ away / len(held)
    gaps = np.nonzero(~part)[1].reshape(len(part), -1)
    return Block(part.astype(np.float64), gaps, n, mean, covariance)


def _saturated_moments(
    blocks: tuple[Block, ...],
    rows: FloatArray,
    names: Sequence[Hashable],
    statistic: str,
    label: Hashable,
    steps: Steps,
) -> tuple[FloatArray, FloatArray]:
    """Mean and covariance by expectation-maximisation (Dempster, Laird & Rubin 1977), with longer steps.

    Steps are stretched as in Varadhan & Roland (2008), Scandinavian Journal of Statistics, 35, 335-353, scheme 3, as
    long as the discrepancy falls.

    Raises
    ------
    InsufficientDataError
        Items depend on each other, or too few answers are at hand to settle within bounds.
    """
    p = rows.shape[1]
    limit = int(np.clip(_EM_WORK / (sum(len(block.n) for block in blocks) * p**3), _FEWEST_ROUNDS, _EM_ROUNDS))
    at = (np.nanmean(rows, axis=0), np.diag(np.nanvar(rows, axis=0)))
    moved, done = np.inf, 0
    try:
        while done < limit:
            once, value = _em_round(blocks, *at, len(rows))
            twice, _ = _em_round(blocks, *once, len(rows))
            done += 2
            steps.step(limit - done)
            moved = _distance(once, at)
            if moved < _AT_REST or not np.isfinite(moved):
                at = twice
                break
            ahead = _stretched(at, once, twice)
            at = twice
            if ahead is not None:
                after, reached = _em_round(blocks, *ahead, len(rows))
                done += 1
                at = after if reached <= value else twice
            _refuse_repeating(at[1], label, names, statistic)
    except np.linalg.LinAlgError:
        moved = np.inf
    if not moved < _SETTLED or not (at[1].diagonal() > 0).all():
        raise InsufficientDataError(
            f"{statistic}: too many answers are missing{_in(label)} to estimate the covariances of {p} items. "
            "Leave out the items that few answered."
        )
    return at


def _distance(first: tuple[FloatArray, FloatArray], second: tuple[FloatArray, FloatArray]) -> float:
    return float(max(np.abs(a - b).max() for a, b in zip(first, second, strict=True)))


def _stretched(
    start: tuple[FloatArray, FloatArray], once: tuple[FloatArray, FloatArray], twice: tuple[FloatArray, FloatArray]
) -> tuple[FloatArray, FloatArray] | None:
    """Further along the way of two rounds; None where that leaves the positive definite matrices."""
    first = [a - b for a, b in zip(once, start, strict=True)]
    bend = [(a - b) - c for a, b, c in zip(twice, once, first, strict=True)]
    length = np.sqrt(sum(float((part**2).sum()) for part in first))
    turn = np.sqrt(sum(float((part**2).sum()) for part in bend))
    if turn <= 0 or length / turn <= 1:
        return None
    for size in (length / turn, (1 + length / turn) / 2):
        mean, covariance = (a + 2 * size * b + size**2 * c for a, b, c in zip(start, first, bend, strict=True))
        try:
            np.linalg.cholesky(covariance)
        except np.linalg.LinAlgError:
            continue
        return mean, covariance
    return None


def _em_round(
    blocks: tuple[Block, ...], mean: FloatArray, covariance: FloatArray, n: int
) -> tuple[tuple[FloatArray, FloatArray], float]:
    """The next moments, and the discrepancy at these."""
    p = len(mean)
    first, second, value = np.zeros(p), np.zeros((p, p)), 0.0
    for block in blocks:
        inverse, log_determinant = block.inverses(covariance)
        away = block.answered * (block.mean - mean)
        pulled = np.einsum("rij,rj->ri", inverse, away)
        expected = pulled @ covariance
        # What stays unknown, what the answers tell of the whole, and how respondents of a pattern differ.
        second += block.n.sum() * covariance - covariance @ np.tensordot(block.n, inverse, axes=1) @ covariance
        first += block.n @ expected
        second += (expected * block.n[:, None]).T @ expected
        fit = log_determinant + (pulled * away).sum(axis=1)
        if block.covariance.any():
            onto = covariance @ inverse  # (n_patterns, p, p): regression of every item on those answered
            second += np.tensordot(block.n, onto @ block.covariance @ onto.transpose(0, 2, 1), axes=1)
            fit += (inverse * block.covariance).sum(axis=(1, 2))
        value += float(block.n @ fit) / n
    change = first / n
    result = second / n - np.outer(change, change)
    return (mean + change, (result + result.T) / 2), value


def _least(blocks: tuple[Block, ...], mean: FloatArray, covariance: FloatArray, n: int) -> float:
    value = 0.0
    for block in blocks:
        inverse, log_determinant = block.inverses(covariance)
        away = block.answered * (block.mean - mean)
        fit = (np.einsum("rij,rj->ri", inverse, away) * away).sum(axis=1)
        fit += (inverse * block.covariance).sum(axis=(1, 2))
        value += float(block.n @ (log_determinant + fit)) / n
    return value
