"""What the levels of invariance say in plain words: may the means of these groups be compared."""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

import pandas as pd

from servicediag.psychometrics._frames import Result, apa_number, check_count

if TYPE_CHECKING:
    from servicediag.psychometrics.invariance import MeasurementInvariance

__all__ = ["InvarianceVerdict", "VerdictCode", "judged", "unexamined"]

VerdictCode = Literal["comparable", "scalar_fails", "metric_fails", "misfit", "improper", "too_few", "impossible"]
_MINIMUM_GROUP = 100
_PER_PARAMETER = 5  # Bentler & Chou (1987), Sociological Methods & Research, 16, 78-117
_LEAST_CFI, _MOST_SRMR = 0.90, 0.10
_CITATION = (
    "At least 100 respondents a group and 5 for each parameter (Bentler & Chou 1987); the shared structure fits where "
    "CFI is at least .90 and SRMR at most .10 (Bentler 1990; Hu & Bentler 1999, their values loosened): conventions."
)


@dataclass(frozen=True, repr=False)
class InvarianceVerdict(Result):
    """Whether groups may be compared by the means of these items.

    Attributes
    ----------
    comparable : bool
        There are enough respondents, and configural, metric and scalar invariance hold.
    enough : bool
        Every group has at least ``needed`` respondents with complete answers.
    configural, metric, scalar : bool or None
        Whether the level and every one before it holds; None where it could not be examined.
    code : str
        ``comparable``, or the first reason against it: ``too_few``, ``impossible`` (no model can be fitted),
        ``improper``, ``misfit`` (the structure itself fits poorly), ``metric_fails``, ``scalar_fails``.
    reason : str
        The same in a sentence.
    groups : tuple
    group_sizes : tuple of int
    needed : int
    criterion, citation : str
        The conventions that judged.
    invariance : MeasurementInvariance or None
        All levels in full; None where nothing could be fitted.
    """

    comparable: bool
    enough: bool
    configural: bool | None
    metric: bool | None
    scalar: bool | None
    code: VerdictCode
    reason: str
    groups: tuple[Hashable, ...]
    group_sizes: tuple[int, ...]
    needed: int
    criterion: str
    citation: str
    invariance: MeasurementInvariance | None = field(repr=False, compare=False)

    _shown: ClassVar[tuple[str, ...]] = ("comparable", "enough", "configural", "metric", "scalar", "code")

    def to_frame(self) -> pd.DataFrame:
        """One row with every attribute but the models."""
        row = {name: value for name, value in vars(self).items() if name != "invariance"}
        return pd.DataFrame([row])

    def describe(self) -> str:
        """The reason, and by which conventions."""
        return f"{self.reason} {self.citation}"


def unexamined(
    groups: tuple[Hashable, ...], group_sizes: tuple[int, ...], why: str, minimum_group: int
) -> InvarianceVerdict:
    """The verdict where no model can be fitted."""
    few = min(group_sizes, default=0) < minimum_group
    return InvarianceVerdict(
        comparable=False,
        enough=not few,
        configural=None,
        metric=None,
        scalar=None,
        code="too_few" if few else "impossible",
        reason=f"Whether the items work alike in these groups cannot be examined. {why}",
        groups=groups,
        group_sizes=group_sizes,
        needed=minimum_group,
        criterion="",
        citation=_CITATION,
        invariance=None,
    )


def judged(result: MeasurementInvariance, minimum_group: int = _MINIMUM_GROUP) -> InvarianceVerdict:
    """The verdict on fitted levels."""
    minimum_group = check_count("minimum_group", minimum_group, 2)
    verdicts = result.interpret()
    fit = result.model("configural").fit
    proper = bool(verdicts.loc["configural", "holds"])
    fits = proper and fit.cfi >= _LEAST_CFI and fit.srmr <= _MOST_SRMR
    metric = fits and bool(verdicts.loc["metric", "holds"])
    scalar = metric and bool(verdicts.loc["scalar", "holds"])
    needed = minimum_group
    if minimum_group >= _MINIMUM_GROUP:  # who asks for less has said how much is enough
        needed = max(needed, _PER_PARAMETER * math.ceil(fit.n_parameters / len(result.groups)))
    enough = min(result.group_sizes) >= needed
    code: VerdictCode = "comparable"
    for reached, otherwise in (
        (enough, "too_few"),
        (proper, "improper"),
        (fits, "misfit"),
        (metric, "metric_fails"),
        (scalar, "scalar_fails"),
    ):
        if not reached:
            code = otherwise  # type: ignore[assignment]
            break
    return InvarianceVerdict(
        comparable=code == "comparable",
        enough=enough,
        configural=fits,
        metric=metric,
        scalar=scalar,
        code=code,
        reason=_reason(result, code, needed),
        groups=result.groups,
        group_sizes=result.group_sizes,
        needed=needed,
        criterion=result.default_criterion,
        citation=f"{verdicts['citation'].iloc[0]}. {_CITATION}",
        invariance=result,
    )


def _reason(result: MeasurementInvariance, code: VerdictCode, needed: int) -> str:
    fit = result.model("configural").fit
    if code == "too_few":
        size = min(result.group_sizes)
        smallest = result.groups[result.group_sizes.index(size)]
        return (
            f"Whether the items work alike in these groups is not known: {smallest} has {size} complete answers, and "
            f"{needed} a group are needed."
        )
    if code == "improper":
        return "The items do not measure the same thing in these groups: the shared structure has no proper solution."
    if code == "misfit":
        return (
            "The items do not measure the same thing in these groups: the shared structure fits poorly (CFI "
            f"{apa_number(fit.cfi, 3)}, SRMR {apa_number(fit.srmr, 3)})."
        )
    if code in ("metric_fails", "scalar_fails"):
        level = "metric" if code == "metric_fails" else "scalar"
        change = result.to_frame().to_dict("index")[level]["cfi_difference"]
        tests = result.score_tests(level)
        item = f", most of all {tests['item'].iloc[0]}" if len(tests) else ""
        says = "reflect the same thing more strongly" if level == "metric" else "are answered higher at the same level"
        return (
            f"Part of a difference between these groups may be a different use of the items: some of them{item} {says} "
            f"in one group than in another (change in CFI {apa_number(change, 3)})."
        )
    return "The items work alike in these groups, so their means may be compared."
