"""Signs of careless answering for every respondent, by named rules; nobody is removed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from servicediag.results import as_html, short_repr

if TYPE_CHECKING:
    from servicediag.responses.model import Responses
    from servicediag.responses.screening_indices import Indices

__all__ = ["Screening", "ScreeningRule", "screen"]


@dataclass(frozen=True)
class ScreeningRule:
    """One cut-off, where it comes from, and what it counts for.

    Attributes
    ----------
    name : str
        By which ``screen(cuts=...)`` replaces the cut-off.
    sign : str
        Of what the rule is a sign: ``runs``, ``contradiction``, ``distance``, ``randomness``, ``inconsistency``,
        ``speed`` or ``gaps``. Rules of the same sign count once.
    suffices : bool
        Whether the flag alone puts a respondent among the flagged; others need a second sign beside them.
    """

    name: str
    sign: str
    condition: str
    cut: float
    suffices: bool
    reference: str


_JOHNSON = "Johnson (2005), J. Res. Pers., 39, 103-129"
_CURRAN = "Curran (2016), J. Exp. Soc. Psychol., 66, 4-19"
_UNUSUAL = 0.01
"""How improbable a distance must be for widely spread answers to look random; a wide spread alone is common."""
_RULES = (
    ScreeningRule(
        "longstring_run", "runs",
        "the same answer at least {cut:g} times in a row, in a block of at least 10 items that hold opposed ones",
        10, True, f"{_JOHNSON}; the number is a convention",
    ),
    ScreeningRule(
        "longstring_share", "runs",
        "the same answer in more than {cut:.0%} of a block in a row; at least 10 times where no items are opposed",
        0.5, True, _CURRAN,
    ),
    ScreeningRule(
        "contradictions", "contradiction",
        "at least {cut:g} dimension whose reverse-keyed items and other items are both at the same end of the scale",
        1, False, "Goldberg & Kilkowski (1985), J. Pers. Soc. Psychol., 48, 82-98; the number is a convention",
    ),
    ScreeningRule(
        "mahalanobis_p", "distance",
        "squared Mahalanobis distance with p below {cut:g}",
        0.001, False, f"{_CURRAN}; assumes normal answers, and flags honest extremes",
    ),
    ScreeningRule(
        "random_spread", "randomness",
        "answers that spread at least {cut:.0%} as widely as random ones, and a squared Mahalanobis distance with p "
        f"below {_UNUSUAL:g}",
        0.8, True, "Marjanovic et al. (2015), Pers. Individ. Differ., 84, 79-83; the numbers are conventions",
    ),
    ScreeningRule(
        "even_odd_consistency", "inconsistency",
        "correlation of the halves of the scales, stepped up, below {cut:g}",
        0.30, False, f"Jackson (1977); {_JOHNSON}",
    ),
    ScreeningRule(
        "psychometric_synonyms", "inconsistency",
        "correlation over pairs of items that correlate above .60, below {cut:g}",
        0.22, False, "Meade & Craig (2012), Psychol. Methods, 17, 437-455",
    ),
    ScreeningRule(
        "seconds_per_item", "speed",
        "less than {cut:g} seconds for each item answered",
        2.0, True, "Huang et al. (2012), J. Bus. Psychol., 27, 99-114",
    ),
    ScreeningRule(
        "missing_share", "gaps",
        "more than {cut:.0%} of the items without an answer",
        0.5, False, "convention",
    ),
)  # fmt: skip


@dataclass(frozen=True, repr=False, eq=False)
class Screening:
    """Indices of careless answering and what the rules say of them.

    Attributes
    ----------
    notes : mapping of index -> text
        Why an index is missing, or on how little it rests.
    """

    notes: Mapping[str, str]
    _indices: pd.DataFrame = field(repr=False)
    _flags: pd.DataFrame = field(repr=False)
    _rules: tuple[ScreeningRule, ...] = field(repr=False)

    def __repr__(self) -> str:
        counts = [("n_respondents", len(self._indices)), ("n_flagged", int(self._flagged.sum()))]
        return short_repr("Screening", [*counts, ("n_notes", len(self.notes))])

    @property
    def _signs(self) -> pd.DataFrame:
        """Respondents x signs: whether any rule of that sign holds."""
        signs = dict.fromkeys(rule.sign for rule in self._rules)
        return pd.DataFrame(
            {sign: self._flags[[r.name for r in self._rules if r.sign == sign]].any(axis=1) for sign in signs},
            index=self._flags.index,
        )

    @property
    def _flagged(self) -> np.ndarray:
        alone = self._flags[[rule.name for rule in self._rules if rule.suffices]].any(axis=1)
        return np.asarray(alone | (self._signs.sum(axis=1) >= 2), dtype=bool)

    @property
    def flagged(self) -> pd.Index:
        """Respondents whom a person should look at: a flag that suffices, or signs of two different kinds.

        ``responses.drop(screening.flagged)`` leaves them out and records it.
        """
        return self._indices.index[self._flagged]

    @property
    def rules(self) -> pd.DataFrame:
        """A row a rule: ``rule, sign, condition, cut, suffices, n_flagged, reference``; every cut is a convention."""
        return pd.DataFrame(
            {
                "rule": rule.name,
                "sign": rule.sign,
                "condition": rule.condition.format(cut=rule.cut),
                "cut": float(rule.cut),
                "suffices": rule.suffices,
                "n_flagged": int(self._flags[rule.name].sum()),
                "reference": rule.reference,
            }
            for rule in self._rules
        )

    def _repr_html_(self) -> str:
        return as_html(repr(self))

    def to_frame(self) -> pd.DataFrame:
        """A row a respondent: the indices, a flag for every rule, and whether the respondent is flagged.

        Returns
        -------
        DataFrame
            ``longstring`` (items) and ``longstring_block`` (items of the block that it lies in);
            ``intra_individual_variability`` (standard deviation of the raw answers); ``mahalanobis`` (squared
            distance) and ``mahalanobis_p``; ``spread`` (of the answers turned to one direction, as a share of that of
            random answers, about 1 for these); ``even_odd_consistency`` and ``psychometric_synonyms`` (-1 to 1, low is
            careless); ``contradictions`` of ``contradictions_possible`` dimensions; ``seconds_per_item``;
            ``missing_share`` (0 to 1). ``..._percentile`` is the share (0 to 1) of respondents with at most that
            value. Then ``flag_`` with the name of each rule, ``n_signs`` (different signs), and ``flagged``.
        """
        frame = pd.concat([self._indices, self._flags.add_prefix("flag_")], axis=1)
        return frame.assign(n_signs=self._signs.sum(axis=1).to_numpy(), flagged=self._flagged)

    def compare(self, scores: Any) -> pd.DataFrame:
        """Means of all respondents beside those of the ones that are not flagged.

        Parameters
        ----------
        scores : Scores or DataFrame
            ``sd.score(responses)``, or any frame of numbers with a row a respondent in the same order.

        Returns
        -------
        DataFrame
            Index: the columns of the scores. ``n, mean, sd`` of all, ``n_unflagged, mean_unflagged, sd_unflagged``, and
            ``difference`` (without the flagged minus with them).

        Raises
        ------
        ValueError
            The scores are of other respondents.
        """
        values = scores if isinstance(scores, pd.DataFrame) else scores.values
        if not isinstance(values, pd.DataFrame) or not values.index.equals(self._indices.index):
            raise ValueError("scores= must have a row for every respondent that was screened, in the same order")
        rest = values.loc[~self._flagged]
        frame = pd.DataFrame({"n": values.count(), "mean": values.mean(), "sd": values.std()})
        frame = frame.assign(n_unflagged=rest.count(), mean_unflagged=rest.mean(), sd_unflagged=rest.std())
        return frame.assign(difference=frame["mean_unflagged"] - frame["mean"])

    def describe(self) -> str:
        """What was found in a few sentences, with the rules and what could not be computed."""
        n, n_flagged = len(self._indices), int(self._flagged.sum())
        lines = [f"{n_flagged} of {n} respondents are flagged for a person to look at; nobody was removed."]
        for rule in self._rules:
            count = int(self._flags[rule.name].sum())
            if count:
                weight = "suffices" if rule.suffices else "counts together with another sign"
                condition = rule.condition.format(cut=rule.cut)
                lines.append(f"{rule.name}: {count} with {condition} ({weight}; {rule.reference}).")
        lines.extend(f"{index}: {note}" for index, note in self.notes.items())
        return "\n".join(lines)


def screen(responses: Responses, *, duration: str | None = None, cuts: Mapping[str, float] | None = None) -> Screening:
    """Look for signs that respondents answered without reading; flags them, and removes nobody.

    Parameters
    ----------
    responses : Responses
    duration : str, optional
        Column of ``responses.respondents`` that holds how long someone took, in seconds. Without it the columns that
        Qualtrics, LimeSurvey, SoSci Survey and wjx write are looked for.
    cuts : {rule: number}, optional
        Replaces cut-offs by name; see ``Screening.rules``. Set them before you look at the results.

    Returns
    -------
    Screening

    Raises
    ------
    ValueError
        There is no such column or rule.

    Notes
    -----
    Conventions: runs (longstring) and variability are taken from the raw answers, before any reversal. A block is a
    stretch of items with the same response options, in the order of the form; a missing answer ends a run. Blocks of
    fewer than 10 items are not judged. The Mahalanobis distance uses all items, the consistency indices the scored
    items of reflective dimensions, reversed where they are reverse-keyed, on a common range from 0 to 1. The spread is
    taken over items of four options or more, ten at least, with every item turned so that high is good. Even-odd
    consistency needs four dimensions, psychometric synonyms three pairs of items. An index that cannot be computed is
    missing, and ``notes`` says why. Low variability has no accepted cut-off and flags nobody.

    In simulated studies of 300 people who read the questions and 9 who tick at random (eight for each form of the
    catalogue; ``AnswerProcess`` without careless people), ``random_spread`` found 51 to 100 % of the random ones in
    forms of 14 items or more, 96 % in the forms ``readiness:employee`` and ``attitude-causes:employee``, and flagged
    0.5 to 2.2 % of the others; all rules together flagged 0.7 to 3.6 % of those, up to 9 % where items have three
    options. Among 60 people half of the random ones or fewer are found, among fewer than 10 items none.

    In experiments runs and variability detect little of careless answering other than straight-lining, distance and
    consistency more [3]_; each of them also flags honest people, so most flags need a second sign beside them, and
    results are best shown with and without the flagged [1]_ [2]_.

    References
    ----------
    .. [1] Meade, A. W., & Craig, S. B. (2012). Psychological Methods, 17, 437-455.
    .. [2] Curran, P. G. (2016). Journal of Experimental Social Psychology, 66, 4-19.
    .. [3] Goldammer, P., Annen, H., Stöckli, P. L., & Jonas, K. (2020). The Leadership Quarterly, 31, 101384.

    Examples
    --------
    >>> import servicediag as sd
    >>> study = sd.simulate("seven-sins", form="supervisor", n_units=2, respondents_per_unit=40, seed=3,
    ...                     process=sd.AnswerProcess(careless=0.1))
    >>> responses = study.responses()
    >>> screening = sd.screen(responses)
    >>> screening
    Screening(n_respondents=80, n_flagged=8, n_notes=2)
    >>> screening.to_frame().query("flag_longstring_run")[["longstring", "longstring_block"]].max().tolist()
    [35, 35]
    >>> table = screening.compare(sd.score(responses))  # with and without the flagged
    >>> responses.drop(screening.flagged).history
    ('dropped 8 of 80 respondents',)
    """
    from servicediag.responses.screening_indices import compute_indices

    rules = _with_cuts(cuts or {})
    indices = compute_indices(responses, duration)
    flags = _flags(indices, {rule.name: rule.cut for rule in rules})
    return Screening(dict(indices.notes), indices.frame, flags, rules)


def _with_cuts(cuts: Mapping[str, float]) -> tuple[ScreeningRule, ...]:
    names = [rule.name for rule in _RULES]
    unknown = [name for name in cuts if name not in names]
    if unknown:
        raise ValueError(f"cuts={unknown!r} are not rules; choose from {', '.join(names)}")
    faulty = {name: cut for name, cut in cuts.items() if isinstance(cut, bool) or not np.isfinite(cut)}
    if faulty:
        raise ValueError(f"cuts={faulty!r} must be numbers")
    return tuple(
        replace(rule, cut=float(cuts[rule.name]), reference=f"{rule.reference}; cut set by the caller")
        if rule.name in cuts
        else rule
        for rule in _RULES
    )


def _flags(indices: Indices, cuts: Mapping[str, float]) -> pd.DataFrame:
    """Respondents x rules; an index that is missing flags nobody."""
    frame = indices.frame
    long_run = np.zeros(len(frame), bool)
    long_share = np.zeros(len(frame), bool)
    for block, run in indices.runs:
        if block.is_judged:
            long_run |= block.is_mixed & (run >= cuts["longstring_run"])
            fewest = 0 if block.is_mixed else block.fewest
            long_share |= (run > cuts["longstring_share"] * len(block.items)) & (run >= fewest)
    flags = {
        "longstring_run": long_run,
        "longstring_share": long_share,
        "contradictions": frame["contradictions"] >= cuts["contradictions"],
        "mahalanobis_p": frame["mahalanobis_p"] < cuts["mahalanobis_p"],
        "random_spread": (frame["spread"] >= cuts["random_spread"]) & (frame["mahalanobis_p"] < _UNUSUAL),
        "even_odd_consistency": frame["even_odd_consistency"] < cuts["even_odd_consistency"],
        "psychometric_synonyms": frame["psychometric_synonyms"] < cuts["psychometric_synonyms"],
        "seconds_per_item": frame["seconds_per_item"] < cuts["seconds_per_item"],
        "missing_share": frame["missing_share"] > cuts["missing_share"],
    }
    return pd.DataFrame({name: np.asarray(flag, dtype=bool) for name, flag in flags.items()}, index=frame.index)
