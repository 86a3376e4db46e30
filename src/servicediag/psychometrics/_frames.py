"""What every statistic here shares: checked numeric input, checked arguments, and how results show themselves."""

from __future__ import annotations

import html
import math
import numbers
from abc import ABC, abstractmethod
from collections.abc import Collection, Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from servicediag.psychometrics.benchmarks_rules import Interpretation, RuleSet, judge, rule_set
from servicediag.results import ConfidenceInterval, short_repr

if TYPE_CHECKING:
    from servicediag.psychometrics.benchmarks_rules import Coefficient

__all__ = [
    "EstimateResult",
    "FloatArray",
    "NumericFrame",
    "Result",
    "apa_interval",
    "apa_number",
    "as_table",
    "check_choice",
    "check_count",
    "check_level",
    "check_number",
    "holding",
    "name_list",
    "numeric_frame",
    "numeric_series",
    "printed_method",
]

FloatArray = npt.NDArray[np.float64]
_LARGEST = 1e100  # beyond this the squares of answers overflow


# ---------------------------------------------------------------------------------------------------------- input


@dataclass(frozen=True)
class NumericFrame:
    """Answers as one numeric array, with the labels of its rows and columns.

    Attributes
    ----------
    values : ndarray, shape (n_respondents, n_items)
        Of an integer type where no answer can be missing, else float64 with NaN for a missing answer. It may share
        memory with the caller's frame: never write to it.
    columns : tuple
        Item names, in the order of the frame.
    index : Index
        The frame's index.
    """

    values: npt.NDArray[Any]
    columns: tuple[Hashable, ...]
    index: pd.Index

    @property
    def floats(self) -> FloatArray:
        """The answers as float64."""
        return np.asarray(self.values, dtype=np.float64)

    @property
    def complete(self) -> npt.NDArray[np.bool_]:
        """Whether a respondent answered every item, shape (n_respondents,)."""
        result = np.ones(len(self.values), dtype=bool)
        if self.values.dtype.kind == "f":
            for column in self.values.T:  # by columns: no second table in memory
                result &= ~np.isnan(column)
        return result


def numeric_frame(data: object, argument: str = "items") -> NumericFrame:
    """Check a table of answers and return it as numbers.

    Parameters
    ----------
    data : DataFrame or 2-D ndarray, shape (n_respondents, n_items)
        Integers, floats, booleans, pandas' nullable numbers, or objects that hold numbers; NaN, None and pandas.NA
        mean a missing answer.
    argument : str
        Name of the argument, for messages.

    Raises
    ------
    TypeError
        ``data`` is no table.
    ValueError
        A column holds text, dates or infinite numbers, or two columns have one name; every such column is named.
    """
    data = as_table(data, argument)
    values = _as_array(data, argument)
    if values.dtype.kind == "f" and len(values):
        beyond = (np.fmax.reduce(values, axis=0) > _LARGEST) | (np.fmin.reduce(values, axis=0) < -_LARGEST)
        if beyond.any():
            names = [name for name, bad in zip(data.columns, beyond, strict=True) if bad]
            raise ValueError(f"{argument} holds infinite or absurdly large numbers in {name_list(names)}; recode them")
    return NumericFrame(values, tuple(data.columns), data.index)


def as_table(data: object, argument: str = "items") -> pd.DataFrame:
    """A table of answers with one column a name, not yet checked for numbers.

    Raises
    ------
    TypeError
        ``data`` is neither a DataFrame nor a 2-D array.
    ValueError
        Two columns have one name.
    """
    if isinstance(data, np.ndarray) and data.ndim == 2:
        data = pd.DataFrame(data)
    if not isinstance(data, pd.DataFrame):
        raise TypeError(f"{argument} must be a DataFrame (respondents x items), not {type(data).__name__}")
    if not data.columns.is_unique:
        twice = data.columns[data.columns.duplicated()].unique()
        raise ValueError(f"{argument} has more than one column named {name_list(twice)}; give each its own name")
    return data


