"""The file that says which scales make up a gap is read strictly, and every reference in it leads somewhere."""

import pytest

from servicediag.diagnosis.gap_definitions import FILE, lint_gaps, load_gaps
from servicediag.diagnosis.lint_files import lint_file
from servicediag.errors import InstrumentError
from servicediag.instrument.catalogue import instruments_root


def changed(tmp_path, old, new):
    text = instruments_root().joinpath(FILE).read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "gaps.yaml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    line = text[: text.index(old)].count("\n") + 1
    return path, line


def test_own_definitions_are_sound():
    assert lint_gaps() == ()


def test_linter_of_files_covers_the_definitions(tmp_path):
    assert lint_file("_rules") == ()
    path, _ = changed(tmp_path, "  field: tenure\n", "  field: patience\n")
    assert [issue.code for issue in lint_file(str(path))] == ["unknown_reference"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("provision: [four-tools/comm, ", "provision: [four-tools/commm, "),
        ("{said: scu_vision_1, done: rdy_can_r6}", "{said: scu_vision_9, done: rdy_can_r6}"),
        ("{references: [readiness/know], raters: [employee]}", "{references: [readiness/know], raters: [customer]}"),
        ("{item: out_return_1, answers: [0]}", "{item: out_return_1, answers: [7]}"),
        ("{field: promise_broken, ", "{field: promise_forgotten, "),
        ("repaired: [fully], ", "repaired: [wholly], "),
        ("  field: tenure\n", "  field: patience\n"),
        ("operations: {left: churn, ", "operations: {left: churning, "),
    ],
)
def test_reference_that_leads_nowhere_is_an_error_at_its_line(tmp_path, old, new):
    path, line = changed(tmp_path, old, new)
    issues = lint_gaps(path)
    assert [issue.code for issue in issues] == ["unknown_reference"]
    assert abs(int(issues[0].where.rpartition(":")[2]) - line) <= 1


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("sides:\n", "sides: {}\nsidez:\n", "unknown_key"),
        ("fewest_promises: 20\n", "fewest_promises: many\n", "invalid_value"),
        ("levels: {manager: high, ", "levels: {manager: medium, ", "unknown_value"),
        ("id: inside_out_blindness", "id: management_illusion", "duplicate_id"),
    ],
)
def test_faulty_file_is_refused_with_its_line(tmp_path, old, new, code):
    path, _ = changed(tmp_path, old, new)
    with pytest.raises(InstrumentError) as error:
        load_gaps(path)
    assert code in [issue.code for issue in error.value.issues]
    assert all(":" in issue.where for issue in error.value.issues)
    assert code in [issue.code for issue in lint_gaps(path)]
