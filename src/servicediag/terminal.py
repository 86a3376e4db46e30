"""What the command line shows: lines, faults, tables and progress, where text from data is only ever text."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from servicediag.report import plain_text
from servicediag.wording import text

if TYPE_CHECKING:
    import pandas as pd
    from rich.progress import Progress

    from servicediag.errors import Issue
    from servicediag.instrument import Instrument
    from servicediag.responses import Responses, Screening

__all__ = [
    "Steps",
    "as_options",
    "clean",
    "console",
    "discard",
    "line",
    "progress",
    "say",
    "show_frame",
    "show_instrument",
    "show_intake",
    "show_issues",
    "show_reliability",
    "show_screening",
]

_PIPED_WIDTH = 120
_COEFFICIENTS = (
    "alpha", "alpha_low", "alpha_high", "omega", "omega_low", "omega_high", "mean_inter_item_correlation", "sem",
    "note",
)  # fmt: skip
_ARGUMENT = re.compile(
    r"\b(?P<name>unit|wave|respondent|sheet|columns|header_row|encoding|missing_codes|minimum_completed|form|instrument"
    r"|language|platform|limits|comments|ledger)=(?P<value>'[^']*'|[\w-]*)"
)
_OPTIONS = {"instrument": "-i", "language": "--export-language", "missing_codes": "--missing-code", "limits": "--limit",
            "comments": "--comment"}  # fmt: skip
_MOST_OF_A_KIND = 40
_HEADS = {"Errors:": "bold red", "Warnings:": "yellow", "Notes:": "cyan"}
"""What stands above the parts of the report of an intake, and how they are shown."""
_SEVERITIES = {"error": "bold red", "warning": "yellow", "note": "cyan"}


class _Console(Console):
    """A console whose reader may leave: ``servicediag ... | head`` is no fault, and the command does its work."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        discard(self.file)


def discard(stream: IO[str]) -> None:
    """Let what is still written to a stream, of which the other end is closed, lead nowhere."""
    with contextlib.suppress(OSError, ValueError):  # a stream without a file of the system has no such end
        place = stream.fileno()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, place)
        os.close(nowhere)


def console(*, stderr: bool = False) -> Console:
    """A console that parses nothing: no markup, no emoji codes, no highlighting."""
    target = _Console(stderr=stderr, markup=False, highlight=False, emoji=False)
    return target if target.is_terminal else _Console(
        stderr=stderr, markup=False, highlight=False, emoji=False, width=_PIPED_WIDTH
    )  # fmt: skip


def clean(value: object) -> str:
    """One printable line: nothing in it can steer the terminal or turn the reading direction.

    Examples
    --------
    >>> clean("North\\x1b[31m\\n[bold]East")
    'North[31m [bold]East'
    """
    return plain_text.clean(str(value))


def say(target: Console, key: str, /, *, style: str = "", language: str = "en", **values: Any) -> None:
    """Print a fixed text of the area ``cli`` with its values filled in, on one line that is never wrapped."""
    shown: dict[str, Any] = {
        name: value if isinstance(value, (int, float)) else clean(value) for name, value in values.items()
    }
    line(target, text(f"cli.{key}", language, **shown), style=style)


def line(target: Console, content: object, *, style: str = "", indent: int = 0) -> None:
    """Print one line as it is."""
    target.print(Text(" " * indent + clean(content), style=style), soft_wrap=True)


def as_options(advice: str) -> str:
    """Advice that names arguments of the library, in the words of the command line.

    Examples
    --------
    >>> as_options("Leave out sheet=, or try minimum_completed=0; say columns={'Q1': 'sin_rule_1'} or form='customer'.")
    "Leave out --sheet, or try --minimum-completed 0; say --columns FILE with 'Q1': 'sin_rule_1' or -i ID:customer."
    >>> as_options("If you trust the file, pass limits={'columns': 5000}.")
    'If you trust the file, pass --limit columns=5000.'
    """
    advice = re.sub(r"\bcolumns=\{([^{}]*)\}", r"--columns FILE with \1", advice)
    advice = advice.replace("accept_suggestions=True", "--accept-suggestions")
    advice = re.sub(r"\bmissing_codes=\([^()]*\)", "--missing-code", advice)
    advice = _ARGUMENT.sub(_as_option, advice)
    return re.sub(r"--limit\{'(\w+)': (\d+)\}", r"--limit \1=\2", advice)


def _as_option(found: re.Match[str]) -> str:
    name, value = found["name"], (found["value"] or "").strip("'")
    if name == "form":
        return f"-i ID:{value or 'FORM'}"
    option = _OPTIONS.get(name, f"--{name.replace('_', '-')}")
    return f"{option} {value}" if value else option


