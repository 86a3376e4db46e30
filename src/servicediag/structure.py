"""Whether the intended structure of an instrument's reflective dimensions holds, and which items misbehave."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from servicediag.errors import InsufficientDataError
from servicediag.psychometrics.confirmatory import ConfirmatoryFactorAnalysis, confirmatory_factor_analysis
from servicediag.psychometrics.validity import validity_of
from servicediag.responses.model import Part, Responses
from servicediag.results import short_repr

if TYPE_CHECKING:
    from servicediag.psychometrics.validity import ConvergentDiscriminant

__all__ = ["StructureCheck", "check_structure", "intended_structure"]

WEAK_LOADING = 0.40
"""A standardised loading below this is called weak: less than a sixth of the item's variance is the dimension's."""
CROSS_LOADING = 0.30
SHARED_RESIDUAL = 0.20
CERTAIN = 10.83
"""Modification index of p = .001; a hint counts only if it is as certain as this and as large as the two above."""
_PER_PARAMETER = 5
_ALONE = 4  # items from which one dimension by itself can misfit
TOLD_APART = (
    (("readiness", "want"), ("attitude-causes", "morale")),
    (("readiness", "can"), ("four-tools", "capa")),
)
"""Dimensions of different instruments that resemble each other: one is no evidence of the other unless told apart."""
_SOURCE = (
    "Words: 'holds' is CFI at least .95 and SRMR at most .08 (Hu & Bentler 1999), 'holds roughly' CFI at least .90 and "
    "SRMR at most .10; conventions made for other models (Marsh, Hau & Wen 2004; McNeish & Wolf 2023), so read the "
    "items before the verdict."
)
_PATHS = ("instrument", "kind", "from", "to", "path", "estimate", "ci_low", "ci_high", "n_respondents", "remark")
_FITS = (
    "instrument", "model", "n_respondents", "chi_square", "df", "p", "cfi", "tli", "rmsea", "rmsea_low", "rmsea_high",
    "srmr", "verdict", "note",
)  # fmt: skip


@dataclass(frozen=True, repr=False, eq=False)
class StructureCheck:
    """Whether the intended structure holds. Working data of the analyst: not for release.

    Attributes
    ----------
    paths : DataFrame
        A row a path: what ``to_frame()`` gives.
    fits : DataFrame
        A row a model: all dimensions of an instrument together, and each dimension alone.
    notes : tuple of str
        What was not examined, and why.
    """

    paths: pd.DataFrame
    fits: pd.DataFrame
    notes: tuple[str, ...]
    _models: Mapping[tuple[str, str], ConfirmatoryFactorAnalysis] = field(repr=False)

    def __repr__(self) -> str:
        verdicts = {f"{row['instrument']}: {row['model']}": row["verdict"] for row in self.fits.to_dict("records")}
        return short_repr("StructureCheck", [("n_paths", len(self.paths)), ("verdicts", verdicts)])

    def _repr_html_(self) -> str:
        text = "".join(f"<p>{html.escape(line)}</p>" for line in self.describe().split("\n"))
        table = self.paths.to_html(index=False, escape=True, float_format=lambda v: f"{v:.2f}", na_rep="")
        return f'<div class="tex2jax_ignore mathjax_ignore">{text}{table}</div>'

    def to_frame(self) -> pd.DataFrame:
        """The path table.

        Returns
        -------
        DataFrame
            ``instrument``, ``kind`` (``item``: dimension to item; ``dimensions``: two dimensions), ``from``, ``to``,
            ``path``, ``estimate`` (standardised loading or correlation) with its 95 % limits, ``n_respondents``,
            ``remark`` (empty where nothing is amiss).
        """
        return self.paths.copy()

    @property
    def misbehaving(self) -> pd.DataFrame:
        """The paths that have a remark."""
        return self.paths[self.paths["remark"] != ""].reset_index(drop=True)

    def model(self, instrument: str, dimension: str | None = None) -> ConfirmatoryFactorAnalysis:
        """The fitted model of an instrument's dimensions together, or of one of them alone."""
        key = (instrument, dimension or "")
        if key not in self._models:
            known = ", ".join(f"{name} ({part or 'all dimensions'})" for name, part in self._models)
            raise ValueError(f"there is no model of {instrument} {dimension or '(all dimensions)'}; there is: {known}")
        return self._models[key]

    def describe(self) -> str:
        """The verdict of every model and every remark in words, a line each."""
        lines = []
        for row in self.fits.to_dict("records"):
            values = ""
            if not math.isnan(row["cfi"]):
                values = f" (CFI {row['cfi']:.3f}, RMSEA {row['rmsea']:.3f}, SRMR {row['srmr']:.3f}, "
                values += f"n = {row['n_respondents']})"
            sentence = f"{row['instrument']}, {row['model']}: the intended structure {row['verdict']}{values}."
            lines.append(" ".join(part for part in (sentence, row["note"]) if part))
        lines += [f"{row['path']}: {row['remark']}" for row in self.misbehaving.to_dict("records")]
        return "\n".join([*lines, *self.notes, _SOURCE])


