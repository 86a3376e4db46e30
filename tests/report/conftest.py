"""A realistic published diagnosis, made by hand: 12 units, four questionnaires, causes in every status."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from html.parser import HTMLParser
from typing import Any

import pandas as pd
import pytest

from servicediag.diagnosis.model import Cause, Diagnosis, Finding, PublishedDiagnosis

UNITS = {
    "Customer contact centre": 46,
    "Branch network North, Zone 1 (Old Town, Harbour and University)": 38,
    "Branch network South": 31,
    "Claims and complaints": 24,
    "Online and chat support": 52,
    "客户服务中心（上海）": 28,
    "Отдел обслуживания клиентов": 33,
    "Atención al cliente, Zona Norte": 19,
    "Field engineers": 12,
    "Reception and front desk": 15,
    "Billing and payments": 41,
    "Home delivery": 22,
}
PARTS = {
    ("seven-sins", "customer", "customer"): {
        "apathy": ("Apathy", "weakness", 71.0),
        "brush": ("Brush-off", "weakness", 74.0),
        "cold": ("Coldness", "weakness", 79.0),
        "condesc": ("Condescension", "weakness", 82.0),
        "robot": ("Robotism", "weakness", 66.0),
        "rule": ("Rulebook", "weakness", 63.0),
        "run": ("Runaround", "weakness", 61.0),
    },
    ("readiness", "employee", "employee"): {
        "know": ("Knows how to serve", "strength", 72.0),
        "want": ("Wants to serve", "strength", 76.0),
        "can": ("Can serve", "strength", 58.0),
        "can_requirements": ("What being able to serve requires", "strength", 52.0),
    },
    ("four-tools", "employee", "employee"): {
        "comm": ("Communication", "strength", 60.0),
        "feed": ("Feedback", "strength", 49.0),
        "conf": ("Confidence", "strength", 67.0),
        "capa": ("Capability", "strength", 62.0),
        "role": ("Role clarity", "strength", 64.0),
    },
    ("four-tools", "provider", "supervisor"): {
        "comm": ("Communication", "strength", 78.0),
        "feed": ("Feedback", "strength", 75.0),
        "capa": ("Capability", "strength", 70.0),
    },
}
PLANTED = {
    ("Customer contact centre", "run"): -21.0,
    ("Customer contact centre", "can"): -17.0,
    ("Customer contact centre", "can_requirements"): -14.0,
    ("Claims and complaints", "rule"): -19.0,
    ("Claims and complaints", "feed"): -15.0,
    ("Branch network South", "cold"): -11.0,
    ("Отдел обслуживания клиентов", "apathy"): -12.0,
    ("Отдел обслуживания клиентов", "feed"): -13.0,
    ("客户服务中心（上海）", "robot"): -8.0,
    ("Home delivery", "brush"): -10.5,
    ("Reception and front desk", "cold"): 11.0,
    ("Online and chat support", "know"): 12.0,
    ("Branch network North, Zone 1 (Old Town, Harbour and University)", "condesc"): 6.0,
}
CAN_ITEMS = {
    "rdy_can_r1": "Our policies agree with what we say about putting customers first.",
    "rdy_can_r2": "Our work systems help me serve customers as intended.",
    "rdy_can_r3": "Our products or services can meet the standard customers now expect.",
    "rdy_can_r4": "My manager removes obstacles to good service.",
    "rdy_can_r5": "My manager hands over to me the decisions I need to make for customers.",
    "rdy_can_r6": "When decisions are made here, the customer's interest carries real weight.",
}
EVIDENCE_COLUMNS = (
    "by",
    "unit",
    "rater",
    "form",
    "wave",
    "instrument",
    "dimension",
    "title",
    "direction_of_scale",
    "n",
    "mean",
    "sd",
    "ci_low",
    "ci_high",
    "health",
    "gap",
    "gap_low",
    "gap_high",
    "shrunk_gap",
    "q_value",
    "q_minimum_effect",
    "minimum_detectable_gap",
    "tier",
    "severity",
    "direction",
)


@dataclass(frozen=True)
class HostileTexts:
    """Texts that must reach the reader as plain text."""

    html: str = '<img src=x onerror=alert(1)>"><svg onload=alert(2)></script>'
    formula: str = "=cmd|'/c calc'!A1"
    markup: str = "[bold red]x[/] [link=file:///etc/passwd]y[/link]"
    bidi: str = "Sales\u202egnitekraM\u2066\x00\x0b\ud800"
    template: str = "{{ 7*7 }} {% for x in y %} ${datum.x} datum['z']"
    control: str = "\x1b[31mred\x1b[0m \x07 \x9b1m"

    @property
    def every(self) -> tuple[str, ...]:
        return tuple(getattr(self, entry.name) for entry in fields(self))


def hidden(unit: str | None, part: tuple[str, str, str], dimension: str) -> bool:
    """Cells that the privacy gate took out."""
    if unit == "Field engineers" and part[0] == "readiness":
        return True
    return unit == "Home delivery" and part == ("four-tools", "employee", "employee") and dimension in ("feed", "conf")


def evidence_row(unit: str | None, index: int, part: tuple[str, str, str], position: int, dimension: str) -> dict:
    title, scale, base = PARTS[part][dimension]
    people = sum(UNITS.values()) if unit is None else UNITS[unit]
    if part[2] == "supervisor":
        people = 96 if unit is None else 6 + index % 4
    ripple = 0.0 if unit is None else ((7 * index + 13 * position) % 11 - 5) * 0.95
    planted = PLANTED.get((unit or "", dimension), 0.0) if part[2] != "supervisor" else 0.0
    health, sd = base + ripple + planted, 18.3 + (index + position) % 5
    half, gap = 1.98 * sd / math.sqrt(people), health - base
    mean = 100 - health if scale == "weakness" else health
    row: dict[str, Any] = dict.fromkeys(EVIDENCE_COLUMNS)
    row |= {"unit": unit, "by": None if unit is None else "department", "rater": part[2], "form": part[1],
            "instrument": part[0], "dimension": dimension, "title": title, "direction_of_scale": scale, "n": people,
            "mean": mean, "sd": sd, "ci_low": mean - half, "ci_high": mean + half, "health": health,
            "tier": "", "severity": "none", "direction": "none"}  # fmt: skip
    if unit is not None:
        row |= compared(gap, half, people)
    return row


def compared(gap: float, half: float, people: int) -> dict[str, Any]:
    shrunk = gap * 0.86
    low, high = gap - half, gap + half
    size = abs(shrunk)
    severity = "critical" if size >= 20 else "major" if size >= 10 else "minor" if size >= 5 else "none"
    if people >= 10 and (high < -2.5 or low > 2.5):
        tier = "established"
    elif (high < 0 or low > 0) and size >= 5:
        tier = "likely"
    else:
        tier = "watch" if abs(gap) >= 5 else ""
    q_value = math.erfc(abs(gap) / half * 1.96 / math.sqrt(2))
    return {"gap": gap, "gap_low": low, "gap_high": high, "shrunk_gap": shrunk, "q_value": q_value,
            "q_minimum_effect": min(1.0, q_value * 3), "minimum_detectable_gap": half * 1.43, "tier": tier,
            "severity": severity if tier else "none",
            "direction": "none" if not tier else "worse" if gap < 0 else "better"}  # fmt: skip


def make_evidence() -> pd.DataFrame:
    rows = []
    for part, dimensions in PARTS.items():
        for position, dimension in enumerate(dimensions):
            rows.append(evidence_row(None, 0, part, position, dimension))
            for index, unit in enumerate(UNITS, start=1):
                if not hidden(unit, part, dimension):
                    rows.append(evidence_row(unit, index, part, position, dimension))
    return pd.DataFrame(rows, columns=EVIDENCE_COLUMNS).assign(icc1=0.06, icc2=0.58)


def make_withheld() -> pd.DataFrame:
    rows = []
    for part, dimensions in PARTS.items():
        for dimension in dimensions:
            for unit in UNITS:
                if hidden(unit, part, dimension):
                    rule = "minimum_group" if unit == "Field engineers" else "complementary"
                    rows.append(("department", unit, part[2], part[1], None, part[0], dimension, rule))
    return pd.DataFrame(rows, columns=("by", "unit", "rater", "form", "wave", "instrument", "dimension", "rule"))


def make_items() -> pd.DataFrame:
    columns = (
        "by",
        "unit",
        "rater",
        "form",
        "wave",
        "instrument",
        "dimension",
        "item",
        "text",
        "n",
        "mean",
        "health",
        "ci_low",
        "ci_high",
        "scored",
    )
    rows = []
    for unit in (None, *UNITS):
        if hidden(unit, ("readiness", "employee", "employee"), "can_requirements"):
            continue
        people = sum(UNITS.values()) if unit is None else UNITS[unit]
        for position, (code, wording) in enumerate(CAN_ITEMS.items()):
            mean = 61.0 - 6.5 * ((position * 5) % 6) + PLANTED.get((unit or "", "can_requirements"), 0.0)
            half = 44.0 / math.sqrt(people)
            rows.append(
                (
                    None if unit is None else "department",
                    unit,
                    "employee",
                    "employee",
                    None,
                    "readiness",
                    "can_requirements",
                    code,
                    wording,
                    people,
                    mean,
                    mean,
                    mean - half,
                    mean + half,
                    True,
                )
            )
    return pd.DataFrame(rows, columns=columns)


def make_indicators() -> pd.DataFrame:
    columns = (
        "by",
        "unit",
        "rater",
        "form",
        "wave",
        "instrument",
        "indicator",
        "title",
        "n",
        "count",
        "share",
        "ci_low",
        "ci_high",
    )
    rows = []
    for position, (dimension, (title, _, _)) in enumerate(PARTS["seven-sins", "customer", "customer"].items()):
        for index, unit in enumerate((None, *UNITS)):
            people = sum(UNITS.values()) if unit is None else UNITS[unit]
            count = round(people * (0.18 + 0.04 * ((index + 2 * position) % 6)))
            share = count / people
            half = 1.96 * math.sqrt(share * (1 - share) / people)
            rows.append((None if unit is None else "department", unit, "customer", "customer", None, "seven-sins",
                         f"incidence_{dimension}", f"Customers who met it at least sometimes: {title}", people, count,
                         share, max(0.0, share - half), min(1.0, share + half)))  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def make_readiness(evidence: pd.DataFrame) -> pd.DataFrame:
    rows = []
    known = evidence[evidence.instrument == "readiness"]
    for unit in (None, *UNITS):
        cells = known[known.unit.isna() if unit is None else known.unit == unit].set_index("dimension")
        if cells.empty:
            continue
        levels = [float(cells.health[dimension]) for dimension in ("know", "want", "can")]
        weights = [math.exp(-(level - base) / 3) for level, base in zip(levels, (72, 76, 58), strict=True)]
        chances = [weight / sum(weights) for weight in weights]
        named = "can" if unit == "Customer contact centre" else None
        verdict = "bottleneck" if named else "tied"
        by = None if unit is None else "department"
        rows.append((by, unit, None, int(cells.n["know"]), *levels, *chances, named, verdict))
    columns = (
        "by",
        "unit",
        "wave",
        "n",
        "know",
        "want",
        "can",
        "p_lowest_know",
        "p_lowest_want",
        "p_lowest_can",
        "bottleneck",
        "verdict",
    )
    return pd.DataFrame(rows, columns=columns).assign(form="employee", shortfall=None)


def make_reliability() -> pd.DataFrame:
    rows = []
    forms = [form for (_, form, _), dimensions in PARTS.items() for _ in dimensions]
    for (instrument, _, rater), dimensions in PARTS.items():
        for position, dimension in enumerate(dimensions):
            formative = dimension in ("can_requirements", "comm", "feed", "capa")
            alpha = None if formative else 0.71 + 0.02 * position
            note = "formative: read item by item, no internal consistency is expected" if formative else ""
            spread = (
                [None] * 6
                if alpha is None
                else [alpha, alpha - 0.04, alpha + 0.03, alpha + 0.01, alpha - 0.03, alpha + 0.04]
            )
            rows.append((instrument, dimension, 6 if formative else 5, 96 if rater == "supervisor" else 361, *spread,
                         None if formative else 0.36, None if formative else 8.2, note))  # fmt: skip
    columns = (
        "instrument",
        "dimension",
        "n_items",
        "n_respondents",
        "alpha",
        "alpha_low",
        "alpha_high",
        "omega",
        "omega_low",
        "omega_high",
        "mean_inter_item_correlation",
        "sem",
        "note",
    )
    return pd.DataFrame(rows, columns=columns).assign(form=forms, wave=None)


def gap_finding(evidence: pd.DataFrame, unit: str, dimension: str, rater: str, **changes: Any) -> Finding:
    """A finding about one cell, with the cell's own numbers."""
    cell = evidence[(evidence.unit == unit) & (evidence.dimension == dimension) & (evidence.rater == rater)].iloc[0]
    size = abs(cell.gap)
    worse = cell.direction == "worse"
    finding = Finding(
        id=f"f-{len(unit)}-{dimension}",
        kind="unit_gap" if worse else "strength",
        by="department",
        unit=unit,
        wave=None,
        instrument=cell.instrument,
        dimension=dimension,
        item=None,
        rater=rater,
        estimate=float(cell.gap),
        ci_low=float(cell.gap_low),
        ci_high=float(cell.gap_high),
        n=int(cell.n),
        comparator="the rest of the organisation",
        direction=cell.direction,
        severity=cell.severity,
        tier=cell.tier,
        q_value=float(cell.q_value),
        q_minimum_effect=float(cell.q_minimum_effect),
        shrunk=float(cell.shrunk_gap),
        minimum_detectable_gap=float(cell.minimum_detectable_gap),
        title=f"{cell.title} is {'worse' if worse else 'better'} in {unit}",
        text=f"Health on {cell.title} is {size:.1f} points {'below' if worse else 'above'} the rest.",
        form=cell.form,
    )
    return replace(finding, **changes)


