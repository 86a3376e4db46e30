"""Largest differences from R: runs the comparisons of tests/oracle and measures each instead of judging it."""

from __future__ import annotations

import argparse
import ast
import functools
import os
import re
import sys
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import numpy.testing
import pytest

TESTS = Path(__file__).resolve().parents[1] / "tests" / "oracle"
ORACLE = Path(__file__).resolve().parents[2] / "shared" / "oracle"

# Statistic, call in R, pattern of "test[parameters] statement". A comparison counts in the first row that it fits.
ROWS = [
    ("cronbach_alpha: interval, percentile", "boot::boot.ci(type = 'perc'), 5,000 resamples", "bootstrap.*percentile"),
    ("cronbach_alpha: interval, BCa", "boot::boot.ci(type = 'bca'), 5,000 resamples", "bootstrap.*bca"),
    ("cronbach_alpha: interval, Feldt", "psych::alpha.ci(a, n, k)", "feldt|of_r.*limits"),
    ("cronbach_alpha: interval, Duhachek", "psych::alpha()$total$ase", "duhachek"),
    ("cronbach_alpha: pairwise", "psych::alpha(use = 'pairwise')", "pairwise_alpha.*alpha.estimate"),
    ("check_keying: item-rest, pairwise", "psych::alpha()$item.stats$r.drop", "pairwise_alpha.*check_keying"),
    ("cronbach_alpha: raw, standardized, mean r, median r, SE", "psych::alpha(use = 'complete.obs')$total",
     "test_alpha_and_its|alpha_from_the_cov"),
    ("item_analysis", "psych::alpha()$item.stats", "test_item_analysis"),
    ("item_analysis: alpha if deleted", "psych::alpha()$alpha.drop", "test_alpha_without"),
    ("guttman_lambdas: on covariances", "base R; all splits for lambda 4", "lambdas_match_on_cov"),
    ("guttman_lambdas: on correlations", "psych::guttman, psych::splitHalf", "lambdas_match_psych"),
    ("split_half", "base R: cor() of the halves", "odd_even_split"),
    ("mcdonald_omega: estimate", "semTools::compRelSEM(obs.var = TRUE / FALSE)", "one_factor_omega"),
    ("mcdonald_omega: loadings", "lavaan::cfa(std.lv = TRUE)", "one_factor_loadings"),
    ("retest", "psych::ICC(lmer = FALSE), stats::cor.test", "test_retest"),
    ("reliable_change", "base R", "reliable_change.*in_order"),
    ("standard_error_of_measurement", "base R", "reliable_change.*standard_error"),
    ("minimal_detectable_change", "base R", "reliable_change.*minimal"),
    ("intraclass_correlation: six forms, F, df, p, limits", "psych::ICC(lmer = FALSE, alpha =)", "test_six_forms"),
    ("intraclass_correlation: mean squares, rater bias", "psych::ICC()$summary, aov()", "mean_squares"),
    ("intraclass_correlation: against irr", "irr::icc, limits without ICC(A,k)", "single_rating_limits|consistency_of"),
    ("within_group_agreement: rwg_j", "multilevel::rwg.j, rwg", "every_unit.*rwg_j-rwg|single_items.*rwg_j"),
    ("within_group_agreement: rwg_j_lindell", "multilevel::rwg.j.lindell", "every_unit.*lindell"),
    ("within_group_agreement: awg", "multilevel::awg", "every_unit.*awg|single_items.*awg"),
    ("within_group_agreement: ad_m", "multilevel::ad.m", "every_unit.*ad_m"),
    ("aggregation", "multilevel::ICC1, ICC2 of aov()", "aggregation"),
    ("cohen_kappa", "irr::kappa2(weight = 'unweighted')", "cohens_kappa_matches"),
    ("cohen_kappa: weighted", "irr::kappa2 on ranks; psych::cohen.kappa", r"test_weighted_kappa|weighted\.estimate"),
    ("cohen_kappa: standard error, interval", "psych::cohen.kappa", "cohens_kappa_and"),
    ("fleiss_kappa: complete", "irr::kappam.fleiss", r"fleiss_kappa_matches.*result\.estimate"),
    ("fleiss_kappa: by category", "irr::kappam.fleiss(detail = TRUE), 3 decimals", "fleiss_kappa_matches"),
    ("fleiss_kappa, gwet_ac: agreement", "irrCAC (pa, pe)", "fleiss_and_gwet.*observed"),
    ("fleiss_kappa: with SE, missing ratings", "irrCAC::fleiss.kappa.raw, 5 decimals", "fleiss_irrCAC.*coeff"),
    ("gwet_ac: AC1, AC2, SE", "irrCAC::gwet.ac1.raw, 5 decimals", "fleiss_and_gwet.*coeff"),
    ("fleiss_kappa, gwet_ac: limits", "irrCAC, 3 decimals", "fleiss_and_gwet"),
    ("krippendorff_alpha", "irr::kripp.alpha (with a missing rating)", "test_krippendorffs"),
    ("krippendorff_alpha: SE", "irrCAC::krippen.alpha.raw, 5 decimals", "standard_error_of_kripp.*coeff"),
    ("krippendorff_alpha: limits", "irrCAC, 3 decimals", "standard_error_of_kripp"),
    ("average_string", "careless::longstring(avg = TRUE)", "test_runs"),
    ("intra_individual_variability", "careless::irv(na.rm = TRUE)", "test_variability"),
    ("mahalanobis", "careless::mahad", "test_distance"),
    ("even_odd_consistency", "-careless::evenodd", "even_odd"),
    ("person_total_correlation", "base R", "person_total"),
    ("psychometric_synonyms", "careless::psychsyn(resample_na = FALSE)", "synonyms_match"),
    ("psychometric_antonyms", "careless::psychant(resample_na = FALSE)", "antonyms"),
    ("similar_pairs", "careless::psychsyn_critval", "strongest_pairs"),
    ("compare_groups: Welch, Student, rank sum", "stats::t.test, wilcox.test", "test_groups_are_described"),
    ("compare_groups: d, g, delta of Glass: limits", "effectsize", r"test_standardised_differences.*limits"),
    ("compare_groups: d, g, delta of Glass", "effectsize", "test_standardised_differences"),
    ("compare_groups: delta of Cliff, superiority", "effsize::cliff.delta, VD.A", "test_order_of_scores"),
    ("compare_paired: t, signed rank", "stats::t.test(paired = TRUE), wilcox.test", "test_paired_scores"),
    ("compare_paired: standardised change: limits", "effectsize", r"test_standardised_changes.*limits"),
    ("compare_paired: standardised change", "effectsize, effsize::cohen.d(within = TRUE)", "test_standardised_changes"),
    ("survey_share", "stats::prop.test, binom.test", r"test_shares_and_means.*share"),
    ("survey_mean", "stats::t.test", "test_shares_and_means"),
    ("sd.score", "psych::scoreItems(impute = 'none')", "test_scores_are_those"),
    ("cronbach_alpha: of scored scales, pairwise", "psych::scoreItems()$alpha", "test_reliability_of_the_scored"),
    ("kmo", "psych::KMO of cor()", "adequacy.*MSA"),
    ("bartlett_sphericity: statistic", "psych::cortest.bartlett", "sphericity.*statistic"),
    ("bartlett_sphericity: p", "psych::cortest.bartlett", r"sphericity.*test\.p"),
    ("exploratory_factor_analysis: minres", "psych::fa(fm = 'minres', rotate = 'none')",
     "exploratory.*none-.*(loadings|uniq)"),
    ("exploratory_factor_analysis: oblimin", "psych::fa(rotate = 'oblimin')",
     "exploratory.*oblimin.*(loadings|uniq|phi)"),
    ("exploratory_factor_analysis: fit of minres", "psych::fa", "exploratory.*oblimin"),
    ("exploratory_factor_analysis: varimax", "psych::fa(rotate = 'varimax')", "exploratory.*minres_varimax.*loadings"),
    ("exploratory_factor_analysis: ML, varimax", "stats::factanal", "exploratory.*ml_varimax.*loadings"),
    ("exploratory_factor_analysis: uniquenesses, ML fit", "stats::factanal, psych::fa", "exploratory"),
    ("parallel_analysis: component eigenvalues", "psych::fa.parallel", "parallel.*pc.values"),
    ("parallel_analysis: factor eigenvalues", "psych::fa.parallel", "parallel.*fa.values"),
    ("parallel_analysis: simulated means", "psych::fa.parallel, 50 or 100 iterations", "parallel.*sim"),
    ("omega_hierarchical", "psych::omega(nfactors = 3)", "hierarchical_omega.*(omega_h|omega_lim|schmid)"),
    ("omega_hierarchical: total, alpha", "psych::omega(nfactors = 3)", "hierarchical_omega"),
    ("polychoric_correlation: two-step", "lavaan::lavCor(ordered =)", "polychoric.*lavcor"),
    ("ordinal_alpha", "psych::alpha of psych::polychoric", "hypothetical_estimate"),
    ("polychoric_correlation", "psych::polychoric, polycor::polychor", "test_polychoric"),
    ("categorical_omega: loadings", "lavaan::cfa(ordered = TRUE), WLSMV", "categorical_omega"),
    ("relative_weights", "relaimpo::calc.relimp(type = 'genizi')", "genizi"),
    ("lmg_shares", "relaimpo::calc.relimp(type = 'lmg')", r"\['lmg'\]\['lmg'\]|R2"),
    ("lmg_shares: coefficients, VIF, r", "stats::lm, base R", "relative_weights_and"),
    ("confirmatory_factor_analysis: chi-square, log-likelihood, AIC, BIC", "lavaan::cfa; also FIML, groups",
     "chi_square, value|log_likel|aic"),
    ("confirmatory_factor_analysis: CFI, TLI, RMSEA, SRMR, p", "lavaan::fitMeasures",
     r"result\.fit, name|srmr_with_means"),
    ("confirmatory_factor_analysis: estimates", "lavaan::parameterEstimates", r"ours\['(estimate|standardized)'\]"),
    ("confirmatory_factor_analysis: standard errors", "lavaan::parameterEstimates", r"standard(ized)?_error"),
    ("confirmatory_factor_analysis: implied covariance", "lavaan::fitted", "implied"),
    ("confirmatory_factor_analysis: modification indices", "lavaan::modindices",
     r"modification_indices.*modification_index"),
    ("confirmatory_factor_analysis: expected changes", "lavaan::modindices", "modification_indices"),
    ("confirmatory_factor_analysis: robust chi-square", "lavaan::cfa(estimator = 'MLR')", "robust_fit.*chi_square"),
    ("confirmatory_factor_analysis: robust fit", "lavaan::cfa(estimator = 'MLR')", "robust_fit"),
    ("convergent_discriminant: HTMT2", "semTools::htmt", "htmt"),
    ("convergent_discriminant: AVE, composite reliability", "semTools::AVE, compRelSEM", "test_validity"),
    ("measurement_invariance: chi-square differences", "lavaan::lavTestLRT", "invariance.*chi_square_diff"),
    ("measurement_invariance: df, p of differences", "lavaan::lavTestLRT", "invariance"),
]  # fmt: skip
PATTERNS = [(statistic, call, re.compile(pattern)) for statistic, call, pattern in ROWS]