def intended_structure(part: Part) -> dict[str, list[str]]:
    """``{dimension: [item codes]}`` of the reflective dimensions of which an export holds at least two scored items."""
    present = set(part.items)
    model = {
        dimension.id: [item.code for item in dimension.scored_items if item.code in present]
        for dimension in part.dimensions
        if dimension.measurement == "reflective"
    }
    return {name: items for name, items in model.items() if len(items) > 1}


def check_structure(
    responses: Responses, *, minimum_respondents: int = 100, missing: Literal["listwise", "fiml"] = "listwise"
) -> StructureCheck:
    """Fit the structure that the instruments intend: each item reflects its own dimension and no other.

    Parameters
    ----------
    responses : Responses
        Coded answers, from ``read_responses``.
    minimum_respondents : int
        Fewer than these are refused, at least 50. The dimensions of an instrument are fitted together where there are
        also 5 respondents for each parameter (Bentler & Chou 1987), else one by one.
    missing : {"listwise", "fiml"}
        Respondents with a missing answer are left out, or count with what they answered.

    Returns
    -------
    StructureCheck
        ``.to_frame()`` the paths, ``.misbehaving`` those with a remark, ``.fits`` the models, ``.describe()`` words.

    Raises
    ------
    InsufficientDataError
        No dimension can be examined; the message says why for each instrument.

    Notes
    -----
    Formative and other not reflective dimensions make no claim about structure and are left out. Where an export holds
    two instruments with dimensions that resemble each other (what people want and their morale), the two are fitted as
    a pair, and a heterotrait-monotrait ratio beyond .85 is remarked. An item is remarked
    when it loads below .40 or against its dimension, when it also reflects another dimension (expected standardised
    loading of .30 or more at p < .001), or when it shares more with another item than the dimension explains (expected
    residual correlation of .20 or more at p < .001). These are conventions for finding items to read again; what they
    find in one sample wants confirming in another (MacCallum, Roznowski & Necowitz 1992).

    Examples
    --------
    >>> import servicediag as sd
    >>> study = sd.simulate("readiness", form="employee", n_units=6, respondents_per_unit=80, seed=3)
    >>> check = sd.check_structure(study.responses())
    >>> check.to_frame()["path"].iloc[0], check.fits["model"].iloc[0]
    ('know -> rdy_know_s1', 'all dimensions')
    """
    if not isinstance(responses, Responses):
        raise TypeError(f"responses must be what read_responses gives, not {type(responses).__name__}")
    if isinstance(minimum_respondents, bool) or not isinstance(minimum_respondents, int):
        raise TypeError(f"minimum_respondents must be a whole number, not {minimum_respondents!r}")
    if minimum_respondents < 50:
        raise ValueError(f"minimum_respondents must be at least 50, not {minimum_respondents}")
    if missing not in ("listwise", "fiml"):
        raise ValueError(f"missing must be one of 'listwise', 'fiml', not {missing!r}")
    work = _Work(responses, minimum_respondents, missing)
    for part in responses.parts:
        work.examine(part)
    work.across(responses.parts)
    if not work.fits:
        raise InsufficientDataError("No structure can be examined. " + " ".join(work.notes))
    paths = pd.DataFrame(work.paths, columns=list(_PATHS))
    fits = pd.DataFrame(work.fits, columns=list(_FITS))
    return StructureCheck(paths, fits, tuple(work.notes), work.models)


