"""Signs of careless answering, a value a respondent: runs, spread, distance, consistency, gaps."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from servicediag.errors import InsufficientDataError
from servicediag.psychometrics._frames import FloatArray, NumericFrame, check_number, name_list, numeric_frame
from servicediag.psychometrics._rows import row_correlations

__all__ = [
    "average_string",
    "even_odd_consistency",
    "intra_individual_variability",
    "longstring",
    "mahalanobis",
    "mahalanobis_probability",
    "missing_count",
    "person_total_correlation",
    "psychometric_antonyms",
    "psychometric_synonyms",
    "similar_pairs",
]

_FEWEST_PAIRS = 3  # a correlation over two pairs is always 1 or -1
_BLOCK = 2_000_000  # cells handled at a time
_SINGULAR = 1e-10  # smallest eigenvalue of a correlation matrix that still counts as positive


# ------------------------------------------------------------------------------------------------------ one answer


def longstring(answers: pd.DataFrame, *, blocks: Mapping[Hashable, Sequence[Hashable]] | None = None) -> pd.Series:
    """Longest run of identical answers in a row.

    Parameters
    ----------
    answers : DataFrame, shape (n_respondents, n_items)
        Raw answers, before any reversal, in the order in which they were asked. A missing answer breaks a run.
    blocks : mapping of name to columns, optional
        Items that were shown together with the same options, in their order; runs do not go beyond a block.
        Default: all items are one block.

    Returns
    -------
    Series of int
        0 for respondents who answered nothing.

    References
    ----------
    .. [1] Johnson, J. A. (2005). Journal of Research in Personality, 39, 103-129.

    Examples
    --------
    >>> import pandas as pd
    >>> answers = pd.DataFrame([[3, 3, 3, 1], [2, 2, None, 2]], columns=["q1", "q2", "q3", "q4"])
    >>> longstring(answers).tolist()
    [3, 2]
    """
    frame = _answers(answers)
    longest = np.zeros(len(frame.values), dtype=np.int64)
    for columns in _blocks(frame, blocks):
        run = np.zeros(len(longest), dtype=np.int64)
        before: npt.NDArray[np.float64] | None = None
        for column in columns:
            now = frame.values[:, column].astype(np.float64)
            same = np.zeros(len(now), dtype=bool) if before is None else now == before
            run = np.where(np.isnan(now), 0, np.where(same, run + 1, 1))
            np.maximum(longest, run, out=longest)
            before = now
    return pd.Series(longest, index=frame.index, name="longstring")


def average_string(answers: pd.DataFrame, *, blocks: Mapping[Hashable, Sequence[Hashable]] | None = None) -> pd.Series:
    """Mean length of the runs of identical answers; a missing answer ends a run and is none itself.

    Parameters
    ----------
    answers, blocks
        As for :func:`longstring`.

    Returns
    -------
    Series of float
        At least 1; NaN for respondents who answered nothing.

    Examples
    --------
    >>> import pandas as pd
    >>> average_string(pd.DataFrame([[3, 3, 3, 1], [2, 1, 2, 1]])).tolist()
    [2.0, 1.0]
    """
    frame = _answers(answers)
    answered = np.zeros(len(frame.values))
    runs = np.zeros(len(frame.values))
    for columns in _blocks(frame, blocks):
        before: npt.NDArray[np.float64] | None = None
        for column in columns:
            now = frame.values[:, column].astype(np.float64)
            given = ~np.isnan(now)
            answered += given
            runs += given if before is None else given & (now != before)
            before = now
    return pd.Series(_divided(answered, runs), index=frame.index, name="average_string")


def intra_individual_variability(answers: pd.DataFrame) -> pd.Series:
    """Standard deviation of a respondent's answers over the items; very low values hint at straight-lining.

    Parameters
    ----------
    answers : DataFrame, shape (n_respondents, n_items)
        Raw answers, before any reversal, on scales with the same options.

    Returns
    -------
    Series of float
        ddof 1 over the answers given; NaN with fewer than 2.

    References
    ----------
    .. [1] Dunn, A. M., Heggestad, E. D., Shanock, L. R., & Theilgard, N. (2018). Journal of Business and Psychology,
       33, 105-121.

    Examples
    --------
    >>> import pandas as pd
    >>> intra_individual_variability(pd.DataFrame([[3, 3, 3], [1, 3, 5]])).tolist()
    [0.0, 2.0]
    """
    frame = _answers(answers)
    values = frame.floats
    given = ~np.isnan(values)
    count = given.sum(axis=1).astype(np.float64)
    mean = _divided(np.where(given, values, 0.0).sum(axis=1), count)
    squares = np.where(given, values - mean[:, None], 0.0) ** 2
    variance = _divided(squares.sum(axis=1), np.where(count >= 2, count - 1, 0.0))
    return pd.Series(np.sqrt(variance), index=frame.index, name="intra_individual_variability")


def missing_count(answers: pd.DataFrame) -> pd.Series:
    """Number of items without an answer.

    Parameters
    ----------
    answers : DataFrame, shape (n_respondents, n_items)

    Returns
    -------
    Series of int

    Examples
    --------
    >>> import pandas as pd
    >>> missing_count(pd.DataFrame([[3, None, None], [1, 3, 5]])).tolist()
    [2, 0]
    """
    frame = _answers(answers)
    return pd.Series(np.isnan(frame.floats).sum(axis=1), index=frame.index, name="missing_count")


# -------------------------------------------------------------------------------------------------------- distance


def mahalanobis(answers: pd.DataFrame) -> pd.Series:
    """Squared Mahalanobis distance of a respondent's answers from the mean of all.

    Parameters
    ----------
    answers : DataFrame, shape (n_respondents, n_items)
        Raw or reversed: the distance is the same. Someone with gaps gets the distance over the items answered, which
        is smaller for that: compare through :func:`mahalanobis_probability`.

    Returns
    -------
    Series of float
        At least 0; NaN for respondents who answered nothing.

    Raises
    ------
    InsufficientDataError
        Fewer respondents than items need, or items that are constant or follow from others; they are named.

    Notes
    -----
    Means and covariances (ddof 1) from all available answers. Honest but unusual people stand out too: a flag, never a
    reason to drop someone [1]_.

    References
    ----------
    .. [1] Curran, P. G. (2016). Journal of Experimental Social Psychology, 66, 4-19; Mahalanobis, P. C. (1936).
       Proceedings of the National Institute of Sciences of India, 2, 49-55.

    Examples
    --------
    >>> import pandas as pd
    >>> answers = pd.DataFrame({"q1": [1, 2, 3, 4, 5], "q2": [1, 2, 3, 5, 1]})
    >>> mahalanobis(answers).round(2).tolist()
    [1.85, 0.4, 0.14, 2.45, 3.15]
    """
    frame = _answers(answers)
    return pd.Series(_squared_distances(frame), index=frame.index, name="mahalanobis")


def mahalanobis_probability(answers: pd.DataFrame) -> pd.Series:
    """Chance of a squared Mahalanobis distance at least as large, from chi-square on the number of items answered.

    Parameters
    ----------
    answers : DataFrame, shape (n_respondents, n_items)

    Returns
    -------
    Series of float
        From 0 to 1; values below .001 are usually looked at. Assumes normal answers.

    Raises
    ------
    InsufficientDataError
        As :func:`mahalanobis`.

    Examples
    --------
    >>> import pandas as pd
    >>> answers = pd.DataFrame({"q1": [1, 2, 3, 4, 5], "q2": [1, 2, 3, 5, 1]})
    >>> mahalanobis_probability(answers).round(2).tolist()
    [0.4, 0.82, 0.93, 0.29, 0.21]
    """
    from scipy.special import chdtrc

    frame = _answers(answers)
    answered = (~np.isnan(frame.floats)).sum(axis=1)
    distances = _squared_distances(frame)
    chances = np.where(np.isnan(distances), math.nan, chdtrc(np.maximum(answered, 1), np.nan_to_num(distances)))
    return pd.Series(chances, index=frame.index, name="mahalanobis_probability")


def _squared_distances(frame: NumericFrame) -> FloatArray:
    values = frame.floats
    data = pd.DataFrame(values)
    if len(data) < 2:
        raise InsufficientDataError("The Mahalanobis distance needs at least 2 respondents. Collect more answers.")
    covariance = data.cov(ddof=1).to_numpy()
    _refuse_singular(covariance, frame)
    away = values - data.mean().to_numpy()
    given = ~np.isnan(values)
    result = np.full(len(values), math.nan)
    patterns, which = _patterns(given)
    order = np.argsort(which, kind="stable")
    for pattern, rows in zip(patterns, np.split(order, np.cumsum(np.bincount(which))[:-1]), strict=True):
        items = np.flatnonzero(pattern)
        if items.size:
            part = away[np.ix_(rows, items)]
            solved = np.linalg.solve(covariance[np.ix_(items, items)], part.T).T
            result[rows] = np.maximum((part * solved).sum(axis=1), 0.0)
    return result


def _patterns(given: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
    """The distinct rows, and which of them each row is."""
    packed = np.packbits(given, axis=1)
    keys = np.ascontiguousarray(packed).view(np.dtype((np.void, packed.shape[1]))).ravel()
    _, first, which = np.unique(keys, return_index=True, return_inverse=True)
    return given[first], which.ravel().astype(np.int64)


def _refuse_singular(covariance: FloatArray, frame: NumericFrame) -> None:
    need = f"The Mahalanobis distance over {len(frame.columns)} items"
    gaps = np.atleast_1d(np.isnan(covariance).any(axis=0))
    if gaps.any():
        names = [name for name, gap in zip(frame.columns, gaps, strict=True) if gap]
        raise InsufficientDataError(
            f"{need} needs at least 2 respondents for every pair of items; too few for {name_list(names)}. "
            "Leave these items out, or collect more answers."
        )
    spread = np.sqrt(np.diag(covariance))
    size = np.nanmax(np.abs(frame.floats), axis=0)
    constant = [name for name, sd, most in zip(frame.columns, spread, size, strict=True) if sd <= 1e-12 * most]
    if constant:
        raise InsufficientDataError(f"{need} is undefined: {name_list(constant)} do not vary. Leave these items out.")
    values, vectors = np.linalg.eigh(covariance / np.outer(spread, spread))
    if values[0] > _SINGULAR:
        return
    involved = (np.abs(vectors[:, values <= _SINGULAR]) > 1e-3).any(axis=1)
    names = [name for name, part in zip(frame.columns, involved, strict=True) if part]
    raise InsufficientDataError(
        f"{need} is undefined: {name_list(names)} repeat each other, or {len(frame.values)} respondents with their "
        "gaps are too few. Leave some of these items out, or collect more answers."
    )


# ----------------------------------------------------------------------------------------------------- consistency


def even_odd_consistency(answers: pd.DataFrame, scales: Mapping[Hashable, Sequence[Hashable]]) -> pd.Series:
    """Consistency of a respondent over the odd and even halves of several scales.

    Parameters
    ----------
    answers : DataFrame, shape (n_respondents, n_items)
        Answers with reverse-keyed items already reversed.
    scales : mapping of name to columns
        The items of every scale in their order, at least 2 each; at least 3 scales, better many more.

    Returns
    -------
    Series of float
        From -1 to 1, high for consistent respondents; NaN where fewer than 3 scales have both halves answered or the
        halves do not vary over the scales.

    Raises
    ------
    InsufficientDataError
        Fewer than 3 scales: the correlation over two is always 1 or -1.
    TypeError, ValueError
        ``scales`` is no mapping, or names columns that are not there, or a scale has a single item.

    Notes
    -----
    Correlation over the scales of the mean of the odd items (first, third ...) with that of the even ones, stepped up
    by Spearman-Brown ``2 r / (1 + r)``; results below -1 are set to -1, as usual for this index [1]_ [2]_. Other
    software may give the sign reversed.

    References
    ----------
    .. [1] Jackson, D. N. (1977). Jackson Vocational Interest Survey manual.
    .. [2] Johnson, J. A. (2005). Journal of Research in Personality, 39, 103-129.

    Examples
    --------
    >>> import pandas as pd
    >>> answers = pd.DataFrame([[1, 2, 3, 3, 5, 4], [1, 5, 4, 2, 3, 3]], columns=list("abcdef"))
    >>> even_odd_consistency(answers, {"x": ["a", "b"], "y": ["c", "d"], "z": ["e", "f"]}).round(2).tolist()
    [1.0, -1.0]
    """
    frame = _answers(answers)
    columns = _scale_columns(frame, scales)
    if len(columns) < _FEWEST_PAIRS:
        raise InsufficientDataError(
            f"Even-odd consistency needs at least {_FEWEST_PAIRS} scales, not {len(columns)}: over two, its "
            "correlation is always 1 or -1. Give more scales, or use psychometric_synonyms."
        )
    values = frame.floats
    odd = np.column_stack([_answered_mean(values[:, items[0::2]]) for items in columns])
    even = np.column_stack([_answered_mean(values[:, items[1::2]]) for items in columns])
    r = row_correlations(odd, even, minimum_pairs=_FEWEST_PAIRS)
    with np.errstate(divide="ignore"):
        stepped = 2 * r / (1 + r)
    return pd.Series(np.maximum(stepped, -1.0), index=frame.index, name="even_odd_consistency")


def person_total_correlation(answers: pd.DataFrame) -> pd.Series:
    """Correlation of a respondent's answers with the item means of all respondents.

    Parameters
    ----------
    answers : DataFrame, shape (n_respondents, n_items)
        Answers with reverse-keyed items already reversed. The means come from all available answers.

    Returns
    -------
    Series of float
        From -1 to 1; NaN with fewer than 3 answers or where these or the means do not vary.

    Raises
    ------
    InsufficientDataError
        Fewer than 3 items.

    References
    ----------
    .. [1] Curran, P. G. (2016). Journal of Experimental Social Psychology, 66, 4-19.

    Examples
    --------
    >>> import pandas as pd
    >>> person_total_correlation(pd.DataFrame([[1, 3, 5], [1, 2, 4], [5, 4, 1]])).round(2).tolist()
    [0.98, 0.93, -0.89]
    """
    frame = _answers(answers)
    if len(frame.columns) < _FEWEST_PAIRS:
        raise InsufficientDataError(
            f"The person-total correlation needs at least {_FEWEST_PAIRS} items, not {len(frame.columns)}. Give more."
        )
    values = frame.floats
    means = _answered_mean(values.T)[None, :]
    return pd.Series(row_correlations(values, means), index=frame.index, name="person_total_correlation")


def similar_pairs(answers: pd.DataFrame, *, minimum_correlation: float = 0.60) -> pd.DataFrame:
    """Pairs of items that correlate beyond a limit over respondents.

    Parameters
    ----------
    answers : DataFrame, shape (n_respondents, n_items)
    minimum_correlation : float
        Pairs above it (or below it, where it is negative) are listed, the strongest first.

    Returns
    -------
    DataFrame
        Columns first, second, correlation (from the answers that both items have).

    Examples
    --------
    >>> import pandas as pd
    >>> answers = pd.DataFrame({"a": [1, 2, 3, 4], "b": [1, 2, 3, 5], "c": [2, 5, 1, 3]})
    >>> similar_pairs(answers)[["first", "second"]].values.tolist()
    [['a', 'b']]
    """
    frame = _answers(answers)
    limit = check_number("minimum_correlation", minimum_correlation, -1.0, 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        correlations = pd.DataFrame(frame.floats).corr(min_periods=2).to_numpy()
    first, second = np.triu_indices(len(frame.columns), k=1)
    r = correlations[first, second]
    beyond = r > limit if limit >= 0 else r < limit
    order = np.argsort(-np.abs(r[beyond]), kind="stable")
    return pd.DataFrame(
        {
            "first": [frame.columns[at] for at in first[beyond][order]],
            "second": [frame.columns[at] for at in second[beyond][order]],
            "correlation": r[beyond][order],
        }
    )


def psychometric_synonyms(answers: pd.DataFrame, *, minimum_correlation: float = 0.60) -> pd.Series:
    """Correlation, within a respondent, over pairs of items that most people answer alike.

    Parameters
    ----------
    answers : DataFrame, shape (n_respondents, n_items)
    minimum_correlation : float
        Pairs of items that correlate above it over respondents count as synonyms; see :func:`similar_pairs`.

    Returns
    -------
    Series of float
        From -1 to 1, low for careless respondents; NaN with fewer than 3 answered pairs or answers that do not vary.

    Raises
    ------
    InsufficientDataError
        Fewer than 3 pairs correlate that highly.

    Notes
    -----
    Of each pair the item that comes first in ``answers`` is the first value. No answers are filled in.

    References
    ----------
    .. [1] Meade, A. W., & Craig, S. B. (2012). Psychological Methods, 17, 437-455.

    Examples
    --------
    >>> import pandas as pd
    >>> answers = pd.DataFrame([[1, 1, 2, 5, 5, 4], [5, 4, 2, 1, 1, 1], [3, 3, 5, 4, 2, 3], [2, 1, 4, 3, 4, 5]])
    >>> psychometric_synonyms(answers, minimum_correlation=0.3).round(2).tolist()
    [0.78, 0.97, -0.2, 0.86]
    """
    limit = check_number("minimum_correlation", minimum_correlation, 0.0, 1.0)
    return _pair_consistency(answers, limit, "psychometric_synonyms")


def psychometric_antonyms(answers: pd.DataFrame, *, maximum_correlation: float = -0.60) -> pd.Series:
    """Correlation, within a respondent, over pairs of items that most people answer in opposite ways.

    Parameters
    ----------
    answers : DataFrame, shape (n_respondents, n_items)
        Raw answers, before any reversal.
    maximum_correlation : float
        Pairs of items that correlate below it over respondents count as antonyms.

    Returns
    -------
    Series of float
        From -1 to 1, *high* for careless respondents; NaN as for :func:`psychometric_synonyms`.

    Raises
    ------
    InsufficientDataError
        Fewer than 3 pairs correlate that negatively.

    References
    ----------
    .. [1] Meade, A. W., & Craig, S. B. (2012). Psychological Methods, 17, 437-455.

    Examples
    --------
    >>> import pandas as pd
    >>> answers = pd.DataFrame([[1, 5, 2, 5], [5, 1, 4, 2], [3, 2, 5, 1], [2, 4, 1, 4]])
    >>> psychometric_antonyms(answers, maximum_correlation=-0.5).round(2).tolist()
    [-0.97, -0.94, -0.73, -0.93]
    """
    limit = check_number("maximum_correlation", maximum_correlation, -1.0, -1e-12)
    return _pair_consistency(answers, limit, "psychometric_antonyms")


def _pair_consistency(answers: pd.DataFrame, limit: float, name: str) -> pd.Series:
    frame = _answers(answers)
    pairs = similar_pairs(answers, minimum_correlation=limit)
    if len(pairs) < _FEWEST_PAIRS:
        side = "above" if limit >= 0 else "below"
        raise InsufficientDataError(
            f"{name} needs at least {_FEWEST_PAIRS} pairs of items that correlate {side} {limit:g}; there are "
            f"{len(pairs)}. Choose a weaker limit and say so, or use even_odd_consistency."
        )
    place = {column: at for at, column in enumerate(frame.columns)}
    first, second = ([place[column] for column in pairs[side]] for side in ("first", "second"))
    values, result = frame.floats, np.full(len(frame.values), math.nan)
    step = max(1, _BLOCK // len(pairs))  # many pairs of many respondents would not fit in memory at once
    for start in range(0, len(values), step):
        block = values[start : start + step]
        result[start : start + step] = row_correlations(block[:, first], block[:, second])
    return pd.Series(result, index=frame.index, name=name)


# ----------------------------------------------------------------------------------------------------------- input


def _answers(answers: object) -> NumericFrame:
    frame = numeric_frame(answers, "answers")
    if not frame.columns:
        raise InsufficientDataError("answers holds no items. Give a column an item.")
    return frame


def _blocks(frame: NumericFrame, blocks: Mapping[Hashable, Sequence[Hashable]] | None) -> list[list[int]]:
    if blocks is None:
        return [list(range(len(frame.columns)))]
    return _positions(frame, blocks, "blocks")


def _scale_columns(frame: NumericFrame, scales: Mapping[Hashable, Sequence[Hashable]]) -> list[list[int]]:
    columns = _positions(frame, scales, "scales")
    single = [name for name, items in zip(scales, columns, strict=True) if len(items) < 2]
    if single:
        raise ValueError(f"scales must have at least 2 items each; not so {name_list(single)}. Leave these out.")
    return columns


def _positions(frame: NumericFrame, named: Mapping[Hashable, Sequence[Hashable]], argument: str) -> list[list[int]]:
    if not isinstance(named, Mapping) or any(
        isinstance(items, (str, bytes)) or not isinstance(items, (Sequence, pd.Index, np.ndarray))
        for items in named.values()
    ):
        raise TypeError(f"{argument} must map names to lists of columns, such as {{'want': ['q1', 'q2']}}")
    place = {column: at for at, column in enumerate(frame.columns)}
    absent = [item for items in named.values() for item in items if item not in place]
    if absent:
        raise ValueError(f"{argument} names columns that answers does not have: {name_list(absent)}")
    columns = [[place[item] for item in items] for items in named.values()]
    doubled = [name for name, items in zip(named, columns, strict=True) if len(set(items)) < len(items)]
    if doubled:
        raise ValueError(f"{argument} lists an item twice in {name_list(doubled)}")
    return columns


def _answered_mean(values: FloatArray) -> FloatArray:
    """Mean of each row over what is there; NaN where nothing is."""
    given = ~np.isnan(values)
    return _divided(np.where(given, values, 0.0).sum(axis=1), given.sum(axis=1))


def _divided(total: npt.NDArray[np.float64], count: npt.NDArray[np.float64]) -> FloatArray:
    return np.asarray(np.divide(total, count, out=np.full(len(total), math.nan), where=count > 0), dtype=np.float64)
