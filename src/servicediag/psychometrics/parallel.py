"""Parallel analysis: how many components or factors exceed what unrelated items would show."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, get_args

import numpy as np
import pandas as pd

from servicediag.errors import InsufficientDataError
from servicediag.psychometrics._correlations import CorrelationKind, Correlations, correlations, refuse_singular
from servicediag.psychometrics._factor_extraction import one_factor_communalities, squared_multiples_of_many
from servicediag.psychometrics._frames import FloatArray, Result, check_choice, check_count, check_number
from servicediag.psychometrics._moments import DroppedItem, Missing
from servicediag.psychometrics._polychoric_solver import solve_pairs, thresholds_of
from servicediag.psychometrics._resampling import Progress
from servicediag.psychometrics.polychoric import Categories, cross_tables, ordinal_answers, pearson_starts

__all__ = ["Communalities", "ParallelAnalysis", "Unrelated", "parallel_analysis"]

Communalities = Literal["one_factor", "squared_multiple"]
Unrelated = Literal["normal", "permuted"]
_STATISTIC = "Parallel analysis"
_BLOCK = 500  # simulated matrices at a time
_CELLS = 5_000_000  # answers shuffled between two reports of progress


@dataclass(frozen=True, repr=False)
class ParallelAnalysis(Result):
    """Eigenvalues of the answers against those of unrelated items.

    Attributes
    ----------
    n_factors, n_components : int
        Eigenvalues from the first on that exceed the percentile of the simulated ones, up to the first that does not.
    n_items, n_respondents, n_dropped : int
    n_iterations : int
    percentile : float
    correlation : {"pearson", "polychoric"}
    simulated_from : {"normal", "permuted"}
        What the unrelated items were: normal variables, or the answers shuffled item by item.
    communalities : {"one_factor", "squared_multiple"}
        What stood on the diagonal for the factors.
    seed : int or None
    items : tuple
    dropped_items : tuple of DroppedItem
    notes : tuple of str
    """

    n_factors: int
    n_components: int
    n_items: int
    n_respondents: int
    n_dropped: int
    n_iterations: int
    percentile: float
    correlation: CorrelationKind
    simulated_from: Unrelated
    communalities: Communalities
    seed: int | None
    items: tuple[Hashable, ...]
    dropped_items: tuple[DroppedItem, ...]
    notes: tuple[str, ...]
    _table: dict[str, FloatArray] = field(repr=False, compare=False)

    _shown: ClassVar[tuple[str, ...]] = (
        "n_factors", "n_components", "n_items", "n_respondents", "n_iterations", "percentile", "seed",
    )  # fmt: skip

    def to_frame(self) -> pd.DataFrame:
        """A row an eigenvalue, index ``number`` from 1.

        Returns
        -------
        DataFrame
            component, component_mean, component_limit, component_kept, and the same for factor: the eigenvalue of the
            answers, mean and percentile of the simulated ones, and whether it counts.
        """
        frame = pd.DataFrame(self._table, index=pd.RangeIndex(1, self.n_items + 1, name="number"))
        frame["component_kept"] = frame.index <= self.n_components
        frame["factor_kept"] = frame.index <= self.n_factors
        parts = ["", "_mean", "_limit", "_kept"]
        return frame[[f"{name}{part}" for name in ("component", "factor") for part in parts]]

    def describe(self) -> str:
        """One sentence in APA style."""
        sentence = (
            f"Parallel analysis ({self.n_iterations} simulated samples, {self.percentile:g}th percentile, "
            f"{self.correlation} correlations, n = {self.n_respondents}) suggests {self.n_factors} factors and "
            f"{self.n_components} components."
        )
        return " ".join([sentence, *self.notes])

    def plot(self) -> Any:
        """Scree plot with the line of the simulated eigenvalues, an altair chart."""
        from servicediag.psychometrics._factor_charts import scree_plot

        subtitle = f"Eigenvalues; dashed: the {self.percentile:g}th percentile of {self.n_iterations} simulated samples"
        return scree_plot(self.to_frame(), subtitle)


def parallel_analysis(
    items: pd.DataFrame,
    *,
    seed: int | np.random.Generator = 0,
    n_iterations: int = 500,
    percentile: float = 95.0,
    correlation: CorrelationKind = "pearson",
    communalities: Communalities = "one_factor",
    simulated_from: Unrelated | None = None,
    missing: Missing = "listwise",
    categories: Categories | None = None,
    progress: Progress | None = None,
) -> ParallelAnalysis:
    """How many components and common factors to keep, by Horn's parallel analysis.

    Parameters
    ----------
    items : DataFrame, shape (n_respondents, n_items)
        At least 3 items.
    seed : int or Generator
        The same seed gives the same answer.
    n_iterations : int
        Simulated samples, at least 20.
    percentile : float
        Of the simulated eigenvalues that must be exceeded; 50 to 99.9.
    correlation : {"pearson", "polychoric"}
    communalities : {"one_factor", "squared_multiple"}
        On the diagonal for the factors, of the answers and of the simulated samples alike: communalities of one minres
        factor, or squared multiple correlations (Humphreys & Ilgen 1969).
    simulated_from : {"normal", "permuted"}, optional
        Uncorrelated normal variables, or the answers shuffled within each item, so that the categories are used as
        often as they were; slower, and of use where answers are few and lopsided. Default: ``"normal"`` for Pearson
        correlations; polychoric ones are always of shuffled answers.
    missing : {"listwise", "pairwise"}
        Pairwise, the samples have as many respondents as the pair with fewest. Shuffled answers are listwise only.
    categories : optional
        For polychoric correlations.
    progress : callable, optional
        Called with (done, total).

    Returns
    -------
    ParallelAnalysis

    Raises
    ------
    InsufficientDataError
        Fewer than 3 items that vary, too few respondents, or correlations that cannot be inverted.
    ValueError, TypeError
        An argument is out of range.

    Notes
    -----
    Horn (1965) [1]_, with the percentile of Glorfeld (1995) [2]_; counting stops at the first eigenvalue that fails.
    Correlations of n normal variables are drawn from their own distribution (Wishart, by Bartlett's decomposition)
    rather than from simulated respondents, which is the same and many times faster.

    References
    ----------
    .. [1] Horn, J. L. (1965). Psychometrika, 30, 179-185.
    .. [2] Glorfeld, L. W. (1995). Educational and Psychological Measurement, 55, 377-393.

    Examples
    --------
    >>> generator = np.random.default_rng(1)
    >>> first, second = generator.normal(size=(2, 300, 1))
    >>> answers = np.hstack([first + generator.normal(size=(300, 4)), second + generator.normal(size=(300, 4))])
    >>> result = parallel_analysis(pd.DataFrame(answers))
    >>> result.n_factors, result.n_components
    (2, 2)
    """
    n_iterations = check_count("n_iterations", n_iterations, 20)
    percentile = check_number("percentile", percentile, 50.0, 99.9)
    check_choice("communalities", communalities, get_args(Communalities))
    chosen: Unrelated = simulated_from or ("permuted" if correlation == "polychoric" else "normal")
    check_choice("simulated_from", chosen, get_args(Unrelated))
    if correlation == "polychoric" and chosen == "normal":
        raise ValueError("simulated_from must be 'permuted' for polychoric correlations")
    if chosen == "permuted" and missing != "listwise":
        raise ValueError("missing must be 'listwise' for shuffled answers, which polychoric parallel analysis rests on")
    known = correlations(
        items,
        statistic=_STATISTIC,
        correlation=correlation,
        missing=missing,
        categories=categories,
        minimum_items=3,
    )
    refuse_singular(known, _STATISTIC)
    generator = _generator(seed)
    if correlation == "polychoric":
        blocks = _permuted_polychoric(items, categories, generator, n_iterations)
    elif chosen == "permuted":
        blocks = _permuted(known, generator, n_iterations)
    else:
        blocks = _normal(known, generator, n_iterations)
    simulated: dict[str, list[FloatArray]] = {"component": [], "factor": []}
    done = 0
    for block in blocks:
        simulated["component"].append(np.asarray(np.linalg.eigvalsh(block)[:, ::-1], dtype=np.float64))
        simulated["factor"].append(_reduced(block, communalities))
        done += len(block)
        if progress is not None:
            progress(done, n_iterations)
    return _result(known, simulated, percentile, communalities, chosen, n_iterations, seed)


def _generator(seed: object) -> np.random.Generator:
    if isinstance(seed, np.random.Generator):
        return seed
    return np.random.default_rng(check_count("seed", seed, 0))


def _result(
    known: Correlations,
    simulated: dict[str, list[FloatArray]],
    percentile: float,
    communalities: Communalities,
    simulated_from: Unrelated,
    n_iterations: int,
    seed: int | np.random.Generator,
) -> ParallelAnalysis:
    observed = {
        "component": np.linalg.eigvalsh(known.matrix)[::-1],
        "factor": _reduced(known.matrix[None], communalities)[0],
    }
    table, kept = {}, {}
    for name, values in observed.items():
        drawn = np.concatenate(simulated[name])
        limit = np.quantile(drawn, percentile / 100, axis=0)
        table.update({name: values, f"{name}_mean": drawn.mean(axis=0), f"{name}_limit": limit})
        fails = np.flatnonzero(values <= limit)
        kept[name] = int(fails[0]) if len(fails) else len(values)
    return ParallelAnalysis(
        n_factors=kept["factor"],
        n_components=kept["component"],
        n_items=known.n_items,
        n_respondents=known.n_respondents,
        n_dropped=known.n_dropped,
        n_iterations=n_iterations,
        percentile=percentile,
        correlation=known.kind,
        simulated_from=simulated_from,
        communalities=communalities,
        seed=None if isinstance(seed, np.random.Generator) else int(seed),
        items=known.items,
        dropped_items=known.dropped_items,
        notes=known.notes,
        _table=table,
    )


def _reduced(matrices: FloatArray, communalities: Communalities) -> FloatArray:
    """Eigenvalues, largest first, with communalities on the diagonal."""
    reduced = matrices.copy()
    place = np.arange(matrices.shape[1])
    if communalities == "one_factor":
        shared = one_factor_communalities(matrices)
    else:
        shared = squared_multiples_of_many(matrices)
    reduced[:, place, place] = shared
    return np.asarray(np.linalg.eigvalsh(reduced)[:, ::-1])


def _normal(known: Correlations, generator: np.random.Generator, n_iterations: int) -> Iterator[FloatArray]:
    """Correlation matrices of samples of uncorrelated normal variables."""
    k, df = known.n_items, known.n_smallest - 1
    if df < k:
        raise InsufficientDataError(
            f"{_STATISTIC} needs more respondents than items; there are {known.n_smallest} for {k}."
        )
    for start in range(0, n_iterations, _BLOCK):
        count = min(_BLOCK, n_iterations - start)
        lower = np.tril(generator.normal(size=(count, k, k)), -1)
        lower[:, np.arange(k), np.arange(k)] = np.sqrt(generator.chisquare(df - np.arange(k), size=(count, k)))
        lower /= np.sqrt((lower**2).sum(axis=2, keepdims=True))
        yield lower @ lower.transpose(0, 2, 1)


def _permuted(known: Correlations, generator: np.random.Generator, n_iterations: int) -> Iterator[FloatArray]:
    """Correlation matrices of the answers, each item shuffled by itself."""
    if known.moments is None:
        raise ValueError("items must be answers, to be shuffled")
    answers = known.moments.answers("Shuffling")
    answers = answers - answers.mean(axis=0)
    answers /= np.sqrt((answers**2).sum(axis=0))
    size = max(1, _CELLS // answers.size)
    for start in range(0, n_iterations, size):
        count = min(size, n_iterations - start)
        yield np.stack([_product(generator.permuted(answers, axis=0)) for _ in range(count)])


def _product(columns: FloatArray) -> FloatArray:
    result: FloatArray = columns.T @ columns
    np.fill_diagonal(result, 1.0)
    return result


def _permuted_polychoric(
    items: object, categories: Categories | None, generator: np.random.Generator, n_iterations: int
) -> Iterator[FloatArray]:
    """Polychoric matrices of the answers, each item shuffled by itself; the thresholds stay what they are."""
    answers = ordinal_answers(items, categories, "listwise", statistic=_STATISTIC)
    _, counts = cross_tables(answers)
    limits = thresholds_of(counts)
    k = len(answers.items)
    first, second = np.triu_indices(k, 1)
    size = 10
    for start in range(0, n_iterations, size):
        count = min(size, n_iterations - start)
        tables = []
        for _ in range(count):
            shuffled = generator.permuted(answers.codes, axis=0)
            tables.append(cross_tables(answers.with_codes(shuffled))[0])
        stacked = np.concatenate(tables)
        repeat = (count, 1)
        rho = solve_pairs(
            stacked,
            np.tile(limits[first], repeat),
            np.tile(limits[second], repeat),
            pearson_starts(stacked),
            tolerance=1e-4,
        ).rho.reshape(count, -1)
        block = np.tile(np.eye(k), (count, 1, 1))
        block[:, first, second] = block[:, second, first] = rho
        yield block
