"""The command line: parse the arguments, call the library, print what it says."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from servicediag.export_arguments import (
    Reading,
    file_argument,
    file_option,
    instrument_and_form,
    name_and_form,
    one_for_each,
    read_beside,
    read_exports,
    reads_exports,
)

if TYPE_CHECKING:
    from rich.console import Console

    from servicediag.errors import Issue
    from servicediag.instrument import Instrument
    from servicediag.responses import Responses

__all__ = ["app"]

app = typer.Typer(
    help="Service-culture assessment: read survey exports, judge their reliability, diagnose gaps and causes.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_NEED_A_MAPPING = ("suggested_match", "unknown_direction")
_REPORTS = {".xlsx": "to_excel", ".html": "to_html", ".pptx": "to_slides", ".docx": "to_word", ".json": "to_json"}
_EXTRAS = {".pptx": ("pptx", "slides", "Slides"), ".docx": ("docx", "word", "Word documents")}

ExportArgument = Annotated[Path, file_argument(metavar="EXPORT", help="The survey export.", show_default=False)]
InstrumentOption = Annotated[
    list[str],
    typer.Option(
        "-i",
        "--instrument",
        metavar="ID[:FORM]",
        help="Instrument of the export; several in one export as ID:FORM+ID:FORM.",
        show_default=False,
    ),
]
LanguageOption = Annotated[str, typer.Option("--language", metavar="LL", help="Language of what is written.")]
ForceOption = Annotated[bool, typer.Option("--force", help="Replace existing files.")]
DebugOption = Annotated[bool, typer.Option("--debug", help="Show the traceback of an internal error.")]


def _show_version(wanted: bool) -> None:
    if wanted:
        from servicediag import __version__

        typer.echo(f"servicediag {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Service-culture assessment: read survey exports, judge their reliability, diagnose gaps and causes."""


@app.command()
def demo(
    out: Annotated[Path, file_option("--out", metavar="DIR", help="Folder for the study and its reports.")] = Path(
        "servicediag-demo"
    ),
    language: LanguageOption = "en",
    force: ForceOption = False,
    debug: DebugOption = False,
) -> None:
    """Run the main job on a made-up study, and compare what was found with what was planted."""
    with _reporting(debug):
        from servicediag.demo import STEPS, print_demo, run_demo
        from servicediag.terminal import console, progress

        _known_report_language(language)
        with progress(STEPS) as next_step:
            result = run_demo(out, language=language, overwrite=force, progress=next_step)
        print_demo(result, console())


@app.command()
def instruments(
    instrument: Annotated[str | None, typer.Argument(metavar="[ID[:FORM]]", show_default=False)] = None,
    language: LanguageOption = "en",
    debug: DebugOption = False,
) -> None:
    """List the instruments, or the items of one."""
    with _reporting(debug):
        from servicediag.terminal import console, show_frame, show_instrument

        if instrument is None:
            from servicediag.instrument import list_instruments, list_packages

            show_frame(console(), list_instruments())
            show_frame(console(), list_packages())
            return
        loaded, form = instrument_and_form(instrument)
        show_instrument(console(), loaded, form, _known_language(loaded, language))


@app.command("answer-sheet")
def answer_sheet(
    instrument: Annotated[str, typer.Argument(metavar="ID[:FORM]", show_default=False)],
    out: Annotated[Path, file_argument(metavar="OUT.xlsx", show_default=False)],
    language: LanguageOption = "en",
    force: ForceOption = False,
    debug: DebugOption = False,
) -> None:
    """Write a questionnaire with drop-downs that can be filled in and read back."""
    with _reporting(debug):
        from servicediag.questionnaire import write_answer_sheet
        from servicediag.terminal import console, say

        loaded, form = instrument_and_form(instrument)
        _known_language(loaded, language)
        with _outputs([out], (".xlsx",), force=force) as (target,):
            write_answer_sheet(loaded, target, form=form, language=language, overwrite=True)
        _say_written([out])
        say(console(), "form.written", form=form)
        others = ", ".join(other.id for other in loaded.forms if other.id != form)
        if others and name_and_form(instrument)[1] is None:
            say(console(), "form.others", instrument=instrument, forms=others)


