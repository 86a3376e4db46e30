"""How people see a diagnosis: page, workbook, JSON, terminal, charts and notebook. Heavy modules load on use."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from servicediag.report.theme import Theme

if TYPE_CHECKING:
    from rich.console import Console

    from servicediag.diagnosis.model import Diagnosis

__all__ = ["Theme", "notebook_html", "plot", "print_diagnosis", "write_excel", "write_html", "write_json"]


def write_excel(
    diagnosis: Diagnosis, path: str | Path, *, language: str = "en", theme: Theme | None = None, overwrite: bool = False
) -> Path:
    """Write the workbook for HR and researchers.

    Parameters
    ----------
    diagnosis : Diagnosis
        A published diagnosis; nothing else is read.
    path : str or Path
        Name of the file, ending in ``.xlsx``.
    language : str
        Language of the report's own texts.
    theme : Theme, optional
        The two colours.
    overwrite : bool
        Whether an existing file may be replaced.

    Returns
    -------
    Path
        The file. The same diagnosis, language and theme give the same bytes.

    Raises
    ------
    FileExistsError
        The file exists and ``overwrite`` is False, or the path is a symbolic link.
    FileNotFoundError
        The folder does not exist.
    ValueError
        The name does not end in ``.xlsx``, or there are no texts in that language.
    """
    from servicediag.report.workbook import write_workbook

    if Path(path).suffix.lower() != ".xlsx":
        raise ValueError(f"path={str(path)!r} must end in '.xlsx'; spreadsheets refuse other names")
    return write_workbook(diagnosis, path, language=language, theme=theme or Theme(), overwrite=overwrite)


def write_html(
    diagnosis: Diagnosis, path: str | Path, *, language: str = "en", theme: Theme | None = None, overwrite: bool = False
) -> Path:
    """Write the page for managers: one file, no script, nothing loaded from outside.

    Parameters, result and errors are those of :func:`write_excel`, except that any file name is taken.
    """
    from servicediag.report.page import write_page

    return write_page(diagnosis, path, language=language, theme=theme or Theme(), overwrite=overwrite)


def write_json(diagnosis: Diagnosis, path: str | Path, *, overwrite: bool = False) -> Path:
    """Write the machine-readable diagnosis; see :func:`servicediag.report.json_report.document`."""
    from servicediag.report.json_report import write_json as write

    return write(diagnosis, path, overwrite=overwrite)


def plot(diagnosis: Diagnosis, kind: str = "gaps", *, language: str = "en", theme: Theme | None = None) -> Any:
    """A chart for a notebook.

    Parameters
    ----------
    kind : {"gaps", "heatmap", "readiness", "bottleneck", "provision_gap", "perception_gap"}

    Returns
    -------
    altair chart
        Of the first grouping and its last wave, where the chart is about one of several.

    Raises
    ------
    ValueError
        No such kind.
    InsufficientDataError
        The diagnosis publishes nothing that the chart could show.
    """
    from servicediag.report.notebook import plot as draw

    return draw(diagnosis, kind, language=language, theme=theme or Theme())


def notebook_html(diagnosis: Diagnosis, *, language: str = "en") -> str:
    """A short HTML fragment with the headline and the most important findings, for notebooks."""
    from servicediag.report.notebook import fragment

    return fragment(diagnosis, language=language)


def print_diagnosis(diagnosis: Diagnosis, console: Console, language: str = "en", top: int = 5) -> None:
    """Print the summary within 100 columns: findings, strengths, what cannot be told, what is not shown.

    Parameters
    ----------
    console : rich.console.Console
        Where to print. Without colour the words still say everything.
    top : int
        How many findings to tell, at least 1.
    """
    from servicediag.report.terminal import print_summary

    print_summary(diagnosis, console, language=language, top=top)
