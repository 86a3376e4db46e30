"""Every statistic of the factor family on every data set at hand and on hard ones: a result, a flag or a named refusal.

No race. A cell of the table says ``ok``, ``flagged`` (the result itself says what is wrong with it) or ``refused`` with
the refusal; anything else, such as an error of numpy or scipy, a warning, or a number that is NaN without a word, is a
fault, and the command then ends with 1. ``--r`` also compares with R where ``Rscript`` finds psych and lavaan.
"""

from __future__ import annotations

import argparse
import functools
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from inspect import signature
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pandas as pd

from servicediag import psychometrics as pm
from servicediag.errors import ServicediagError

ORACLE = Path(__file__).resolve().parents[2] / "shared" / "oracle"
MOST_ITEMS = 30  # of the slow statistics


# ------------------------------------------------------------------------------------------------------ real data


def read_data(folder):
    """name -> answers, groups: the columns that hold numbers, and the column with the fewest labels for groups."""
    found = {}
    for path in sorted(Path(folder).glob("*.csv")):
        table = pd.read_csv(path)
        named = [c for c in table if re.fullmatch(r"(?i)(id|sub|compid|time|response.id|fy|ageyr|agemo|grade|age)", c)]
        numbers = table.select_dtypes("number").drop(columns=[c for c in named if c in table], errors="ignore")
        labels = [c for c in table if table[c].nunique() == 2 and table[c].value_counts().min() >= 2]
        chosen = next((c for c in ("gender", "sex", "school", "study") if c in labels), labels[0] if labels else None)
        groups = None if chosen is None else table[chosen]
        found[path.stem] = (numbers.drop(columns=[chosen] if chosen in numbers else []), groups)
    return found


# ------------------------------------------------------------------------------------------------------ hard data


def scale(n=300, k=6, seed=0, noise=1.0, options=5):
    generator = np.random.default_rng(seed)
    level = generator.normal(size=(n, 1)) + noise * generator.normal(size=(n, k))
    codes = np.clip(np.rint(level + (options + 1) / 2), 1, options)
    return pd.DataFrame(codes, columns=[f"q{i + 1}" for i in range(k)])


def heywood(n=80):
    """Two items that share nearly all, and a third that shares little: one factor needs a negative variance."""
    generator = np.random.default_rng(5)
    target = np.array([[1, 0.9, 0.5, 0.1], [0.9, 1, 0.2, 0.1], [0.5, 0.2, 1, 0.1], [0.1, 0.1, 0.1, 1]])
    drawn = generator.normal(size=(n, 4))
    drawn -= drawn.mean(axis=0)
    drawn = drawn @ np.linalg.inv(np.linalg.cholesky(drawn.T @ drawn / n)).T
    return pd.DataFrame(drawn @ np.linalg.cholesky(target).T, columns=list("abcd"))


def hard_data():
    good, generator = scale(), np.random.default_rng(1)
    far = pd.DataFrame(generator.normal(size=(200, 6)), columns=good.columns)
    return {
        "clean": good,
        "singular: an item twice": good.assign(twice=good["q1"]),
        "singular: turned double": good.assign(turned=6 - good["q1"]),
        "collinear: a sum": good.assign(total=good["q1"] + good["q2"] + good["q3"]),
        "nearly collinear": good.assign(near=good["q1"] + 1e-6 * generator.normal(size=len(good))),
        "Heywood": heywood(),
        "two categories": (good > 3).astype(float),
        "two categories, rare": (good > 4.5).astype(float).assign(q1=np.r_[1.0, np.zeros(299)]),
        "empty categories": scale(options=7).replace(3, 4),
        "one item uses two of five": good.assign(q1=np.where(good["q1"] > 3, 5.0, 1.0)),
        "fewer respondents than items": scale(n=5, k=8),
        "as many respondents as items": scale(n=6, k=6),
        "one respondent more than items": scale(n=7, k=6),
        "ten respondents": scale(n=10),
        "a constant item": good.assign(q1=3.0),
        "all constant": good * 0 + 3,
        "all missing": good * math.nan,
        "an item nobody answered": good.assign(q1=math.nan),
        "an item two answered": good.assign(q1=np.r_[1.0, 2.0, np.full(298, math.nan)]),
        "two items never together": good.assign(
            q1=good["q1"].where(np.arange(300) < 150), q2=good["q2"].where(np.arange(300) >= 150)
        ),
        "no complete respondent": good.mask(np.eye(6, dtype=bool)[np.arange(300) % 6]),
        "30 % gaps": good.mask(generator.random(good.shape) < 0.3),
        "90 % gaps": good.mask(generator.random(good.shape) < 0.9),
        "unrelated items": far,
        "opposite halves": good.assign(q1=6 - good["q1"], q2=6 - good["q2"], q3=6 - good["q3"]),
        "nearly the same throughout": pd.DataFrame(
            np.repeat(generator.normal(size=(200, 1)), 5, axis=1) + 1e-3 * generator.normal(size=(200, 5)),
            columns=list("abcde"),
        ),
        "everyone alike but one": pd.DataFrame([[3] * 5] * 59 + [[1, 2, 5, 4, 1]], columns=list("abcde")),
        "straight lines": pd.DataFrame(np.repeat(generator.integers(1, 6, (200, 1)), 5, axis=1), columns=list("abcde")),
        "continuous": far + far.mean(axis=1).to_numpy()[:, None] * 3,
        "skewed": pd.DataFrame(np.exp(2 * generator.normal(size=(200, 5))), columns=list("abcde")),
        "units apart": good * [1e-9, 1e9, 1, 1, 1e5, 1e-3],
        "far from 0": good + 1e9,
        "two items": good[["q1", "q2"]],
        "three items": good[["q1", "q2", "q3"]],
        "one item": good[["q1"]],
        "no rows": good.iloc[:0],
        "40 items of 60": scale(n=60, k=40, seed=3),
        "nullable integers with gaps": good.astype("Int64").mask(generator.random(good.shape) < 0.05),
        "tuples as names": good.set_axis([("a", i) for i in range(6)], axis=1),
        "whole numbers as names": good.set_axis(range(6), axis=1),
    }  # fmt: skip