@functools.cache
def statements(path):
    """(first line, last line, text) of the innermost statements of a file."""
    tree = ast.parse(Path(path).read_text(encoding="utf-8"))
    simple = (node for node in ast.walk(tree) if isinstance(node, ast.stmt) and not hasattr(node, "body"))
    return [(node.lineno, node.end_lineno, ast.unparse(node)) for node in simple]


class Recorder:
    """Stands in for numpy's assert_allclose: keeps the largest difference of each comparison, and judges too."""

    def __init__(self):
        self.found = []
        self._judge = numpy.testing.assert_allclose

    def __call__(self, actual, desired, rtol=1e-7, atol=0, **options):
        frame = sys._getframe(1)
        path, at = frame.f_code.co_filename, frame.f_lineno
        text = next((text for first, last, text in statements(path) if first <= at <= last), "")
        test = os.environ["PYTEST_CURRENT_TEST"].split("::")[-1].removesuffix(" (call)")
        gaps = np.abs(np.asarray(actual, dtype=float) - np.asarray(desired, dtype=float))
        if gaps.size and not np.isnan(gaps).all():
            self.found.append((f"{test} {text}", float(np.nanmax(gaps)), int(np.isfinite(gaps).sum())))
        self._judge(actual, desired, rtol=rtol, atol=atol, **options)


