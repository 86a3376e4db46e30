"""Measurement invariance: do items work alike in several groups, so that their scores may be compared."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, get_args

import numpy as np
import pandas as pd

from servicediag.errors import InsufficientDataError
from servicediag.psychometrics._frames import Result, apa_number, check_choice, name_list
from servicediag.psychometrics._invariance_verdict import InvarianceVerdict, judged, unexamined
from servicediag.psychometrics._resampling import Progress
from servicediag.psychometrics._structure_data import MissingAnswers, Study, study
from servicediag.psychometrics._structure_fit import Candidates, fit_structure, score_tests
from servicediag.psychometrics._structure_model import (
    INTERCEPT,
    KINDS,
    LOADING,
    RESIDUAL,
    Equality,
    FactorModel,
    LatentStructure,
    factor_model,
)
from servicediag.psychometrics._structure_moments import GroupMoments, moments_study
from servicediag.psychometrics._structure_steps import Steps
from servicediag.psychometrics.confirmatory import ConfirmatoryFactorAnalysis, group_labels, result_of

__all__ = [
    "GroupMoments",
    "INVARIANCE_CRITERIA",
    "InvarianceCriterion",
    "InvarianceVerdict",
    "MeasurementInvariance",
    "invariance_from_moments",
    "invariance_verdict",
    "measurement_invariance",
]

_STATISTIC = "Measurement invariance"
Verdict = Literal["holds", "doubtful", "fails"]
_LEVELS: dict[str, frozenset[Equality]] = {
    "configural": frozenset(),
    "metric": frozenset({"loadings"}),
    "scalar": frozenset({"loadings", "intercepts"}),
    "strict": frozenset({"loadings", "intercepts", "residuals"}),
}
_MEANING = {
    "configural": "the same items measure the same factors",
    "metric": "loadings are equal, so relations with other measures may be compared",
    "scalar": "intercepts are equal too, so the groups' means may be compared",
    "strict": "residual variances are equal too, so differences of scores have one precision",
}
_INDICES = ("chi_square", "df", "p", "cfi", "tli", "rmsea", "rmsea_low", "rmsea_high", "srmr", "aic", "bic")


@dataclass(frozen=True)
class InvarianceCriterion:
    """A convention for how much fit may worsen when parameters are held equal.

    Attributes
    ----------
    name, citation, criticism : str
    cfi_fall : float
        A fall of CFI of this size or more speaks against equality.
    rmsea_rise : float
        A rise of RMSEA that supports such a fall; infinite where the source names none.
    srmr_rise : mapping of level -> float
        A rise of SRMR that supports such a fall, by level.
    """

    name: str
    cfi_fall: float
    rmsea_rise: float
    srmr_rise: Mapping[str, float]
    citation: str
    criticism: str

    def verdict(self, level: str, cfi: float, rmsea: float, srmr: float) -> Verdict:
        """What the differences to the level before say of equality.

        Where the source names RMSEA and SRMR, a fall of CFI that neither of them supports leaves equality doubtful.
        """
        if round(-cfi, 10) < self.cfi_fall:
            return "holds"
        if math.isinf(self.rmsea_rise):
            return "fails"
        supported = round(rmsea, 10) >= self.rmsea_rise or round(srmr, 10) >= self.srmr_rise[level]
        return "fails" if supported else "doubtful"


_SIMULATED = (
    "Simulated for two groups and simple models; the fit of the configural model matters too, and small differences in "
    "few items can bias means unseen (Putnick & Bornstein 2016)."
)
INVARIANCE_CRITERIA: dict[str, InvarianceCriterion] = {
    criterion.name: criterion
    for criterion in (
        InvarianceCriterion(
            "chen2007", 0.010, 0.015, {"metric": 0.030, "scalar": 0.010, "strict": 0.010},
            "Chen (2007), Structural Equation Modeling, 14, 464-504: more than 300 respondents in groups of like size",
            _SIMULATED,
        ),
        InvarianceCriterion(
            "chen2007_small", 0.005, 0.010, {"metric": 0.025, "scalar": 0.005, "strict": 0.005},
            "Chen (2007), Structural Equation Modeling, 14, 464-504: at most 300 respondents, or groups of unlike size",
            _SIMULATED,
        ),
        InvarianceCriterion(
            "cheung_rensvold2002", 0.010, math.inf, {},
            "Cheung & Rensvold (2002), Structural Equation Modeling, 9, 233-255",
            _SIMULATED,
        ),
    )
}  # fmt: skip
"""Named conventions."""


@dataclass(frozen=True, repr=False)
class MeasurementInvariance(Result):
    """Models with more and more held equal over groups.

    Attributes
    ----------
    groups : tuple
    group_sizes : tuple of int
    n_respondents, n_dropped : int
    levels : tuple of str
        ``configural``, ``metric``, ``scalar``, ``strict``.
    notes : tuple of str
    """

    groups: tuple[Hashable, ...]
    group_sizes: tuple[int, ...]
    n_respondents: int
    n_dropped: int
    levels: tuple[str, ...]
    notes: tuple[str, ...]
    _models: Mapping[str, ConfirmatoryFactorAnalysis] = field(repr=False, compare=False)

    _shown: ClassVar[tuple[str, ...]] = ("groups", "group_sizes", "n_respondents", "n_dropped", "holds")

    def model(self, level: str) -> ConfirmatoryFactorAnalysis:
        """The fitted model of a level."""
        check_choice("level", level, self.levels)
        return self._models[level]

    @property
    def default_criterion(self) -> str:
        """Chen's (2007) values for large samples; those for small ones up to 300, or beyond a ratio of 2 in size."""
        unlike = max(self.group_sizes) > 2 * min(self.group_sizes)
        return "chen2007_small" if self.n_respondents <= 300 or unlike else "chen2007"

    @property
    def holds(self) -> str:
        """The highest level that holds by the default criterion, and every level before it; empty for none."""
        reached = ""
        for level, verdict in self.interpret()["holds"].items():
            if not verdict:
                break
            reached = str(level)
        return reached

    def to_frame(self) -> pd.DataFrame:
        """A row a level.

        Returns
        -------
        DataFrame
            Index ``configural, metric, scalar, strict``; the columns of ``.fit`` (chi_square, df, p, cfi, tli, rmsea,
            rmsea_low, rmsea_high, srmr), aic, bic, and the differences to the level before:
            ``chi_square_difference, df_difference, p_difference, cfi_difference, rmsea_difference,
            srmr_difference``; ``converged``.
        """
        from scipy.special import chdtrc

        rows = []
        before = None
        for level in self.levels:
            fitted = self._models[level]
            row = {name: getattr(fitted.fit, name) for name in _INDICES}
            row.update(dict.fromkeys(_DIFFERENCES, math.nan))
            if before is not None:
                fall, steps = fitted.fit.chi_square - before.chi_square, fitted.fit.df - before.df
                row.update(chi_square_difference=fall, df_difference=steps)
                if steps and not math.isnan(fall):
                    row["p_difference"] = float(chdtrc(steps, max(fall, 0.0)))
                for index in ("cfi", "rmsea", "srmr"):
                    row[f"{index}_difference"] = getattr(fitted.fit, index) - getattr(before, index)
            row["converged"] = fitted.converged
            rows.append(row)
            before = fitted.fit
        return pd.DataFrame(rows, index=pd.Index(self.levels, name="level"))

    def interpret(self, criterion: str | None = None) -> pd.DataFrame:
        """Read the differences by a named convention.

        Parameters
        ----------
        criterion : {"chen2007", "chen2007_small", "cheung_rensvold2002"}, optional
            Default: as ``default_criterion`` says.

        Returns
        -------
        DataFrame
            Index level: verdict (``holds``, ``doubtful`` where CFI falls and no other index agrees, ``fails``),
            holds, meaning, criterion, citation, criticism. The configural model holds where it converged without
            improper estimates; how well it fits is for the reader to judge.
        """
        name = self.default_criterion if criterion is None else criterion
        check_choice("criterion", name, INVARIANCE_CRITERIA)
        rule = INVARIANCE_CRITERIA[name]
        rows = []
        for level, row in self.to_frame().iterrows():
            verdict: Verdict = "fails"
            if level == "configural":
                fitted = self._models["configural"]
                if fitted.converged and not any(note.startswith("Improper") for note in fitted.notes):
                    verdict = "holds"
            elif row["converged"] and not math.isnan(row["cfi_difference"]):
                changes = (row["cfi_difference"], row["rmsea_difference"], row["srmr_difference"])
                verdict = rule.verdict(str(level), *changes)
            rows.append(
                {
                    "verdict": verdict,
                    "holds": verdict == "holds",
                    "meaning": _MEANING[str(level)],
                    "criterion": rule.name,
                    "citation": rule.citation,
                    "criticism": rule.criticism,
                }
            )
        return pd.DataFrame(rows, index=pd.Index(self.levels, name="level"))

    def score_tests(self, level: str = "scalar") -> pd.DataFrame:
        """Which equalities of a level hurt: how much chi-square would fall without each, largest first.

        Parameters
        ----------
        level : {"metric", "scalar", "strict"}

        Returns
        -------
        DataFrame
            ``group``, ``kind`` (the parameters that this level adds: loadings, intercepts or residual variances),
            ``item``, ``chi_square`` (1 df), ``p``, ``expected_difference``: how far that group's parameter would move
            from the common one if it alone were freed, in the answers' units. Each is tested alone, so the largest are
            hints for a look at the wording.
        """
        from scipy.special import chdtrc

        check_choice("level", level, [name for name in self.levels if name != "configural"])
        kind = {"metric": LOADING, "scalar": INTERCEPT, "strict": RESIDUAL}[level]
        fitted = self._models[level]
        columns = ["group", "kind", "item", "chi_square", "p", "expected_difference"]
        solution = fitted._solution
        table = solution.table
        shared = np.bincount(table.free[table.free >= 0], minlength=table.n_free) > 1
        chosen = np.flatnonzero((table.kind == kind) & (table.free >= 0) & shared[np.maximum(table.free, 0)])
        if not fitted.converged or not len(chosen):
            return pd.DataFrame(columns=columns)
        places = Candidates(table.kind[chosen], table.group[chosen], table.row[chosen], table.column[chosen])
        fall, change = score_tests(solution, places)
        multiply, _ = solution.units()
        frame = pd.DataFrame(
            {
                "group": [self.groups[group] for group in places.group],
                "kind": KINDS[kind],
                "item": [fitted.items[row] for row in places.row],
                "chi_square": fall,
                "p": chdtrc(1, np.maximum(fall, 0.0)),
                "expected_difference": change * multiply[chosen],
            }
        )
        return frame.sort_values("chi_square", ascending=False, kind="stable").reset_index(drop=True)

    def verdict(self, *, minimum_group: int = 100) -> InvarianceVerdict:
        """Whether the groups' means may be compared, in plain words.

        Parameters
        ----------
        minimum_group : int
            Respondents below which a group is too small, at least 2. From 100 on, 5 respondents for each parameter of
            a group are asked for as well (Bentler & Chou 1987).
        """
        return judged(self, minimum_group)

    def describe(self) -> str:
        """What may be compared, in APA style."""
        verdicts, table = self.interpret(), self.to_frame()
        reached = self.holds
        if not reached:
            head = f"No structure is shared by the {len(self.groups)} groups: the configural model is improper."
        else:
            head = f"Over {len(self.groups)} groups {reached} invariance holds: {_MEANING[reached]}."
        failing = [level for level in self.levels if level != "configural" and not verdicts.loc[level, "holds"]]
        parts = [head, f"Configural model: {self._models['configural'].fit.describe()}"]
        if reached and failing:
            row = table.to_dict("index")[failing[0]]
            says = "is doubtful" if verdicts.loc[failing[0], "verdict"] == "doubtful" else "does not hold"
            parts.append(
                f"{failing[0].capitalize()} invariance {says} (change in CFI {apa_number(row['cfi_difference'], 3)}, "
                f"RMSEA {apa_number(row['rmsea_difference'], 3)}, SRMR {apa_number(row['srmr_difference'], 3)})."
            )
        parts.append(f"Judged by {verdicts['citation'].iloc[0]}.")
        return " ".join([*parts, *self.notes])