def numeric_series(data: object, argument: str) -> pd.Series:
    """Check a series of scores, one a respondent, and return it as float64 with its index."""
    if isinstance(data, pd.DataFrame) and data.shape[1] == 1:
        data = data.iloc[:, 0]
    if not isinstance(data, (pd.Series, np.ndarray, list, tuple)) or np.ndim(data) != 1:
        raise TypeError(f"{argument} must be a Series (a number a respondent), not {type(data).__name__}")
    series = data if isinstance(data, pd.Series) else pd.Series(data)
    frame = numeric_frame(series.to_frame(name=series.name if series.name is not None else argument), argument)
    return pd.Series(frame.floats[:, 0], index=frame.index, name=series.name)


def _as_array(data: pd.DataFrame, argument: str) -> npt.NDArray[Any]:
    kinds = {dtype.kind if isinstance(dtype, np.dtype) else "extension" for dtype in data.dtypes}
    if (kinds and kinds <= {"i", "u"}) or kinds == {"f"}:
        values = data.to_numpy()
        return values if values.dtype.kind in "iu" or values.dtype == np.float64 else values.astype(np.float64)
    columns, faults = [], []
    for position, name in enumerate(data.columns):
        try:
            columns.append(_column(data.iloc[:, position]))
        except _NotNumeric as fault:
            faults.append(f"{name!s} ({fault})")
    if faults:
        raise ValueError(
            f"{argument} must hold numbers only; not so in {name_list(faults)}. "
            "Code the answers as numbers first, and leave identifiers out."
        )
    return np.column_stack(columns) if columns else np.empty((len(data), 0))


class _NotNumeric(Exception):
    """A column that holds something else than numbers; the message shows what."""


def _column(series: pd.Series) -> FloatArray:
    dtype = series.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        series = series.astype(object)
    elif pd.api.types.is_bool_dtype(dtype) or (
        pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_complex_dtype(dtype)
    ):
        return np.asarray(series.to_numpy(dtype=np.float64, na_value=np.nan), dtype=np.float64)
    elif not pd.api.types.is_object_dtype(dtype):
        shown = name_list([repr(str(value)) for value in series.dropna().unique()[:3]])
        raise _NotNumeric(shown or str(dtype))
    missing = series.isna().to_numpy()
    cells = series.to_numpy(dtype=object)
    foreign = [cell for cell, gone in zip(cells, missing, strict=True) if not gone and not _is_number(cell)]
    if foreign:
        raise _NotNumeric(name_list(list(dict.fromkeys(repr(str(cell)) for cell in foreign))[:3]))
    return np.array([math.nan if gone else float(cell) for cell, gone in zip(cells, missing, strict=True)])


def _is_number(value: object) -> bool:
    return isinstance(value, (numbers.Real, np.bool_)) or type(value).__name__ == "Decimal"


# ------------------------------------------------------------------------------------------------------ arguments


def check_choice(argument: str, value: object, choices: Collection[str]) -> None:
    """Raise ValueError that names the argument, the value and the choices, unless the value is one of them."""
    if value not in choices:
        raise ValueError(f"{argument} must be one of {', '.join(map(repr, choices))}, not {value!r}")


def check_number(argument: str, value: object, low: float, high: float) -> float:
    """The value as a float within closed limits; TypeError or ValueError otherwise."""
    if isinstance(value, bool) or not isinstance(value, (numbers.Real, np.floating, np.integer)):
        raise TypeError(f"{argument} must be a number, not {value!r}")
    number = float(value)
    if not low <= number <= high:
        raise ValueError(f"{argument} must lie between {low:g} and {high:g}, not {number:g}")
    return number


def check_level(level: object) -> float:
    """A confidence level strictly between 0 and 1."""
    number = check_number("level", level, 0.0, 1.0)
    if number in (0.0, 1.0):
        raise ValueError(f"level must lie strictly between 0 and 1, not {number:g}")
    return number


