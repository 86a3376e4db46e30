"""What the columns of the published tables hold: this decides how they are rounded, and what their schema says."""

from __future__ import annotations

from typing import Literal

__all__ = ["COEFFICIENTS", "COUNTS", "FRAMES", "SIZES", "TEXT_COLUMNS", "ColumnKind", "kind_of"]

ColumnKind = Literal["text", "count", "flag", "points", "share", "coefficient", "error_rate", "value"]

FRAMES = (
    "evidence", "items", "indicators", "readiness", "comparisons", "patterns", "changes", "agreement", "segments",
    "indexes", "answers", "operations", "not_measured", "comments", "comment_themes", "reliability", "withheld",
)  # fmt: skip
SIZES = ("n", "inner_n", "outer_n", "n_first", "n_second", "n_pairs")
"""Numbers of respondents behind a row."""
TEXT_COLUMNS = frozenset({
    "by", "unit", "rater", "form", "wave", "instrument", "dimension", "title", "direction_of_scale", "tier", "severity",
    "direction", "item", "text", "indicator", "bottleneck", "verdict", "rule", "note", "measure", "equivalence",
    "target_equivalence", "inner_rater", "outer_rater", "inner_form", "outer_form", "pattern", "first_wave",
    "second_wave", "design", "background", "category", "index", "part", "label", "scale", "target_verdict",
    "scope", "question", "comment", "theme", "words",
})  # fmt: skip
COUNTS = frozenset({
    *SIZES, "count", "n_items", "n_respondents", "n_dropped", "n_clusters", "invited", "rank_low", "rank_high", "cases",
    "code", "n_comments", "mentions",
})  # fmt: skip
_FLAGS = frozenset({"scored", "survives_nonresponse"})
_POINTS = frozenset({
    "mean", "sd", "ci_low", "ci_high", "health", "gap", "gap_low", "gap_high", "shrunk_gap", "minimum_detectable_gap",
    "know", "want", "can", "shortfall", "target", "target_gap", "target_gap_low", "target_gap_high", "gap_bound_low",
    "gap_bound_high", "inner_health", "outer_health", "difference", "ci_low_90", "ci_high_90", "manager", "employee",
    "customer", "first_health", "second_health", "change", "average_deviation",
})  # fmt: skip
_SHARES = frozenset({
    "share", "p_lowest_know", "p_lowest_want", "p_lowest_can", "p_worst_fifth", "response_rate", "superiority",
    "superiority_low", "superiority_high", "sd_share_of_maximum",
})  # fmt: skip
COEFFICIENTS = frozenset({
    "alpha", "alpha_low", "alpha_high", "omega", "omega_low", "omega_high", "mean_inter_item_correlation", "sem",
    "icc1", "icc2", "design_effect", "standardized_response_mean", "rwg_uniform", "rwg_skewed",
})  # fmt: skip
_OWN: dict[tuple[str, str], ColumnKind] = {
    ("indicators", "ci_low"): "share",
    ("indicators", "ci_high"): "share",
    ("indexes", "ci_low"): "value",
    ("indexes", "ci_high"): "value",
    ("operations", "target"): "value",
    ("not_measured", "gap"): "text",
    ("not_measured", "code"): "text",
    ("not_measured", "what"): "text",
    ("not_measured", "settled_by"): "text",
}


def kind_of(frame: str, column: str) -> ColumnKind:
    """What a column of a published table holds; ``"value"`` is a number of no kind of its own.

    Examples
    --------
    >>> kind_of("evidence", "gap"), kind_of("not_measured", "gap"), kind_of("indexes", "estimate")
    ('points', 'text', 'value')
    """
    if (frame, column) in _OWN:
        return _OWN[frame, column]
    if column.startswith("q_"):
        return "error_rate"
    kinds: tuple[tuple[frozenset[str], ColumnKind], ...] = (
        (TEXT_COLUMNS, "text"), (COUNTS, "count"), (_FLAGS, "flag"), (_POINTS, "points"), (_SHARES, "share"),
        (COEFFICIENTS, "coefficient"),
    )  # fmt: skip
    return next((kind for names, kind in kinds if column in names), "value")
