"""What a reliability means for one person's score, and how many items or respondents a study needs."""

from __future__ import annotations

import math

import pandas as pd

from servicediag.psychometrics._frames import check_count, check_level, check_number, numeric_series

__all__ = [
    "items_needed",
    "minimal_detectable_change",
    "reliable_change",
    "respondents_needed",
    "spearman_brown",
    "standard_error_of_measurement",
    "two_sided_limit",
]


def standard_error_of_measurement(standard_deviation: float, reliability: float) -> float:
    """Standard error of measurement of one person's score, in the metric of the score.

    Parameters
    ----------
    standard_deviation : float
        Of the score between respondents, ddof 1; of the sum or of the mean, as the score is.
    reliability : float
        At most 1. A negative one is taken as it is and gives an error above the standard deviation.

    Returns
    -------
    float
        ``standard_deviation * sqrt(1 - reliability)``.

    Raises
    ------
    ValueError
        A negative or infinite standard deviation, or a reliability above 1.

    References
    ----------
    Harvill, L. M. (1991). Educational Measurement: Issues and Practice, 10(2), 33-41.

    Examples
    --------
    >>> round(standard_error_of_measurement(10.0, 0.91), 6)
    3.0
    """
    deviation = check_number("standard_deviation", standard_deviation, 0.0, 1e100)
    return deviation * math.sqrt(1 - check_number("reliability", reliability, -1e100, 1.0))


def minimal_detectable_change(standard_deviation: float, reliability: float, *, level: float = 0.95) -> float:
    """Smallest change of one person's score that measurement error alone rarely makes.

    Parameters
    ----------
    standard_deviation, reliability : float
        As for :func:`standard_error_of_measurement`.
    level : float
        Between 0 and 1.

    Returns
    -------
    float
        ``z * sqrt(2) * SEM``, z being two-sided.

    References
    ----------
    Weir, J. P. (2005). Journal of Strength and Conditioning Research, 19, 231-240.

    Examples
    --------
    >>> round(minimal_detectable_change(10.0, 0.91), 3)
    8.315
    """
    return two_sided_limit(level) * math.sqrt(2) * standard_error_of_measurement(standard_deviation, reliability)


def reliable_change(
    before: pd.Series,
    after: pd.Series,
    *,
    standard_deviation: float,
    reliability: float,
    level: float = 0.95,
) -> pd.DataFrame:
    """Reliable change index of every respondent.

    Parameters
    ----------
    before, after : Series
        Scores, matched by index; two lists of equal length are matched by position.
    standard_deviation : float
        Of the score before, in a sample that stands for the population; above 0.
    reliability : float
        Below 1.
    level : float
        A change is reliable where the index exceeds its two-sided normal limit: 1.96 at 0.95. A value equal to the
        limit is not.

    Returns
    -------
    DataFrame, index as ``before`` and then the respondents of ``after`` alone
        ``change`` (after minus before), ``rci``, ``reliable``; missing where either score is.

    Raises
    ------
    ValueError
        A respondent appears twice, lists differ in length, or there is no measurement error to compare with.

    References
    ----------
    Jacobson, N. S., & Truax, P. (1991). Journal of Consulting and Clinical Psychology, 59, 12-19.

    Examples
    --------
    >>> reliable_change([20, 30], [32, 31], standard_deviation=10.0, reliability=0.91).round(2)
       change   rci  reliable
    0    12.0  2.83      True
    1     1.0  0.24     False
    """
    first, second = _two_waves(before, after)
    error = math.sqrt(2) * standard_error_of_measurement(standard_deviation, reliability)
    if error == 0:
        raise ValueError(
            "standard_deviation must be above 0 and reliability below 1: "
            "without measurement error every change is reliable"
        )
    change = second - first
    index = change / error
    reliable = (index.abs() > two_sided_limit(level)).astype("boolean").mask(index.isna())
    return pd.DataFrame({"change": change, "rci": index, "reliable": reliable})


def spearman_brown(reliability: float, factor: float) -> float:
    """Reliability of a test made ``factor`` times as long with parallel items.

    Parameters
    ----------
    reliability : float
        At most 1.
    factor : float
        Above 0; 2 doubles the test, 0.5 halves it.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        No such test can exist: the reliability is so negative that the longer total would not vary.

    References
    ----------
    Spearman, C. (1910). British Journal of Psychology, 3, 271-295. Brown, W. (1910). The same, 3, 296-322.

    Examples
    --------
    >>> round(spearman_brown(0.5, 2), 4)
    0.6667
    """
    value = check_number("reliability", reliability, -1e100, 1.0)
    times = check_number("factor", factor, 1e-12, 1e12)
    denominator = 1 + (times - 1) * value
    if denominator <= 0:
        raise ValueError(f"reliability {value:g} is too low for a test {times:g} times as long; check the keying")
    return times * value / denominator