class _Work:
    """Collects the tables while the instruments are examined one after another."""

    def __init__(self, responses: Responses, minimum: int, missing: Literal["listwise", "fiml"]) -> None:
        self.keyed = responses.keyed
        self.minimum = minimum
        self.missing = missing
        self.paths: list[dict[str, Any]] = []
        self.fits: list[dict[str, Any]] = []
        self.notes: list[str] = []
        self.models: dict[tuple[str, str], ConfirmatoryFactorAnalysis] = {}

    def examine(self, part: Part) -> None:
        """One instrument: its dimensions together where there are enough respondents, and each alone."""
        name = part.instrument.id
        model = intended_structure(part)
        if not model:
            self.notes.append(f"{name}: no reflective dimension with two items or more, so no structure is claimed.")
            return
        together = self._together(name, model) if len(model) > 1 else None
        for dimension, items in model.items():
            alone = self._alone(name, dimension, items, has_other=together is not None)
            if together is None and alone is not None:
                self._item_paths(name, alone)
        if together is not None:
            self._item_paths(name, together)
            self._dimension_paths(name, together)

    def across(self, parts: Sequence[Part]) -> None:
        """Pairs of different instruments whose dimensions have to be told apart, where one export holds both."""
        by_name = {part.instrument.id: part for part in parts}
        for pair in TOLD_APART:
            if any(name not in by_name for name, _ in pair):
                continue
            names = [f"{name}/{dimension}" for name, dimension in pair]
            intended = [intended_structure(by_name[name]).get(dimension) for name, dimension in pair]
            model = {name: items for name, items in zip(names, intended, strict=True) if items}
            if len(model) < len(pair):
                absent = " and ".join(name for name in names if name not in model)
                self.notes.append(
                    f"{' and '.join(names)}: {absent} is not a reflective dimension of two items or more here, so "
                    "whether the two can be told apart has no HTMT; go by what their items ask."
                )
                continue
            together = " + ".join(name for name, _ in pair)
            fitted = self._together(together, model)
            if fitted is not None:
                self._dimension_paths(together, fitted)

    def _respondents(self, items: list[str]) -> int:
        answered = self.keyed[items].notna()
        return int((answered.all(axis=1) if self.missing == "listwise" else answered.any(axis=1)).sum())

    def _hint(self) -> str:
        return "; missing='fiml' would count those who left out some answers too" if self.missing == "listwise" else ""

    def _together(self, name: str, model: dict[str, list[str]]) -> ConfirmatoryFactorAnalysis | None:
        items = [item for block in model.values() for item in block]
        n_parameters = 2 * len(items) + len(model) * (len(model) - 1) // 2
        needed = max(self.minimum, _PER_PARAMETER * n_parameters)
        n = self._respondents(items)
        if n < needed:
            self.notes.append(
                f"{name}: {n} respondents are too few to fit {len(model)} dimensions together ({needed} are needed for "
                f"{n_parameters} parameters), so they are looked at one by one{self._hint()}."
            )
            return None
        return self._fit(name, "", model)

    def _alone(
        self, name: str, dimension: str, items: list[str], *, has_other: bool
    ) -> ConfirmatoryFactorAnalysis | None:
        n = self._respondents(items)
        if len(items) < _ALONE:
            if not has_other:
                self.notes.append(f"{name}/{dimension}: {len(items)} items always fit one factor; not examined alone.")
            return None
        if n < self.minimum:
            self.notes.append(
                f"{name}/{dimension}: {n} respondents answered it; at least {self.minimum} are needed to say anything "
                "about its structure."
            )
            return None
        return self._fit(name, dimension, {dimension: items})

    def _fit(self, name: str, dimension: str, model: dict[str, list[str]]) -> ConfirmatoryFactorAnalysis | None:
        try:
            fitted = confirmatory_factor_analysis(self.keyed, model, identification="variance", missing=self.missing)
        except InsufficientDataError as error:
            self.notes.append(f"{name}{'/' if dimension else ''}{dimension}: {error}")
            return None
        self.models[name, dimension] = fitted
        row = {index: getattr(fitted.fit, index) for index in _FITS[3:12]}
        self.fits.append(
            {
                "instrument": name,
                "model": f"{dimension} alone" if dimension else "all dimensions",
                "n_respondents": fitted.n_respondents,
                **row,
                "verdict": _verdict(fitted),
                "note": " ".join(fitted.notes),
            }
        )
        return fitted if fitted.converged else None

    def _item_paths(self, name: str, fitted: ConfirmatoryFactorAnalysis) -> None:
        remarks = _remarks(fitted)
        table = fitted.to_frame()
        for row in table[table["kind"] == "loading"].to_dict("records"):
            self._path(name, "item", row, " -> ", fitted, remarks.get(row["to"], []))

    def _dimension_paths(self, name: str, fitted: ConfirmatoryFactorAnalysis) -> None:
        validity = validity_of(fitted)
        table = fitted.to_frame()
        chosen = (table["kind"] == "factor_covariance") & (table["from"] != table["to"])
        for row in table[chosen].to_dict("records"):
            self._path(name, "dimensions", row, " <-> ", fitted, _apart(row, validity))

    def _path(
        self,
        name: str,
        kind: str,
        row: dict[Any, Any],
        arrow: str,
        fitted: ConfirmatoryFactorAnalysis,
        remark: list[str],
    ) -> None:
        half = 1.959963984540054 * row["standardized_error"]
        self.paths.append(
            {
                "instrument": name,
                "kind": kind,
                "from": row["from"],
                "to": row["to"],
                "path": f"{row['from']}{arrow}{row['to']}",
                "estimate": row["standardized"],
                "ci_low": row["standardized"] - half,
                "ci_high": row["standardized"] + half,
                "n_respondents": fitted.n_respondents,
                "remark": " ".join(remark),
            }
        )