def hard_groups(items):
    """name -> labels."""
    n = len(items)
    halves = np.where(np.arange(n) % 2 == 0, "one", "two")
    return {
        "": pd.Series(halves, index=items.index),
        "a tiny group": pd.Series(np.where(np.arange(n) < 3, "few", "many"), index=items.index),
        "a group of one": pd.Series(np.where(np.arange(n) < 1, "alone", "many"), index=items.index),
        "a single group": pd.Series(["all"] * n, index=items.index, dtype=object),
        "gaps in groups": pd.Series(halves, index=items.index, dtype=object).where(np.arange(n) > n / 10),
    }


# ----------------------------------------------------------------------------------------------------- statistics


def structure_of(items):
    """A structure by the letters that names begin with, where these make factors; else halves of the items."""
    blocks = {}
    for name in items:
        letters = re.match(r"[A-Za-z_]*", str(name) if not isinstance(name, tuple) else "")[0]
        blocks.setdefault(letters or "all", []).append(name)
    factors = {f"F_{letters}": names for letters, names in blocks.items() if len(names) >= 3}
    if len(factors) < 2:
        whole = list(items)
        half = len(whole) // 2
        factors = {"first": whole[:half], "second": whole[half:]} if half >= 3 else {"one": whole}
    return factors


def few(items):
    return items.iloc[:, :MOST_ITEMS]


def outcome_of(items):
    """The last item as what is explained, by the ten before it."""
    last = items.iloc[:, -1] if items.shape[1] else pd.Series(dtype=float)
    return items.iloc[:, :-1].iloc[:, -10:], last


