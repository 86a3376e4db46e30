"""The linter knows rule files from instruments, and tells the line of every fault."""

from __future__ import annotations

from pathlib import Path

import pytest

from servicediag.diagnosis.lint_files import lint_catalogue_files, lint_file
from servicediag.instrument.catalogue import instruments_root

OWN = """extends: default
rules:
  - id: OWN1
    cause: Opening hours do not fit
    symptoms: [seven-sins/run]
    side: organisation
    step: environment
    confirmed_by:
      - {indicator: workload, level: high}
    refuted_by:
      - {indicator: workload, level: high, holds: false}
    evidence: I
    actions: [ACT.SYSTEMS]
"""


@pytest.fixture
def own(tmp_path: Path):
    def write(text: str, name: str = "own.yaml") -> str:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


def codes_and_lines(name: str) -> list[tuple[str, int]]:
    return [(issue.code, int(issue.where.rpartition(":")[2])) for issue in lint_file(name)]


def test_a_sound_rule_file(own):
    assert lint_file(own(OWN)) == ()


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("level: high}", "level: higher}", ("unknown_value", 9)),
        ("seven-sins/run", "seven-sins/running", ("unknown_reference", 3)),
        ("ACT.SYSTEMS", "ACT.SYSTEM", ("unknown_action", 3)),
        ("extends: default", "extends: nothing", ("unknown_value", 1)),
        ("{indicator: workload, level: high, holds: false}", "{gradient: symptom, over: age, towards: worse}",
         ("unknown_background", 3)),
    ],
)  # fmt: skip
def test_faults_of_a_rule_file_have_their_line(own, old, new, fault):
    assert codes_and_lines(own(OWN.replace(old, new, 1))) == [fault]


def test_a_file_of_a_folder_of_rules_is_read_with_its_neighbours(own, tmp_path):
    folder = instruments_root() / "_rules"
    for name in ("actions.yaml", "causes.yaml", "indicators.yaml"):
        own((folder / name).read_text(encoding="utf-8"), name)
    for name in ("", "causes.yaml", "actions.yaml", "indicators.yaml"):
        assert lint_file(str(tmp_path / name)) == ()
    own(
        (folder / "indicators.yaml").read_text(encoding="utf-8").replace("unit: share", "unit: part", 1),
        "indicators.yaml",
    )
    (issue,) = lint_file(str(tmp_path / "indicators.yaml"))
    assert (issue.code, issue.where.rpartition("/")[2]) == ("unknown_value", "indicators.yaml:13")


def test_definitions_of_gaps_are_checked(own):
    text = (instruments_root() / "_rules" / "gaps.yaml").read_text(encoding="utf-8")
    path = own(text, "gaps.yaml")
    assert lint_file(path) == ()
    own("nonsense: 1\n" + text, "gaps.yaml")
    assert ("unknown_key", 1) in codes_and_lines(path)


def test_broken_yaml_is_told(own):
    assert [issue.severity for issue in lint_file(own("rules: [")) if issue.code == "invalid_yaml"] == ["error"]


def test_the_catalogue_includes_the_rules():
    found = dict(lint_catalogue_files())
    assert found["_rules"] == ()
    assert "seven-sins" in found
