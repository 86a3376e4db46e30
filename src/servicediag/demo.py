"""The main job on a made-up study: exports with planted troubles, diagnosed, and compared with what was planted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from servicediag.simulation import AnswerProcess, Effect, SimulatedStudy, simulate

if TYPE_CHECKING:
    from rich.console import Console

    from servicediag.diagnosis.model import Diagnosis, Finding

__all__ = ["STEPS", "TROUBLES", "Demo", "Trouble", "print_demo", "run_demo", "write_study"]

STEPS = ("making the study", "reading the exports", "reliability", "diagnosing", "writing the reports")
"""What happens in order; ``run_demo`` calls its ``progress`` at the beginning of each."""
UNIT_COLUMN = "Branch"
BRANCHES = (
    "Alder", "Birch", "Cedar", "Elm", "Fir", "Hazel", "Juniper", "Larch", "Maple", "Oak", "Pine", "Rowan",
)  # fmt: skip
EMPLOYEES = (24, 31, 34, 19, 27, 22, 38, 36, 16, 40, 29, 4)
"""Rowan is too small to be shown."""
MINIMUM_GROUP = 5
SEED = 20240304
FILES = ("customers.xlsx", "employees.xlsx", "supervisors.xlsx", "report.xlsx", "report.html", "report.json")
ABOUT = "about-this-demo.txt"
_MARK = "Written by servicediag demo."
_INSTRUMENTS: dict[str, list[tuple[str, str]]] = {
    "customers.xlsx": [("seven-sins", "customer")],
    "employees.xlsx": [("readiness", "employee"), ("four-tools", "receiver")],
    "supervisors.xlsx": [("four-tools", "provider")],
}
_FIRST_NAMES = ("Ana", "Ben", "Chen", "Dina", "Emil", "Fatma", "Goran", "Hana", "Ivan", "Jun", "Karin", "Luis")
_LAST_NAMES = ("Ahlberg", "Brandt", "Costa", "Duarte", "Eriksen", "Ferrari", "Goto", "Hassan", "Ivanova", "Jansen")


@dataclass(frozen=True)
class Trouble:
    """A planted trouble: the symptom that should be found, and the rules whose causes were planted with it.

    Attributes
    ----------
    unit : str or None
        None for the whole organisation.
    symptom : str
        ``instrument/dimension``.
    kind : str
        Kind of finding that should report it.
    points : float
        Planted size in points of health; for a gap between raters, the planted difference.
    rules : tuple of str
        Rules of which the causes were planted.
    customers, employees, supervisors : tuple of Effect
    """

    unit: str | None
    symptom: str
    kind: str
    points: float
    rules: tuple[str, ...] = ()
    customers: tuple[Effect, ...] = ()
    employees: tuple[Effect, ...] = ()
    supervisors: tuple[Effect, ...] = ()

    def story(self, language: str = "en") -> str:
        """What is wrong, in a sentence."""
        from servicediag.wording import text

        return text(f"cli.demo.story.{self.symptom.partition('/')[2]}", language)


TROUBLES = (
    Trouble(
        unit="Cedar",
        symptom="seven-sins/rule",
        kind="unit_gap",
        points=-20.0,
        rules=("R01", "R03"),
        customers=(Effect("Cedar", "seven-sins/rule", -20),),
        employees=(
            Effect("Cedar", "rdy_can_r1", -25),
            Effect("Cedar", "rdy_can_r5", -25),
            Effect("Cedar", "readiness/can", -15),
        ),
    ),
    Trouble(
        unit="Larch",
        symptom="seven-sins/apathy",
        kind="unit_gap",
        points=-18.0,
        rules=("R11",),
        customers=(Effect("Larch", "seven-sins/apathy", -18),),
        employees=(Effect("Larch", "four-tools/feed", -22), Effect("Larch", "rdy_want_r3", 12)),
    ),
    Trouble(
        unit=None,
        symptom="four-tools/feed",
        kind="provision_gap",
        points=-22.0,
        employees=(Effect(None, "four-tools/feed", -10),),
        supervisors=(Effect(None, "four-tools/feed", 12),),
    ),
)


@dataclass(frozen=True)
class Demo:
    """What the demo made: files, the diagnosis, and a row a planted trouble with what was found of it.

    Attributes
    ----------
    folder : Path
    files : tuple of Path
    n_respondents : dict of export name -> respondents read
    reliability : DataFrame
        Of all exports, as ``servicediag.reliability`` gives it.
    diagnosis : Diagnosis
    comparison : DataFrame
        ``unit, symptom, story, points, tier, severity, estimate, ci_low, ci_high, supported, supported_rules,
        rules``; ``tier`` is None where nothing was found, ``supported`` the causes that the diagnosis supports, and
        ``rules`` those that were planted.
    others : tuple of Finding
        Established or likely troubles besides those planted as symptoms.
    """

    folder: Path
    files: tuple[Path, ...]
    n_respondents: dict[str, int]
    reliability: pd.DataFrame
    diagnosis: Diagnosis
    comparison: pd.DataFrame
    others: tuple[Finding, ...]


def run_demo(
    folder: str | Path, *, language: str = "en", overwrite: bool = False, progress: Callable[[], None] | None = None
) -> Demo:
    """Write a study into a folder, run the main job on its files, and write the three reports beside them.

    Parameters
    ----------
    folder : str or Path
        Made if it does not exist. Files of an earlier demo are replaced.
    language : str
        Language of the reports; the made-up answers are English.
    overwrite : bool
        Also replace files of these names that no demo wrote.
    progress : callable, optional
        Called when each of ``STEPS`` begins.

    Raises
    ------
    FileExistsError
        The folder holds a file of a name that the demo writes, and the demo did not write it.
    """
    from servicediag.diagnosis.engine import diagnose
    from servicediag.reliability_table import reliability
    from servicediag.responses import read_responses

    place = Path(folder)
    step = progress or (lambda: None)
    step()
    write_study(place, overwrite=overwrite)
    step()
    exports = {
        name: read_responses(
            place / name,
            [instrument for instrument, _ in parts],
            form=dict(parts),
            unit=UNIT_COLUMN,
        )
        for name, parts in _INSTRUMENTS.items()
    }
    step()
    tables = [reliability(responses).to_frame() for responses in exports.values()]
    step()
    diagnosis = diagnose(*exports.values(), minimum_group=MINIMUM_GROUP).in_language(language)
    step()
    diagnosis.to_excel(place / "report.xlsx", overwrite=True)
    diagnosis.to_html(place / "report.html", overwrite=True)
    diagnosis.to_json(place / "report.json", overwrite=True)
    symptoms = [_finding(diagnosis, trouble) for trouble in TROUBLES]
    known = {finding.id for finding in symptoms if finding is not None}
    return Demo(
        folder=place,
        files=tuple(place / name for name in (ABOUT, *FILES)),
        n_respondents={name: len(responses) for name, responses in exports.items()},
        reliability=pd.concat(tables, ignore_index=True),
        diagnosis=diagnosis,
        comparison=pd.DataFrame([_compared(t, f) for t, f in zip(TROUBLES, symptoms, strict=True)], dtype=object),
        others=tuple(finding for finding in diagnosis.findings if finding.is_trouble and finding.id not in known),
    )


def write_study(folder: Path, *, overwrite: bool = False) -> tuple[Path, ...]:
    """Write the three exports as people have them, and a text that tells how to repeat the job.

    Raises
    ------
    FileExistsError
        As for ``run_demo``.
    """
    from servicediag.files import atomic_path, make_folder
    from servicediag.tables import write_workbook

    make_folder(folder)
    about = folder / ABOUT
    ours = about.is_file() and about.read_text(encoding="utf-8", errors="replace").startswith(_MARK)
    foreign = [name for name in (ABOUT, *FILES) if (folder / name).exists()]
    if foreign and not ours and not overwrite:
        raise FileExistsError(f"{folder / foreign[0]} exists and was not written by a demo; choose another folder")
    with atomic_path(about, overwrite=True) as temporary:
        temporary.write_text(_about(), encoding="utf-8", newline="\n")
    for number, (name, export) in enumerate(_exports().items()):
        sheet = ("Form Responses 1", "Sheet1", "Form Responses 1")[number]
        with atomic_path(folder / name, overwrite=True) as temporary:
            write_workbook(temporary, {sheet: export})
    return tuple(folder / name for name in _INSTRUMENTS)


def _exports() -> dict[str, pd.DataFrame]:
    """The three tables, with the columns that survey tools put before the answers."""
    process = AnswerProcess(icc=0.02)
    sizes = {
        "customers.xlsx": (52, 68),
        "employees.xlsx": EMPLOYEES,
        "supervisors.xlsx": (2,) * len(BRANCHES),
    }
    planted = {
        "customers.xlsx": [effect for trouble in TROUBLES for effect in trouble.customers],
        "employees.xlsx": [effect for trouble in TROUBLES for effect in trouble.employees],
        "supervisors.xlsx": [effect for trouble in TROUBLES for effect in trouble.supervisors],
    }
    tables = {}
    for number, (name, parts) in enumerate(_INSTRUMENTS.items()):
        study = simulate(
            list(parts),
            n_units=len(BRANCHES),
            respondents_per_unit=sizes[name],
            effects=planted[name],
            seed=SEED + number,
            unit_names=BRANCHES,
            process=process,
        )
        tables[name] = _as_exported(study, named=name != "customers.xlsx", seed=SEED + number)
    return tables


def _as_exported(study: SimulatedStudy, *, named: bool, seed: int) -> pd.DataFrame:
    """The answers in the order in which they came in, behind a time stamp, a person and the branch."""
    rng = np.random.default_rng([seed, 3])
    answers = study.labelled().iloc[rng.permutation(len(study.answers))].reset_index(drop=True)
    n = len(answers)
    minutes = np.sort(rng.integers(0, 14 * 24 * 60, size=n))
    start = datetime(2024, 3, 4, 8, 0)
    names = [f"{first} {last}" for first in _FIRST_NAMES for last in _LAST_NAMES]
    chosen = [names[index] for index in rng.integers(0, len(names), size=n)]
    emails = [f"{name.split()[0].lower()}.{number}@example.org" for number, name in enumerate(chosen, start=1)]
    front: dict[str, Sequence[Any]] = {
        "Timestamp": [start + timedelta(minutes=int(minute)) for minute in minutes],
        "Email Address": emails,
    }
    if named:
        front["Name"] = chosen
    front[UNIT_COLUMN] = answers["unit"].tolist()
    return pd.concat([pd.DataFrame(front), answers.drop(columns="unit")], axis=1)


def _about() -> str:
    """How the files came about, and the command that repeats the job on them."""
    instruments = " ".join(
        "-i " + "+".join(f"{instrument}:{form}" for instrument, form in parts) for parts in _INSTRUMENTS.values()
    )
    planted = "\n".join(f"- {trouble.unit or 'All branches'}: {trouble.story()}." for trouble in TROUBLES)
    return (
        f"{_MARK}\n\nA made-up study of {len(BRANCHES)} branches of a telephone company. Nobody in it exists.\n\n"
        f"Planted troubles:\n{planted}\n\n"
        "To repeat the job by hand, in this folder:\n\n"
        f"servicediag diagnose {' '.join(_INSTRUMENTS)} {instruments} --unit {UNIT_COLUMN} -o again.xlsx\n"
    )


def _finding(diagnosis: Diagnosis, trouble: Trouble) -> Finding | None:
    """The finding that reports the trouble, if there is one: the surest of its kind, unit and dimension."""
    instrument, dimension = trouble.symptom.split("/")
    about = (trouble.kind, trouble.unit, instrument, dimension)
    for finding in diagnosis.findings:
        here = (finding.kind, finding.unit, finding.instrument, finding.dimension)
        if here == about and finding.item is None and finding.direction == "worse" and finding.tier != "abstained":
            return finding
    return None


def _compared(trouble: Trouble, finding: Finding | None) -> dict[str, Any]:
    causes = () if finding is None else finding.causes
    supported = [cause for cause in causes if cause.status == "supported"]
    return {
        "unit": trouble.unit,
        "symptom": trouble.symptom,
        "story": trouble.story(),
        "points": trouble.points,
        "tier": None if finding is None else finding.tier,
        "severity": None if finding is None else finding.severity,
        "estimate": None if finding is None else finding.estimate,
        "ci_low": None if finding is None else finding.ci_low,
        "ci_high": None if finding is None else finding.ci_high,
        "supported": tuple(f"{cause.rule} {cause.cause}" for cause in supported),
        "supported_rules": tuple(cause.rule for cause in supported),
        "rules": trouble.rules,
    }


def print_demo(demo: Demo, console: Console) -> None:
    """Print what was planted beside what was found, and where the files are, in the language of the reports."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from servicediag.terminal import line, say
    from servicediag.wording import text
    from servicediag.wording.numbers import number
    from servicediag.wording.telling import figure, retold

    language = demo.diagnosis.language

    def tell(key: str, **values: Any) -> None:
        say(console, f"demo.{key}", language=language, **values)

    counts: dict[str, Any] = {name.removesuffix(".xlsx"): count for name, count in demo.n_respondents.items()}
    tell("study", units=len(BRANCHES), **counts)
    alphas = demo.reliability["alpha"].dropna()
    tell("reliability", low=number(alphas.min(), 2, language), high=number(alphas.max(), 2, language), n=len(alphas))
    table = Table(title=Text(text("cli.demo.planted", language)), box=box.SIMPLE_HEAD, title_justify="left")
    for name in ("where", "planted", "found", "cause"):
        table.add_column(text(f"cli.demo.column.{name}", language), overflow="fold")
    for trouble, row in zip(TROUBLES, demo.comparison.to_dict("records"), strict=True):
        verdict = text("cli.demo.not_found", language)
        if row["tier"] is not None:
            sure, size = (text(f"report.value.{name}.{row[name]}", language) for name in ("tier", "severity"))
            estimate, low, high = (
                retold(figure(row[name], ".0f"), language) for name in ("estimate", "ci_low", "ci_high")
            )
            verdict = text("cli.demo.found", language, tier=sure, severity=size, estimate=estimate, low=low, high=high)
        cells = (
            row["unit"] or text("cli.demo.everywhere", language),
            text(
                "cli.demo.points",
                language,
                story=trouble.story(language),
                points=retold(figure(row["points"], ".0f"), language),
            ),
            verdict,
            "\n".join(row["supported"]),
        )
        table.add_row(*(Text(cell) for cell in cells))
    console.print(table)
    tell("beyond", count=len(demo.others))
    for finding in demo.others:
        tier = text(f"report.value.tier.{finding.tier}", language)
        line(console, f"{finding.title} ({tier})", indent=2)
    tell("privacy", unit=BRANCHES[-1], people=EMPLOYEES[-1], minimum=MINIMUM_GROUP)
    tell("files", folder=demo.folder)
    for path in demo.files:
        line(console, path.name, indent=2)