def provision_finding(evidence: pd.DataFrame, unit: str, **changes: Any) -> Finding:
    """Feedback that supervisors say they give, less what employees say they get."""
    cells = evidence[(evidence.unit == unit) & (evidence.dimension == "feed")].set_index("rater")
    gap = float(cells.health["employee"] - cells.health["supervisor"])
    finding = Finding(
        "f",
        "provision_gap",
        "department",
        unit,
        None,
        "four-tools",
        "feed",
        None,
        "employee",
        gap,
        gap - 7.6,
        gap + 7.6,
        int(cells.n["employee"]),
        "what supervisors say they provide",
        "worse",
        "major",
        "established",
        q_value=0.0004,
        minimum_detectable_gap=11.2,
        shrunk=gap * 0.86,
        title=f"Feedback is provided on paper in {unit}",
        text=f"Employees received {-gap:.1f} points less feedback than their supervisors say they gave.",
    )
    return replace(finding, **changes)


LIVE_FEED = "Pass customer ratings straight to the person who served."
R_ROLE = Cause(
    "R19", "Nobody owns a case from start to end", "supported",
    confirming=("Role clarity (employees) is 6.1 points below the rest, 90 % interval -10.9 to -1.3.",
                "Item “hands over to me the decisions”: 14.0 points below the rest, 90 % interval -20.2 to -7.8."),
    evidence_tag="S~", actions=("Give contact staff authority over a case and name one owner for each.",),
    action_codes=("ACT.RECOVER",), shortfall=14.0)  # fmt: skip
