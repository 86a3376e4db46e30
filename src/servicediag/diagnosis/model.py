"""What a diagnosis says: findings, causes, and the published whole that renderers may see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from servicediag.results import as_html

if TYPE_CHECKING:
    from typing import Self

    import pandas as pd

    from servicediag.report.theme import Theme

__all__ = [
    "Cause",
    "CauseStatus",
    "Diagnosis",
    "Finding",
    "FindingKind",
    "Metric",
    "OpenQuestion",
    "PublishedDiagnosis",
    "Severity",
    "Summary",
    "Tier",
]

FindingKind = Literal[
    "level", "unit_gap", "perception_gap", "provision_gap", "confidence_capability", "bottleneck", "attribution",
    "blame_shift", "promise_gap", "internal_external", "change", "dispersion", "say_do", "stage_gap",
    "tenure_gradient", "silent_loss", "operations", "unit_wide", "organisation_wide", "strength", "data_quality",
]  # fmt: skip
Metric = Literal["points", "share", "probability", "value"]
Tier = Literal["established", "likely", "watch", "abstained"]
Severity = Literal["critical", "major", "minor", "none"]
CauseStatus = Literal["supported", "possible", "not_supported", "untested", "inconclusive", "not_distinguishable"]

COMPARISON_COLUMNS = (
    "by", "unit", "wave", "instrument", "dimension", "item", "inner_rater", "outer_rater", "inner_form", "outer_form",
    "inner_health", "outer_health", "inner_n", "outer_n", "difference", "ci_low", "ci_high", "ci_low_90", "ci_high_90",
    "superiority", "superiority_low", "superiority_high", "superiority_p", "q_value", "tier", "verdict",
)  # fmt: skip
PATTERN_COLUMNS = ("by", "unit", "wave", "instrument", "dimension", "pattern", "manager", "employee", "customer")
CHANGE_COLUMNS = (
    "by", "unit", "rater", "form", "instrument", "dimension", "first_wave", "second_wave", "design", "n_first",
    "n_second", "n_pairs", "first_health", "second_health", "change", "ci_low", "ci_high",
    "standardized_response_mean", "q_value", "tier", "verdict",
)  # fmt: skip
AGREEMENT_COLUMNS = (
    "by", "unit", "rater", "form", "wave", "instrument", "dimension", "n", "health", "sd", "sd_share_of_maximum",
    "average_deviation", "rwg_uniform", "rwg_skewed", "verdict",
)  # fmt: skip
SEGMENT_COLUMNS = (
    "background", "category", "by", "unit", "rater", "form", "wave", "instrument", "dimension", "n", "mean", "health",
    "ci_low", "ci_high",
)  # fmt: skip
INDEX_COLUMNS = ("by", "unit", "wave", "index", "part", "estimate", "ci_low", "ci_high", "n", "verdict")
ANSWER_COLUMNS = (
    "by", "unit", "rater", "form", "wave", "instrument", "dimension", "item", "code", "label", "n", "share",
)  # fmt: skip
OPERATION_COLUMNS = (
    "by", "unit", "wave", "indicator", "value", "cases", "other_units", "verdict", "target", "target_verdict",
)  # fmt: skip
NOT_MEASURED_COLUMNS = ("gap", "code", "what", "settled_by")
COMMENT_COLUMNS = ("by", "unit", "scope", "rater", "form", "wave", "instrument", "question", "comment")
COMMENT_THEME_COLUMNS = (
    "by", "unit", "scope", "rater", "form", "wave", "instrument", "question", "theme", "n_comments", "mentions",
    "share", "words",
)  # fmt: skip

STABLE_SHARE = 0.80
"""Share of repeated surveys below which a finding says how seldom it would be told as surely again; a convention."""

_NESTED = frozenset({"causes", "actions", "abstentions", "tied_with"})


def _empty(columns: tuple[str, ...]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(columns=list(columns))


@dataclass(frozen=True, slots=True)
class Cause:
    """A candidate cause of a finding, with what speaks for it, against it, and what was not measured.

    Attributes
    ----------
    rule : str
        Identifier of the root-cause rule, e.g. ``"R11"``.
    confirming, refuting, undetermined, untested : tuple of str
        One sentence a piece of evidence, with its numbers.
    confirming_targets : tuple of str
        ``instrument/dimension`` or item code of each confirming piece.
    evidence_tag : {"S", "S~", "I"}
        Whether the literature states the link, implies it, or the analyst infers it.
    side : {"organisation", "person"}
        Where the cause would lie; person-side causes are never supported while the organisation's side is
        unmeasured or low.
    step : str
        Place in the order of inquiry: promise, environment, tools, role, know, want, culture, individual.
    sources : tuple of str
        The groups of raters, or ``"operations"``, that confirm; several scales of the same people are one source.
    same_source : bool
        Only those who report the trouble confirm its cause, so a second group of people should be asked.
    association : tuple or None
        Over the units: correlation between the symptom and the first confirming score, its 95 % limits, and the number
        of units; None below 10 units.
    numbers : tuple of (str, str, float)
        Every number of the sentences about the evidence: what was read, the number's name, and the number.
    """

    rule: str
    cause: str
    status: CauseStatus
    confirming: tuple[str, ...] = ()
    refuting: tuple[str, ...] = ()
    undetermined: tuple[str, ...] = ()
    untested: tuple[str, ...] = ()
    evidence_tag: str = "I"
    actions: tuple[str, ...] = ()
    action_codes: tuple[str, ...] = ()
    side: str = "organisation"
    shortfall: float | None = None
    confirming_targets: tuple[str, ...] = ()
    step: str = "environment"
    sources: tuple[str, ...] = ()
    same_source: bool = False
    association: tuple[float, float, float, int] | None = None
    numbers: tuple[tuple[str, str, float], ...] = ()

    def _repr_html_(self) -> str:
        return as_html(f"{self.rule}: {self.cause} ({self.status})")

    @property
    def n_sources(self) -> int:
        """Independent sources that confirm."""
        return len(self.sources)


@dataclass(frozen=True, slots=True)
class Finding:
    """One statement of the diagnosis, with its size, its doubt, its causes and its text.

    Attributes
    ----------
    id : str
        Stable hash of what the finding is about.
    by : str or None
        The grouping the unit belongs to; None where the finding is about the whole organisation.
    unit : str or None
        None for the whole organisation.
    instrument, dimension, item, rater : str or None
    estimate, ci_low, ci_high : float or None
        Points of health for gaps (negative is worse), P(lowest) for a bottleneck, 0-1 for shares; operations data in
        their own measure.
    n : int
        Respondents behind the estimate; of operations data the cases, or the units that are compared.
    metric : {"points", "share", "probability", "value"}
        What the estimate is measured in; ``"value"``: in the measure of the record.
    comparator : str
        Against what, in words.
    q_value : float or None
        Benjamini-Hochberg adjusted p of "no difference" over the declared family.
    q_minimum_effect : float or None
        The same for "the difference is below the minimum effect"; it decides *established*.
    shrunk : float or None
        The estimate after empirical-Bayes shrinkage; it decides the severity.
    minimum_detectable_gap : float or None
    rank : int or None
        Place among the troubles by expected loss, 1 first; troubles that cannot be told apart share it. None for
        everything that is no trouble.
    rank_low, rank_high : int or None
        90 % interval of the place.
    p_top_three : float or None
        Probability of being among the three greatest troubles.
    tied_with : tuple of str
        Ids of the troubles that share the rank.
    direction : {"worse", "better", "none"}
    abstentions : tuple of str
        What cannot be said, and which data would settle it.
    tier_without_item : str or None
        Lowest tier that is left when any one item of the scale is left out; None where that was not looked at.
    rests_on : str or None
        The item without which the tier is that low, where it is lower than ``tier``.
    stability : float or None
        Share (0 to 1) of repeated surveys in which the finding would have its tier again or a stronger one, computed
        from what was observed; None for kinds of findings whose estimate is not drawn again.
    """

    id: str
    kind: FindingKind
    by: str | None
    unit: str | None
    wave: str | None
    instrument: str | None
    dimension: str | None
    item: str | None
    rater: str | None
    estimate: float | None
    ci_low: float | None
    ci_high: float | None
    n: int
    comparator: str
    direction: Literal["worse", "better", "none"]
    severity: Severity
    tier: Tier
    q_value: float | None = None
    q_minimum_effect: float | None = None
    shrunk: float | None = None
    minimum_detectable_gap: float | None = None
    title: str = ""
    text: str = ""
    causes: tuple[Cause, ...] = ()
    actions: tuple[str, ...] = ()
    abstentions: tuple[str, ...] = ()
    form: str | None = None
    metric: Metric = "points"
    rank: int | None = None
    rank_low: int | None = None
    rank_high: int | None = None
    p_top_three: float | None = None
    tied_with: tuple[str, ...] = ()
    tier_without_item: Tier | None = None
    rests_on: str | None = None
    stability: float | None = None

    def _repr_html_(self) -> str:
        return as_html(": ".join(text for text in (self.title, self.text) if text) or repr(self))

    @property
    def is_trouble(self) -> bool:
        """Worse than its comparator, established or likely, and of a size that matters."""
        return self.direction == "worse" and self.tier in ("established", "likely") and self.severity != "none"

    @property
    def seldom_again(self) -> int | None:
        """In how many of 100 repeated surveys it would be told as surely again, where these are few."""
        if self.stability is None or self.tier not in ("established", "likely"):
            return None
        again = round(100 * self.stability)
        return again if again < 100 * STABLE_SHARE else None

    def __repr__(self) -> str:
        where = self.unit if self.unit is not None else "whole organisation"
        return f"Finding({self.kind}, {where!r}, {self.instrument}/{self.dimension}, {self.tier}, {self.severity})"


@dataclass(frozen=True)
class OpenQuestion:
    """Something that cannot be told, and what would settle it."""

    what: str
    settled_by: str


@dataclass(frozen=True)
class Summary:
    """The shortest form of a diagnosis.

    Attributes
    ----------
    headline : str
        How many troubles, how sure, and which comes first.
    troubles : tuple of str
        Ids of at most five findings, most important first.
    strengths : tuple of str
        What is better than elsewhere; where nothing is, the highest level of the whole organisation.
    first_actions : tuple of str
        What to do first, by the supported causes of these troubles in the order of inquiry.
    cannot_tell : tuple of OpenQuestion
    """

    headline: str = ""
    troubles: tuple[str, ...] = ()
    strengths: tuple[str, ...] = ()
    first_actions: tuple[str, ...] = ()
    cannot_tell: tuple[OpenQuestion, ...] = ()


@dataclass(frozen=True, repr=False)
class Diagnosis:
    """What a diagnosis holds. As ``PublishedDiagnosis`` it is all that a report may show, and nothing else.

    Attributes
    ----------
    findings : tuple of Finding
        Most important first.
    evidence : DataFrame
        Published cells, a row a unit (None: whole organisation) x form x wave x dimension: ``by, unit, rater, form,
        wave, instrument, dimension, title, direction_of_scale, n, mean, sd, ci_low, ci_high, health, gap, gap_low,
        gap_high, shrunk_gap, q_value, q_minimum_effect, minimum_detectable_gap, tier, severity, direction``.
    items : DataFrame
        Published item means: ``by, unit, rater, form, wave, instrument, dimension, item, text, n, mean, health,
        ci_low, ci_high, scored``.
    indicators : DataFrame
        Published shares (0-1) with Wilson intervals: ``by, unit, rater, form, wave, instrument, indicator, title,
        n, count, share, ci_low, ci_high``.
    readiness : DataFrame
        Know/want/can profile: ``by, unit, wave, n, know, want, can, p_lowest_know, p_lowest_want, p_lowest_can,
        bottleneck, verdict``.
    withheld : DataFrame
        What was not shown, by which rule: ``by, unit, rater, form, wave, instrument, dimension, rule``; never its size.
    reliability : DataFrame
        A row a dimension, as ``servicediag.reliability`` gives it.
    study : mapping
        Title, groupings, number of units, and for each part its instrument, version, form, rater and respondents.
    method : mapping
        Thresholds, families, references and the statements that every report prints.
    comparisons : DataFrame
        Two groups of raters on the same dimension or item: ``COMPARISON_COLUMNS``; the difference is outer minus
        inner in points of health, the verdict aligned, gap or undetermined.
    patterns : DataFrame
        What three or two groups of raters see together, by name: ``PATTERN_COLUMNS``.
    changes : DataFrame
        From one wave to the next: ``CHANGE_COLUMNS``; the verdict improved, declined, stable or undetermined.
    agreement : DataFrame
        How much the people of a unit agree: ``AGREEMENT_COLUMNS``.
    segments : DataFrame
        Scores by a background field, such as length of service: ``SEGMENT_COLUMNS``.
    indexes : DataFrame
        Numbers that put several scores together, such as attribution or say-do: ``INDEX_COLUMNS``.
    answers : DataFrame
        Shares of the answers to each item, a row a unit x item x option: ``ANSWER_COLUMNS``.
    operations : DataFrame
        Operations data as they were given, a row a unit x indicator: ``OPERATION_COLUMNS``; ``cases`` is the number
        behind a share, where it was given; the newest values stand beside those of the other units and the target.
    not_measured : DataFrame
        Gaps that could not be judged: ``gap, code, what, settled_by``.
    comments : DataFrame
        Open answers, where they were asked for and may be listed: ``COMMENT_COLUMNS``. The scope is ``unit``,
        ``others`` (units that are not listed by themselves) or ``whole``; each comment is listed once.
    comment_themes : DataFrame
        How many of the comments that are listed together mention a theme, and by which words:
        ``COMMENT_THEME_COLUMNS``. Where several groups are listed, the scope ``listed`` is all of them.
    summary : Summary
        At most five troubles, at least one strength, and what cannot be told.
    language : str
        In which the texts are told; :meth:`in_language` gives another.
    """

    findings: tuple[Finding, ...]
    evidence: pd.DataFrame
    items: pd.DataFrame
    indicators: pd.DataFrame
    readiness: pd.DataFrame
    withheld: pd.DataFrame
    reliability: pd.DataFrame
    study: Mapping[str, Any]
    method: Mapping[str, Any] = field(default_factory=dict)
    comparisons: pd.DataFrame = field(default_factory=lambda: _empty(COMPARISON_COLUMNS))
    patterns: pd.DataFrame = field(default_factory=lambda: _empty(PATTERN_COLUMNS))
    changes: pd.DataFrame = field(default_factory=lambda: _empty(CHANGE_COLUMNS))
    agreement: pd.DataFrame = field(default_factory=lambda: _empty(AGREEMENT_COLUMNS))
    segments: pd.DataFrame = field(default_factory=lambda: _empty(SEGMENT_COLUMNS))
    indexes: pd.DataFrame = field(default_factory=lambda: _empty(INDEX_COLUMNS))
    answers: pd.DataFrame = field(default_factory=lambda: _empty(ANSWER_COLUMNS))
    operations: pd.DataFrame = field(default_factory=lambda: _empty(OPERATION_COLUMNS))
    not_measured: pd.DataFrame = field(default_factory=lambda: _empty(NOT_MEASURED_COLUMNS))
    comments: pd.DataFrame = field(default_factory=lambda: _empty(COMMENT_COLUMNS))
    comment_themes: pd.DataFrame = field(default_factory=lambda: _empty(COMMENT_THEME_COLUMNS))
    summary: Summary = field(default_factory=Summary)
    language: str = "en"

    def __repr__(self) -> str:
        tiers = {tier: sum(f.tier == tier for f in self.findings) for tier in ("established", "likely", "watch")}
        counts = ", ".join(f"{tier}={count}" for tier, count in tiers.items())
        return f"Diagnosis(n_findings={len(self.findings)}, {counts}, n_withheld={len(self.withheld)})"

    def top(self, n: int = 5) -> tuple[Finding, ...]:
        """The ``n`` most important troubles: established or likely, worse than their comparator.

        Raises
        ------
        ValueError
            ``n`` is below 1.
        """
        if n < 1:
            raise ValueError(f"n={n!r} must be at least 1")
        troubles = [finding for finding in self.findings if finding.is_trouble]
        return tuple(troubles[:n])

    def to_frame(self) -> pd.DataFrame:
        """A row a finding; causes are counted by status and named where supported."""
        import pandas as pd

        plain_fields = [f.name for f in fields(Finding) if f.name not in _NESTED]
        rows = []
        for finding in self.findings:
            row = {name: getattr(finding, name) for name in plain_fields}
            row["supported_causes"] = "; ".join(c.cause for c in finding.causes if c.status == "supported")
            row["untested_causes"] = sum(c.status == "untested" for c in finding.causes)
            row["actions"] = "; ".join(finding.actions)
            row["abstentions"] = "; ".join(finding.abstentions)
            row["tied_with"] = "; ".join(finding.tied_with)
            rows.append(row)
        columns = [*plain_fields, "supported_causes", "untested_causes", "actions", "abstentions", "tied_with"]
        return pd.DataFrame(rows, columns=columns)

    def in_language(self, language: str) -> Self:
        """The same diagnosis told in another language: every sentence, title, question, cause and recommendation.

        Numbers, ids and codes stay as they are, and so do names of units and other text from data. Questionnaires and
        rules of your own keep the language of their author where they have no other; a note in ``study`` then says so.

        Parameters
        ----------
        language : {"en", "es", "ru", "zh-Hans"}

        Returns
        -------
        Diagnosis
            Renderers take its language where they are told no other.

        Raises
        ------
        ValueError
            There are no texts in that language.

        Examples
        --------
        >>> import servicediag as sd
        >>> study = sd.simulate("readiness", form="employee", n_units=6, respondents_per_unit=40, seed=2)
        >>> diagnosis = sd.diagnose(study.responses())
        >>> told = diagnosis.in_language("es")
        >>> told.language, told.in_language("en").summary == diagnosis.summary
        ('es', True)
        """
        from servicediag.diagnosis.languages import diagnosis_in_language

        return diagnosis_in_language(self, language)

    def to_excel(
        self, path: str | Path, *, language: str | None = None, theme: Theme | None = None, overwrite: bool = False
    ) -> Path:
        """Write the workbook for HR: findings, heatmap, scales, items, causes, reliability, method."""
        from servicediag.report import write_excel

        return write_excel(self, path, language=language, theme=theme, overwrite=overwrite)

    def to_html(
        self, path: str | Path, *, language: str | None = None, theme: Theme | None = None, overwrite: bool = False
    ) -> Path:
        """Write the self-contained page for managers: no script, no external file."""
        from servicediag.report import write_html

        return write_html(self, path, language=language, theme=theme, overwrite=overwrite)

    def to_slides(
        self, path: str | Path, *, language: str | None = None, theme: Theme | None = None, overwrite: bool = False
    ) -> Path:
        """Write 10 to 15 slides with native charts that can be edited; needs ``servicediag[slides]``."""
        from servicediag.report import write_slides

        return write_slides(self, path, language=language, theme=theme, overwrite=overwrite)

    def to_word(
        self, path: str | Path, *, language: str | None = None, theme: Theme | None = None, overwrite: bool = False
    ) -> Path:
        """Write the action plan, with columns for owner and date to fill in; needs ``servicediag[word]``."""
        from servicediag.report import write_word

        return write_word(self, path, language=language, theme=theme, overwrite=overwrite)

    def to_json(self, path: str | Path, *, language: str | None = None, overwrite: bool = False) -> Path:
        """Write the machine-readable diagnosis; the schema is named in the file."""
        from servicediag.report import write_json

        return write_json(self, path, language=language, overwrite=overwrite)

    def plot(self, kind: str = "gaps", *, about: str | None = None, language: str | None = None) -> Any:
        """An altair chart of a kind, e.g. ``"heatmap"``; see :func:`servicediag.report.plot`."""
        from servicediag.report import plot

        return plot(self, kind, about=about, language=language)

    def _repr_html_(self) -> str:
        from servicediag.report import notebook_html

        return notebook_html(self)


@dataclass(frozen=True, repr=False)
class PublishedDiagnosis(Diagnosis):
    """A diagnosis that has passed the privacy gate. Only this type is rendered; only the gate makes it."""
