"""How people see a diagnosis: page, workbook, slides, document, JSON, terminal, notebook. Heavy modules load on use."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from servicediag.report.theme import Theme

if TYPE_CHECKING:
    from rich.console import Console

    from servicediag.diagnosis.model import Diagnosis
    from servicediag.reliability_table import Reliability
    from servicediag.scoring import Scores

__all__ = [
    "Theme", "notebook_html", "plot", "print_diagnosis", "read_theme", "research_table", "write_excel", "write_html",
    "write_json", "write_slides", "write_word",
]  # fmt: skip


def read_theme(path: str | Path) -> Theme:
    """The theme in a YAML file; see :func:`servicediag.report.theme_file.read_theme`."""
    from servicediag.report.theme_file import read_theme as read

    return read(path)


def write_slides(
    diagnosis: Diagnosis,
    path: str | Path,
    *,
    language: str | None = None,
    theme: Theme | None = None,
    overwrite: bool = False,
) -> Path:
    """Write 10 to 15 slides with native charts, for a talk; needs ``servicediag[slides]``.

    Parameters, result and errors are those of :func:`write_excel`, for a name that ends in ``.pptx``; ImportError
    where python-pptx is not installed.
    """
    from servicediag.report.slides import write_slides as write

    if Path(path).suffix.lower() != ".pptx":
        raise ValueError(f"path={str(path)!r} must end in '.pptx'; programs for slides refuse other names")
    return write(diagnosis, path, language=language, theme=theme or Theme(), overwrite=overwrite)


def write_word(
    diagnosis: Diagnosis,
    path: str | Path,
    *,
    language: str | None = None,
    theme: Theme | None = None,
    overwrite: bool = False,
) -> Path:
    """Write the action plan, with columns for owner and date to fill in; needs ``servicediag[word]``.

    Parameters, result and errors are those of :func:`write_excel`, for a name that ends in ``.docx``; ImportError
    where python-docx is not installed.
    """
    from servicediag.report.document import write_document

    if Path(path).suffix.lower() != ".docx":
        raise ValueError(f"path={str(path)!r} must end in '.docx'; word processors refuse other names")
    return write_document(diagnosis, path, language=language, theme=theme or Theme(), overwrite=overwrite)


def research_table(
    result: Reliability | Scores, style: str = "markdown", *, path: str | Path | None = None, language: str = "en",
    overwrite: bool = False,
) -> str:  # fmt: skip
    """A table in APA form; see :func:`servicediag.report.research_tables.research_table`."""
    from servicediag.report.research_tables import research_table as make

    return make(result, style, path=path, language=language, overwrite=overwrite)


def write_excel(
    diagnosis: Diagnosis,
    path: str | Path,
    *,
    language: str | None = None,
    theme: Theme | None = None,
    overwrite: bool = False,
) -> Path:
    """Write the workbook for HR and researchers.

    Parameters
    ----------
    diagnosis : Diagnosis
        A published diagnosis; nothing else is read.
    path : str or Path
        Name of the file, ending in ``.xlsx``.
    language : str, optional
        Language of every text of the report, as of :meth:`Diagnosis.in_language`; default the diagnosis's own.
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
    diagnosis: Diagnosis,
    path: str | Path,
    *,
    language: str | None = None,
    theme: Theme | None = None,
    overwrite: bool = False,
) -> Path:
    """Write the page for managers: one file, no script, nothing loaded from outside.

    Parameters, result and errors are those of :func:`write_excel`, except that any file name is taken.
    """
    from servicediag.report.page import write_page

    return write_page(diagnosis, path, language=language, theme=theme or Theme(), overwrite=overwrite)


def write_json(diagnosis: Diagnosis, path: str | Path, *, language: str | None = None, overwrite: bool = False) -> Path:
    """Write the machine-readable diagnosis; see :func:`servicediag.report.json_report.document`."""
    from servicediag.report.json_report import write_json as write

    return write(diagnosis, path, language=language, overwrite=overwrite)


def plot(
    diagnosis: Diagnosis,
    kind: str = "gaps",
    *,
    about: str | None = None,
    language: str | None = None,
    theme: Theme | None = None,
) -> Any:
    """A chart for a notebook; every chart of the page can be had.

    Parameters
    ----------
    kind : {"gaps", "provision_gap", "perception_gap", "heatmap", "readiness", "bottleneck", "plane", "agreement", \
            "answers", "changes", "segments", "index"}
    about : str, optional
        Which one, where there are several: of ``"answers"`` the id of a questionnaire, of ``"changes"`` two waves with
        a hyphen between them, of ``"segments"`` a background field, of ``"index"`` its name; default the first.

    Returns
    -------
    altair chart
        Of the first grouping and its last wave, where the chart is about one of several.

    Raises
    ------
    ValueError
        No such kind, or none about that.
    InsufficientDataError
        The diagnosis publishes nothing that the chart could show.
    """
    from servicediag.report.notebook import plot as draw

    return draw(diagnosis, kind, about=about, language=language, theme=theme or Theme())


def notebook_html(diagnosis: Diagnosis, *, language: str | None = None) -> str:
    """A short HTML fragment with the headline and the most important findings, for notebooks."""
    from servicediag.report.notebook import fragment

    return fragment(diagnosis, language=language)


def print_diagnosis(diagnosis: Diagnosis, console: Console, language: str | None = None, top: int = 5) -> None:
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