R_OVERLOAD = Cause(
    "R06", "Too little time for each customer", "possible",
    confirming=("Item “time to serve each customer properly” is 9.0 points below the rest.",),
    undetermined=("Time pressure cannot be told from average: interval -9.8 to 3.1.",), evidence_tag="S~")  # fmt: skip
R_WANT = Cause(
    "R33", "Staff do not want to serve", "not_supported", side="person",
    refuting=("Wants to serve is not low: interval -3.2 to 5.0, wholly above -5.",), evidence_tag="I")  # fmt: skip
R_SYSTEM = Cause(
    "R20", "Systems send customers from desk to desk", "untested",
    untested=("The questionnaire service-culture (systems) would test it.",), evidence_tag="S~",
    actions=("Redesign systems so that they help and anticipate.",))  # fmt: skip
R_TIE = Cause(
    "R21", "Departments do not work together", "not_distinguishable",
    confirming=("The same evidence as for rule R19.",), evidence_tag="I")  # fmt: skip
R_FEED = Cause(
    "R11", "No feedback reaches the front line, so effort seems pointless", "supported",
    confirming=("Feedback (employees) is 13.0 points below the rest, 90 % interval -18.9 to -7.1.",),
    untested=("The questionnaire programme-failure (no feedback) would add a second piece of evidence.",),
    evidence_tag="S", actions=(LIVE_FEED,), action_codes=("ACT.LIVEFEED",), shortfall=13.0)  # fmt: skip