@app.command()
@reads_exports
def check(
    reading: Reading,
    export: ExportArgument,
    instrument: InstrumentOption,
    annotate: Annotated[
        Path | None, file_option(metavar="OUT.xlsx", help="Write a copy of the export with the doubtful cells marked.")
    ] = None,
    save_mapping: Annotated[
        Path | None, file_option(metavar="FILE", help="Write the matching of columns and items, to be edited.")
    ] = None,
    force: ForceOption = False,
    debug: DebugOption = False,
) -> None:
    """Say how an export is read: what was matched, what was set aside, what is doubtful."""
    with _reporting(debug):
        from servicediag.responses import screen
        from servicediag.terminal import console, show_intake, show_screening

        wanted = [path for path in (annotate, save_mapping) if path is not None]
        _check_suffix(annotate, (".xlsx",))
        _check_suffix(save_mapping, (".csv", ".yaml", ".yml"))
        if annotate is not None and export.suffix.lower() not in (".xlsx", ".xlsm"):
            raise typer.BadParameter("--annotate marks cells of a workbook; the export is none")
        saving = _saving_faults(export, annotate, save_mapping, force)
        beside = read_beside(instrument, reading)
        with saving, _outputs(wanted, (), force=force, inputs=[export], beside=beside) as files:
            (responses,) = read_exports([export], ["+".join(instrument)], reading)
            waiting = iter(files)
            if annotate is not None:
                responses.intake.annotate(next(waiting), overwrite=True)
            if save_mapping is not None:
                responses.intake.save_mapping(next(waiting), overwrite=True)
        show_intake(console(), responses)
        show_screening(console(), screen(responses))
        _say_written(wanted)


@app.command()
@reads_exports
def score(
    reading: Reading,
    export: ExportArgument,
    instrument: InstrumentOption,
    out: Annotated[Path, file_option("-o", "--out", metavar="OUT.xlsx", show_default=False)],
    force: ForceOption = False,
    debug: DebugOption = False,
) -> None:
    """Write the score of every respondent: working data of the analyst, not for release."""
    with _reporting(debug):
        from servicediag.scoring import score as score_responses
        from servicediag.tables import write_workbook
        from servicediag.terminal import console, say
        from servicediag.wording import text

        with _outputs([out], (".xlsx",), force=force, inputs=[export]) as (target,):
            (responses,) = read_exports([export], ["+".join(instrument)], reading)
            scores = score_responses(responses)
            tables = {"Scores": scores.to_frame(), "Rules": scores.rules}
            write_workbook(target, tables, note=text("cli.not_for_release"))
        _say_written([out])
        say(console(), "not_for_release", style="bold")


@app.command()
@reads_exports
def reliability(
    reading: Reading,
    export: ExportArgument,
    instrument: InstrumentOption,
    out: Annotated[
        Path | None, file_option("-o", "--out", metavar="OUT.xlsx|.csv", help="Write the table to a file.")
    ] = None,
    by: Annotated[str | None, typer.Option(metavar="COLUMN", help="A table row for each group of this column.")] = None,
    force: ForceOption = False,
    debug: DebugOption = False,
) -> None:
    """Cronbach's alpha, omega and the standard error of measurement: working data, not for release."""
    with _reporting(debug):
        from servicediag.reliability_table import reliability as reliability_of
        from servicediag.tables import write_csv, write_workbook
        from servicediag.terminal import console, say, show_reliability
        from servicediag.wording import text

        reading["unit"] = [by] if by else reading["unit"]
        wanted = [] if out is None else [out]
        beside = read_beside(instrument, reading)
        with _outputs(wanted, (".xlsx", ".csv"), force=force, inputs=[export], beside=beside) as targets:
            (responses,) = read_exports([export], ["+".join(instrument)], reading)
            table = reliability_of(responses, by="unit" if by else None).to_frame()
            for target in targets:
                if target.suffix == ".csv":
                    write_csv(target, table)
                else:
                    write_workbook(target, {"Reliability": table}, note=text("cli.not_for_release"))
        show_reliability(console(), table)
        _say_written(wanted)
        say(console(), "not_for_release", style="bold")