_DIFFERENCES = (
    "chi_square_difference", "df_difference", "p_difference", "cfi_difference", "rmsea_difference", "srmr_difference",
)  # fmt: skip


def measurement_invariance(
    items: object,
    model: Mapping[Any, Sequence[Any]],
    groups: object,
    *,
    structure: LatentStructure = "correlated",
    missing: MissingAnswers = "listwise",
    general: Hashable = "general",
    progress: Progress | None = None,
) -> MeasurementInvariance:
    """Fit a factor model to several groups with more and more held equal.

    Parameters
    ----------
    items : DataFrame, shape (n_respondents, n_items)
        Keyed answers.
    model : mapping
        ``{factor: [items]}``.
    groups : Series, list or str
        A group for each respondent, or the name of a column that holds it; at least 2 groups.
    structure, missing, general, progress
        As in :func:`confirmatory_factor_analysis`.

    Returns
    -------
    MeasurementInvariance
        ``configural``: the same structure. ``metric``: equal loadings. ``scalar``: equal intercepts too, factor means
        free but in the first group. ``strict``: equal residual variances too.

    Raises
    ------
    InsufficientDataError
        Fewer than two groups; a group with too few respondents, items that do not vary or that repeat each other.
    ValueError, TypeError
        As in :func:`confirmatory_factor_analysis`.

    References
    ----------
    Meredith (1993), Psychometrika, 58, 525-543. Vandenberg & Lance (2000), Organizational Research Methods, 3, 4-70.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> generator = np.random.default_rng(3)
    >>> trait = generator.normal(size=(600, 1))
    >>> answers = pd.DataFrame(trait + generator.normal(size=(600, 4)), columns=list("abcd"))
    >>> result = measurement_invariance(answers, {"trait": list("abcd")}, ["north", "south"] * 300)
    >>> result.holds, result.to_frame()["df"].tolist()
    ('strict', [4, 7, 10, 14])
    """
    check_choice("missing", missing, get_args(MissingAnswers))
    if groups is None:
        raise TypeError("groups must be a Series or a list with a group a respondent, not None")
    frame = items if isinstance(items, pd.DataFrame) else None
    if frame is None:
        raise TypeError(f"items must be a DataFrame (respondents x items), not {type(items).__name__}")
    if not frame.columns.is_unique:
        twice = frame.columns[frame.columns.duplicated()].unique()
        raise ValueError(f"items has more than one column named {name_list(twice)}; give each its own name")
    stated = factor_model(model, frame.columns, structure=structure, general=general)
    labels = group_labels(frame, groups, stated)
    steps = Steps(progress)
    known = study(
        frame, stated.items, groups=labels, missing=missing, mean_structure=True, statistic=_STATISTIC, steps=steps
    )
    result = _all_levels(stated, known, missing, steps)
    steps.end()
    return result