def reduced(model, most=MOST_ITEMS):
    """The structure with fewer items a factor, for what would take minutes."""
    each = max(3, most // max(1, len(model)))
    return {factor: names[:each] for factor, names in list(model.items())[:8]}


def efa(method, rotation, n_factors=2):
    return lambda items, _: pm.exploratory_factor_analysis(items, n_factors, method=method, rotation=rotation)


def cfa(**options):
    return lambda items, _: pm.confirmatory_factor_analysis(items, reduced(structure_of(items)), **options)


def plain(function, most=None, **options):
    """A statistic of the items alone, of the first ``most`` of them."""
    return lambda items, _: function(items if most is None else items.iloc[:, :most], **options)


def modelled(function, **options):
    return lambda items, _: function(items, reduced(structure_of(items)), **options)


STATISTICS = {
    "kmo": plain(pm.kmo),
    "bartlett": plain(pm.bartlett_sphericity),
    "parallel": plain(pm.parallel_analysis, n_iterations=20),
    "parallel polychoric": plain(pm.parallel_analysis, MOST_ITEMS, n_iterations=20, correlation="polychoric"),
    **{f"EFA {m} {r}": efa(m, r) for m in ("minres", "ml") for r in ("none", "varimax", "oblimin", "promax")},
    "EFA 1 factor": efa("ml", "none", 1),
    "omega_h": plain(pm.omega_hierarchical),
    "omega_h ml": plain(pm.omega_hierarchical, method="ml"),
    "CFA": cfa(),
    "CFA variance": cfa(identification="variance"),
    "CFA second order": cfa(structure="second_order"),
    "CFA bifactor": cfa(structure="bifactor"),
    "FIML": cfa(missing="fiml"),
    "robust": lambda items, groups: cfa()(items, groups).robust(),
    "robust FIML": lambda items, groups: cfa(missing="fiml")(items, groups).robust("yuan_bentler"),
    "CFA groups": lambda items, groups: cfa(groups=groups)(items, groups),
    "invariance": lambda items, groups: pm.measurement_invariance(items, reduced(structure_of(items)), groups),
    "convergent": modelled(pm.convergent_discriminant),
    "polychoric": plain(pm.polychoric_model, MOST_ITEMS),
    "CFA ordinal": modelled(pm.ordinal_confirmatory_factor_analysis),
    "omega": plain(pm.mcdonald_omega),
    "omega categorical": plain(pm.categorical_omega, MOST_ITEMS),
    "alpha ordinal": plain(pm.ordinal_alpha, MOST_ITEMS),
    "DIF": lambda items, groups: pm.ordinal_dif(items.iloc[:, :10], groups),
    "graded response": plain(pm.graded_response_model, 10, max_iterations=200),
    "relative weights": lambda items, _: pm.relative_weights(*outcome_of(items)),
    "lmg": lambda items, _: pm.lmg_shares(*outcome_of(items)),
}
OF_GROUPS = ("CFA groups", "invariance", "DIF")


def read_through(result):
    """Use whatever the result offers, as a reader or a report would."""
    public = [name for name in dir(type(result)) if not name.startswith("_")]
    for name in public:
        if isinstance(getattr(type(result), name, None), (property, functools.cached_property)):
            getattr(result, name)
    for name in ("to_frame", "describe", "interpret", "modification_indices", "_repr_html_", "plot", "scores"):
        resamples = "n_resamples" in signature(getattr(result, "confidence_interval", read_through)).parameters
        if callable(getattr(result, name, None)) and not (name == "interpret" and resamples):
            try:
                shown = getattr(result, name)()
            except TypeError as fault:
                if "required positional" not in str(fault):
                    raise
                continue
            if name == "plot":
                shown.to_dict()


def flags(result):
    """What the result says against itself."""
    said = list(getattr(result, "notes", ()))
    if getattr(result, "converged", True) is False and not said:
        said = ["not converged"]
    said += [f"left out {item}" for item in getattr(result, "dropped_items", ())]
    return said


def silent_nan(result):
    """Fields that are NaN although the result has nothing to say about it."""
    if flags(result):
        return []
    fields = {k: v for k, v in vars(result).items() if isinstance(v, float) and not k.startswith("_")}
    documented = ("cfi_robust", "tli_robust", "rmsea_robust")  # of incomplete answers, whose description says "scaled"
    return [name for name, value in fields.items() if math.isnan(value) and name not in documented]


def judged(action):
    """(verdict, detail, seconds) of one cell."""
    begin = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            result = action()
            read_through(result)
            silent = silent_nan(result)
            said = flags(result)
            verdict = ("flagged", " ".join(said)) if said else ("ok", "")
            if silent:
                verdict = ("FAULT", f"NaN without a word: {silent}")
        except (ServicediagError, ValueError, TypeError) as refusal:
            named = not isinstance(refusal, np.linalg.LinAlgError) and type(refusal).__module__ != "numpy.linalg"
            own = isinstance(refusal, ServicediagError) or _by_servicediag(refusal)
            verdict = ("refused" if named and own else "FAULT", f"{type(refusal).__name__}: {refusal}")
        except Exception as fault:
            verdict = ("FAULT", f"{type(fault).__name__}: {fault}")
    return *verdict, time.process_time() - begin


def _by_servicediag(error):
    """Whether the error was raised on purpose: by a line of this package, not by one below it."""
    trace = error.__traceback__
    while trace.tb_next is not None:
        trace = trace.tb_next
    return "servicediag" in Path(trace.tb_frame.f_code.co_filename).parts


# ---------------------------------------------------------------------------------------------------------------- R

R_SCRIPT = """
suppressMessages({library(psych); library(lavaan)})
d <- read.csv("d.csv", check.names = FALSE); whole <- d[complete.cases(d), ]
say <- function(name, expression) {
  value <- tryCatch(suppressMessages(suppressWarnings(expression)), error = function(e) NULL)
  if (!is.null(value)) cat(name, format(as.numeric(value), digits = 15), "\\n")
}
R <- cor(whole)
say("kmo", KMO(R)$MSA)
say("bartlett", cortest.bartlett(R, n = nrow(whole))$chisq)
say("EFA minres", fa(R, 2, n.obs = nrow(whole), fm = "minres", rotate = "none")$communality)
say("EFA ml", 1 - factanal(covmat = R, factors = 2, n.obs = nrow(whole), rotation = "none")$uniquenesses)
"""


def compared_with_r(items):
    """name -> largest difference from R, with the text of the model that lavaan fits."""
    model = reduced(structure_of(items))
    names = {name: f"x{at}" for at, name in enumerate(items)}
    text = "; ".join(f"f{at} =~ {' + '.join(names[i] for i in own)}" for at, own in enumerate(model.values()))
    fits = "".join(
        f'f <- tryCatch(suppressWarnings(cfa("{text}", d{more})), error = function(e) NULL)\n'
        'if (!is.null(f) && lavInspect(f, "converged")) '
        f'say("{what}", fitMeasures(f, c("chisq", "cfi", "rmsea", "srmr")))\n'
        for what, more in (("CFA", ""), ("FIML", ', missing = "fiml"'))
    )
    with tempfile.TemporaryDirectory() as folder:
        items.rename(columns=names).astype(float).to_csv(Path(folder, "d.csv"), index=False)
        Path(folder, "s.R").write_text(R_SCRIPT + fits, encoding="utf-8")
        done = subprocess.run(["Rscript", "s.R"], cwd=folder, capture_output=True, text=True, check=False)
    theirs = {}
    for row in done.stdout.splitlines():
        at = re.search(r" -?[\dN]", row)
        theirs[row[: at.start()]] = np.array(row[at.start() :].replace("NA", "nan").split(), dtype=float)
    ours = {
        "kmo": lambda: [pm.kmo(items).overall],
        "bartlett": lambda: [pm.bartlett_sphericity(items).statistic],
        "EFA minres": lambda: pm.exploratory_factor_analysis(items, 2, rotation="none").communalities,
        "EFA ml": lambda: pm.exploratory_factor_analysis(items, 2, method="ml", rotation="none").communalities,
        "CFA": lambda: _indices(cfa()(items, None)),
        "FIML": lambda: _indices(cfa(missing="fiml")(items, None)),
    }
    found = {}
    for name, call in ours.items():
        try:
            mine = np.asarray(call(), dtype=float)
        except (ServicediagError, ValueError) as refusal:
            found[name] = f"refused here{', R goes on' if name in theirs else ', R too'}: {str(refusal)[:90]}"
            continue
        if name not in theirs or len(theirs[name]) != len(mine):
            found[name] = "no result in R"
        else:
            away = np.abs(mine - theirs[name]) / np.maximum(1, np.abs(theirs[name]))
            found[name] = f"{np.nanmax(away):.1e}" if np.isfinite(away).any() else "NaN"
    return found


def _indices(result):
    fit = result.fit
    return [fit.chi_square, fit.cfi, fit.rmsea, fit.srmr]


# ------------------------------------------------------------------------------------------------------------ main


def cells(only_statistic, only_data):
    data = {name: [("", *pair)] for name, pair in (read_data(ORACLE / "data") if ORACLE.exists() else {}).items()}
    for name, items in hard_data().items():
        data[f"hard: {name}"] = [("", items, hard_groups(items)[""])]
    good = scale()
    for name, groups in hard_groups(good).items():
        if name:
            data[f"hard: {name}"] = [("groups", good, groups)]
    for where, cases in data.items():
        for kind, items, groups in cases:
            for what, call in STATISTICS.items():
                if (kind == "groups" and what not in OF_GROUPS) or (what in OF_GROUPS and groups is None):
                    continue
                if re.search(only_statistic, what) and re.search(only_data, where):
                    yield where, what, functools.partial(call, items, groups)


def with_r(only_data):
    if shutil.which("Rscript") is None:
        raise SystemExit("Rscript was not found")
    print("| data | statistic | largest relative difference from R |\n|---|---|---|")
    for name, (items, _) in read_data(ORACLE / "data").items():
        if not re.search(only_data, name) or items.shape[1] < 3:
            continue
        for what, difference in compared_with_r(few(items)).items():
            print(f"| {name} | {what} | {difference} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--statistic", default="", help="pattern of the statistics to run")
    parser.add_argument("--data", default="", help="pattern of the data sets to run")
    parser.add_argument("--details", action="store_true", help="what each refusal and flag says")
    parser.add_argument("--r", action="store_true", help="compare with R instead")
    arguments = parser.parse_args()
    if arguments.r:
        with_r(arguments.data)
        return
    counts, faults = {}, 0
    print("| data | statistic | verdict | seconds |\n|---|---|---|---|")
    for where, what, action in cells(arguments.statistic, arguments.data):
        verdict, detail, seconds = judged(action)
        counts[verdict] = counts.get(verdict, 0) + 1
        faults += verdict == "FAULT"
        said = detail.splitlines()[0][:300] if detail else ""
        shown = f"{verdict}: {said}" if said and (arguments.details or verdict == "FAULT") else verdict
        if verdict == "refused" and not arguments.details:
            shown = f"refused ({said.split(':')[0]})"
        print(f"| {where} | {what} | {shown} | {seconds:.2f} |", flush=True)
    print(", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items())))
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