def _verdict(fitted: ConfirmatoryFactorAnalysis) -> str:
    fit = fitted.fit
    if not fitted.converged:
        return "could not be fitted: the search for estimates found none"
    if fitted.heywood_items or any(note.startswith("Improper") for note in fitted.notes):
        return "does not hold: estimates are improper"
    if not fit.df:
        return "cannot be tested: any answers would fit"
    if fit.cfi >= 0.95 and fit.srmr <= 0.08:
        return "holds"
    if fit.cfi >= 0.90 and fit.srmr <= 0.10:
        return "holds roughly"
    return "does not hold"


def _remarks(fitted: ConfirmatoryFactorAnalysis) -> dict[Any, list[str]]:
    """Remarks for each item that misbehaves, the gravest first."""
    remarks: dict[Any, list[str]] = {}
    loadings = fitted.standardized_loadings
    for factor in fitted.factors:
        column = loadings[factor]
        for item, loading in column[column != 0].items():
            if item in fitted.heywood_items:
                remarks.setdefault(item, []).append("Its error is estimated below zero: nearly a copy of another item?")
            elif loading < 0:
                remarks.setdefault(item, []).append("Runs against its dimension: check the keying and the wording.")
            elif loading < WEAK_LOADING:
                remarks.setdefault(item, []).append(f"Reflects its dimension weakly ({loading:.2f}).")
    hints = fitted.modification_indices(minimum=CERTAIN)
    for row in hints.to_dict("records"):
        change = row["standardized_change"]
        if row["kind"] == "loading" and abs(change) >= CROSS_LOADING:
            how = "also reflects" if change > 0 else "also runs against"
            remarks.setdefault(row["to"], []).append(f"It {how} {row['from']} ({change:+.2f}).")
        elif row["kind"] != "loading" and change >= SHARED_RESIDUAL:
            for item, other in ((row["from"], row["to"]), (row["to"], row["from"])):
                words = f"Shares more with {other} than the dimensions explain ({change:+.2f})."
                remarks.setdefault(item, []).append(words)
    return remarks


def _apart(row: dict[Any, Any], validity: ConvergentDiscriminant) -> list[str]:
    ratio = float(validity.htmt.loc[row["from"], row["to"]])
    if abs(row["standardized"]) >= 1:
        return ["The answers do not tell these dimensions apart."]
    if abs(ratio) > 0.85:
        return [f"Hardly told apart: HTMT {ratio:.2f} is beyond .85 (Henseler, Ringle & Sarstedt 2015)."]
    return []