@app.command()
@reads_exports
def diagnose(
    reading: Reading,
    exports: Annotated[list[Path], file_argument(metavar="EXPORT...", show_default=False)],
    instrument: Annotated[
        list[str],
        typer.Option(
            "-i",
            "--instrument",
            metavar="ID[:FORM]",
            help="One for each export, in order; several in one export as ID:FORM+ID:FORM.",
            show_default=False,
        ),
    ],
    out: Annotated[
        list[Path] | None,
        file_option(
            "-o", "--out", metavar="REPORT.xlsx|.html|.pptx|.docx|.json", help="Report to write; may be repeated."
        ),
    ] = None,
    targets: Annotated[
        Path | None, file_option(metavar="FILE", help="Targets in points of health: .yaml, .json, .csv or .xlsx.")
    ] = None,
    indicators: Annotated[
        Path | None,
        file_option(metavar="FILE", help="Operations data such as turnover, a row a unit: .csv or .xlsx."),
    ] = None,
    rules: Annotated[
        Path | None, file_option(metavar="FILE", help="Root-cause rules of your own: .yaml, or a folder.")
    ] = None,
    minimum_group: Annotated[int, typer.Option(min=3, help="Smallest group that may be shown.")] = 5,
    privacy_override: Annotated[
        str | None,
        typer.Option(metavar="REASON", help="Why groups of 3 or 4 may be shown; the report prints it."),
    ] = None,
    ledger: Annotated[
        Path | None,
        file_option(
            metavar="FILE",
            help="Local file of what was shown of whom before: joiners and leavers are protected. Needs --respondent.",
        ),
    ] = None,
    theme: Annotated[
        Path | None, file_option(metavar="FILE", help="Names, logo and two colours of the reports: .yaml.")
    ] = None,
    language: LanguageOption = "en",
    force: ForceOption = False,
    debug: DebugOption = False,
) -> None:
    """Find the gaps and their probable causes, and write the report."""
    with _reporting(debug):
        from servicediag.diagnosis.engine import diagnose as diagnose_responses
        from servicediag.diagnosis.operations import IndicatorsError
        from servicediag.diagnosis.rules import load_rules
        from servicediag.errors import ServicediagError
        from servicediag.operations_file import read_operations, unfit
        from servicediag.report import print_diagnosis, read_theme
        from servicediag.terminal import as_options, console, line, progress

        _known_report_language(language)
        specifications = one_for_each(instrument, exports, "-i")
        wanted = list(out or ())
        _check_extras(wanted)
        look = None if theme is None else read_theme(theme)
        rule_set = load_rules(rules)
        names = [*(f"reading {path.name}" for path in exports), "diagnosing", "writing"]
        beside = [path for path in (targets, indicators, rules, ledger, theme) if path is not None]
        beside += read_beside(instrument, reading)
        writing = _outputs(wanted, tuple(_REPORTS), force=force, inputs=exports, beside=beside)
        with writing as files, progress(names) as steps:
            responses = read_exports(exports, specifications, reading, steps)
            _refuse_doubles(exports, responses)
            records = None if indicators is None else read_operations(indicators, rule_set.indicators)
            steps()
            try:
                diagnosis = diagnose_responses(
                    *responses,
                    targets=targets,
                    indicators=records,
                    rules=rule_set,
                    minimum_group=minimum_group,
                    privacy_override=privacy_override,
                    ledger=ledger,
                )
            except ValueError as error:
                if indicators is not None and isinstance(error, IndicatorsError):
                    raise unfit(indicators, error.faults) from None
                # A wrong argument is named at the beginning; any other text might quote the data.
                named = str(error).startswith(("ledger=", "minimum_group=", "targets"))
                if isinstance(error, ServicediagError) or not named:
                    raise
                raise typer.BadParameter(as_options(str(error))) from None
            steps()
            diagnosis = diagnosis.in_language(language)
            for path in files:
                extra = {} if path.suffix == ".json" else {"theme": look}
                getattr(diagnosis, _REPORTS[path.suffix])(path, overwrite=True, **extra)
        print_diagnosis(diagnosis, console())
        for note in diagnosis.study["notes"]:
            line(console(), note)
        _say_written(wanted)