def invariance_from_moments(
    moments: Mapping[Hashable, GroupMoments],
    model: Mapping[Any, Sequence[Any]],
    *,
    structure: LatentStructure = "correlated",
    general: Hashable = "general",
) -> MeasurementInvariance:
    """The same as :func:`measurement_invariance`, from numbers of respondents, means and covariances alone.

    Parameters
    ----------
    moments : mapping
        ``{group: GroupMoments}``, at least 2 groups; items that the model does not name take no part.
    model, structure, general
        As in :func:`confirmatory_factor_analysis`.

    Returns
    -------
    MeasurementInvariance
        Equal to that of the complete answers.

    Raises
    ------
    InsufficientDataError, ValueError, TypeError
        As in :func:`measurement_invariance`; a group lacks an item of the model.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> generator = np.random.default_rng(3)
    >>> answers = generator.normal(size=(600, 1)) + generator.normal(size=(600, 4))
    >>> parts = {"north": answers[:300], "south": answers[300:]}
    >>> moments = {
    ...     name: GroupMoments.from_sums(list("abcd"), len(part), part.sum(axis=0), part.T @ part)
    ...     for name, part in parts.items()
    ... }
    >>> result = invariance_from_moments(moments, {"trait": list("abcd")})
    >>> result.holds, result.verdict().comparable
    ('strict', True)
    """
    _check_moments(moments)
    held = dict.fromkeys(item for group in moments.values() for item in group.mean.index)
    stated = factor_model(model, held, structure=structure, general=general)
    return _all_levels(stated, moments_study(moments, stated.items, _STATISTIC), "listwise", Steps())


