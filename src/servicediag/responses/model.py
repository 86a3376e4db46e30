"""Coded answers of one export, held compactly, with who answered and how the file was read."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from servicediag.instrument.model import MISSING_REASONS, Dimension, Form, Instrument
from servicediag.results import as_html

if TYPE_CHECKING:
    from servicediag.responses.intake import Intake

__all__ = ["FIRST_MISSING", "Part", "Responses", "missing_code"]

FIRST_MISSING = -128
"""Codes from here upwards by one stand for the missing reasons, in the order of ``MISSING_REASONS``."""
_LAST_MISSING = FIRST_MISSING + len(MISSING_REASONS) - 1


def missing_code(reason: str) -> int:
    """The compact code that marks a missing answer of that reason."""
    return FIRST_MISSING + MISSING_REASONS.index(reason)


@dataclass(frozen=True)
class Part:
    """One instrument in one form within an export, and which of its items the export holds."""

    instrument: Instrument
    form: Form
    items: tuple[str, ...]

    @property
    def dimensions(self) -> tuple[Dimension, ...]:
        """Dimensions of which at least one item is present."""
        present = set(self.items)
        return tuple(d for d in self.instrument.dimensions if any(i.code in present for i in d.items))

    def bounds(self, code: str) -> tuple[int, int]:
        """Declared lowest and highest code of an item in this form."""
        scale = self.instrument.scale(code, self.form.id)
        return scale.minimum, scale.maximum


@dataclass(frozen=True, repr=False, eq=False)
class Responses:
    """Answers of one export, coded on the declared response scales.

    Attributes
    ----------
    parts : tuple of Part
        One for each instrument in the export.
    codes : mapping of item code -> int8 array, shape (n_respondents,)
        Raw codes; values from ``FIRST_MISSING`` to ``FIRST_MISSING + 5`` are missing reasons.
    respondents : DataFrame
        A row a respondent: ``unit``, ``wave`` where known, and every column that is neither item nor personal.
    intake : Intake
        How the file was read.
    history : tuple of str
        What was done to the answers since.
    comments : mapping of heading -> object array of texts, shape (n_respondents,)
        The columns of open answers that were asked for; empty text where somebody wrote nothing.
    """

    parts: tuple[Part, ...]
    codes: Mapping[str, np.ndarray]
    respondents: pd.DataFrame
    intake: Intake
    history: tuple[str, ...] = ()
    comments: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __repr__(self) -> str:
        names = ", ".join(f"{part.instrument.id}:{part.form.id}" for part in self.parts)
        return f"Responses({names}, n_respondents={len(self)}, n_items={len(self.codes)})"

    def _repr_html_(self) -> str:
        return as_html(repr(self))

    def __len__(self) -> int:
        return len(self.respondents)

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        return tuple(part.instrument for part in self.parts)

    @property
    def instrument(self) -> Instrument:
        """The instrument, where the export holds one."""
        return self._only_part("instrument").instrument

    @property
    def form(self) -> str:
        """Id of the form, where the export holds one instrument."""
        return self._only_part("form").form.id

    @cached_property
    def answers(self) -> pd.DataFrame:
        """Raw codes as numbers, respondents x item codes; missing answers are NaN."""
        return self._frame({code: _as_float(column) for code, column in self.codes.items()})

    @cached_property
    def missing(self) -> pd.DataFrame:
        """Why an answer is missing, same shape as ``answers``; empty text where there is an answer."""
        names = np.array([*MISSING_REASONS, ""], dtype=object)
        return self._frame(
            {
                code: names[np.where(column <= _LAST_MISSING, column.astype(np.int16) - FIRST_MISSING, -1)]
                for code, column in self.codes.items()
            }
        )

    @cached_property
    def keyed(self) -> pd.DataFrame:
        """Answers with reverse-keyed items turned by the declared bounds."""
        columns = {}
        for part in self.parts:
            for code in part.items:
                columns[code] = self._keyed_column(part, code)
        return self._frame(columns)

    def dimension(self, dimension_id: str) -> pd.DataFrame:
        """Keyed answers of the scored items of a dimension that the export holds.

        ``dimension_id`` is the dimension's id, or ``instrument/dimension`` where two instruments use the same id.
        """
        part, dimension = self._locate(dimension_id)
        present = set(part.items)
        codes = [item.code for item in dimension.scored_items if item.code in present]
        return self._frame({code: self._keyed_column(part, code) for code in codes})

    def part(self, instrument_id: str) -> Responses:
        """The same respondents with one of the instruments only."""
        for part in self.parts:
            if part.instrument.id == instrument_id:
                return replace(self, parts=(part,), codes={code: self.codes[code] for code in part.items})
        raise ValueError(f"instrument_id={instrument_id!r} is not in this export; choose from {self._ids()}")

    def drop(self, index: Iterable[Hashable]) -> Responses:
        """Without these respondents; ``history`` records it."""
        wanted = pd.Index(list(index))
        unknown = wanted.difference(self.respondents.index)
        if len(unknown):
            raise ValueError(f"index holds respondents that are not here: {list(unknown[:5])}")
        keep = ~self.respondents.index.isin(wanted)
        return replace(
            self,
            codes={code: column[keep] for code, column in self.codes.items()},
            respondents=self.respondents.loc[keep],
            comments={heading: column[keep] for heading, column in self.comments.items()},
            history=(*self.history, f"dropped {int((~keep).sum())} of {len(keep)} respondents"),
        )

    def _keyed_column(self, part: Part, code: str) -> np.ndarray:
        values = _as_float(self.codes[code])
        if not part.instrument.item(code).reverse_keyed:
            return values
        minimum, maximum = part.bounds(code)
        return minimum + maximum - values

    def _frame(self, columns: Mapping[str, np.ndarray]) -> pd.DataFrame:
        return pd.DataFrame(dict(columns), index=self.respondents.index)

    def _locate(self, dimension_id: str) -> tuple[Part, Dimension]:
        instrument_id, _, short = dimension_id.rpartition("/")
        found = [
            (part, dimension)
            for part in self.parts
            for dimension in part.dimensions
            if dimension.id == short and instrument_id in ("", part.instrument.id)
        ]
        if len(found) == 1:
            return found[0]
        choices = [f"{part.instrument.id}/{d.id}" for part in self.parts for d in part.dimensions]
        problem = "is held by several instruments" if found else "is not in this export"
        raise ValueError(f"dimension_id={dimension_id!r} {problem}; choose from {', '.join(choices)}")

    def _only_part(self, name: str) -> Part:
        if len(self.parts) != 1:
            raise ValueError(f"this export holds {self._ids()}; take .part(id) first to use .{name}")
        return self.parts[0]

    def _ids(self) -> str:
        return ", ".join(part.instrument.id for part in self.parts)


def _as_float(column: np.ndarray) -> np.ndarray:
    values = column.astype(np.float64)
    values[column <= _LAST_MISSING] = np.nan
    return values