@app.command()
def plan(
    gap: Annotated[
        float, typer.Option("--gap", metavar="POINTS", help="True gap to be found, in points of health.")
    ] = 10.0,
    units: Annotated[int, typer.Option("--units", metavar="N", help="Units of the study.")] = 12,
    power: Annotated[float, typer.Option("--power", metavar="P", help="Chance with which it should be found.")] = 0.80,
    tier: Annotated[str, typer.Option("--tier", metavar="TIER", help="established or likely.")] = "established",
    scales: Annotated[int, typer.Option("--scales", metavar="N", help="Scales that are judged together.")] = 10,
    response_rate: Annotated[float, typer.Option("--response-rate", metavar="R", help="Share of those asked.")] = 1.0,
    minimum_group: Annotated[int, typer.Option("--minimum-group", metavar="N", help="Answers needed to be shown.")] = 5,
    debug: DebugOption = False,
) -> None:
    """How many people of each unit to ask, by simulation."""
    with _reporting(debug):
        from servicediag.planning import plan as plan_study
        from servicediag.terminal import console, line, progress, show_frame

        with progress(["plan"]) as steps:
            steps()
            try:
                study = plan_study(
                    gap=gap,
                    n_units=units,
                    power=power,
                    tier=tier,  # type: ignore[arg-type]
                    n_scales=scales,
                    response_rate=response_rate,
                    minimum_group=minimum_group,
                    progress=lambda done: steps.within(round(100 * done), 100, "plan"),
                )
            except ValueError as error:
                raise typer.BadParameter(str(error)) from error
        line(console(), study.describe())
        show_frame(console(), study.to_frame())


@app.command()
def lint(
    file: Annotated[str | None, typer.Argument(metavar="[FILE]", show_default=False)] = None,
    every: Annotated[bool, typer.Option("--all", help="Every instrument of the catalogue, and the rules.")] = False,
    debug: DebugOption = False,
) -> None:
    """Find faults in instrument files and rule files."""
    with _reporting(debug):
        from servicediag.diagnosis.lint_files import lint_catalogue_files
        from servicediag.terminal import console, say, show_issues

        if (file is None) != every:
            raise typer.BadParameter("give a file, or --all")
        faulty = False
        for name, issues in lint_catalogue_files() if file is None else [(file, _lint(file))]:
            faulty |= any(issue.severity == "error" for issue in issues)
            say(console(), "lint", name=name, count=len(issues))
            show_issues(console(), "", issues)
        if faulty:
            raise typer.Exit(1)


def _lint(name: str) -> tuple[Issue, ...]:
    from servicediag.diagnosis.lint_files import lint_file

    try:
        return lint_file(name)
    except ValueError as error:
        raise typer.BadParameter(str(error).removeprefix("id_or_path=")) from None


@contextmanager
def _reporting(debug: bool) -> Iterator[None]:
    """Faults of data and files become lines and exit code 1; an internal error tells its type and nothing else."""
    import warnings

    from servicediag.errors import ServicediagError, ServicediagWarning
    from servicediag.terminal import clean, console, discard, line, say, show_issues

    errors = console(stderr=True)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", ServicediagWarning)
            yield
    except (typer.Exit, typer.Abort):
        raise
    except typer.BadParameter as error:
        error.message = clean(error.message)
        raise
    except ServicediagError as error:
        headline, issues = getattr(error, "headline", str(error)), getattr(error, "issues", ())
        show_issues(errors, headline, issues)
        if hasattr(error, "save_mapping") or any(issue.code in _NEED_A_MAPPING for issue in issues):
            say(errors, "mapping.offered")
        raise typer.Exit(1) from None
    except BrokenPipeError:
        # Older versions of rich do not ask the console what to do when the reader of the output has left.
        discard(sys.stdout)
    except (Exception, KeyboardInterrupt) as error:
        raise typer.Exit(_say_what_broke(error, errors, debug)) from None
    for warning in caught:
        if issubclass(warning.category, ServicediagWarning):
            line(errors, warning.message, style="yellow")


def _say_what_broke(error: BaseException, errors: Console, debug: bool) -> int:
    """Say what ended a command, other than faults of its data; the exit code."""
    from servicediag.terminal import say

    led_to_it = tuple(_led_to(error))
    if any(isinstance(one, KeyboardInterrupt) for one in led_to_it):
        say(errors, "interrupted", style="bold red")
        return 130
    if any(isinstance(one, MemoryError) for one in led_to_it):
        say(errors, "out_of_memory", style="bold red")
    elif (fault := _fault_of_a_file(error)) is not None:
        say(errors, "file_error", style="bold red", problem=_file_problem(fault))
    else:
        if debug:
            import traceback

            traceback.print_exception(error)
        say(errors, "internal_error", style="bold red", type=type(error).__name__)
    return 1