R_MORALE = Cause(
    "R12", "Worn-down staff", "inconclusive", undetermined=("Morale: interval -7.0 to 4.4.",), evidence_tag="S",
    side="person")  # fmt: skip


def make_findings(evidence: pd.DataFrame) -> tuple[Finding, ...]:
    find = gap_finding
    contact, claims, russian = "Customer contact centre", "Claims and complaints", "Отдел обслуживания клиентов"
    bottleneck = find(
        evidence,
        contact,
        "can",
        "employee",
        id="f-bottleneck",
        kind="bottleneck",
        metric="probability",
        estimate=0.97,
        ci_low=None,
        ci_high=None,
        comparator="know and want in the same unit",
        title=f"Being able to serve holds {contact} back",
        text="Of know, want and can, being able to serve is the lowest with a probability of 0.97.",
        minimum_detectable_gap=None,
        shrunk=None,
        actions=("Let staff list the obstacles and remove three a month.",),
    )
    provision = provision_finding(evidence, contact, id="f-provision", abstentions=(
        "Whether both groups read the scale alike was not tested.",))  # fmt: skip
    provision_all = provision_finding(evidence, claims, id="f-provision-2", severity="critical")
    organisation = Finding(
        "f-org",
        "organisation_wide",
        None,
        None,
        None,
        "four-tools",
        "feed",
        None,
        "employee",
        -21.0,
        -23.5,
        -18.5,
        361,
        "the declared target of 70",
        "worse",
        "critical",
        "established",
        q_value=0.00001,
        title="Feedback is low everywhere",
        text="Feedback is 21.0 points below the target in the whole organisation: not a matter of one unit.",
        causes=(R_FEED,),
        actions=(LIVE_FEED,),
        abstentions=("One survey shows what is consistent with a cause; a second wave would show whether it moves.",),
    )
    abstained = Finding(
        "f-abstain",
        "change",
        None,
        None,
        None,
        "seven-sins",
        None,
        None,
        "customer",
        None,
        None,
        None,
        361,
        "an earlier wave",
        "none",
        "none",
        "abstained",
        title="Change over time",
        text="No change can be reported.",
        abstentions=("There is one wave; a second one would show change.",),
    )
    return (
        find(evidence, contact, "run", "customer", causes=(R_ROLE, R_OVERLOAD, R_TIE, R_WANT, R_SYSTEM),
             actions=R_ROLE.actions),
        find(evidence, claims, "rule", "customer", causes=(replace(R_SYSTEM, rule="R01",
             cause="Rules built for the organisation's convenience"),),
             abstentions=("The cause is unknown: no measured condition confirms one. Ask service-culture (systems).",)),
        provision_all, bottleneck, organisation, provision,
        find(evidence, russian, "apathy", "customer", causes=(R_FEED, R_MORALE), actions=(LIVE_FEED,)),
        find(evidence, "Branch network South", "cold", "customer", causes=(R_MORALE, R_WANT)),
        find(evidence, "客户服务中心（上海）", "robot", "customer"),
        find(evidence, "Home delivery", "brush", "customer"),
        find(evidence, "Online and chat support", "know", "employee"),
        find(evidence, "Reception and front desk", "cold", "customer"),
        abstained,
    )  # fmt: skip


