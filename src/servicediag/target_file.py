"""Targets that a user declares in a file, checked against the instruments of the study."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from servicediag.errors import Issue, ResponsesError
from servicediag.responses.normalise import parse_number

if TYPE_CHECKING:
    import pandas as pd

    from servicediag.responses import Responses

__all__ = ["read_targets"]

_REMEDY = (
    "Write a row 'dimension: points' (.yaml, .json), or the columns dimension, target and perhaps unit (.csv, .xlsx)."
)


def read_targets(path: Path, responses: Sequence[Responses]) -> pd.DataFrame:
    """Targets in points of health as ``diagnose`` takes them.

    Parameters
    ----------
    path : Path
        ``.yaml`` or ``.json``: a mapping ``{dimension: points}``. ``.csv`` or ``.xlsx``: the columns ``dimension``,
        ``target`` and, for targets of single units, ``unit``.
    responses : sequence of Responses
        Whose dimensions may be named; ``instrument/dimension`` where ids repeat.

    Returns
    -------
    DataFrame
        ``dimension, target, unit``; ``unit`` is None where the target is for everybody.

    Raises
    ------
    ResponsesError
        Every unknown dimension and every target that is no number from 0 to 100.
    """
    import pandas as pd

    frame = _mapping(path) if path.suffix in (".yaml", ".yml", ".json") else _table(path)
    issues = list(_faults(path, frame, responses))
    if issues:
        raise ResponsesError(f"{path.name}: {len(issues)} problem{'s' if len(issues) != 1 else ''}", issues)
    units = [None if _is_blank(unit) else str(unit).strip() for unit in frame["unit"]]
    return pd.DataFrame(
        {
            "dimension": [str(name).strip() for name in frame["dimension"]],
            "target": [_number(value) for value in frame["target"]],
            "unit": pd.Series(units, dtype=object),
        }
    )


def _mapping(path: Path) -> pd.DataFrame:
    import pandas as pd

    from servicediag.instrument.yaml_loader import load_yaml

    data = load_yaml(path, path.name).data
    if not isinstance(data, dict):
        raise _unusable(path, "It is no mapping of dimensions to points.")
    return pd.DataFrame({"dimension": list(data), "target": list(data.values()), "unit": None})


def _faults(path: Path, frame: pd.DataFrame, responses: Sequence[Responses]) -> Iterable[Issue]:
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
    for name, value in zip(frame["dimension"], frame["target"], strict=True):
        found = places.get(str(name).strip().lower(), 0)
        if found != 1:
            problem = f"{str(name)!r} is {'held by several instruments' if found else 'not a dimension of this study'}."
            remedy = f"Choose from {', '.join(sorted(n for n, count in places.items() if '/' in n and count == 1))}."
            yield Issue("unknown_dimension", "error", path.name, problem, remedy)
        if not 0 <= _number(value) <= 100:
            problem = f"The target of {str(name)!r} is {value!r}."
            yield Issue(
                "out_of_range", "error", path.name, problem, "Give a number from 0 to 100, in points of health."
            )


def _number(value: Any) -> float:
    """The value as a number; NaN where it is none, or not written with plain digits."""
    if isinstance(value, str):
        number = parse_number(value.strip())
        return math.nan if number is None else number
    return math.nan if isinstance(value, bool) or not isinstance(value, (int, float)) else float(value)


def _is_blank(value: Any) -> bool:
    return value is None or value != value or str(value).strip() == ""


def _unusable(path: Path, problem: str) -> ResponsesError:
    return ResponsesError(f"{path.name}: {problem}", [Issue("unreadable_file", "error", path.name, problem, _REMEDY)])


def _table(path: Path) -> pd.DataFrame:
    """The first visible sheet of a workbook, or a text file, with its first row as column names."""
    import pandas as pd

    from servicediag.responses.readers import open_source
    from servicediag.responses.safety import Limits

    source = open_source(path, Limits(), None, frozenset())
    visible = [sheet for sheet in source.sheets if sheet.visible]
    if source.text is None and not visible:
        raise _unusable(path, "It has no visible sheet.")
    grid = source.load(visible[0]) if source.text is None else source.text
    header, *rows = grid.top(grid.n_rows) or [[]]
    filled = [row for row in rows if any(cell.strip() for cell in row)]
    names = [name.strip().lower() for name in header]
    if len(set(names)) != len(names):
        raise _unusable(path, "Two of its columns have the same heading.")
    return pd.DataFrame(filled, columns=names, dtype=object)
