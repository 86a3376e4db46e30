"""Text of another encoding is recognised; the issue says what it was and how to get it, and nothing is mended."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicediag.errors import ResponsesError
from servicediag.responses import read_responses
from servicediag.responses.garbled import put_right

SPANISH = [
    "El personal mantuvo la calma", "El personal escuchó", "El personal me metió prisa", "El personal ayudó enseguida",
    "El barco llegó tarde", "La oficina estaba cerrada",
]  # fmt: skip
RUSSIAN = [
    "Сотрудники были спокойны", "Сотрудники слушали", "Сотрудники меня торопили", "Сотрудники сразу помогли",
    "Катер опоздал", "Контора была закрыта",
]  # fmt: skip


def write(path, rows, encoding="utf-8", opened_as=None, errors="strict"):
    """Rows as text; with ``opened_as``, as a program saves them that took UTF-8 for that encoding."""
    data = "\n".join(";".join(row) for row in rows).encode("utf-8" if opened_as else encoding, errors)
    path.write_bytes(taken_for(data, opened_as).encode("utf-8") if opened_as else data)
    return path


def taken_for(data, encoding):
    """Bytes as a program shows them that takes them for that encoding; what that leaves open is a control character."""
    return "".join(bytes([b]).decode(encoding, "ignore") or chr(b) for b in data)


def garbled(error_or_responses, code="garbled_text"):
    issues = getattr(error_or_responses, "issues", None) or error_or_responses.intake.issues
    return [issue for issue in issues if issue.code == code]


@pytest.mark.parametrize(
    ("headings", "labels", "opened_as", "right"),
    [
        (SPANISH, ["A veces", "A menudo", "Nunca"], "cp1252", "El personal escuchó"),
        (SPANISH, ["A veces", "A menudo", "Nunca"], "mac_roman", "El personal escuchó"),
        (RUSSIAN, ["Иногда", "Часто", "Никогда"], "cp1251", "Сотрудники были спокойны"),
    ],
)
def test_garbled_questions_stop_the_reading_and_the_issue_says_what_they_were(
    headings, labels, opened_as, right, harbour, tmp_path
):
    path = write(tmp_path / "export.csv", [headings, *[[label] * 6 for label in labels]], opened_as=opened_as)
    with pytest.raises(ResponsesError) as error:
        read_responses(path, harbour, form="guest")
    (issue,) = garbled(error.value)
    assert error.value.issues[0] is issue
    assert repr(right) in issue.problem
    assert opened_as in issue.problem
    assert "UTF-8" in issue.remedy


def test_wrong_encoding_passed_by_the_caller__the_right_one_is_named(harbour, tmp_path):
    path = write(tmp_path / "export.csv", [SPANISH, *[["A veces"] * 6] * 3])
    with pytest.raises(ResponsesError) as error:
        read_responses(path, harbour, form="guest", encoding="cp1252")
    assert "encoding='utf-8'" in garbled(error.value)[0].remedy
    assert len(read_responses(path, harbour, form="guest")) == 3


def test_garbled_labels_below_item_codes_are_found(harbour, codes, tmp_path):
    rows = [codes, ["No"] * 6, ["SÃ­"] * 6, ["No"] * 6]
    with pytest.raises(ResponsesError) as error:
        read_responses(write(tmp_path / "export.csv", rows), harbour, form="inspector")
    assert garbled(error.value)


def test_garbled_background_is_a_warning_and_stays_as_it_is(harbour, codes, tmp_path):
    rows = [[*codes, "Branch"], *[["1"] * 6 + [unit] for unit in ("MÃ¡laga", "CÃ¡diz", "Jaén")]]
    responses = read_responses(write(tmp_path / "export.csv", rows), harbour, form="guest", unit="Branch")
    assert responses.respondents["unit"].tolist() == ["MÃ¡laga", "CÃ¡diz", "Jaén"]
    (issue,) = garbled(responses)
    assert issue.severity == "warning"
    assert "'Málaga'" in issue.problem


def test_bytes_that_libreoffice_opens_as_private_use_are_known():
    said = "They said \u201cnever again\u201d to us"
    shown = "".join(bytes([b]).decode("cp1252", "ignore") or chr(0xF100 + b) for b in said.encode("utf-8"))
    assert put_right(shown) == (said, "cp1252")


def test_issue_shows_the_place_where_a_long_text_is_garbled(harbour, codes, tmp_path):
    long = "What the harbour master wrote to all of the crews in that spring was: calma y buen tiempo, señores"
    rows = [[*codes, "Note"], *[["Never"] * 6 + [long] for _ in range(3)]]
    path = write(tmp_path / "export.csv", rows, opened_as="cp1252")
    (issue,) = garbled(read_responses(path, harbour, form="guest"))
    assert "seÃ±ores" in issue.problem
    assert "señores" in issue.problem


def test_garbled_names_of_people_are_not_quoted(harbour, codes, tmp_path):
    rows = [[*codes, "Name"], *[["1"] * 6 + [name] for name in ("GarcÃ­a", "NÃºÃ±ez", "X")]]
    responses = read_responses(write(tmp_path / "export.csv", rows), harbour, form="guest")
    assert not garbled(responses)
    assert "García" not in responses.intake.to_text()


def test_lost_letters_are_said_to_be_lost(harbour, codes, tmp_path):
    lost = write(tmp_path / "a.csv", [RUSSIAN, *[["1"] * 6] * 3], encoding="cp1252", errors="replace")
    with pytest.raises(ResponsesError) as error:
        read_responses(lost, harbour, form="guest")
    assert garbled(error.value, "lost_letters")
    some = write(tmp_path / "b.csv", [[*codes, "Branch"], *[["1"] * 6 + [unit] for unit in ("Caf\ufffd", "A", "B")]])
    (issue,) = garbled(read_responses(some, harbour, form="guest"), "lost_letters")
    assert issue.severity == "warning"


@pytest.mark.parametrize(
    "text",
    [
        "Está",
        "Übersee",
        "naïve",
        "Сотрудники",
        "北京分公司",
        "Ærø",
        "São Paulo",
        "µ±§",
        "Zürich – Genève",
        "?",
        "Why??",
    ],
)
def test_sound_text_is_left_alone(text, harbour, answered):
    assert put_right(text) is None
    responses = read_responses(answered(4, Branch=[text, "x", text, "y"]), harbour, form="guest", unit="Branch")
    assert not garbled(responses)
    assert not garbled(responses, "lost_letters")


@given(st.text(st.characters(min_codepoint=0xC0, max_codepoint=0x24F), min_size=2, max_size=20))
def test_what_was_opened_as_cp1252_is_put_right(text):
    assert put_right(taken_for(text.encode("utf-8"), "cp1252")) == (text, "cp1252")
