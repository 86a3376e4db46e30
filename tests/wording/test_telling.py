"""Texts know how they were made: they can be told again, kept in files, and read as plain text."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Mapping

import pytest

from servicediag.wording import catalogue
from servicediag.wording.telling import (
    Figure,
    Retelling,
    Term,
    Told,
    capitalised,
    figure,
    joined,
    lowered,
    retold,
    sentence,
    without_code,
)

SPANISH = {
    "finding.raters.employee": "personal",
    "finding.comparator.raters": "lo que dice: {raters}",
    "finding.condition.general": "; {gap} tras quitar el nivel general",
    "finding.join.sentences": "{first} {second}",
    "finding.join.list": "{first}; {second}",
    "finding.abstention.tie": "TIE: dos estados están juntos.",
    "finding.note.newest_wave": "De {waves}, la última es {latest}.",
}


@pytest.fixture
def spanish(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small Spanish catalogue, whatever the packaged one holds."""
    packaged = catalogue._catalogue

    def found(area: str, language: str) -> Mapping[str, str]:
        return SPANISH if language == "es" else packaged(area, language)

    monkeypatch.setattr(catalogue, "_catalogue", found)


TITLE = Term("Feedback", {"en": "Feedback", "es": "Retroalimentación"})


@pytest.mark.usefixtures("spanish")
def test_a_sentence_is_told_again_with_everything_in_it() -> None:
    told = sentence("finding.comparator.raters", raters=sentence("finding.raters.employee"))
    assert told == "what employees say"
    assert retold(told, "es") == "lo que dice: personal"


@pytest.mark.usefixtures("spanish")
def test_telling_goes_back_and_forth() -> None:
    told = sentence("finding.condition.general", gap=figure(-12.5, "+.1f"))
    spanish_text = retold(told, "es")
    assert spanish_text == "; −12,5 tras quitar el nivel general"
    assert retold(spanish_text, "en") == told
    assert "-12.5" in told


@pytest.mark.usefixtures("spanish")
def test_text_from_data_is_never_changed() -> None:
    waves = "2024-1, 2024-2"
    told = retold(sentence("finding.note.newest_wave", waves=waves, latest="2024-2"), "es")
    assert told == "De 2024-1, 2024-2, la última es 2024-2."
    assert retold("1.5 -2.5 {gap}", "es") == "1.5 -2.5 {gap}"


@pytest.mark.usefixtures("spanish")
def test_texts_put_together_are_told_part_by_part() -> None:
    both = joined("list", [TITLE, sentence("finding.raters.employee"), "Branch 21"])
    assert both == "Feedback; employees; Branch 21"
    assert retold(both, "es") == "Retroalimentación; personal; Branch 21"


@pytest.mark.usefixtures("spanish")
def test_changed_beginnings_stay_changed() -> None:
    assert retold(capitalised(sentence("finding.raters.employee")), "es") == "Personal"
    assert retold(lowered(TITLE), "es") == "retroalimentación"
    assert retold(without_code(sentence("finding.abstention.tie")), "es") == "dos estados están juntos."


def test_code_is_taken_off_only_where_there_is_one() -> None:
    assert without_code("No code: here") == "No code: here"


@pytest.mark.usefixtures("spanish")
def test_missing_key_raises_instead_of_falling_back() -> None:
    with pytest.raises(KeyError, match=r"finding\.raters\.customer"):
        retold(sentence("finding.raters.customer"), "es")


def test_author_without_the_language_keeps_the_original_and_is_noted() -> None:
    retelling = Retelling("es")
    own = Term("Warmth", {"en": "Warmth"})
    assert retelling(own) == "Warmth"
    assert retelling.lacking == ["Warmth"]
    assert retelling(TITLE) == "Retroalimentación"
    assert retelling.lacking == ["Warmth"]


def test_original_returns_after_a_language_that_has_a_text() -> None:
    assert retold(retold(TITLE, "es"), "ru") == "Feedback"


VALUES = [
    sentence("finding.comparator.raters", raters=sentence("finding.raters.employee")), TITLE, figure(1.25, ".1f"),
    joined("sentences", ["One.", "Two."]), capitalised("one"), without_code("TIE: one"),
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_copies_and_pickles_tell_the_same(value: Told) -> None:
    for made in (copy.copy(value), copy.deepcopy(value), pickle.loads(pickle.dumps(value))):
        assert made == value
        assert type(made) is type(value)
        assert retold(made, "en") == value


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_reads_as_any_other_text(value: Told) -> None:
    assert json.loads(json.dumps([value])) == [str(value)]
    assert hash(value) == hash(str(value))
    assert type(str(value)) is str
    assert f"{value}" == str(value)


def test_a_figure_remembers_how_english_writes_it() -> None:
    told = retold(figure(-0.5, "+.1f"), "ru")
    assert isinstance(told, Figure)
    assert (told, told.plain) == ("−0,5", "-0.5")
