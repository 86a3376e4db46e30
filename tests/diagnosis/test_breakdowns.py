"""Sums by background, by cluster and of change within persons say what the rows they came from say."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import servicediag as sd
from servicediag.diagnosis.privacy_breakdowns import hidden_changes, hidden_segments

UNITS = np.repeat(["North", "South", "West"], [14, 9, 20])
BANDS = ["under_1", "from_1", "from_4"]


@pytest.fixture(scope="module")
def readiness(make_responses):
    return make_responses([("readiness", "employee")], UNITS, seed=4, missing=0.05)


def with_columns(responses, ids=None, **columns):
    respondents = responses.respondents.assign(**columns)
    if ids is not None:
        respondents.index = pd.Index(ids, name="respondent")
    return replace(responses, respondents=respondents)


def sums_of(values):
    values = values.dropna()
    return [len(values), values.sum(), (values**2).sum()]


def row_of(table, **keys):
    for name, value in keys.items():
        table = table[table[name] == value]
    (row,) = table.itertuples()
    return [row.n, row.total, row.total_squares]


def test_segment_says_what_the_scores_of_its_rows_say(readiness):
    tenure = np.resize(BANDS, len(readiness))
    segments = sd.build_evidence(with_columns(readiness, tenure=tenure)).segments
    scores = sd.score(readiness).values["can"]
    south = (readiness.respondents["unit"] == "South").to_numpy()
    mine = row_of(segments, unit="South", kind="score", dimension="can", background="tenure", category="from_1")
    assert_allclose(mine, sums_of(scores[south & (tenure == "from_1")]))
    whole = row_of(segments, by="", kind="score", dimension="can", background="tenure", category="from_1")
    assert_allclose(whole, sums_of(scores[tenure == "from_1"]))


def test_indicators_are_broken_down_too_and_items_are_not(readiness):
    segments = sd.build_evidence(with_columns(readiness, tenure=np.resize(BANDS, len(readiness)))).segments
    assert set(segments["kind"]) == {"score", "indicator"}
    shares = segments[(segments["name"] == "blocked_only_by_can") & (segments["by"] == "")]
    assert_allclose(shares["total"].sum(), sd.score(readiness).indicators["blocked_only_by_can"].sum())


@pytest.mark.parametrize(
    ("heading", "answers"),
    [
        ("Length of service", ["Less than 1 year", "1 year to less than 4 years", "FROM_4"]),
        ("Antigüedad", ["Menos de 1 año", "De 1 año a menos de 4 años", "De 4 años a menos de 10 años"]),
        ("How long have you worked for this organisation?", ["under_1", " from_1 ", "4 years to less than 10 years"]),
    ],
)
def test_background_is_known_by_title_question_and_label_in_any_language(readiness, heading, answers):
    by_code = sd.build_evidence(with_columns(readiness, tenure=np.resize(BANDS, len(readiness)))).segments
    by_label = sd.build_evidence(with_columns(readiness, **{heading: np.resize(answers, len(readiness))})).segments
    pd.testing.assert_frame_equal(by_label, by_code)


def test_answers_that_are_no_option_are_left_out_and_noted_without_being_repeated(readiness):
    tenure = ["since the war", *np.resize(BANDS, len(readiness) - 2), None]
    evidence = sd.build_evidence(with_columns(readiness, tenure=tenure))
    assert set(evidence.segments["category"]) == set(BANDS)
    (note,) = evidence.notes
    assert "none of its options" in note
    assert "war" not in note


def test_further_columns_are_named_and_kept_under_their_own_names(readiness):
    shift = np.resize(["late", "early"], len(readiness))
    both = with_columns(readiness, shift=shift, tenure=np.resize(BANDS, len(readiness)))
    assert set(sd.build_evidence(both).segments["background"]) == {"tenure"}
    assert set(sd.build_evidence(both, background=["shift"]).segments["background"]) == {"shift", "tenure"}
    assert sd.build_evidence(both, background=()).segments.empty


def test_background_of_many_values_or_none_at_all_is_refused(readiness):
    numbered = with_columns(readiness, desk=[f"desk {k}" for k in range(len(readiness))])
    with pytest.raises(ValueError, match=r"background='desk' has 43 different values"):
        sd.build_evidence(numbered, background=["desk"])
    with pytest.raises(ValueError, match=r"background='sex'.*desk"):
        sd.build_evidence(numbered, background=["sex"])


def test_cluster_says_what_the_scores_of_its_rows_say_and_not_its_name(readiness):
    server = [None if k % 10 == 0 else f"Anna {k % 4}" for k in range(len(readiness))]
    evidence = sd.build_evidence(with_columns(readiness, server=server), cluster="server")
    assert evidence.cluster == "server"
    mine = evidence.clusters[(evidence.clusters["unit"] == "West") & (evidence.clusters["dimension"] == "want")]
    west = (readiness.respondents["unit"] == "West").to_numpy()
    scores = sd.score(readiness).values["want"][west]
    names = pd.Series(server, index=readiness.respondents.index)[west]
    expected = [sums_of(group) for _, group in scores.groupby(names)]
    found = mine[["n", "total", "total_squares"]].to_numpy(float)
    assert_allclose(found[np.lexsort(found.T)], np.array(expected)[np.lexsort(np.array(expected).T)])
    assert not evidence.clusters["cluster"].str.contains("Anna").any()


def test_unknown_cluster_column_names_the_columns_there_are(readiness):
    with pytest.raises(ValueError, match=r"cluster='clerk'.*unit"):
        sd.build_evidence(readiness, cluster="clerk")


def two_waves(make_responses, n=(25, 18)):
    """The same people in two waves, in another order, some of them in one wave only and some in another unit."""
    first = make_responses([("readiness", "employee")], np.repeat(["A", "B"], n), seed=1, missing=0.04)
    second = make_responses([("readiness", "employee")], np.repeat(["B", "A"], n), seed=2, missing=0.04)
    total = sum(n)
    generator = np.random.default_rng(7)
    ids = [f"p{k}" for k in generator.permutation(total)]
    later = [f"p{k}" for k in generator.permutation(total + 8)[:total]]
    return with_columns(first, ids, wave="2025"), with_columns(second, later, wave="2026")


def expected_change(first, second, dimension, unit=None):
    old, new = sd.score(first).values[dimension], sd.score(second).values[dimension]
    change = (new - old).dropna()
    if unit is not None:
        was, is_now = (wave.respondents["unit"].reindex(change.index) for wave in (first, second))
        change = change[(was == unit) & (is_now == unit)]
    return sums_of(change)


def test_change_is_that_of_the_people_who_answered_twice_in_the_same_unit(make_responses):
    first, second = two_waves(make_responses)
    evidence = sd.build_evidence(first, second)
    keys = {"dimension": "can", "first_wave": "2025", "second_wave": "2026"}
    assert_allclose(row_of(evidence.changes, by="", **keys), expected_change(first, second, "can"))
    assert_allclose(row_of(evidence.changes, unit="A", **keys), expected_change(first, second, "can", "A"))
    assert 0 < row_of(evidence.changes, by="", **keys)[0] < len(first)
    assert any("linked" in note for note in evidence.notes)


def test_waves_in_one_export_are_linked_as_in_two(make_responses):
    first, second = two_waves(make_responses)
    both = replace(
        first,
        codes={code: np.concatenate([first.codes[code], second.codes[code]]) for code in first.codes},
        respondents=pd.concat([first.respondents, second.respondents]),
    )
    pd.testing.assert_frame_equal(sd.build_evidence(both).changes, sd.build_evidence(first, second).changes)


def test_order_of_exports_does_not_turn_the_change_round(make_responses):
    first, second = two_waves(make_responses)
    pd.testing.assert_frame_equal(sd.build_evidence(second, first).changes, sd.build_evidence(first, second).changes)


def test_running_numbers_are_nobodys_ids(make_responses):
    waves = [
        replace(one, respondents=one.respondents.rename_axis(None).reset_index(drop=True))
        for one in two_waves(make_responses)
    ]
    assert sd.build_evidence(*waves).changes.empty


def test_ids_are_known_from_the_respondent_column_and_blank_ones_link_nobody():
    items = [item.code for item in sd.load_instrument("readiness").items]

    def export(answers, ids):
        frame = pd.DataFrame(dict.fromkeys(items, answers))
        frame.insert(0, "pseudonym", ids)
        frame.insert(0, "branch", "A")
        return frame

    def read(frame, wave):
        return sd.read_responses(
            frame, "readiness", form="employee", unit="branch", respondent="pseudonym", wave=wave, columns=mapping
        )

    mapping = {code: code for code in items}
    first = read(export([1, 2, 3, 4, 5, 2], ["u", "v", "w", "x", None, ""]), "1")
    second = read(export([2, 2, 4, 5, 1, 2], ["u", "v", "w", "y", None, ""]), "2")
    changes = sd.build_evidence(first, second).changes
    assert row_of(changes, by="", dimension="know")[0] == 3


def test_id_that_is_there_twice_in_a_wave_stands_for_nobody(make_responses):
    first, second = two_waves(make_responses)
    ids = second.respondents.index.to_numpy().copy()
    common = [one for one in ids if one in set(first.respondents.index)]
    ids[np.flatnonzero(ids == common[1])] = common[0]
    doubled = with_columns(second, ids)
    before = row_of(sd.build_evidence(first, second).changes, by="", dimension="want")[0]
    after = row_of(sd.build_evidence(first, doubled).changes, by="", dimension="want")[0]
    assert after <= before - 1


def test_scale_with_other_items_in_the_later_wave_has_no_change(make_responses):
    first, second = two_waves(make_responses)
    (part,) = second.parts
    code = "rdy_can_s1"
    shorter = replace(
        second,
        parts=(replace(part, items=tuple(c for c in part.items if c != code)),),
        codes={name: column for name, column in second.codes.items() if name != code},
    )
    changed = set(sd.build_evidence(first, shorter).changes["dimension"])
    assert "can" not in changed
    assert "know" in changed


def test_distribution_counts_every_score_once(readiness):
    counts = sd.build_evidence(readiness).distributions["readiness", "employee", "", "can"]
    scores = sd.score(readiness).values["can"].dropna()
    assert counts.sum() == len(scores)
    assert abs((counts * np.arange(101)).sum() / len(scores) - scores.mean()) <= 0.5


def test_partitions_that_keep_people_whole_add_up_to_the_whole(make_responses):
    waves = [
        with_columns(
            one,
            tenure=np.resize(BANDS, len(one)),
            server=[f"s{k}" for k in np.resize(range(6), len(one))],
        )
        for one in two_waves(make_responses)
    ]
    inside = {f"p{k}" for k in range(0, 60, 3)}
    parts = [
        [one.drop([p for p in one.respondents.index if (p in inside) == out]) for one in waves] for out in (True, False)
    ]
    whole = sd.build_evidence(*waves, cluster="server")
    merged = sd.build_evidence(*parts[0], cluster="server").merge(sd.build_evidence(*parts[1], cluster="server"))
    for name in ("cells", "cross", "segments", "clusters", "changes"):
        one, other = getattr(merged, name), getattr(whole, name)
        assert len(one)
        counted = [c for c in one.columns if c == "n" or c.startswith("count_")]
        assert (one[counted].to_numpy() == other[counted].to_numpy()).all(), name
        pd.testing.assert_frame_equal(one, other, check_dtype=False, rtol=1e-12, atol=1e-9)
        if "total" in one:
            assert_allclose(one["total"] / one["n"], other["total"] / other["n"], rtol=1e-12, atol=1e-12)
    assert merged.n_respondents == whole.n_respondents
    assert merged.cluster == "server"
    for key, counts in whole.distributions.items():
        assert (merged.distributions[key] == counts).all()


def test_evidence_with_other_clusters_is_refused(make_responses):
    first, second = (with_columns(one, server="s", team="t") for one in two_waves(make_responses))
    with pytest.raises(ValueError, match="clusters in 'team'"):
        sd.build_evidence(first, cluster="server").merge(sd.build_evidence(second, cluster="team"))


COUNTS = st.lists(st.lists(st.sampled_from([0, 1, 2, 4, 5, 6, 7, 9, 12, 30]), min_size=3, max_size=3), min_size=2,
                  max_size=7)  # fmt: skip


def tables_of(counts, silent, nowhere):
    """Segments and cells of one score: ``counts`` are units x categories, then people of no category or unit."""
    about = {"instrument": "i", "form": "f", "rater": "employee", "wave": "", "kind": "score", "dimension": "d",
             "name": ""}  # fmt: skip
    n = np.array([*counts, nowhere])
    segments, cells = [], []
    for unit, (row, blank) in enumerate(zip(n, [*silent, 0], strict=True)):
        keys = {**about, "by": "unit", "unit": f"u{unit}"}
        if unit < len(counts):
            cells.append({**keys, "n": int(row.sum() + blank)})
            segments += [{**keys, "background": "b", "category": str(c), "n": int(k)} for c, k in enumerate(row) if k]
    whole = {**about, "by": "", "unit": ""}
    cells.append({**whole, "n": int(n.sum() + sum(silent))})
    segments += [{**whole, "background": "b", "category": str(c), "n": int(k)} for c, k in enumerate(n.sum(0)) if k]
    segments, cells = pd.DataFrame(segments), pd.DataFrame(cells)
    for table in (segments, cells):
        table["total"] = table["n"] * 50.0
        table["total_squares"] = table["n"] * 2600.0
    cells["hidden"] = np.where(cells["n"] < 5, "minimum_group", "")
    return segments, cells


@given(COUNTS, st.data())
def test_no_small_segment_follows_from_those_shown(counts, data):
    silent = data.draw(st.lists(st.sampled_from([0, 0, 2, 6]), min_size=len(counts), max_size=len(counts)))
    nowhere = data.draw(st.sampled_from([[0, 0, 0], [1, 0, 0], [6, 7, 8]]))
    if not np.sum(counts):
        return
    segments, cells = tables_of(counts, silent, nowhere)
    segments["hidden"] = hidden_segments(segments, cells, 5)
    shown = segments[segments["hidden"] == ""]
    assert (shown["n"] >= 5).all()
    whole = segments[segments["by"] == ""].set_index("category")
    everybody = cells.loc[cells["by"] == "", "n"].iloc[0]
    lost = whole["n"][whole["hidden"] != ""].sum() + everybody - whole["n"].sum()
    assert lost == 0 or lost >= 5 or shown.empty
    units = segments[segments["by"] != ""]
    open_units = units[units["hidden"] == ""]
    if (whole["hidden"] != "").any():
        assert open_units.empty
        return
    left = whole["n"] - open_units.groupby("category")["n"].sum().reindex(whole.index, fill_value=0)
    assert ((left == 0) | (left >= 5)).all()
    # a unit is open or closed as a whole, and one closed unit alone would follow from the others
    assert units.groupby("unit")["hidden"].agg(lambda h: (h == "").nunique()).eq(1).all()
    closed = units["unit"].nunique() - open_units["unit"].nunique()
    assert closed != 1 or left.sum() > units.loc[units["hidden"] != "", "n"].sum()
    for unit, group in open_units.groupby("unit"):
        rest = cells.loc[cells["unit"] == unit, "n"].iloc[0] - group["n"].sum()
        assert rest == 0 or rest >= 5


@given(st.lists(st.tuples(*[st.sampled_from([0, 1, 3, 5, 6, 8, 20])] * 3), min_size=2, max_size=6))
def test_no_small_change_follows_from_those_shown(units):
    """For each unit: people who answered twice, in the first wave only, and in the second wave only."""
    about = {"instrument": "i", "form": "f", "rater": "employee", "dimension": "d"}
    pairs, cells = [], []
    for unit, (twice, once, new) in [*enumerate(units), ("", np.sum(units, axis=0))]:
        keys = {**about, "by": "" if unit == "" else "unit", "unit": str(unit)}
        if twice:
            pairs.append({**keys, "first_wave": "1", "second_wave": "2", "n": int(twice)})
        for wave, n in (("1", twice + once), ("2", twice + new)):
            if n:
                hidden = "minimum_group" if n < 5 else ""
                cells.append({**keys, "wave": wave, "kind": "score", "name": "", "n": int(n), "hidden": hidden})
    if not pairs:
        return
    changes = pd.DataFrame(pairs)
    changes["total"], changes["total_squares"] = changes["n"] * 4.0, changes["n"] * 30.0
    changes["hidden"] = hidden_changes(changes, pd.DataFrame(cells), 5)
    shown = changes[changes["hidden"] == ""]
    assert (shown["n"] >= 5).all()
    for row in shown.itertuples():
        if row.unit != "":
            twice, once, new = units[int(row.unit)]
            assert all(extra == 0 or extra >= 5 for extra in (once, new))
    whole = changes[changes["by"] == ""].iloc[0]
    inside = shown[shown["by"] != ""]
    if whole["hidden"] != "":
        assert inside.empty
        return
    left = whole["n"] - inside["n"].sum()
    assert left == 0 or (left >= 5 and len(changes) - 1 - len(inside) >= 2)