STUDY: dict[str, Any] = {
    "title": "Service culture survey, spring",
    "groupings": ("department",),
    "n_units": {"department": 12},
    "notes": ("The questionnaires were answered in the same month.",),
    "sources": ("Names of the seven sins: Karl Albrecht, At America's Service (1988).",),
    "parts": (
        {"instrument": "seven-sins", "title": "Seven service sins", "version": "1.0.0", "form": "customer",
         "rater": "customer", "n_respondents": 361, "status": "not yet validated"},
        {"instrument": "readiness", "title": "Know, want, can", "version": "1.0.0", "form": "employee",
         "rater": "employee", "n_respondents": 361, "status": "not yet validated"},
        {"instrument": "four-tools", "title": "Four tools", "version": "1.0.0", "form": "employee",
         "rater": "employee", "n_respondents": 361, "status": "not yet validated"},
        {"instrument": "four-tools", "title": "Four tools", "version": "1.0.0", "form": "provider",
         "rater": "supervisor", "n_respondents": 96, "status": "not yet validated"},
    ),
}  # fmt: skip
METHOD: dict[str, Any] = {
    "smallest_gap": 5.0, "minimum_effect": 2.5, "minimum_group": 5, "population": "process", "targets": "none declared",
    "low_level": 50.0, "good_level": 70.0, "share_criterion": 0.25, "bottleneck_probability": 0.9,
    "seed": 0,
    "references": ("Benjamini, Y., & Hochberg, Y. (1995). Journal of the Royal Statistical Society B, 57, 289-300.",
                   "Wilson, E. B. (1927). Journal of the American Statistical Association, 22, 209-212."),
    "statements": ("The family of comparisons was declared before the data were read.",),
}  # fmt: skip


