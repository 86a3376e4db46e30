"""Every number in a text stands in the finding or in a table, and every verb is as sure as its tier."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import fields

import numpy as np
import pandas as pd
import pytest

import servicediag as sd
from servicediag import Effect
from servicediag.diagnosis.model import Diagnosis, Finding
from servicediag.wording import text
from servicediag.wording.catalogue import keys

NUMBER = re.compile(r"(?<![\w.])[+\-−]?\d+(?:\.\d+)?")
CONVENTIONS = re.compile(r"\b(?:95|90) % (?:intervals?|limits)|more than 0\.99|P\(lowest")
CAUSAL = re.compile(r"\b(because|due to|caused by|causes?|leads? to|result of|owing to)\b", re.IGNORECASE)
SINS = ("cold", "brush", "rule", "run")
STAFF_SCALES = (
    "know", "want", "can", "know_requirements", "want_requirements", "can_requirements", "comm", "feed", "capa", "conf",
    "role", "promise", "demand", "time", "morale", "train", "support", "measure",
)  # fmt: skip
FRAMES = (
    "evidence", "items", "indicators", "readiness", "comparisons", "changes", "agreement", "segments", "indexes",
    "operations", "reliability",
)  # fmt: skip


@pytest.fixture(scope="module")
def found() -> Diagnosis:
    """Units with troubles of many kinds, with records and background."""
    customers = sd.simulate(
        [("seven-sins", "customer"), ("employee-attitudes", "customer"), ("service-recovery", "customer")],
        n_units=10, respondents_per_unit=40, seed=4, background={"promise_broken": {"yes": 0.4, "no": 0.6}},
        effects=[
            *(Effect(f"Unit {n:02d}", f"seven-sins/{sin}", -25) for n, sin in enumerate(SINS, 1)),
            Effect("Unit 07", "employee-attitudes/pos", 12),
            Effect(None, "employee-attitudes/pos", -30, ("promise_broken", "yes")),
        ],
    )  # fmt: skip
    staff = sd.simulate(
        [("readiness", "employee"), ("four-tools", "receiver"), ("attitude-causes", "employee")],
        n_units=10, respondents_per_unit=35, seed=5,
        background={"tenure": {"under_1": 1, "from_1": 1, "from_4": 1, "from_10": 1}},
        effects=[
            Effect("Unit 01", "promise", -25), Effect("Unit 01", "time", -25), Effect("Unit 02", "time", -25),
            Effect("Unit 03", "rdy_can_r1", -30), Effect("Unit 03", "rdy_can_r5", -30), Effect("Unit 04", "role", -25),
            Effect("Unit 04", "tool_comm_6", -30), Effect("Unit 05", "know", -25), Effect("Unit 05", "feed", -30),
            Effect(None, "blame_staff", -15), *(Effect("Unit 09", d, -20) for d in STAFF_SCALES),
        ],
    )  # fmt: skip
    managers = sd.simulate("four-tools", form="provider", n_units=10, respondents_per_unit=12, seed=6)
    units = sorted(customers.respondents["unit"].unique())
    records = pd.DataFrame({"unit": units, "breach_rate": [0.3] + [0.08] * 9, "breach_rate_n": 200,
                            "workload": [40.0, 45.0, *np.linspace(18, 22, 8)]})  # fmt: skip
    return sd.diagnose(customers.responses(), staff.responses(), managers.responses(), indicators=records)


def numbers_in(sentence: str, quoted: set[str]) -> list[str]:
    """Numbers of a sentence, apart from those in names, in quoted item texts, and of the levels of intervals."""
    for name in sorted(quoted, key=len, reverse=True):
        sentence = sentence.replace(name, "")
    return NUMBER.findall(CONVENTIONS.sub("", sentence))


def names(diagnosis: Diagnosis) -> set[str]:
    units = {str(unit) for unit in diagnosis.evidence["unit"].dropna()}
    return units | set(diagnosis.items["text"]) | set(diagnosis.evidence["title"])


def shown(value: object) -> Iterator[float]:
    """A value, and as a percentage."""
    if (
        isinstance(value, (int, float, np.integer, np.floating))
        and not isinstance(value, bool)
        and math.isfinite(value)
    ):
        yield abs(float(value))
        yield abs(100 * float(value))


def pool_of(diagnosis: Diagnosis, finding: Finding | None) -> np.ndarray:
    """Every number of the finding, of the rows of its unit and of the whole organisation, and of the conventions."""
    pool: list[float] = []
    for name in FRAMES:
        frame = getattr(diagnosis, name)
        if finding is not None and "unit" in frame:
            frame = frame[frame["unit"].isna() | (frame["unit"] == finding.unit)]
        for column in frame.select_dtypes("number"):
            for value in frame[column]:
                pool.extend(shown(value))
        for column in ("value", "cases"):
            if column in frame:
                for value in frame[column]:
                    pool.extend(shown(value))
    for value in diagnosis.method.values():
        pool.extend(shown(value))
    if finding is not None:
        for field in fields(finding):
            pool.extend(shown(getattr(finding, field.name)))
        scales = diagnosis.evidence[diagnosis.evidence["unit"] == finding.unit]
        for _, of_rater in scales.groupby("rater"):
            counted = of_rater["gap"].notna()
            pool += [float(counted.sum()), float((of_rater["gap"] <= -diagnosis.method["smallest_gap"]).sum())]
    return np.array(pool)


def untraced(sentences: list[str], pool: np.ndarray, quoted: set[str]) -> list[str]:
    missing = []
    for sentence in sentences:
        for token in numbers_in(sentence, quoted):
            decimals = len(token.partition(".")[2])
            size = abs(float(token.replace("−", "-")))
            if not np.isclose(pool, size, atol=0.5001 * 10.0**-decimals).any():
                missing.append(f"{token} in: {sentence}")
    return missing


def test_there_is_something_to_test(found: Diagnosis) -> None:
    assert {"unit_gap", "strength", "unit_wide"} <= {finding.kind for finding in found.findings}
    causes = [cause for finding in found.findings for cause in finding.causes]
    assert {"supported", "not_supported", "untested"} <= {cause.status for cause in causes}
    assert sum(len(cause.numbers) for cause in causes) > 100


def test_every_number_of_a_finding_stands_in_it_or_in_a_table(found: Diagnosis) -> None:
    quoted = names(found)
    missing = [
        fault
        for finding in found.findings
        for fault in untraced([finding.title, finding.text, *finding.abstentions], pool_of(found, finding), quoted)
    ]
    assert missing == []


def test_every_number_of_the_evidence_for_a_cause_is_a_number_of_the_cause(found: Diagnosis) -> None:
    quoted = names(found)
    for finding in found.findings:
        for cause in finding.causes:
            pool = np.abs([value for _, _, value in cause.numbers] or [math.inf])
            assert untraced([*cause.confirming, *cause.refuting, *cause.undetermined], pool, quoted) == []


def test_numbers_of_a_cause_are_those_of_the_tables(found: Diagnosis) -> None:
    """Gap, size and level that a condition read are the published ones of what it read."""
    cells = found.evidence.set_index(["unit", found.evidence["instrument"] + "/" + found.evidence["dimension"]])
    checked = 0
    for finding in found.findings:
        for cause in finding.causes:
            for target, name, value in cause.numbers:
                if finding.unit is not None and name == "gap" and (finding.unit, target) in cells.index:
                    gaps = np.atleast_1d(cells.loc[(finding.unit, target), "gap"])
                    assert np.isclose(gaps, value, atol=0.0501).any()
                    checked += 1
    assert checked > 10


def test_every_number_of_the_summary_is_traceable(found: Diagnosis) -> None:
    summary = found.summary
    troubles = [finding for finding in found.findings if finding.is_trouble]
    counts = [len(troubles), sum(f.tier == "established" for f in troubles), sum(f.tier == "likely" for f in troubles),
              sum(f.tier == "watch" for f in found.findings), len(troubles[0].tied_with)]  # fmt: skip
    pool = np.concatenate([pool_of(found, None), counts])
    assert untraced([summary.headline, *summary.strengths], pool, names(found)) == []
    assert untraced([entry.what for entry in summary.cannot_tell], pool, names(found)) == []


@pytest.mark.parametrize(
    ("tier", "verb"), [("established", " is "), ("likely", " is probably "), ("watch", "cannot tell|differs from zero")]
)
def test_verbs_are_as_sure_as_the_tier(found: Diagnosis, tier: str, verb: str) -> None:
    gaps = [finding for finding in found.findings if finding.kind == "unit_gap" and finding.tier == tier]
    assert gaps
    assert [finding.text for finding in gaps if not re.search(verb, finding.text)] == []
    if tier != "likely":
        assert [finding.title for finding in gaps if "probably" in finding.title] == []


def test_no_text_of_a_finding_claims_a_cause(found: Diagnosis) -> None:
    """Only what a supported cause is consistent with may be said."""
    for finding in found.findings:
        assert not CAUSAL.search(finding.title)
        for match in CAUSAL.finditer(finding.text):
            assert "consistent with" in finding.text[: match.start()]
            assert any(cause.status == "supported" for cause in finding.causes)


def test_no_fixed_text_claims_a_cause() -> None:
    """Method and abstentions speak about causes as such; what is told of a unit does not."""
    about_causes = ("finding.method.", "finding.abstention.")
    claims = [key for key in keys("finding") if CAUSAL.search(_raw(key)) and not key.startswith(about_causes)]
    assert claims == []


def _raw(key: str) -> str:
    from servicediag.wording.catalogue import _catalogue

    return re.sub(r"\{\w+\}", "", _catalogue("finding", "en")[key])


def test_the_extractor_bites() -> None:
    assert untraced(
        ["A gap of 7.3 points (95 % interval -9.0 to -4.0) in Unit 03"], np.array([7.3, 9.0]), {"Unit 03"}
    ) == ["-4.0 in: A gap of 7.3 points (95 % interval -9.0 to -4.0) in Unit 03"]
    assert text("finding.verb.likely") == "is probably"