def table(found):
    """Statistic -> (call, values compared, largest difference); what fits no row stands under its test."""
    rows = {statistic: [call, 0, 0.0] for statistic, call, _ in PATTERNS}
    for text, gap, n in found:
        place = next((statistic for statistic, _, pattern in PATTERNS if pattern.search(text)), None)
        row = rows.setdefault(place or text.split("[")[0].split(" ")[0], ["not listed", 0, 0.0])
        row[1] += n
        row[2] = max(row[2], gap)
    return rows


def main():
    argparse.ArgumentParser(description=__doc__).parse_args()
    if not ORACLE.is_dir():
        raise SystemExit(f"No reference values in {ORACLE}: there is nothing to compare with.")
    recorder = Recorder()
    numpy.testing.assert_allclose = recorder  # before the tests take the name from there
    files = ["reliability", "agreement", "agreement_careless", "comparisons", "factors", "confirmatory"]
    status = pytest.main(["-q", "--no-header", "-p", "no:cacheprovider", *(str(TESTS / f"test_{f}.py") for f in files)])
    print("| statistic | R | values | largest difference |")
    print("|---|---|---|---|")
    for statistic, (call, n, gap) in table(recorder.found).items():
        print(f"| {statistic} | {call} | {n} | {gap:.1e} |" if n else f"| {statistic} | {call} | 0 | not compared |")
    raise SystemExit(status)


if __name__ == "__main__":
    main()
