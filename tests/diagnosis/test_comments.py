"""The gate of open answers: who is listed with whom, in which order, what is taken out, what is counted."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import servicediag as sd
from servicediag.diagnosis.comment_screening import LONGEST, screened
from servicediag.diagnosis.comments import list_comments
from servicediag.diagnosis.themes import load_themes

QUESTION = "What else?"
SIZES = {"A": 12, "B": 14, "C": 6, "D": 5}
"""Who wrote something, by unit; in every unit six more wrote nothing."""


@pytest.fixture(scope="module")
def everybody(make_responses):
    """Units A to D, in which the first ``SIZES`` people wrote something that tells unit and person."""
    units = np.repeat(list(SIZES), [size + 6 for size in SIZES.values()])
    responses = make_responses([("readiness", "employee")], units, seed=5)
    return with_texts(responses, SIZES)


def with_texts(responses, sizes):
    units = responses.respondents["unit"].to_numpy()
    texts = np.full(len(responses), "", dtype=object)
    for unit, size in sizes.items():
        texts[np.flatnonzero(units == unit)[:size]] = [f"said {unit} {k:02}" for k in range(size)]
    return replace(responses, comments={QUESTION: texts})


def listed(responses, **options):
    options = {"minimum_group": 5, **options}
    parts = responses if isinstance(responses, list) else [responses]
    return list_comments(parts, ["unit"], options.pop("minimum_group"), **options)


def groups_of(comments):
    frame = comments.comments
    keys = zip(frame["scope"], frame["unit"], strict=True)
    found: dict = {}
    for key, text in zip(keys, frame["comment"], strict=True):
        found.setdefault(key, []).append(text)
    return found


def test_diagnosis_without_comments_holds_none(make_responses):
    responses = make_responses([("readiness", "employee")], np.repeat(["A", "B"], 15), seed=5)
    diagnosis = sd.diagnose(responses)
    assert len(diagnosis.comments) == len(diagnosis.comment_themes) == 0
    assert not any("pen answers" in note for note in diagnosis.study["notes"])


def test_units_with_ten_commenters_are_groups_and_the_others_make_one(everybody):
    found = groups_of(listed(everybody))
    assert {key: len(texts) for key, texts in found.items()} == {
        ("unit", "A"): 12,
        ("unit", "B"): 14,
        ("others", ""): 11,
    }
    assert all(text.startswith("said A") for text in found["unit", "A"])
    assert {text.split()[1] for text in found["others", ""]} == {"C", "D"}


@pytest.mark.parametrize(("sizes", "expected"), [
    ({"A": 10, "B": 9}, {("unit", "A"): 10}),
    ({"A": 9, "B": 9, "C": 1}, {("whole", ""): 19}),
    ({"A": 9}, {}),
    ({"A": 10}, {("unit", "A"): 10}),
    ({"A": 12, "B": 9, "C": 1}, {("unit", "A"): 12, ("others", ""): 10}),
    ({"A": 12, "B": 9, "C": 0}, {("unit", "A"): 12}),
])  # fmt: skip
def test_no_group_of_fewer_than_ten_is_listed(everybody, sizes, expected):
    comments = listed(with_texts(everybody, sizes))
    assert {key: len(texts) for key, texts in groups_of(comments).items()} == expected
    assert any("not listed" in note for note in comments.notes) == (not expected)


def test_larger_minimum_group_counts_instead_of_ten(everybody):
    assert {key: len(texts) for key, texts in groups_of(listed(everybody, minimum_group=13)).items()} == {
        ("unit", "B"): 14, ("others", ""): 23}  # fmt: skip


def test_smaller_minimum_group_does_not(everybody):
    assert groups_of(listed(everybody, minimum_group=3)) == groups_of(listed(everybody))


def test_people_are_counted_not_comments(everybody):
    """Ten comments of five people with ids, who answered twice, are those of five people."""
    texts = everybody.comments[QUESTION].copy()
    units = everybody.respondents["unit"].to_numpy()
    ids = np.array([f"p{k}" for k in range(len(texts))], dtype=object)
    of_a = np.flatnonzero(units == "A")[:12]
    ids[of_a] = [f"a{k // 2}" for k in range(12)]
    people = everybody.respondents.set_axis(ids, axis=0).rename_axis("respondent")
    found = groups_of(listed(replace(everybody, respondents=people)))
    assert ("unit", "A") not in found
    assert len(found["others", ""]) == 23


def test_people_of_no_unit_are_with_the_others(everybody):
    units = everybody.respondents["unit"].astype(object).replace({"D": None})
    found = groups_of(listed(replace(everybody, respondents=everybody.respondents.assign(unit=units))))
    assert {text.split()[1] for text in found["others", ""]} == {"C", "D"}


@settings(max_examples=60)
@given(st.dictionaries(st.sampled_from("ABCD"), st.integers(0, 18), min_size=1), st.integers(3, 14))
def test_each_comment_is_listed_at_most_once_and_only_among_enough_people(sizes, minimum):
    study = _study()
    responses = with_texts(study, sizes)
    found = groups_of(listed(responses, minimum_group=minimum))
    every = [text for texts in found.values() for text in texts]
    least = max(10, minimum)
    written = [text for text in responses.comments[QUESTION] if text]
    assert len(set(every)) == len(every)
    assert all(len(texts) >= least for texts in found.values())
    left = set(written) - set(every)
    assert len(left) < least
    assert (len(every) > 0) == (len(written) >= least)


@cache
def _study():
    """Twenty people in each unit."""
    responses = sd.simulate("readiness", form="employee", n_units=4, respondents_per_unit=25, seed=1).responses()
    responses = responses.drop(responses.respondents.index[80:])
    return replace(responses, respondents=responses.respondents.assign(unit=np.repeat(list("ABCD"), 20)))


@settings(max_examples=25)
@given(st.randoms(use_true_random=False))
def test_order_of_the_file_leaves_no_trace(random):
    responses = with_texts(_study(), SIZES)
    rows = list(range(len(responses)))
    random.shuffle(rows)
    moved = replace(
        responses,
        codes={code: column[rows] for code, column in responses.codes.items()},
        respondents=responses.respondents.iloc[rows],
        comments={QUESTION: responses.comments[QUESTION][rows]},
    )
    first, second = listed(responses), listed(moved)
    assert first.comments.equals(second.comments)
    assert first.themes.equals(second.themes)


def test_order_is_neither_that_of_the_file_nor_of_the_alphabet(everybody):
    texts = groups_of(listed(everybody))["unit", "B"]
    assert texts != sorted(texts)
    assert sorted(texts) == [f"said B {k:02}" for k in range(14)]


def test_seed_and_content_decide_on_the_order(everybody):
    assert groups_of(listed(everybody)) != groups_of(listed(everybody, seed=1))
    one_more = with_texts(everybody, {**SIZES, "B": 15})
    before, after = (groups_of(listed(one))["unit", "B"] for one in (everybody, one_more))
    assert [text for text in after if text in before] != before


def test_questions_are_put_in_order_each_by_itself(everybody):
    texts = everybody.comments[QUESTION]
    found = listed(replace(everybody, comments={QUESTION: texts, "Anything more?": texts})).comments
    one, other = (found[found["question"] == name]["comment"].tolist() for name in (QUESTION, "Anything more?"))
    assert sorted(one) == sorted(other)
    assert one != other


def test_nothing_of_a_person_goes_with_a_comment(everybody):
    ids = [f"id-{k}" for k in range(len(everybody))]
    people = everybody.respondents.assign(tenure="ten years", submitted="2026-03-01 10:00")
    responses = replace(everybody, respondents=people.set_axis(ids, axis=0).rename_axis("respondent"))
    diagnosis = sd.diagnose(responses)
    assert list(diagnosis.comments) == [
        "by", "unit", "scope", "rater", "form", "wave", "instrument", "question", "comment"]  # fmt: skip
    told = diagnosis.comments.to_csv() + diagnosis.comment_themes.to_csv()
    assert "id-" not in told
    assert "2026" not in told


def test_findings_quote_no_comment(everybody):
    diagnosis = sd.diagnose(everybody)
    assert len(diagnosis.comments) == 37
    assert "said " not in repr(diagnosis.to_frame().to_dict("list"))
    assert "said " not in repr([cause for finding in diagnosis.findings for cause in finding.causes])


def test_waves_are_listed_each_by_itself(everybody):
    waves = np.where(np.arange(len(everybody)) % 2, "1", "2")
    found = listed(replace(everybody, respondents=everybody.respondents.assign(wave=waves))).comments
    assert found.groupby("wave").size().to_dict() == {"1": 18, "2": 19}
    assert set(found["scope"]) == {"whole"}


def test_same_question_of_other_raters_is_another_list(everybody, make_responses):
    leaders = make_responses([("four-tools", "provider")], ["A"] * 12, seed=2)
    leaders = replace(leaders, comments={QUESTION: np.array([f"leader {k:02}" for k in range(12)], dtype=object)})
    found = listed([everybody, leaders]).comments
    assert found.groupby("rater").size().to_dict() == {"employee": 37, "supervisor": 12}


@pytest.mark.parametrize("ids", [False, True])
def test_an_export_read_for_two_questionnaires_lists_each_comment_once(everybody, make_responses, ids):
    """Two of unit A answered the second questionnaire only; two lists would tell what they wrote by difference."""
    again = replace(everybody, parts=make_responses([("four-tools", "receiver")], ["A"] * 12, seed=2).parts)
    if ids:
        people = everybody.respondents.set_axis([f"p{k}" for k in range(len(everybody))]).rename_axis("respondent")
        everybody, again = (replace(one, respondents=people) for one in (everybody, again))
    found = listed([without(without(everybody, 1), 0), again]).comments
    assert set(found["instrument"]) == {"readiness"}
    assert len(found) == 35
    assert found["comment"].is_unique


def test_an_export_that_adds_no_comment_is_not_said_to_have_too_few(everybody, make_responses):
    again = replace(everybody, parts=make_responses([("four-tools", "receiver")], ["A"] * 12, seed=2).parts)
    assert listed([everybody, again]).notes == listed(everybody).notes


def test_a_form_that_stands_beside_another_one_in_one_of_two_exports_is_one_question(everybody, make_responses):
    more = with_texts(
        make_responses([("readiness", "employee"), ("four-tools", "receiver")], ["C"] * 20, seed=2), {"C": 5}
    )
    more = replace(
        more, comments={QUESTION: np.where(more.comments[QUESTION] == "", "", "new " + more.comments[QUESTION])}
    )
    comments = listed([everybody, more])
    found = {key: len(texts) for key, texts in groups_of(comments).items()}
    # six and five people of unit C
    assert found == {("unit", "A"): 12, ("unit", "B"): 14, ("unit", "C"): 11}
    assert {source[0] for source in comments.listed} == {"readiness", "four-tools"}


def test_same_words_in_another_export_are_comments_of_their_own(everybody, make_responses):
    leaders = make_responses([("four-tools", "provider")], ["A"] * 12, seed=2)
    texts = everybody.comments[QUESTION][:12].copy()
    texts[0] = "something else"
    found = listed([everybody, replace(leaders, comments={QUESTION: texts})]).comments
    assert found.groupby("rater").size().to_dict() == {"employee": 37, "supervisor": 12}


def test_evidence_holds_no_comments(everybody):
    assert len(sd.diagnose(sd.build_evidence(everybody)).comments) == 0


# --- several releases -------------------------------------------------------------------------------------------------


@pytest.fixture
def named(everybody):
    ids = [f"p{k}" for k in range(len(everybody))]
    return replace(everybody, respondents=everybody.respondents.set_axis(ids, axis=0).rename_axis("respondent"))


def without(responses, row):
    keep = np.arange(len(responses)) != row
    return responses.drop(responses.respondents.index[~keep])


def test_comments_of_a_leaver_do_not_follow_from_two_releases(named, tmp_path):
    ledger = tmp_path / "releases.json"
    assert len(sd.diagnose(named, ledger=ledger).comments) == 37
    again = sd.diagnose(named, ledger=ledger)
    assert len(again.comments) == 37
    changed = sd.diagnose(without(named, 0), ledger=ledger)
    assert len(changed.comments) == 0
    assert any("earlier release" in note and QUESTION in note for note in changed.study["notes"])


def test_first_list_may_come_with_a_later_release(named, tmp_path):
    ledger = tmp_path / "releases.json"
    sd.diagnose(replace(named, comments={}), ledger=ledger)
    assert len(sd.diagnose(named, ledger=ledger).comments) == 37


def test_comments_of_another_wave_are_listed(named, tmp_path):
    ledger = tmp_path / "releases.json"
    waves = [replace(named, respondents=named.respondents.assign(wave=wave)) for wave in ("1", "2")]
    assert len(sd.diagnose(waves[0], ledger=ledger).comments) == 37
    assert len(sd.diagnose(waves[1], ledger=ledger).comments) == 37


def test_other_grouping_of_the_same_comments_is_not_listed(named, tmp_path):
    ledger = tmp_path / "releases.json"
    regions = replace(named, respondents=named.respondents.assign(region=np.where(np.arange(len(named)) % 2, "E", "W")))
    assert len(sd.diagnose(regions, ledger=ledger).comments) == 37
    assert len(sd.diagnose(regions, by="region", ledger=ledger).comments) == 0


def test_ledger_holds_no_comment(named, tmp_path):
    ledger = tmp_path / "releases.json"
    sd.diagnose(named, ledger=ledger)
    document = ledger.read_text(encoding="utf-8")
    assert "said" not in document
    assert json.loads(document)["releases"][0]["comments"]


# --- what is taken out of a text --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "expected"), [
    ("Write to ann.lee+x@mail.example.org.", "Write to [@]."),
    ("пишите на имя@почта.рф!", "пишите на [@]!"),
    ("请联系zhang.wei@example.cn谢谢，电话13812345678。", "请联系[@]谢谢，电话[#]。"),
    ("ann＠example.org", "[@]"),
    ("a\u200bnn@\u200bexample.org", "[@]"),
    ("I am @ann_b on the chat", "I am [@] on the chat"),
    ("see https://example.org/me?x=1, please", "see [www], please"),
    ("WWW.Example.org/me", "[www]"),
    ("vk.com/ivan и t.me/ivan", "[www] и [www]"),
    ("my page is example.org.", "my page is [www]."),
    ("call +34 600 123 456 or (555) 123-4567", "call [#] or [#]"),
    ("8 (495) 123-45-67", "[#]"),
    ("١٢٣٤٥٦٧٨", "[#]"),
    ("on 12.05.2024", "on [#]"),
])  # fmt: skip
def test_what_looks_like_contact_details_is_replaced(text, expected):
    found = screened(text)
    assert found.text == expected
    assert found.replaced == expected.count("[")


@pytest.mark.parametrize("text", [
    "24/7 service, 2 of 10", "in 2024-2025", "10:30 @ the desk", "and/or, e.g. this", "no wait.Very good",
    "1,000,000 €", "5 из 10. Все хорошо", "等了30分钟", "[bold]x[/]", "a.b", "price 12.50",
])  # fmt: skip
def test_other_texts_stay_as_they_are(text):
    assert screened(text) == screened(screened(text).text)
    assert screened(text).text == text
    assert screened(text).replaced == 0


def test_a_comment_is_one_line_without_what_cannot_be_seen():
    assert screened(" a\n\tb\u202e\x00c\u2066 ").text == "a bc"


def test_long_comments_are_cut_and_nothing_of_an_address_is_left():
    found = screened("x" * 1_990 + " ann.someone@example.org " + "y" * 5_000)
    assert found.shortened
    assert len(found.text) <= LONGEST + 1
    assert found.text.endswith("…")
    assert "ann" not in found.text
    assert not screened("x" * LONGEST).shortened


def test_what_was_taken_out_is_told(everybody):
    texts = everybody.comments[QUESTION].copy()
    first = np.flatnonzero(texts != "")[:2]
    texts[first[0]], texts[first[1]] = "mail ann@example.org", "z" * 3_000
    (note,) = listed(replace(everybody, comments={QUESTION: texts})).notes
    assert "taken out: 1" in note
    assert "shortened: 1" in note
    assert "no guarantee" in note


# --- themes -----------------------------------------------------------------------------------------------------------

COUNTED = {
    "en": (
        [
            "We waited 40 minutes in the QUEUE.",
            "Great staff, thank you",
            "Not enough staff; queues everywhere",
            "Sunny",
        ],
        {"waiting": 2, "workload": 1, "praise": 1, "none": 1},
        {"waiting": "queue* 2, waited 1", "praise": "great 1, thank* 1"},
    ),
    "es": (
        ["La atencion es LENTA y la página web falla", "Trato muy amable", "Sin retroalimentación de mi jefa", "Azul"],
        {"waiting": 1, "tools": 1, "respect": 1, "recognition": 1, "leadership": 1, "none": 1},
        {"tools": "página web 1", "respect": "amab* 1, trato 1", "leadership": "jefa* 1"},
    ),
    "ru": (
        ["Очередь и ещё раз очередь", "Обратной связи от начальника нет", "Не хватает людей, устали", "Синий"],
        {"waiting": 1, "recognition": 1, "leadership": 1, "workload": 1, "none": 1},
        {"recognition": "обратн* связ* 1", "workload": "не хватает люд* 1, устал* 1"},
    ),
    "zh-Hans": (
        ["排队太久，系统很慢", "态度很好，谢谢！", "人手不足，领导不反馈", "蓝色"],
        {
            "waiting": 1,
            "tools": 1,
            "respect": 1,
            "praise": 1,
            "workload": 1,
            "recognition": 1,
            "leadership": 1,
            "none": 1,
        },
        {"waiting": "很慢 1, 排队 1", "praise": "很好 1, 谢谢 1"},
    ),
}


@pytest.mark.parametrize("language", COUNTED)
def test_themes_are_counted_as_by_hand(everybody, language):
    """Each text is written by six people, so that they are enough to be listed."""
    said, counts, words = COUNTED[language]
    texts = np.full(len(everybody), "", dtype=object)
    texts[:24] = [text for text in said for _ in range(6)]
    found = list_comments([replace(everybody, comments={QUESTION: texts})], [], 5).themes
    assert set(found["n_comments"]) == {24}
    assert dict(zip(found["theme"], found["mentions"] // 6, strict=True)) == counts
    assert found["share"].tolist() == [mentions / 24 for mentions in found["mentions"]]
    told = dict(zip(found["theme"], found["words"], strict=True))
    for theme, expected in words.items():
        assert told[theme].replace(" 6", " 1").replace(" 12", " 2") == expected


def test_themes_follow_from_the_comments_that_are_listed(everybody):
    """Whoever has the list and the words can count again, so the counts tell nothing more."""
    texts = everybody.comments[QUESTION].copy()
    texts[np.flatnonzero(texts != "")] = ["queue", "thanks ann@example.org", "slow system", "blue"] * 9 + ["queue"]
    diagnosis = sd.diagnose(replace(everybody, comments={QUESTION: texts}))
    known, frame = load_themes(), diagnosis.comments
    for (scope, unit), mine in diagnosis.comment_themes.groupby(["scope", "unit"], dropna=False):
        inside = (
            frame
            if scope == "listed"
            else frame[(frame["scope"] == scope) & (frame["unit"].isna() | (frame["unit"] == unit))]
        )
        counted = [known.of(text) for text in inside["comment"]]
        assert set(mine["n_comments"]) == {len(counted)}
        for theme, mentions in zip(mine["theme"], mine["mentions"], strict=True):
            assert mentions == sum(theme in found if theme != "none" else not found for found in counted)


def test_every_theme_has_words_in_every_language():
    listed_words = load_themes().listed
    assert all(set(words) == {"en", "es", "ru", "zh-Hans"} for words in listed_words.values())


def test_no_word_of_one_theme_is_found_by_another_theme():
    """In all languages at once, since nothing says in which language a comment is written."""
    known = load_themes()
    wrong = [
        (theme, word, sorted(known.of(word.replace("*", ""))))
        for theme, words in known.listed.items()
        for language in words
        for word in words[language]
        if set(known.of(word.replace("*", ""))) != {theme}
    ]
    assert wrong == [
        ("training", "повышен* квалификац*", ["competence", "training"]),
    ]


@pytest.mark.parametrize(
    "text", ["Waiter", "The kindergarten", "pagoda", "очередной раз", "отзывчивая", "tarde", "calidad"]
)
def test_words_that_only_resemble_are_not_found(text):
    found = load_themes().of(text)
    assert not {"waiting", "pay", "recognition"} & set(found)
    assert "respect" not in found or text == "отзывчивая"
