"""Reliability, agreement and data-quality statistics on any matrix of answers; names load on first use."""

from __future__ import annotations

from importlib import import_module
from typing import Any

# One line a public name, sorted. A name must differ from every module of this package: importing a module binds
# its name on the package, which would hide a function of the same name.
_PUBLIC: dict[str, str] = {
    "GroupMoments": "invariance",
    "aggregation": "between_groups",
    "average_string": "careless",
    "bartlett_sphericity": "adequacy",
    "categorical_omega": "ordinal_reliability",
    "check_keying": "keying",
    "cohen_kappa": "rater_agreement",
    "compare_alphas": "alpha_comparison",
    "compare_groups": "group_comparison",
    "compare_paired": "group_comparison",
    "confirmatory_factor_analysis": "confirmatory",
    "convergent_discriminant": "validity",
    "cronbach_alpha": "alpha",
    "even_odd_consistency": "careless",
    "exploratory_factor_analysis": "factors",
    "fleiss_kappa": "rater_agreement",
    "graded_response_model": "graded_response",
    "guttman_lambdas": "guttman",
    "gwet_ac": "rater_agreement",
    "inter_item_correlation": "items",
    "intra_individual_variability": "careless",
    "intraclass_correlation": "icc",
    "invariance_from_moments": "invariance",
    "invariance_verdict": "invariance",
    "item_analysis": "items",
    "items_needed": "measurement_error",
    "kmo": "adequacy",
    "krippendorff_alpha": "krippendorff",
    "list_rules": "benchmarks_rules",
    "lmg_shares": "drivers",
    "longstring": "careless",
    "mahalanobis": "careless",
    "mahalanobis_probability": "careless",
    "mcdonald_omega": "omega",
    "measurement_invariance": "invariance",
    "minimal_detectable_change": "measurement_error",
    "missing_count": "careless",
    "null_distribution": "null_distributions",
    "omega_hierarchical": "schmid_leiman",
    "ordinal_alpha": "ordinal_reliability",
    "ordinal_confirmatory_factor_analysis": "ordinal_confirmatory",
    "ordinal_dif": "dif",
    "parallel_analysis": "parallel",
    "person_total_correlation": "careless",
    "polychoric_correlation": "polychoric",
    "polychoric_model": "polychoric",
    "progress_bar": "progress_bars",
    "psychometric_antonyms": "careless",
    "psychometric_synonyms": "careless",
    "relative_weights": "drivers",
    "reliable_change": "measurement_error",
    "respondents_needed": "measurement_error",
    "retest": "stability",
    "rwg_critical_value": "rwg_simulation",
    "similar_pairs": "careless",
    "spearman_brown": "measurement_error",
    "split_half": "halves",
    "standard_error_of_measurement": "measurement_error",
    "survey_mean": "survey_estimates",
    "survey_share": "survey_estimates",
    "unit_table": "unit_tables",
    "within_group_agreement": "within_group",
}

__all__ = sorted(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_PUBLIC[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC})