def invariance_verdict(
    moments: Mapping[Hashable, GroupMoments], model: Mapping[Any, Sequence[Any]], *, minimum_group: int = 100
) -> InvarianceVerdict:
    """Whether the means of groups may be compared, a verdict even where no model can be fitted.

    Parameters
    ----------
    moments, model
        As in :func:`invariance_from_moments`.
    minimum_group : int
        Respondents below which a group is too small, at least 2; then nothing is fitted.

    Returns
    -------
    InvarianceVerdict

    Raises
    ------
    ValueError, TypeError
        As in :func:`invariance_from_moments`.

    Examples
    --------
    >>> import pandas as pd
    >>> items = ["a", "b", "c"]
    >>> alike = pd.DataFrame(0.5, index=items, columns=items) + 0.5 * np.eye(3)
    >>> moments = {name: GroupMoments(40, pd.Series(3.0, index=items), alike) for name in ("staff", "customers")}
    >>> verdict = invariance_verdict(moments, {"care": items})
    >>> verdict.code, verdict.enough, verdict.scalar
    ('too_few', False, None)
    """
    _check_moments(moments)
    sizes = tuple(group.n for group in moments.values())
    if len(moments) > 1 and min(sizes) < minimum_group:
        smallest = list(moments)[sizes.index(min(sizes))]
        why = f"{smallest} has {min(sizes)} complete answers, and at least {minimum_group} a group are needed."
        return unexamined(tuple(moments), sizes, why, minimum_group)
    try:
        return invariance_from_moments(moments, model).verdict(minimum_group=minimum_group)
    except InsufficientDataError as error:
        return unexamined(tuple(moments), sizes, str(error), minimum_group)


