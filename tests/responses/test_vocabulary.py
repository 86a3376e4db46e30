"""Common labels extend a scale only where they are the same scale; sets of different length are kept apart."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from servicediag.errors import ResponsesError
from servicediag.instrument import load_instrument
from servicediag.instrument.model import Scale
from servicediag.responses import read_responses
from servicediag.responses.normalise import normal_text
from servicediag.responses.vocabulary import further_labels, label_sets, missing_reasons

FIVE = Scale("five", (1, 2, 3, 4, 5), {"en": {1: "Strongly disagree", 2: "Disagree", 3: "Neutral", 4: "Agree",
                                              5: "Strongly agree"}})  # fmt: skip
FOUR = Scale("four", (1, 2, 3, 4), {"en": {1: "Strongly disagree", 2: "Disagree", 3: "Agree", 4: "Strongly agree"}})


@pytest.fixture
def agreeing(harbour):
    """The harbour instrument with a scale of agreement of five points, or another one."""

    def make(scale=FIVE):
        return replace(harbour, scales={**harbour.scales, "frequency": replace(scale, id="frequency")})

    return make


@pytest.fixture
def read(agreeing, codes):
    """Read one column of labels as all six items."""

    def one(labels, scale=FIVE, **keywords):
        frame = pd.DataFrame(dict.fromkeys(codes, labels))
        return read_responses(frame, agreeing(scale), form="guest", minimum_completed=0, **keywords)

    return one


def test_every_label_has_one_place_in_its_set():
    for labels in label_sets():
        for places in labels.places.values():
            assert set(places.values()) <= set(range(1, labels.points + 1))


def test_no_label_of_an_answer_means_no_answer():
    answers = {label for labels in label_sets() for places in labels.places.values() for label in places}
    assert answers.isdisjoint(missing_reasons())


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["Stimme gar nicht zu", "Stimme eher nicht zu", "Teils/teils", "Stimme voll zu"], [1, 2, 3, 5]),
        (["非常不同意", "不同意", "一般", "同意", "非常同意"], [1, 2, 3, 4, 5]),
        (["Полностью не согласен", "Согласен", "Полностью согласен"], [1, 4, 5]),
        (["Discordo totalmente", "Concordo parcialmente", "Neutra"], [1, 4, 3]),
        (["Completely agree", "Tend to disagree", "Undecided"], [5, 2, 3]),
    ],
)  # fmt: skip
def test_labels_of_other_languages_are_read_and_reported(labels, expected, read):
    responses = read(labels)
    assert responses.answers["hrb_calm_1"].tolist() == expected
    assert "common_labels" in {issue.code for issue in responses.intake.issues}


def test_same_label_has_another_code_on_another_number_of_points(read):
    labels = ["Stimme eher nicht zu", "Stimme eher zu", "Stimme voll zu"]
    assert read(labels).answers["hrb_calm_1"].tolist() == [2, 4, 5]
    assert read(labels, FOUR).answers["hrb_calm_1"].tolist() == [2, 3, 4]


def test_scale_that_is_no_common_one_gets_no_labels():
    own = Scale("own", (1, 2, 3, 4, 5), {"en": {i: f"Point {i}" for i in range(1, 6)}})
    turned = Scale(
        "turned", (1, 2, 3, 4, 5), {"en": dict(zip(range(1, 6), reversed(FIVE.labels["en"].values()), strict=True))}
    )
    assert further_labels(own) == further_labels(turned) == {}


def test_answers_of_a_longer_scale__refused_and_said_so(read):
    seven = [
        "Strongly disagree",
        "Disagree",
        "Somewhat disagree",
        "Neutral",
        "Somewhat agree",
        "Agree",
        "Strongly agree",
    ]
    with pytest.raises(ResponsesError, match="7 points") as error:
        read(seven)
    assert {issue.code for issue in error.value.issues} == {"other_scale"}


def test_longer_scale_is_seen_across_columns(agreeing, codes):
    frame = pd.DataFrame(
        {code: ["Somewhat agree" if i % 2 else "Agree", "Disagree", "Neutral"] for i, code in enumerate(codes)}
    )
    with pytest.raises(ResponsesError) as error:
        read_responses(frame, agreeing(), form="guest")
    assert {issue.code for issue in error.value.issues} == {"other_scale"}


def test_unknown_label_says_of_which_scale_it_is(read):
    with pytest.raises(ResponsesError, match=r"4 or 5 or 7 points \(satisfaction\)"):
        read(["Very satisfied", "Agree"])


def test_label_that_a_spreadsheet_made_a_date__said_so(read):
    with pytest.raises(ResponsesError, match="into a date"):
        read(["2026-05-03 00:00:00", "Agree"])


@pytest.mark.parametrize(
    ("label", "reason"),
    [("Weiß nicht", "dont_know"), ("Keine Angabe", "refused"), ("Не применимо", "not_applicable"),
     ("No basis for evaluation", "not_applicable"), ("拒绝回答", "refused"), ("nicht beantwortet", "blank")],
)  # fmt: skip
def test_common_labels_of_no_answer_keep_their_reason(label, reason, read):
    assert read([label, "Agree", "Disagree"]).missing["hrb_calm_1"].tolist() == [reason, "", ""]


def declared(labels):
    """A scale that declares the first English label of each point of a set."""
    first = {}
    for label, place in labels.places["en"].items():
        first.setdefault(place, label)
    return Scale("declared", tuple(sorted(first)), {"en": dict(sorted(first.items()))})


ENGLISH = [labels for labels in label_sets() if "en" in labels.places and labels.points > 3]


@pytest.mark.parametrize("labels", ENGLISH, ids=lambda labels: f"{labels.kind} {labels.points}")
def test_labels_of_every_language_stand_at_their_place_and_nowhere_else(labels):
    scale = declared(labels)
    further = further_labels(scale)
    for language, places in labels.places.items():
        found = further.get(language, {})
        own = {normal_text(text) for text in scale.labels["en"].values()}
        assert {label: code for label, code in found.items() if label in places} == {
            label: place for label, place in places.items() if label in found
        }
        lost = [label for label in places if label not in found and label not in own]
        disputed = [label for label in lost if len(places_of(label, language, labels.points)) > 1]
        assert lost == disputed


def places_of(label, language, points):
    return {
        labels.places[language][label]
        for labels in label_sets()
        if labels.points == points and label in labels.places.get(language, {})
    }


@pytest.mark.parametrize("points", [4, 5, 6, 7])
def test_scale_takes_labels_of_sets_of_its_own_length_only(points):
    """Agreement has sets of every length: "agree" is 3 of 4, 4 of 5, 5 of 6 and 6 of 7."""
    labels = next(one for one in label_sets() if (one.kind, one.points) == ("agreement", points))
    scale = declared(labels)
    assert labels.places["en"]["agree"] == points - 1
    known = {
        label for one in label_sets() if one.points == points for places in one.places.values() for label in places
    }
    assert {label for found in further_labels(scale).values() for label in found} <= known
    assert further_labels(scale)["es"]["de acuerdo"] == points - 1


def test_frequency_of_the_catalogue_reads_other_languages():
    sins = load_instrument("seven-sins")
    columns = {
        "de": ["Nie", "Selten", "Manchmal", "Häufig", "Fast immer"],
        "pt": ["Nunca", "Raramente", "Às vezes", "Frequentemente", "Quase sempre"],
        "fr": ["Jamais", "Rarement", "Parfois", "Souvent", "Presque toujours"],
        "zh-Hant": ["從不", "很少", "有時", "經常", "幾乎總是"],
    }
    for language, labels in columns.items():
        frame = pd.DataFrame({item.code: labels for item in sins.items})
        answers = read_responses(frame, sins, form="customer").answers
        assert answers["sin_rule_1"].tolist() == [1, 2, 3, 4, 5], language


@pytest.mark.parametrize(
    ("labels", "kind"),
    [
        (["Never", "Sometimes", "About half the time", "Most of the time", "Always"], "frequency half"),
        (["Nie", "Fast nie", "Manchmal", "Fast immer", "Immer"], "frequency almost"),
        (["Nunca", "Casi nunca", "A veces", "Casi siempre", "Siempre"], "frequency"),
        (["從不", "幾乎從不", "有時", "幾乎總是", "總是"], "frequency almost"),
    ],
)
def test_answers_of_another_scale_of_frequency__refused_and_named(labels, kind):
    sins = load_instrument("seven-sins")
    frame = pd.DataFrame({item.code: labels for item in sins.items})
    with pytest.raises(ResponsesError, match=kind) as error:
        read_responses(frame, sins, form="customer")
    assert {issue.code for issue in error.value.issues} <= {"unknown_label", "other_scale"}
