"""Open answers: kept apart where they are asked for, and nothing of them otherwise."""

from __future__ import annotations

import pytest

from servicediag.errors import ResponsesError
from servicediag.responses import read_responses
from servicediag.responses.open_answers import is_comment

SAID = ["Long queues.", "n/a", None, "Kind staff"]


def faults(frame, harbour, comments):
    with pytest.raises(ResponsesError) as error:
        read_responses(frame, harbour, form="guest", unit="Branch", comments=comments)
    return error.value.issues


def test_no_column_is_one_of_comments_by_default(harbour, answered):
    responses = read_responses(answered(Remarks=SAID), harbour, form="guest")
    assert dict(responses.comments) == {}
    assert list(responses.respondents) == ["Remarks"]


def test_comments_stand_apart_from_the_columns_beside_the_items(harbour, answered):
    responses = read_responses(answered(Remarks=SAID), harbour, form="guest", comments=" remarks")
    assert responses.comments["Remarks"].tolist() == ["Long queues.", "", "", "Kind staff"]
    assert list(responses.respondents) == []
    (note,) = [issue for issue in responses.intake.issues if issue.code == "kept_comments"]
    assert "2 of 4" in note.problem


def test_comment_that_is_an_address_does_not_make_the_column_a_personal_one(harbour, answered):
    said = ["ann@example.org", *SAID[1:]]
    usual = read_responses(answered(Remarks=said), harbour, form="guest")
    assert [issue.code for issue in usual.intake.issues] == ["dropped_personal_column"]
    responses = read_responses(answered(Remarks=said), harbour, form="guest", comments="Remarks")
    assert responses.comments["Remarks"][0] == "ann@example.org"


def test_comments_of_those_who_are_dropped_or_set_aside_go_with_them(harbour, answered):
    frame = answered(Remarks=["a1", "b2", "c3", "d4"])
    items = [column for column in frame if column != "Remarks"]
    frame.loc[frame.index[1], items] = None
    responses = read_responses(frame, harbour, form="guest", comments="Remarks")
    assert responses.comments["Remarks"].tolist() == ["a1", "c3", "d4"]
    assert responses.drop(responses.respondents.index[:1]).comments["Remarks"].tolist() == ["c3", "d4"]
    assert responses.part(harbour.id).comments["Remarks"].tolist() == ["a1", "c3", "d4"]


@pytest.mark.parametrize(("asked", "near"), [("Remarcs", "'Remarks'"), ("like best", "'What did you like best?'")])
def test_heading_that_is_not_there__error_with_near_ones(asked, near, harbour, answered):
    frame = answered(**{"Branch": list("aabb"), "Remarks": SAID, "What did you like best?": SAID})
    (issue,) = faults(frame, harbour, asked)
    assert issue.code == "missing_comments"
    assert repr(asked) in issue.problem
    assert near in issue.remedy


def test_every_faulty_heading_is_told_at_once(harbour, answered):
    frame = answered(Branch=list("aabb"), Remarks=SAID)
    item = next(column for column in frame if column not in ("Branch", "Remarks"))
    issues = faults(frame, harbour, ["zzz", "Branch", item, "Remarks"])
    assert [issue.code for issue in issues] == ["missing_comments", "comments_in_use", "comments_in_use"]
    assert "unit" in issues[1].problem
    assert "item" in issues[2].problem


def test_heading_that_is_there_twice__error(harbour, answered):
    frame = answered(Branch=list("aabb"), Remarks=SAID)
    frame.insert(0, "Remarks", SAID, allow_duplicates=True)
    assert [issue.code for issue in faults(frame, harbour, "Remarks")] == ["duplicate_match"]


def test_what_is_no_heading_is_refused(harbour, answered):
    with pytest.raises(TypeError, match="comments=3"):
        read_responses(answered(), harbour, form="guest", comments=["Remarks", 3])
    for wrong in (3, None, b"Remarks"):
        with pytest.raises(TypeError, match="comments="):
            read_responses(answered(), harbour, form="guest", comments=wrong)


@pytest.mark.parametrize("text", [
    "", " ", "-", "—", "...", "N/A", "n.a.", "None", "no comment.", "Nothing to add!", "Sin comentarios",
    "ningún comentario", "NADA", "No sé", "нет", "Без комментариев.", "Затрудняюсь ответить",
    "无", "没有。", "暂无", "不知道", "?!",
])  # fmt: skip
def test_nothing_said_is_no_comment(text):
    assert not is_comment(text)


@pytest.mark.parametrize("text", ["No queue", "5/10", "нет мест", "没有停车位", "nada funciona", "ok"])
def test_short_comments_count(text):
    assert is_comment(text)