def show_issues(target: Console, headline: str, issues: Sequence[Issue]) -> None:
    """Print every issue, grouped by severity and code."""
    if headline:
        line(target, headline, style="bold")
    for severity, style in _SEVERITIES.items():
        of_severity = [issue for issue in issues if issue.severity == severity]
        for code in dict.fromkeys(issue.code for issue in of_severity):
            group = [issue for issue in of_severity if issue.code == code]
            say(target, f"issues.{severity}", style=style, code=code, count=len(group))
            for issue in group[:_MOST_OF_A_KIND]:
                place = f"{issue.where}: " if issue.where else ""
                line(target, f"{place}{as_options(f'{issue.problem} {issue.remedy}')}", indent=2)
            if (rest := len(group) - _MOST_OF_A_KIND) > 0:
                say(target, "issues.more", count=rest)


def show_frame(target: Console, frame: pd.DataFrame, *, title: str = "") -> None:
    """Print a table; numbers to the right, text as it is, missing values empty."""
    from rich import box

    table = Table(title=title or None, box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False)
    for column in frame.columns:
        numeric = frame[column].dtype.kind in "iuf"
        table.add_column(Text(clean(column)), justify="right" if numeric else "left", overflow="fold")
    for row in frame.itertuples(index=False):
        table.add_row(*(Text(_shown(value)) for value in row))
    target.print(table)


def _shown(value: Any) -> str:
    if value is None or value != value:
        return ""
    if isinstance(value, float):
        return f"{value:.2f}"
    if isinstance(value, (tuple, list)):
        return ", ".join(clean(entry) for entry in value)
    return clean(value)


def show_instrument(target: Console, instrument: Instrument, form: str, language: str) -> None:
    """Print what an instrument is, and the items of one form as its respondents read them."""
    locale = instrument.locales[language]
    line(target, f"{locale.title} ({instrument.id} {instrument.version})", style="bold")
    line(target, locale.definition)
    say(target, "instrument.state", status=instrument.status, license=instrument.license)
    say(target, "instrument.forms", form=form, forms=", ".join(f.id for f in instrument.forms))
    for note in (*instrument.sources, *instrument.notes):
        line(target, note, indent=2)
    items = instrument.to_frame(form, language)
    show_frame(target, items[["code", "dimension", "text", "reverse_keyed", "in_score"]])


def show_intake(target: Console, responses: Responses) -> None:
    """Print the report of how an export was read, its advice in the words of the command line."""
    style = ""
    for number, text_line in enumerate(responses.intake.to_text().splitlines()):
        style = _HEADS.get(text_line, style)
        line(target, as_options(text_line) if style else text_line, style="bold" if number == 0 else style)


def show_screening(target: Console, screening: Screening) -> None:
    """Print how many respondents are flagged, and by which rules."""
    table = screening.to_frame()
    flagged = table[table["flagged"]]
    if flagged.empty:
        say(target, "screening.none")
        return
    counts = {rule: int(flagged[f"flag_{rule}"].sum()) for rule in screening.rules["rule"]}
    signs = ", ".join(f"{rule} {count}" for rule, count in counts.items() if count)
    say(target, "screening.flagged", count=len(flagged), n=len(table), signs=signs)


def show_reliability(target: Console, table: pd.DataFrame) -> None:
    """Print a reliability table, its notes below."""
    shown = table[[c for c in table.columns if c not in _COEFFICIENTS]].copy()
    for name in ("alpha", "omega"):
        estimates = zip(table[name], table[f"{name}_low"], table[f"{name}_high"], strict=True)
        shown[f"{name} (95 %)"] = [f"{e:.2f} ({low:.2f} to {high:.2f})" if e == e else "" for e, low, high in estimates]
    show_frame(target, shown.assign(sem=table["sem"]))
    for note in dict.fromkeys(table["note"]):
        if note:
            line(target, f"{', '.join(dict.fromkeys(table.loc[table['note'] == note, 'dimension']))}: {note}")


class Steps:
    """Moves a progress bar: called when a step begins; ``within`` says how far it is."""

    def __init__(self, bar: Progress, names: Sequence[str]) -> None:
        self._bar = bar
        self._task = bar.add_task("", total=len(names))
        self._names = iter(enumerate(names))
        self._number = 0

    def __call__(self) -> None:
        self._number, name = next(self._names)
        self._bar.update(self._task, completed=self._number, description=clean(name))

    def within(self, done: int, total: int, what: str) -> None:  # noqa: ARG002
        """How far the present step is."""
        self._bar.update(self._task, completed=self._number + done / max(total, 1))


@contextmanager
def progress(steps: Sequence[str]) -> Iterator[Steps]:
    """A progress bar on a terminal, gone when the work ends; nothing is drawn where the error stream is a file."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    target = console(stderr=True)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=target, transient=True, disable=not target.is_terminal) as bar:
        yield Steps(bar, steps)