def _check_moments(moments: object) -> None:
    if not isinstance(moments, Mapping):
        raise TypeError(f"moments must be a mapping, {{group: GroupMoments}}, not {type(moments).__name__}")
    wrong = [label for label, group in moments.items() if not isinstance(group, GroupMoments)]
    if wrong:
        raise TypeError(f"moments must hold GroupMoments; not so for {name_list(wrong)}")


def _all_levels(model: FactorModel, known: Study, missing: MissingAnswers, steps: Steps) -> MeasurementInvariance:
    models = {name: _fitted(model, known, equal, missing, steps) for name, equal in _LEVELS.items()}
    return MeasurementInvariance(
        groups=tuple(sample.label for sample in known.samples),
        group_sizes=tuple(sample.n for sample in known.samples),
        n_respondents=known.n,
        n_dropped=known.n_dropped,
        levels=tuple(_LEVELS),
        notes=_notes(models),
        _models=models,
    )


def _fitted(
    model: FactorModel, known: Study, equal: frozenset[Equality], missing: MissingAnswers, steps: Steps
) -> ConfirmatoryFactorAnalysis:
    return result_of(fit_structure(model, known, equal=equal, statistic=_STATISTIC, steps=steps), missing)


def _notes(models: Mapping[str, ConfirmatoryFactorAnalysis]) -> tuple[str, ...]:
    """The notes of all levels, each once, with the levels that they speak of."""
    levels: dict[str, list[str]] = {}
    for level, fitted in models.items():
        for note in fitted.notes:
            levels.setdefault(note, []).append(level)
    every = len(models)
    return tuple(
        note if len(names) == every else f"{', '.join(names).capitalize()}: {note}" for note, names in levels.items()
    )