def check_count(argument: str, value: object, minimum: int) -> int:
    """A whole number that is at least the minimum."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{argument} must be a whole number, not {value!r}")
    if value < minimum:
        raise ValueError(f"{argument} must be at least {minimum}, not {int(value)}")
    return int(value)


# -------------------------------------------------------------------------------------------------------- wording


def name_list(names: Collection[object] | pd.Index, limit: int = 8) -> str:
    """Names joined by commas; beyond the limit the rest is counted.

    Examples
    --------
    >>> name_list(["q1", "q2", "q3"], limit=2)
    'q1, q2 and 1 more'
    """
    shown = [str(name) for name in names]
    more = len(shown) - limit
    return ", ".join(shown) if more <= 0 else f"{', '.join(shown[:limit])} and {more} more"


def apa_number(value: float, digits: int = 2, *, leading_zero: bool = False) -> str:
    """A number as the APA manual prints it: no zero before the point where the statistic cannot exceed 1.

    Examples
    --------
    >>> apa_number(0.843), apa_number(-0.05), apa_number(1.0), apa_number(2.5, leading_zero=True)
    ('.84', '-.05', '1.00', '2.50')
    """
    if math.isnan(value):
        return "undefined"
    text = f"{value:.{digits}f}"
    if float(text) == 0:
        text = text.lstrip("-")
    if leading_zero or abs(float(text)) >= 1:
        return text
    return text.replace("0.", ".", 1)


def apa_interval(interval: ConfidenceInterval, digits: int = 2, *, leading_zero: bool = False) -> str:
    """An interval as the APA manual prints it.

    Examples
    --------
    >>> apa_interval(ConfidenceInterval(0.739, 0.916))
    '95% CI [.74, .92]'
    """
    low = apa_number(interval.low, digits, leading_zero=leading_zero)
    high = apa_number(interval.high, digits, leading_zero=leading_zero)
    return f"{100 * interval.level:g}% CI [{low}, {high}]"


def printed_method(method: str) -> str:
    """The name of an interval's method as a sentence prints it.

    Examples
    --------
    >>> printed_method("feldt"), printed_method("bca")
    ('Feldt', 'BCa bootstrap')
    """
    names = {"bca": "BCa bootstrap", "percentile": "percentile bootstrap", "delta": "delta method"}
    first, *rest = method.split(" ", 1)
    return " ".join([names.get(first, first.capitalize()), *rest])


def holding(low: float, high: float, estimate: float, *, level: float, method: str) -> ConfidenceInterval:
    """An interval, widened where needed so that it holds its own estimate (at very low levels, or by rounding)."""
    return ConfidenceInterval(min(low, estimate), max(high, estimate), level=level, method=method)


# -------------------------------------------------------------------------------------------------------- results


class Result(ABC):
    """Base of the results here: one stable line as repr, a table, a sentence, and an escaped table in notebooks.

    Subclasses are frozen dataclasses declared with ``repr=False`` and list in ``_shown`` what their repr shows.
    """

    _shown: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def to_frame(self) -> pd.DataFrame:
        """The result as a table."""

    @abstractmethod
    def describe(self) -> str:
        """One sentence in APA style."""

    def __repr__(self) -> str:
        return short_repr(type(self).__name__, [(name, getattr(self, name)) for name in self._shown])

    def _repr_html_(self) -> str:
        # Item names are other people's text: escaped, and kept from MathJax.
        table = self.to_frame().to_html(escape=True, na_rep="", classes="tex2jax_ignore mathjax_ignore")
        return f'<div class="tex2jax_ignore mathjax_ignore"><p>{html.escape(self.describe())}</p>{table}</div>'


class EstimateResult(Result):
    """Base of the results that have one estimate, an interval, and rule sets to read it by."""

    estimate: float
    _coefficient: ClassVar[Coefficient]

    @abstractmethod
    def confidence_interval(self, level: float = 0.95) -> ConfidenceInterval:
        """Interval of the estimate."""

    def interpret(self, rules: str | RuleSet | None = None, *, level: float = 0.95) -> Interpretation:
        """Read the interval by a named rule set.

        Parameters
        ----------
        rules : str or RuleSet, optional
            Name of a rule set, see :func:`servicediag.psychometrics.list_rules`; default the first of its kind.
        level : float
            Level of the interval that is judged.
        """
        chosen = rule_set(rules, self._coefficient)
        return judge(chosen, self.estimate, self.confidence_interval(level))