def make_diagnosis() -> Diagnosis:
    evidence = make_evidence()
    return PublishedDiagnosis(
        findings=make_findings(evidence), evidence=evidence, items=make_items(), indicators=make_indicators(),
        readiness=make_readiness(evidence), withheld=make_withheld(), reliability=make_reliability(), study=STUDY,
        method=METHOD)  # fmt: skip


def spoil(diagnosis: Diagnosis, text: str) -> Diagnosis:
    """The same diagnosis with one hostile text wherever data can put text."""
    unit = "Customer contact centre"

    def renamed(frame: pd.DataFrame) -> pd.DataFrame:
        frame = frame.copy()
        for column in ("unit", "text", "title", "note"):
            if column in frame:
                spoilt = frame["unit"].eq(unit) if "unit" in frame else pd.Series(True, index=frame.index)
                frame[column] = frame[column].astype(object).where(~spoilt.fillna(False), text)
        return frame

    findings = tuple(
        replace(
            finding,
            unit=text if finding.unit == unit else finding.unit,
            title=text,
            text=text,
            comparator=text,
            abstentions=(text,),
            actions=(text,),
            causes=tuple(
                replace(
                    cause,
                    cause=text,
                    confirming=(text,),
                    refuting=(text,),
                    undetermined=(text,),
                    untested=(text,),
                    actions=(text,),
                )
                for cause in finding.causes
            ),
        )
        for finding in diagnosis.findings
    )
    parts = tuple({**part, "title": text, "version": text} for part in diagnosis.study["parts"])
    return replace(
        diagnosis,
        findings=findings,
        evidence=renamed(diagnosis.evidence),
        items=renamed(diagnosis.items),
        indicators=renamed(diagnosis.indicators),
        readiness=renamed(diagnosis.readiness),
        withheld=renamed(diagnosis.withheld),
        reliability=renamed(diagnosis.reliability),
        study={**diagnosis.study, "title": text, "groupings": (text,), "parts": parts},
        method={**diagnosis.method, "references": (text,), "statements": (text,), text: text},
    )


@pytest.fixture(scope="session")
def diagnosis() -> Diagnosis:
    return make_diagnosis()


@pytest.fixture(scope="session")
def hostile_texts() -> HostileTexts:
    return HostileTexts()


@pytest.fixture(scope="session")
def spoilt() -> Callable[[Diagnosis, str], Diagnosis]:
    return spoil


@pytest.fixture(scope="session")
def empty_diagnosis(diagnosis: Diagnosis) -> Diagnosis:
    """A diagnosis of which the privacy gate left nothing but the list of what it took."""
    names = ("evidence", "items", "indicators", "readiness", "reliability")
    return replace(diagnosis, findings=(), **{name: getattr(diagnosis, name).iloc[:0] for name in names})


class PageReader(HTMLParser):
    """Tags, attributes, texts and tables of a page, as a browser would find them."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.tables: dict[str, list[list[str]]] = {}
        self._caption = ""
        self._cell: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in ("caption", "th", "td"):
            self._cell = []
        elif tag == "tr":
            self.tables.setdefault(self._caption, []).append([])

    def handle_endtag(self, tag: str) -> None:
        if tag in ("caption", "th", "td") and self._cell is not None:
            content = "".join(self._cell)
            if tag == "caption":
                self._caption = content
            else:
                self.tables[self._caption][-1].append(content)
            self._cell = None

    def handle_data(self, data: str) -> None:
        self.texts.append(data)
        if self._cell is not None:
            self._cell.append(data)


@pytest.fixture
def read_page() -> Callable[[str], PageReader]:
    def read(page: str) -> PageReader:
        reader = PageReader()
        reader.feed(page)
        reader.close()
        return reader

    return read
