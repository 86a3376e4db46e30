"""The exception tree, and the Issue that every fault of data or instruments is reported as."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

__all__ = [
    "InstrumentError",
    "InsufficientDataError",
    "Issue",
    "ResponsesError",
    "ServicediagError",
    "ServicediagWarning",
    "Severity",
]

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True)
class Issue:
    """One fault or remark: what it is, where it is, and what to do about it.

    Attributes
    ----------
    code : str
        Stable identifier, e.g. ``"out_of_range"``; tests and scripts compare this, never the wording.
    severity : {"error", "warning", "note"}
    where : str
        File, sheet, cell or line, as precise as known.
    problem : str
        What is wrong, in one sentence.
    remedy : str
        What to do, in one sentence; may be empty for a note.
    """

    code: str
    severity: Severity
    where: str
    problem: str
    remedy: str = ""

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        remedy = f" {self.remedy}" if self.remedy else ""
        return f"{place}{self.problem}{remedy} [{self.code}]"


class ServicediagError(Exception):
    """Base of every error that servicediag raises about data or instruments."""


class _IssuesError(ServicediagError):
    """An error that carries every fault found, so that all can be mended in one go."""

    def __init__(self, headline: str, issues: Iterable[Issue] = ()) -> None:
        self.headline = headline
        self.issues: tuple[Issue, ...] = tuple(issues)
        super().__init__(headline)

    def __str__(self) -> str:
        return "\n".join([self.headline, *(f"  - {issue}" for issue in self.issues)])

    def __reduce__(self) -> tuple[type[_IssuesError], tuple[str, tuple[Issue, ...]]]:
        return (type(self), (self.headline, self.issues))


class InstrumentError(_IssuesError):
    """An instrument, rule or scale file is faulty; ``issues`` lists every fault with file and line."""


class ResponsesError(_IssuesError):
    """A survey export cannot be used as it is; ``issues`` lists every fault with file, sheet and cell."""


class InsufficientDataError(ServicediagError):
    """A statistic is undefined for the data given: too few items, too few respondents or no variation."""


class ServicediagWarning(UserWarning):
    """Something a person should look at, which does not stop the work."""
