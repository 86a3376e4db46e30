"""Careless respondents are flagged by named rules, honest ones mostly not, and nobody is removed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import servicediag as sd
from servicediag.instrument.model import Dimension, Form, FormText, Instrument, Item, Locale, Scale
from servicediag.psychometrics import careless

FIVE = Scale("five", (1, 2, 3, 4, 5), {"en": {i: f"Option {i}" for i in range(1, 6)}})
TEN = Scale("ten", tuple(range(11)), {"en": {i: f"Step {i}" for i in range(11)}})


def make_instrument(dimensions, order=None):
    """An instrument from ``{dimension: (direction, measurement, [(scale, reverse_keyed), ...])}``."""
    built = []
    for name, (direction, measurement, items) in dimensions.items():
        made = tuple(
            Item(f"tst_{name}_{i}", name, scale.id, scale.minimum, scale.maximum, reverse_keyed=turned)
            for i, (scale, turned) in enumerate(items, start=1)
        )
        built.append(Dimension(name, name.title(), direction, measurement, made))
    codes = tuple(order or [item.code for dimension in built for item in dimension.items])
    text = FormText("Title", "Instruction", {"default": "Stem"})
    texts = {code: {"staff": f"Text of {code}"} for code in codes}
    titles = {dimension.id: (dimension.title, "") for dimension in built}
    return Instrument(
        "test",
        "1.0.0",
        "Test",
        ("en",),
        (Form("staff", "employee", codes, "staff"),),
        tuple(built),
        {"five": FIVE, "ten": TEN},
        {"en": Locale("en", "original", "Test", "", {"staff": text}, titles, texts)},
    )


def reflective(*keys, scale=FIVE, direction="strength"):
    return direction, "reflective", [(scale, key == "-") for key in keys]


def read(instrument, rows, **columns):
    codes = list(instrument.forms[0].items)
    frame = pd.DataFrame(rows, columns=codes).assign(**columns)
    return sd.read_responses(frame, instrument, form="staff", minimum_completed=0, unit=None)


def honest_rows(n, n_items, seed=0):
    """People whose answers go up and down with what is asked, without long runs."""
    rng = np.random.default_rng(seed)
    return rng.integers(1, 6, (n, n_items))


@pytest.fixture(scope="module")
def planted():
    """Three hundred honest people, then eight who tick one column and eight who tick at random."""
    process = sd.AnswerProcess(careless=0.0, breakoff=0.0)
    study = sd.simulate("seven-sins", form="supervisor", n_units=3, respondents_per_unit=100, seed=11, process=process)
    sins = study.parts[0][0]
    codes = [item.code for item in sins.form_items("supervisor")]
    rng = np.random.default_rng(5)
    straight = np.tile(np.arange(1, 9)[:, None] % 5 + 1, (1, len(codes)))
    random = rng.integers(1, 6, (8, len(codes)))
    frame = pd.concat([study.answers[codes], pd.DataFrame(np.vstack([straight, random]), columns=codes)])
    frame.index = [f"p{i}" for i in range(len(frame))]
    kinds = np.array(["honest"] * 300 + ["straight"] * 8 + ["random"] * 8)
    return sd.read_responses(frame, sins, form="supervisor"), kinds


def test_straightliners_are_flagged_and_rank_above_everybody(planted):
    responses, kinds = planted
    frame = sd.screen(responses).to_frame()
    assert frame["flagged"][kinds == "straight"].all()
    assert frame["longstring"][kinds == "straight"].min() > frame["longstring"][kinds != "straight"].max()
    assert frame["intra_individual_variability"][kinds == "straight"].max() == 0


def test_random_answerers_are_flagged_and_are_the_farthest_from_the_others(planted):
    responses, kinds = planted
    frame = sd.screen(responses).to_frame()
    assert frame["flagged"][kinds == "random"].mean() >= 0.5
    assert sorted(frame["mahalanobis"].nlargest(8).index) == sorted(frame.index[kinds == "random"])
    assert frame["flag_mahalanobis_p"][kinds == "random"].mean() >= 0.75
    means = frame.groupby(kinds)["even_odd_consistency"].mean()
    assert means["random"] < means["honest"] - 0.3


def test_honest_people_are_mostly_not_flagged(planted):
    responses, kinds = planted
    screening = sd.screen(responses)
    assert screening.to_frame()["flagged"][kinds == "honest"].mean() < 0.1
    assert set(screening.flagged) == set(screening.to_frame().query("flagged").index)


def test_nobody_is_removed_until_the_caller_drops_them(planted):
    responses, _ = planted
    before = responses.answers.copy()
    screening = sd.screen(responses)
    pd.testing.assert_frame_equal(responses.answers, before)
    rest = responses.drop(screening.flagged)
    assert len(rest) == len(responses) - len(screening.flagged)
    assert rest.history == (f"dropped {len(screening.flagged)} of {len(responses)} respondents",)


# ----------------------------------------------------------------------------------------------------------------- runs


def test_runs_are_counted_before_reversal():
    """One answer everywhere is a run, although the reversed items would break it."""
    instrument = make_instrument({"a": reflective(*"+-+-+-+-+-+-")})
    frame = sd.screen(read(instrument, [[4] * 12, [4, 2] * 6])).to_frame()
    assert frame["longstring"].tolist() == [12, 1]
    assert frame["flag_longstring_run"].tolist() == [True, False]


def test_missing_answer_ends_a_run():
    instrument = make_instrument({"a": reflective(*"+-+-+-+-+-+-")})
    rows = [[3] * 6 + [None] + [3] * 5, [3] * 12]
    frame = sd.screen(read(instrument, rows)).to_frame()
    assert frame["longstring"].tolist() == [6, 12]


def test_runs_stay_within_a_block_of_one_response_scale():
    instrument = make_instrument(
        {"a": reflective(*"+" * 4), "b": reflective(*"+" * 3, scale=TEN), "c": reflective("+")}
    )
    frame = sd.screen(read(instrument, [[3] * 8, [1, 2, 3, 3, 5, 5, 5, 5]])).to_frame()
    assert frame["longstring"].tolist() == [4, 3]
    assert frame["longstring_block"].tolist() == [4, 3]


def test_runs_follow_the_order_of_the_form():
    codes = [f"tst_{name}_{i}" for i in range(1, 7) for name in "ab"]
    instrument = make_instrument({"a": reflective(*"+" * 6), "b": reflective(*"+" * 6)}, order=codes)
    answers = pd.DataFrame([[1, 5] * 6], columns=codes)
    responses = sd.read_responses(answers[sorted(codes)], instrument, form="staff")
    assert sd.screen(responses).to_frame()["longstring"].tolist() == [1]


@pytest.mark.parametrize(
    ("keys", "run", "flags"),
    [
        ("+-" * 15, 10, ["longstring_run"]),
        ("+-" * 15, 9, []),
        ("+-" * 6, 7, ["longstring_share"]),
        ("+-" * 6, 6, []),
        ("+" * 30, 15, []),
        ("+" * 30, 16, ["longstring_share"]),
        ("+" * 12, 9, []),
        ("+" * 12, 10, ["longstring_share"]),
        ("+-" * 4, 8, []),
    ],
)
def test_run_that_is_too_long_for_its_block(keys, run, flags):
    """In blocks of opposed items ten in a row, or more than half; in others both; short blocks are not judged."""
    rest = [1 + i % 2 for i in range(len(keys) - run)]
    frame = sd.screen(read(make_instrument({"a": reflective(*keys)}), [[5] * run + rest])).to_frame()
    assert frame["longstring"].tolist() == [run]
    assert [rule for rule in ("longstring_run", "longstring_share") if frame[f"flag_{rule}"].iloc[0]] == flags


def test_strengths_beside_weaknesses_are_opposed_items():
    blocks = {"a": reflective(*"+" * 15), "b": reflective(*"+" * 15, direction="weakness")}
    assert sd.screen(read(make_instrument(blocks), [[2] * 10 + [1, 3] * 10])).to_frame()["flag_longstring_run"].all()


def test_variability_is_that_of_the_raw_answers_of_one_response_scale():
    instrument = make_instrument({"a": reflective(*"+-+-"), "b": reflective(*"++", scale=TEN)})
    screening = sd.screen(read(instrument, [[5, 5, 5, 5, 0, 10], [1, 5, 1, 5, 3, 3]]))
    assert screening.to_frame()["intra_individual_variability"].round(4).tolist() == [0, 2.3094]
    assert "4 items" in screening.notes["intra_individual_variability"]


def test_percentile_is_the_share_with_at_most_that_value():
    instrument = make_instrument({"a": reflective(*"++++")})
    frame = sd.screen(read(instrument, [[1, 2, 1, 2], [1, 1, 2, 1], [1, 1, 1, 1], [1, 1, 2, 2]])).to_frame()
    assert frame["longstring_percentile"].tolist() == [0.25, 0.75, 1.0, 0.75]


# ------------------------------------------------------------------------------------------------ distance, consistency


def test_indices_are_those_of_the_psychometrics_module(planted):
    responses, _ = planted
    frame = sd.screen(responses).to_frame()
    keyed = responses.keyed
    sins = responses.instrument
    scales = {d.id: [item.code for item in d.scored_items] for d in sins.dimensions}
    np.testing.assert_allclose(frame["mahalanobis"], careless.mahalanobis(keyed))
    np.testing.assert_allclose(frame["mahalanobis"], careless.mahalanobis(responses.answers))
    np.testing.assert_allclose(frame["even_odd_consistency"], careless.even_odd_consistency(keyed, scales), atol=1e-12)
    np.testing.assert_allclose(frame["psychometric_synonyms"], careless.psychometric_synonyms(keyed), atol=1e-12)
    np.testing.assert_allclose(frame["longstring"], careless.longstring(responses.answers[list(scales_order(sins))]))


def scales_order(instrument):
    return instrument.form("supervisor").items


def test_formative_items_count_for_the_distance_unless_there_are_too_few_people():
    formative = ("strength", "formative", [(FIVE, False)] * 6)
    alone, both = (make_instrument({"a": reflective(*"++++"), **more}) for more in ({}, {"f": formative}))
    rows = honest_rows(30, 10)
    np.testing.assert_allclose(
        sd.screen(read(both, rows)).to_frame()["mahalanobis"], careless.mahalanobis(pd.DataFrame(rows))
    )
    few = sd.screen(read(both, rows[:9]))
    np.testing.assert_allclose(
        few.to_frame()["mahalanobis"], sd.screen(read(alone, rows[:9, :4])).to_frame()["mahalanobis"]
    )
    assert "reflective" in few.notes["mahalanobis"]


def test_spread_is_that_of_random_answers_whatever_the_number_of_options_and_the_keys():
    """Two answers at each of evenly many options of every item: exactly the variance of random answers, ddof aside."""
    instrument = make_instrument({"a": reflective(*"+-" * 5), "b": reflective(*"+-" * 11, scale=TEN)})
    row = [*np.repeat(range(1, 6), 2), *np.repeat(range(11), 2)]
    spread = sd.screen(read(instrument, [row, [3] * 10 + [5] * 22, row])).to_frame()["spread"]
    assert spread[0] == pytest.approx(np.sqrt(32 / 31))
    assert spread[1] == 0


def test_spread_turns_reverse_keyed_items_and_weaknesses_to_one_direction():
    """Someone who finds everything good ticks both ends, and spreads as little as someone who ticks the middle."""
    strong, weak = reflective(*"+-" * 4), reflective(*"+-" * 4, direction="weakness")
    frame = sd.screen(read(make_instrument({"a": strong, "b": weak}), [[5, 1] * 4 + [1, 5] * 4, [3] * 16])).to_frame()
    assert frame["spread"].tolist() == [0, 0]


def test_spread_of_few_items_or_of_few_options_is_not_judged():
    three = Scale("three", (1, 2, 3), {"en": {1: "No", 2: "Partly", 3: "Yes"}})
    instrument = make_instrument({"a": reflective(*"+" * 9), "b": reflective(*"+" * 9, scale=three)})
    instrument = replace(instrument, scales={**instrument.scales, "three": three})
    screening = sd.screen(read(instrument, honest_rows(20, 18) % 3 + 1))
    assert screening.to_frame()["spread"].isna().all()
    assert "4 options" in screening.notes["spread"]


@pytest.mark.parametrize(
    ("instrument", "form"),
    [("readiness", "employee"), ("attitude-causes", "employee"), ("error-prevention", "employee")],
)
def test_random_answers_are_flagged_in_forms_of_few_items_for_each_dimension(instrument, form):
    """The figures of the docstring with room to spare: most of the random ones, hardly any of the others."""
    process = sd.AnswerProcess(careless=0.0, breakoff=0.0)
    study = sd.simulate(instrument, form=form, n_units=3, respondents_per_unit=100, seed=104, process=process)
    loaded = study.parts[0][0]
    codes = list(loaded.form(form).items)
    rng = np.random.default_rng(8)
    random = pd.DataFrame({code: rng.choice(loaded.scale(code, form).codes, 9) for code in codes})
    answers = pd.concat([study.answers[codes], random], ignore_index=True)
    frame = sd.screen(sd.read_responses(answers, loaded, form=form, minimum_completed=0)).to_frame()
    assert frame["flagged"].iloc[-9:].mean() >= 2 / 3
    assert frame["flag_random_spread"].iloc[:-9].mean() <= 0.02
    assert frame["flagged"].iloc[:-9].mean() <= 0.05


def test_item_that_does_not_vary_is_left_out_of_the_distance_and_named():
    rows = honest_rows(30, 5)
    rows[:, 2] = 3
    instrument = make_instrument({"a": reflective(*"+++++")})
    screening = sd.screen(read(instrument, rows))
    assert screening.to_frame()["mahalanobis"].notna().all()
    assert "tst_a_3" in screening.notes["mahalanobis"]


def test_too_little_for_an_index__missing_with_the_reason():
    instrument = make_instrument({"a": reflective(*"+++"), "b": reflective(*"+++"), "c": reflective(*"+++")})
    screening = sd.screen(read(instrument, (np.arange(45).reshape(5, 9) * [1, 2, 3, 1, 3, 2, 1, 4, 2]) % 4 + 1))
    frame = screening.to_frame()
    for index in ("mahalanobis", "even_odd_consistency", "psychometric_synonyms", "contradictions", "seconds_per_item"):
        assert frame[index].isna().all(), index
        assert screening.notes[index], index
    assert "there are 3" in screening.notes["even_odd_consistency"]
    assert not frame.filter(like="flag_").drop(columns="flag_longstring_run").to_numpy().any()


def test_single_items_only__no_exception():
    instrument = make_instrument({"a": ("strength", "single", [(FIVE, False)])})
    screening = sd.screen(read(instrument, [[1], [5], [3]]))
    assert len(screening.flagged) == 0
    assert screening.to_frame()["longstring"].tolist() == [1, 1, 1]


# ------------------------------------------------------------------------------------------- contradictions, time, gaps


@pytest.mark.parametrize(
    ("row", "contradictions"),
    [
        ([5, 5, 5, 5, 5], 1),
        ([1, 1, 1, 1, 1], 1),
        ([5, 4, 5, 4, 5], 1),
        ([4, 4, 4, 4, 5], 0),
        ([5, 5, 5, 5, 1], 0),
        ([3, 3, 3, 3, 3], 0),
        ([5, 5, 5, 5, 4], 0),
    ],
)
def test_contradiction_is_agreement_with_both_ends_at_the_extreme(row, contradictions):
    """The last item says the opposite of the others."""
    frame = sd.screen(read(make_instrument({"a": reflective(*"++++-")}), [row])).to_frame()
    assert frame["contradictions"].tolist() == [contradictions]
    assert frame["contradictions_possible"].tolist() == [1]


def test_contradiction_needs_answers_on_both_sides():
    instrument = make_instrument({"a": reflective(*"++-"), "b": reflective(*"++-")})
    frame = sd.screen(read(instrument, [[5, 5, None, None, None, None], [5, 5, None, 5, 5, 5]])).to_frame()
    assert frame["contradictions_possible"].tolist() == [0, 1]
    assert frame["contradictions"].iloc[1] == 1
    assert np.isnan(frame["contradictions"].iloc[0])


@pytest.mark.parametrize("values", [[19.9, 20.1, 300], ["19,9", "20.1 s", "300秒"], ["0:19.9", "0:20.1", "00:05:00"]])
def test_seconds_per_item__below_two_is_flagged(values):
    instrument = make_instrument({"a": reflective(*"+" * 10)})
    rows = honest_rows(3, 10)
    screening = sd.screen(read(instrument, rows, took=values), duration="took")
    frame = screening.to_frame()
    assert frame["seconds_per_item"].round(2).tolist() == [1.99, 2.01, 30]
    assert frame["flagged"].tolist() == [True, False, False]


def test_seconds_are_shared_among_the_items_that_were_answered():
    instrument = make_instrument({"a": reflective(*"+" * 4)})
    frame = sd.screen(read(instrument, [[1, 2, None, None]], took=[10]), duration="took").to_frame()
    assert frame["seconds_per_item"].tolist() == [5]


@pytest.mark.parametrize("heading", ["Duration (in seconds)", "所用时间", "TIME_SUM", "interviewtime"])
def test_column_of_durations_is_found_where_a_platform_writes_it(heading):
    instrument = make_instrument({"a": reflective(*"+" * 4)})
    screening = sd.screen(read(instrument, honest_rows(2, 4), **{heading: [4, 40]}))
    assert screening.to_frame()["seconds_per_item"].tolist() == [1, 10]
    assert heading in screening.notes["seconds_per_item"]


def test_duration_that_is_none__missing_and_counted():
    instrument = make_instrument({"a": reflective(*"+" * 4)})
    screening = sd.screen(read(instrument, honest_rows(4, 4), took=["soon", "-5", None, "8"]), duration="took")
    assert screening.to_frame()["seconds_per_item"].isna().tolist() == [True, True, True, False]
    assert "2 durations" in screening.notes["seconds_per_item"]


def test_unknown_column_of_durations__value_error_names_the_columns():
    responses = read(make_instrument({"a": reflective("+", "+")}), [[1, 2]], took=[5])
    with pytest.raises(ValueError, match=r"duration='time'.*took"):
        sd.screen(responses, duration="time")


def test_missing_share_counts_what_was_not_answered():
    study = sd.simulate("seven-sins", n_units=2, respondents_per_unit=20, seed=2)
    responses = study.responses()
    expected = responses.missing.isin(["blank", "declared", "unreadable"]).mean(axis=1)
    frame = sd.screen(responses).to_frame()
    np.testing.assert_allclose(frame["missing_share"], expected, atol=1e-12)
    assert responses.missing.isin(["not_applicable"]).to_numpy().any()


# ---------------------------------------------------------------------------------------------------- rules and results


def test_one_weak_sign_is_not_enough_and_two_are():
    """A contradiction alone flags nobody; with gaps in most items it does."""
    instrument = make_instrument({"a": reflective(*"++-"), "b": reflective(*"+" * 9)})
    rows = [[5, 5, 5, *[1, 2, 3] * 3], [5, 5, 5, *[None] * 9], [5, 5, 1, *[None] * 9]]
    frame = sd.screen(read(instrument, rows)).to_frame()
    assert frame["n_signs"].tolist() == [1, 2, 1]
    assert frame["flagged"].tolist() == [False, True, False]


def test_rules_of_the_same_sign_count_once(planted):
    frame = sd.screen(planted[0]).to_frame()
    both = frame["flag_even_odd_consistency"] & frame["flag_psychometric_synonyms"]
    others = frame[["flag_contradictions", "flag_mahalanobis_p", "flag_longstring_run", "flag_longstring_share"]]
    assert (both & ~others.any(axis=1)).any()
    assert not frame["flagged"][both & ~others.any(axis=1)].any()


def test_every_rule_names_its_cut_and_reference(planted):
    rules = sd.screen(planted[0]).rules
    assert rules["reference"].str.len().min() > 0
    assert rules["rule"].is_unique
    frame = sd.screen(planted[0]).to_frame()
    assert rules["n_flagged"].tolist() == [int(frame[f"flag_{rule}"].sum()) for rule in rules["rule"]]


def test_cut_of_the_caller_is_used_and_named(planted):
    responses, _ = planted
    strict = sd.screen(responses, cuts={"longstring_run": 4})
    rule = strict.rules.set_index("rule").loc["longstring_run"]
    assert rule["cut"] == 4
    assert "set by the caller" in rule["reference"]
    assert (strict.to_frame()["flag_longstring_run"] == (strict.to_frame()["longstring"] >= 4)).all()
    assert sd.screen(responses).rules["cut"].iloc[0] == 10


@pytest.mark.parametrize("cuts", [{"irv": 1}, {"longstring_run": float("nan")}, {"longstring_run": True}])
def test_wrong_cuts__value_error(cuts, planted):
    with pytest.raises(ValueError, match="cuts="):
        sd.screen(planted[0], cuts=cuts)


def test_comparison_with_and_without_the_flagged(planted):
    responses, _ = planted
    screening = sd.screen(responses)
    values = sd.score(responses).values
    table = screening.compare(sd.score(responses))
    pd.testing.assert_frame_equal(table, screening.compare(values))
    without = sd.score(responses.drop(screening.flagged)).values
    np.testing.assert_allclose(table["mean"], values.mean())
    np.testing.assert_allclose(table["mean_unflagged"], without.mean())
    np.testing.assert_allclose(table["difference"], without.mean() - values.mean())
    assert table["n_unflagged"].tolist() == without.count().tolist()


def test_comparison_with_scores_of_others__value_error(planted):
    with pytest.raises(ValueError, match="scores="):
        sd.screen(planted[0]).compare(pd.DataFrame({"a": [1.0]}))


def test_order_of_respondents_does_not_matter(planted):
    """Law: shuffling the rows shuffles the results."""
    responses, _ = planted
    order = np.random.default_rng(1).permutation(len(responses))
    shuffled = responses.answers.iloc[order]
    again = sd.screen(sd.read_responses(shuffled, responses.instrument, form="supervisor")).to_frame()
    expected = sd.screen(responses).to_frame().iloc[order]
    pd.testing.assert_frame_equal(again, expected, check_names=False)


def test_same_answers_in_two_instruments_at_once(planted):
    """Law: an instrument's runs do not depend on what else the export holds."""
    responses, _ = planted
    readiness = sd.load_instrument("readiness")
    extra = pd.DataFrame(3, index=responses.answers.index, columns=list(readiness.form("employee").items))
    joined = sd.read_responses(
        pd.concat([responses.answers, extra], axis=1),
        [responses.instrument, readiness],
        form={"seven-sins": "supervisor", "readiness": "employee"},
    )
    alone = sd.screen(responses).to_frame()["longstring"].to_numpy()
    both = sd.screen(joined).to_frame()["longstring"].to_numpy()
    assert (both == np.maximum(alone, extra.shape[1])).all()


def test_description_says_what_and_why(planted):
    screening = sd.screen(planted[0])
    text = screening.describe()
    assert f"{len(screening.flagged)} of {len(planted[0])}" in text
    assert "seconds_per_item: no column of durations" in text
    assert repr(screening) == f"Screening(n_respondents=316, n_flagged={len(screening.flagged)}, n_notes=1)"
