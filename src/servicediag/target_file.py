"""Targets that a user declares in a file, checked against the instruments of the study."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from servicediag.declared_tables import read_number, read_table, unusable
from servicediag.errors import Issue, ResponsesError

if TYPE_CHECKING:
    import pandas as pd

    from servicediag.diagnosis.operations import Indicator
    from servicediag.responses import Responses

__all__ = ["read_targets"]

_REMEDY = (
    "Write a row 'dimension: points' (.yaml, .json), or the columns dimension, target and perhaps unit (.csv, .xlsx)."
)


def read_targets(path: Path, responses: Sequence[Responses], indicators: Sequence[Indicator] = ()) -> pd.DataFrame:
    """Targets in points of health as ``diagnose`` takes them.

    Parameters
    ----------
    path : Path
        ``.yaml`` or ``.json``: a mapping ``{dimension: points}``. ``.csv`` or ``.xlsx``: the columns ``dimension``,
        ``target`` and, for targets of single units, ``unit``.
    responses : sequence of Responses
        Whose dimensions may be named; ``instrument/dimension`` where ids repeat.
    indicators : sequence of Indicator
        Of operations data; they may be named beside the dimensions, with targets in their own measure, those of shares
        perhaps as ``12 %``.

    Returns
    -------
    DataFrame
        ``dimension, target, unit``; ``unit`` is None where the target is for everybody.

    Raises
    ------
    ResponsesError
        Every unknown dimension and every target that is no number from 0 to 100, or outside an indicator's range.
    """
    import pandas as pd

    frame = _mapping(path) if path.suffix in (".yaml", ".yml", ".json") else read_table(path, _REMEDY)
    measures = {name: one for one in indicators for name in (one.id, f"operations/{one.id}")}
    issues = list(_faults(path, frame, responses, measures))
    if issues:
        raise ResponsesError(f"{path.name}: {len(issues)} problem{'s' if len(issues) != 1 else ''}", issues)
    units = [None if _is_blank(unit) else str(unit).strip() for unit in frame["unit"]]
    return pd.DataFrame(
        {
            "dimension": [str(name).strip() for name in frame["dimension"]],
            "target": [
                _number(value, measures.get(_called(name)))
                for name, value in zip(frame["dimension"], frame["target"], strict=True)
            ],
            "unit": pd.Series(units, dtype=object),
        }
    )


def _mapping(path: Path) -> pd.DataFrame:
    import pandas as pd

    from servicediag.instrument.yaml_loader import load_yaml

    data = load_yaml(path, path.name).data
    if not isinstance(data, dict):
        raise unusable(path, "It is no mapping of dimensions to points.", _REMEDY)
    return pd.DataFrame({"dimension": list(data), "target": list(data.values()), "unit": None})


def _faults(
    path: Path, frame: pd.DataFrame, responses: Sequence[Responses], measures: Mapping[str, Indicator]
) -> Iterable[Issue]:
    """Every row that cannot be a target of this study."""
    missing = [name for name in ("dimension", "target") if name not in frame.columns]
    if missing:
        problem = f"The column {' and '.join(missing)} is missing."
        yield Issue("missing_column", "error", path.name, problem, _REMEDY)
        return
    if "unit" not in frame.columns:
        frame["unit"] = None
    places: dict[str, int] = {}
    for instrument in {id(i): i for part in responses for i in part.instruments}.values():
        for dimension in instrument.dimensions:
            for name in (dimension.id, f"{instrument.id}/{dimension.id}"):
                places[name] = places.get(name, 0) + 1
    for name in measures:
        places[name] = places.get(name, 0) + 1
    for name, value in zip(frame["dimension"], frame["target"], strict=True):
        found = places.get(_called(name), 0)
        if found != 1:
            problem = f"{str(name)!r} is {'held by several instruments' if found else 'not a dimension of this study'}."
            remedy = f"Choose from {', '.join(sorted(n for n, count in places.items() if '/' in n and count == 1))}."
            yield Issue("unknown_dimension", "error", path.name, problem, remedy)
        measure = measures.get(_called(name)) if found == 1 else None
        fault = _range_fault(_number(value, measure), measure)
        if fault:
            yield Issue("out_of_range", "error", path.name, f"The target of {str(name)!r} is {value!r}.", fault)


def _range_fault(target: float, measure: Indicator | None) -> str:
    """What to write instead of a number that cannot be the target; empty text where it can."""
    if measure is None:
        return "" if 0 <= target <= 100 else "Give a number from 0 to 100, in points of health."
    fault = measure.fault_of(target)
    return f"It {fault}." if fault else ""


def _called(name: Any) -> str:
    return str(name).strip().lower()


def _number(value: Any, measure: Indicator | None) -> float:
    """The value as a number; NaN where it is none, or not written with plain digits."""
    if isinstance(value, str):
        return read_number(value, share=measure is not None and measure.unit == "share")
    return math.nan if isinstance(value, bool) or not isinstance(value, (int, float)) else float(value)


def _is_blank(value: Any) -> bool:
    return value is None or value != value or str(value).strip() == ""