def items_needed(reliability: float, n_items: int, target: float) -> int:
    """Number of items, like those there are, that reach a target reliability.

    Parameters
    ----------
    reliability : float
        Of the present items, strictly between 0 and 1.
    n_items : int
        Present items.
    target : float
        Wanted reliability, strictly between 0 and 1.

    Returns
    -------
    int
        The smallest sufficient whole number.

    Examples
    --------
    >>> items_needed(0.60, 4, 0.80)
    11
    """
    value, wanted = _open_unit("reliability", reliability), _open_unit("target", target)
    needed = check_count("n_items", n_items, 1) * wanted * (1 - value) / (value * (1 - wanted))
    return max(1, math.ceil(needed - 1e-9))


def respondents_needed(
    reliability: float,
    n_items: int,
    *,
    width: float | None = None,
    null: float | None = None,
    power: float = 0.80,
    level: float = 0.95,
) -> int:
    """Number of respondents for a study of Cronbach's alpha: for a width of its interval, or for a test.

    Parameters
    ----------
    reliability : float
        Expected alpha, below 1.
    n_items : int
        At least 2.
    width : float, optional
        Wanted width of Bonett's interval at that alpha. Give this or ``null``.
    null : float, optional
        Alpha to be told apart from, two-sided.
    power : float
        Chance that the test against ``null`` succeeds.
    level : float
        Level of the interval; the test has a risk of ``1 - level``.

    Returns
    -------
    int
        The smallest sufficient number; for the width found from the interval itself, not from its approximation.

    References
    ----------
    Bonett, D. G. (2002). Journal of Educational and Behavioral Statistics, 27, 335-340.

    Examples
    --------
    >>> respondents_needed(0.80, 5, width=0.10), respondents_needed(0.80, 5, null=0.70)
    (159, 122)
    """
    from scipy.special import ndtri

    value = check_number("reliability", reliability, -1e100, 1.0)
    if value == 1.0:
        raise ValueError("reliability must be below 1: a perfect test needs no sample")
    k = check_count("n_items", n_items, 2)
    if (width is None) == (null is None):
        raise ValueError("give either width= or null=, and not both")
    z = two_sided_limit(level)
    spread = 2 * k / (k - 1)
    if null is not None:
        against = check_number("null", null, -1e100, 1.0)
        if against in (1.0, value):
            raise ValueError(f"null must be below 1 and differ from the reliability {value:g}, not {against:g}")
        effect = math.log((1 - against) / (1 - value))
        return math.ceil(spread * (z + float(ndtri(_open_unit("power", power)))) ** 2 / effect**2 + 2 - 1e-9)
    # The width is (1 - alpha) * 2 sinh(z * se), so that its inverse is exact.
    wanted = check_number("width", width, 1e-12, 1e12)
    reach = math.asinh(wanted / (2 * (1 - value)))
    return max(3, math.ceil(spread * (z / reach) ** 2 + 2 - 1e-9))


def two_sided_limit(level: float) -> float:
    """Standard normal value that is exceeded on either side with a chance of ``1 - level``."""
    from scipy.special import ndtri

    return -float(ndtri((1 - check_level(level)) / 2))


def _open_unit(argument: str, value: float) -> float:
    number = check_number(argument, value, 0.0, 1.0)
    if number in (0.0, 1.0):
        raise ValueError(f"{argument} must lie strictly between 0 and 1, not {number:g}")
    return number


def _two_waves(before: object, after: object) -> tuple[pd.Series, pd.Series]:
    first, second = numeric_series(before, "before"), numeric_series(after, "after")
    by_position = not isinstance(before, (pd.Series, pd.DataFrame)) or not isinstance(after, (pd.Series, pd.DataFrame))
    if by_position and len(first) != len(second):
        raise ValueError(f"before has {len(first)} scores and after {len(second)}; give Series to match by index")
    if by_position:
        second = pd.Series(second.to_numpy(), index=first.index)
    for argument, series in (("before", first), ("after", second)):
        if not series.index.is_unique:
            twice = series.index[series.index.duplicated()][0]
            raise ValueError(f"{argument} holds respondent {twice!r} more than once; keep one score a respondent")
    everyone = first.index.append(second.index.difference(first.index, sort=False))
    return first.reindex(everyone), second.reindex(everyone)
