"""Stability on real answers: are random halves of the same companies told the same?"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from goals import Measured, Row, mean
from judged import judged

from servicediag import build_evidence, read_responses
from servicediag.diagnosis.evidence import WHOLE

ORACLE = Path(__file__).resolve().parents[3] / "shared" / "oracle" / "data" / "lq2002.csv"
LARGE = 40
SCALES = {"leadership": ("LEAD", 11, 1, 5), "significance": ("TSIG", 3, 1, 5), "hostility": ("HOSTIL", 5, 0, 4)}
"""Of Bliese and Halverson's soldiers in 49 companies: how leaders are seen, how meaningful the task, hostility."""
FIRM = ("established", "likely")


def stability_goals(runs: int, seed: int) -> list[Row]:
    """Agreement of random halves on the tier of units with at least 40 answers, where the data are at hand."""
    if not ORACLE.exists():
        return [Row("real", "lq2002: not at hand", Measured(np.nan, np.nan, np.nan, 0), "at least", 0.80)]
    answers = pd.read_csv(ORACLE)
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as folder:
        instrument = _instrument(Path(folder))
        agreed = [_agreement(answers, instrument, rng.random(len(answers))) for _ in range(runs)]
    frame = pd.DataFrame(agreed)
    return [
        Row("real", "lq2002, companies n >= 40: both halves give the same tier", mean(frame["same"]), "at least", 0.80),
        Row("real", "lq2002: both tell the gap (established or likely), or neither", mean(frame["told"]), "at least",
            0.80),
        Row("real", "lq2002: told by one half, the other half sees the opposite sign", mean(frame["opposite"])),
        Row("real", "lq2002: share of cells told by the whole sample", mean(frame["share"])),
    ]  # fmt: skip


def _instrument(folder: Path) -> Path:
    """The three scales as an instrument; its items stand for the columns of the file."""
    lines = ["id: companies", "version: 1.0.0", "prefix: com", "status: not validated", "license: CC-BY-4.0",
             "original_language: en", "sources: [real data]", "forms: [{id: soldier, rater: employee}]",
             "scales:"]  # fmt: skip
    for low, high in {(one[2], one[3]) for one in SCALES.values()}:
        codes = list(range(low, high + 1))
        labels = ", ".join(f"{code}: answer {code}" for code in codes)
        lines += [f"  - id: codes{low}", f"    codes: {codes}", f"    labels: {{en: {{{labels}}}}}"]
    lines.append("dimensions:")
    texts = ["language: en", "status: original", "title: Companies", "definition: Real answers.",
             "forms: {soldier: {title: Soldiers, instruction: Answer.}}", "dimensions:"]  # fmt: skip
    items = ["items:"]
    for name, (prefix, count, low, _) in SCALES.items():
        direction = "weakness" if name == "hostility" else "strength"
        lines += [f"  - id: {name}", f"    direction: {direction}", "    measurement: reflective",
                  f"    scale: codes{low}", "    items:"]  # fmt: skip
        texts.append(f"  {name}: {{title: {name.title()}, definition: As the file has it.}}")
        for number in range(1, count + 1):
            lines.append(f"      - {{code: com_{name}_{number}}}")
            items.append(f"  com_{name}_{number}: {{soldier: {prefix}{number:02d}}}")
    (folder / "companies" / "locale").mkdir(parents=True)
    (folder / "companies" / "instrument.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "companies" / "locale" / "en.yaml").write_text("\n".join([*texts, *items]) + "\n", encoding="utf-8")
    return folder / "companies"


def _cells(answers: pd.DataFrame, instrument: Path) -> pd.DataFrame:
    columns = [column for column in answers.columns if any(_is_item(column, one[0]) for one in SCALES.values())]
    frame = answers[["COMPID", *columns]].assign(COMPID="Company " + answers["COMPID"].astype(str))
    cells = judged(build_evidence(read_responses(frame, instrument, unit="COMPID")))
    cells = cells[(cells["kind"] == "score") & (cells["by"] != WHOLE)].set_index(["unit", "dimension"])
    return cells.assign(tier=cells["tier"].fillna("none"))


def _is_item(column: str, prefix: str) -> bool:
    return column.startswith(prefix) and column.removeprefix(prefix).isdigit()


def _agreement(answers: pd.DataFrame, instrument: Path, chance: np.ndarray) -> dict[str, float]:
    sizes = answers["COMPID"].value_counts()
    large = {f"Company {unit}" for unit in sizes.index[sizes >= LARGE]}
    rank = pd.Series(chance).groupby(answers["COMPID"].to_numpy()).rank(method="first")
    first = (rank % 2 == 0).to_numpy()
    whole, one, two = (_cells(part, instrument) for part in (answers, answers[first], answers[~first]))
    keys = [key for key in whole.index if key[0] in large and key in one.index and key in two.index]
    whole, one, two = whole.loc[keys], one.loc[keys], two.loc[keys]
    return dict(_compared(whole, one, two))


def _compared(whole: pd.DataFrame, one: pd.DataFrame, two: pd.DataFrame) -> Iterable[tuple[str, float]]:
    told = [frame["tier"].isin(FIRM).to_numpy() for frame in (one, two)]
    opposite = np.sign(one["gap"].to_numpy()) != np.sign(two["gap"].to_numpy())
    yield "same", float((one["tier"].to_numpy() == two["tier"].to_numpy()).mean())
    yield "told", float((told[0] == told[1]).mean())
    yield "opposite", float((opposite & (told[0] | told[1])).sum() / max(1, (told[0] | told[1]).sum()))
    yield "share", float(whole["tier"].isin(FIRM).mean())
