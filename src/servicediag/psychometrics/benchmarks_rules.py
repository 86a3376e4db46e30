"""Named rule sets that put words to coefficients: each with its source, its critics, and who owns a boundary."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from servicediag.results import ConfidenceInterval, short_repr

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["RULE_SETS", "Coefficient", "Interpretation", "RuleSet", "judge", "list_rules", "rule_set"]

Coefficient = Literal[
    "reliability", "inter_item_correlation", "item_total_correlation", "icc", "kappa", "krippendorff_alpha",
    "agreement_index", "awg", "icc1", "icc2", "kmo", "average_variance_extracted", "htmt",
]  # fmt: skip


@dataclass(frozen=True)
class RuleSet:
    """A convention from the literature for reading a coefficient.

    Attributes
    ----------
    name : str
        Author and year, e.g. ``"koo_li2016"``.
    coefficients : tuple of str
        The coefficients that the source speaks of.
    cuts : tuple of float
        Ascending; a value equal to a cut takes the label above it, except for those in ``lower_owns``.
    labels : tuple of str
        One more than ``cuts``, from the lowest band to the highest.
    citation : str
        Where the convention comes from.
    criticism : str
        What its critics say; printed with every verdict.
    lower_owns : tuple of float
        Cuts whose exact value still belongs to the band below.

    Examples
    --------
    >>> rules = RuleSet("koo_li2016", ("icc",), (0.5, 0.75, 0.9), ("poor", "moderate", "good", "excellent"), "", "")
    >>> rules.label(0.75), rules.label(0.7499)
    ('good', 'moderate')
    """

    name: str
    coefficients: tuple[Coefficient, ...]
    cuts: tuple[float, ...]
    labels: tuple[str, ...]
    citation: str
    criticism: str
    lower_owns: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if len(self.labels) != len(self.cuts) + 1:
            raise ValueError(f"labels must be one more than the {len(self.cuts)} cuts, not {len(self.labels)}")
        if list(self.cuts) != sorted(set(self.cuts)):
            raise ValueError(f"cuts must ascend, not {self.cuts!r}")

    def label(self, value: float) -> str:
        """The band of a value; ``"undefined"`` for NaN."""
        if math.isnan(value):
            return "undefined"
        find = bisect_left if value in self.lower_owns else bisect_right
        return self.labels[find(self.cuts, value)]

    @property
    def boundary(self) -> str:
        """In words, which band owns a value that equals a cut."""
        if not self.lower_owns:
            return "a value equal to a cut belongs to the band above it"
        down = ", ".join(f"{cut:g}" for cut in self.lower_owns)
        rest = "" if len(self.lower_owns) == len(self.cuts) else "; at the other cuts to the band above it"
        return f"a value equal to {down} belongs to the band below it{rest}"


@dataclass(frozen=True, repr=False)
class Interpretation:
    """The verdict of a rule set on a coefficient.

    Attributes
    ----------
    label : str
        Bands that the interval covers, e.g. ``"moderate to good"``; one band where both limits agree.
    low_label, estimate_label, high_label : str
        Bands of the lower limit, the estimate and the upper limit.
    rules, citation, criticism, boundary : str
        Which convention judged, its source, its critics, and which band owns a boundary value.
    basis : str
        What was judged: the interval with its level and method, or the bare estimate.
    """

    label: str
    low_label: str
    estimate_label: str
    high_label: str
    rules: str
    citation: str
    criticism: str
    boundary: str
    basis: str

    def __str__(self) -> str:
        return f"{self.label} ({self.citation}; judged by {self.basis}; {self.boundary}). Critics: {self.criticism}"

    def __repr__(self) -> str:
        return short_repr("Interpretation", [("label", self.label), ("rules", self.rules), ("basis", self.basis)])

    def to_frame(self) -> pd.DataFrame:
        """One row with every field."""
        import pandas as pd

        return pd.DataFrame([vars(self)])


_LANCE = (
    "Lance, Butts & Michels (2006) show that .70 was meant for early research only, .80 for basic research and .90 "
    "for decisions about persons; the value grows with the number of items (Cortina 1993), and no single cut-off "
    "fits every use (Cho & Kim 2015)."
)
_KAPPA = "The bands are arbitrary, as their authors say themselves, and kappa depends on prevalence."

_RULES: tuple[RuleSet, ...] = (
    RuleSet(
        "nunnally1978",
        ("reliability",),
        (0.70, 0.80, 0.90, 0.95),
        (
            "too low even for early research",
            "enough for early research",
            "enough for comparing groups",
            "the least for decisions about persons",
            "as wanted for decisions about persons",
        ),
        "Nunnally (1978), Psychometric Theory, 2nd ed.",
        _LANCE,
    ),
    RuleSet(
        "cicchetti1994",
        ("reliability",),
        (0.70, 0.80, 0.90),
        ("unacceptable", "fair", "good", "excellent"),
        "Cicchetti (1994), Psychological Assessment, 6, 284-290",
        _LANCE,
    ),
    RuleSet(
        "george_mallery2003",
        ("reliability",),
        (0.50, 0.60, 0.70, 0.80, 0.90),
        ("unacceptable", "poor", "questionable", "acceptable", "good", "excellent"),
        "George & Mallery (2003), SPSS for Windows Step by Step, 4th ed.",
        f"A textbook's rule of thumb without derivation. {_LANCE}",
    ),
    RuleSet(
        "streiner2003",
        ("reliability",),
        (0.70, 0.90),
        ("low", "adequate", "high, items may repeat each other"),
        "Streiner (2003), Journal of Personality Assessment, 80, 99-103",
        f"A heuristic for clinical scales. {_LANCE}",
        lower_owns=(0.90,),
    ),
    RuleSet(
        "clark_watson1995",
        ("inter_item_correlation",),
        (0.15, 0.50),
        ("items too diverse for one narrow construct", "in the advised range", "items may repeat each other"),
        "Clark & Watson (1995), Psychological Assessment, 7, 309-319",
        "The fitting value depends on how broad the construct is: higher for narrow ones, .40 to .50 by the authors.",
        lower_owns=(0.50,),
    ),
    RuleSet(
        "nunnally_bernstein1994",
        ("item_total_correlation",),
        (0.0, 0.20, 0.30),
        ("against the scale: inspect the keying", "weak: inspect the wording", "borderline", "satisfactory"),
        "Nunnally & Bernstein (1994), Psychometric Theory, 3rd ed.; .20 is a common lower bound",
        "A heuristic; the value depends on the spread of the other items, and removing items by it fits the sample.",
    ),
    RuleSet(
        "koo_li2016",
        ("icc",),
        (0.50, 0.75, 0.90),
        ("poor", "moderate", "good", "excellent"),
        "Koo & Li (2016), Journal of Chiropractic Medicine, 15, 155-163",
        "Meant for the 95 % interval, not for the estimate; an ICC depends on how much the targets differ.",
    ),
    RuleSet(
        "cicchetti1994_icc",
        ("icc", "kappa"),
        (0.40, 0.60, 0.75),
        ("poor", "fair", "good", "excellent"),
        "Cicchetti (1994), Psychological Assessment, 6, 284-290",
        "Made for clinical ratings and more lenient than Koo & Li (2016).",
    ),
    RuleSet(
        "landis_koch1977",
        ("kappa",),
        (0.0, 0.20, 0.40, 0.60, 0.80),
        ("poor", "slight", "fair", "moderate", "substantial", "almost perfect"),
        "Landis & Koch (1977), Biometrics, 33, 159-174",
        _KAPPA,
        lower_owns=(0.20, 0.40, 0.60, 0.80),
    ),
    RuleSet(
        "fleiss1981",
        ("kappa",),
        (0.40, 0.75),
        ("poor", "fair to good", "excellent"),
        "Fleiss (1981), Statistical Methods for Rates and Proportions, 2nd ed.",
        _KAPPA,
        lower_owns=(0.75,),
    ),
    RuleSet(
        "altman1991",
        ("kappa",),
        (0.20, 0.40, 0.60, 0.80),
        ("poor", "fair", "moderate", "good", "very good"),
        "Altman (1991), Practical Statistics for Medical Research",
        _KAPPA,
        lower_owns=(0.20, 0.40, 0.60, 0.80),
    ),
    RuleSet(
        "krippendorff2004",
        ("krippendorff_alpha",),
        (0.667, 0.80),
        ("not to be relied on", "for tentative conclusions only", "reliable"),
        "Krippendorff (2004), Content Analysis, 2nd ed., and Human Communication Research, 30, 411-433",
        "Their author warns against one cut-off for every purpose: the cost of a wrong conclusion decides.",
    ),
    RuleSet(
        "lebreton_senter2008",
        ("agreement_index",),
        (0.30, 0.50, 0.70, 0.90),
        ("lack of agreement", "weak agreement", "moderate agreement", "strong agreement", "very strong agreement"),
        "LeBreton & Senter (2008), Organizational Research Methods, 11, 815-852",
        "Depends on the null distribution and grows with the number of items; Harvey & Hollander (2004) reject .70.",
        lower_owns=(0.30, 0.50, 0.70, 0.90),
    ),
    RuleSet(
        "brown_hauenstein2005",
        ("awg",),
        (0.60, 0.70, 0.80),
        ("unacceptable agreement", "weak agreement", "moderate agreement", "strong agreement"),
        "Brown & Hauenstein (2005), Organizational Research Methods, 8, 165-184",
        "A heuristic that follows those for reliability.",
    ),
    RuleSet(
        "lebreton_senter2008_icc1",
        ("icc1",),
        (0.01, 0.10, 0.25),
        ("negligible group effect", "small group effect", "medium group effect", "large group effect"),
        "LeBreton & Senter (2008), Organizational Research Methods, 11, 815-852",
        "An analogy to effect sizes; read it with the group sizes and the F test.",
    ),
    RuleSet(
        "lebreton_senter2008_icc2",
        ("icc2",),
        (0.70, 0.85),
        ("group means too unreliable", "enough to aggregate in research", "enough where decisions follow"),
        "LeBreton & Senter (2008), Organizational Research Methods, 11, 815-852",
        "Driven by the group sizes: large groups reach it with a negligible group effect.",
    ),
    RuleSet(
        "kaiser1974",
        ("kmo",),
        (0.50, 0.60, 0.70, 0.80, 0.90),
        ("unacceptable", "miserable", "mediocre", "middling", "meritorious", "marvelous"),
        "Kaiser (1974), Psychometrika, 39, 31-36",
        "Labels by taste; they say that factors can be found, not how many.",
    ),
    RuleSet(
        "fornell_larcker1981",
        ("average_variance_extracted",),
        (0.50,),
        ("less than half of the variance is shared", "at least half of the variance is shared"),
        "Fornell & Larcker (1981), Journal of Marketing Research, 18, 39-50",
        "Insensitive as a test of distinctness (Henseler, Ringle & Sarstedt 2015; Ronkko & Cho 2022).",
    ),
    RuleSet(
        "henseler2015",
        ("htmt",),
        (0.85, 0.90),
        ("distinct", "distinct only by the lenient limit", "not distinct"),
        "Henseler, Ringle & Sarstedt (2015), Journal of the Academy of Marketing Science, 43, 115-135",
        "The limits come from one simulation design; which of the two fits depends on how close the constructs are.",
        lower_owns=(0.85, 0.90),
    ),
)

RULE_SETS: dict[str, RuleSet] = {rules.name: rules for rules in _RULES}


def rule_set(rules: str | RuleSet | None, coefficient: Coefficient) -> RuleSet:
    """The rule set of that name for that coefficient; without a name, the first one listed for it.

    Raises
    ------
    ValueError
        There is none of that name, or it speaks of another coefficient; the fitting names are listed.
    """
    if isinstance(rules, RuleSet):
        return rules
    fitting = [known for known in _RULES if coefficient in known.coefficients]
    if rules is None:
        return fitting[0]
    for known in fitting:
        if known.name == rules:
            return known
    names = ", ".join(repr(known.name) for known in fitting)
    raise ValueError(f"rules for {coefficient.replace('_', ' ')} must be one of {names} or a RuleSet, not {rules!r}")


def judge(rules: RuleSet, estimate: float, interval: ConfidenceInterval | None = None) -> Interpretation:
    """Label an estimate, by its interval where there is one.

    Examples
    --------
    >>> judge(RULE_SETS["koo_li2016"], 0.8, ConfidenceInterval(0.7, 0.88, method="f")).label
    'moderate to good'
    """
    middle = rules.label(estimate)
    if interval is None:
        low = high = middle
        basis = "the estimate alone, which has no interval here"
    else:
        low, high = rules.label(interval.low), rules.label(interval.high)
        basis = f"the {100 * interval.level:g} % interval, {interval.method}"
    return Interpretation(
        label=low if low == high else f"{low} to {high}",
        low_label=low,
        estimate_label=middle,
        high_label=high,
        rules=rules.name,
        citation=rules.citation,
        criticism=rules.criticism,
        boundary=rules.boundary,
        basis=basis,
    )


def list_rules() -> pd.DataFrame:
    """Every rule set: name, coefficients, cuts, labels, citation and criticism.

    Examples
    --------
    >>> list_rules().loc["koo_li2016", "cuts"]
    (0.5, 0.75, 0.9)
    """
    import pandas as pd

    rows = [
        {
            "rules": rules.name,
            "coefficients": rules.coefficients,
            "cuts": rules.cuts,
            "labels": rules.labels,
            "boundary": rules.boundary,
            "citation": rules.citation,
            "criticism": rules.criticism,
        }
        for rules in _RULES
    ]
    return pd.DataFrame(rows).set_index("rules")