def _led_to(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what it came from: an interrupt or the end of memory may reach us as another error of a library."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _fault_of_a_file(error: BaseException) -> OSError | None:
    """The error itself, or what a writer of workbooks wraps."""
    return next((fault for fault in (error, *error.args) if isinstance(fault, OSError)), None)


def _file_problem(error: OSError) -> str:
    """The path and what the system says of it."""
    if error.strerror and error.filename:
        return f"{error.filename}: {error.strerror}"
    return error.strerror or str(error) or type(error).__name__


@contextmanager
def _saving_faults(export: Path, annotate: Path | None, save_mapping: Path | None, force: bool) -> Iterator[None]:
    """Mark the faulty cells of an export that cannot be read, and write the mapping that would mend it."""
    from servicediag.errors import ResponsesError
    from servicediag.responses import SuggestedMappingError
    from servicediag.responses.intake import mark_cells
    from servicediag.terminal import console, say

    try:
        yield
    except ResponsesError as error:
        if annotate is not None:
            with _outputs([annotate], (), force=force, inputs=[export]) as (file,):
                mark_cells(export, error.issues, file, overwrite=True)
            _say_written([annotate])
        if save_mapping is not None and isinstance(error, SuggestedMappingError):
            with _outputs([save_mapping], (), force=force, inputs=[export]) as (file,):
                error.save_mapping(file, overwrite=True)
            _say_written([save_mapping])
            say(console(), "mapping.check", path=save_mapping)
        raise


@contextmanager
def _outputs(
    paths: Sequence[Path],
    suffixes: Sequence[str],
    *,
    force: bool,
    inputs: Sequence[Path] = (),
    beside: Sequence[Path] = (),
) -> Iterator[list[Path]]:
    """Temporary paths that take their places, all of them, when the work is done.

    None of them may be an export, or one of the files that are read beside the exports.
    """
    from servicediag.files import atomic_path
    from servicediag.report.unit_files import page_place

    for path in paths:
        _check_suffix(path, suffixes)
        for what, others in (("the export itself", inputs), ("read as well", beside)):
            if any(_same_file(path, other) for other in others):
                raise typer.BadParameter(f"{path} is {what}; give another name")
        if os.path.exists(path) and not force:
            raise FileExistsError(f"{path} already exists; give another name, or --force to replace it")
    if len({os.path.realpath(path) for path in paths}) != len(paths):
        raise typer.BadParameter("the same file is named twice")
    with ExitStack() as stack:
        # A page has links to the pages of its units, which name it: it needs its own name from the start.
        places = [page_place if path.suffix == ".html" else atomic_path for path in paths]
        yield [stack.enter_context(place(path, overwrite=force)) for place, path in zip(places, paths, strict=True)]


def _same_file(one: Path, other: Path) -> bool:
    """Whether two paths lead to one file, however they are spelled and by whatever link."""
    # os.path resolves, where pathlib raises: links that lead round in a circle, for one.
    if os.path.realpath(one) == os.path.realpath(other):
        return True
    return os.path.exists(one) and os.path.exists(other) and os.path.samefile(one, other)


def _check_suffix(path: Path | None, suffixes: Sequence[str]) -> None:
    if path is not None and suffixes and path.suffix not in suffixes:
        raise typer.BadParameter(f"{path}: the file's name must end in {' or '.join(suffixes)}")


def _check_extras(paths: Sequence[Path]) -> None:
    """Refuse a report that needs a package that is not installed, before any work is done."""
    from servicediag.report.office import need

    for path in paths:
        if path.suffix in _EXTRAS:
            try:
                need(*_EXTRAS[path.suffix])
            except ImportError as error:
                raise typer.BadParameter(str(error)) from None


def _refuse_doubles(exports: Sequence[Path], read: Sequence[Responses]) -> None:
    from servicediag.doubles import doubled_exports
    from servicediag.errors import ResponsesError

    issues = list(doubled_exports(exports, read))
    if issues:
        raise ResponsesError("The same export is given twice; nothing was diagnosed.", issues)


def _known_language(instrument: Instrument, language: str) -> str:
    if language not in instrument.languages:
        raise typer.BadParameter(f"{instrument.id} has no texts in {language!r}; choose from {instrument.languages}")
    return language


def _known_report_language(language: str) -> str:
    from servicediag.wording import languages

    if language not in languages():
        raise typer.BadParameter(f"reports cannot be written in {language!r}; choose from {', '.join(languages())}")
    return language


def _say_written(paths: Sequence[Path]) -> None:
    from servicediag.terminal import console, say

    for path in paths:
        say(console(), "written", path=path)
