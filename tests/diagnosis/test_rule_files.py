"""A published diagnosis names the rule files that it was made with, each with its SHA-256."""

import hashlib
import json
from dataclasses import replace

import pytest

import servicediag as sd
from servicediag.diagnosis.rule_files import fingerprint
from servicediag.diagnosis.rule_lint import missing_parts
from servicediag.diagnosis.rules import lint_rules, load_rules
from servicediag.instrument import load_instrument
from servicediag.instrument.catalogue import instruments_root
from servicediag.report.labels import Labels
from servicediag.report.sheets import method_tables

OURS = ("actions.yaml", "causes.yaml", "indicators.yaml", "gaps.yaml", "privacy.yaml", "themes.yaml")
OWN = """\
extends: default
rules:
  - id: OWN1
    cause: The counter is too far from the desk
    symptoms: [seven-sins/run]
    side: organisation
    step: environment
    confirmed_by:
      - {low: readiness/can, weight: strong}
    refuted_by:
      - {not_low: readiness/can}
    evidence: I
    actions: [ACT.SYSTEMS]
"""


@pytest.fixture(scope="module")
def study():
    return sd.simulate("readiness", form="employee", n_units=3, respondents_per_unit=12, seed=1).responses()


@pytest.fixture
def own(tmp_path):
    def write(text=OWN):
        path = tmp_path / "own.yaml"
        path.write_bytes(text.encode())
        return path

    return write


def of_file(name):
    content = (instruments_root() / "_rules" / name).read_bytes().replace(b"\r\n", b"\n")
    return hashlib.sha256(content).hexdigest()


def test_the_rules_of_servicediag_are_named_with_the_hash_of_each_file(study):
    assert sd.diagnose(study).method["rule_files"] == {f"_rules/{name}": of_file(name) for name in OURS}


def test_a_file_of_ones_own_stands_beside_them_without_its_path(study, own):
    found = sd.diagnose(study, rules=own()).method["rule_files"]
    assert found["own.yaml"] == hashlib.sha256(OWN.encode()).hexdigest()
    assert set(found) == {"own.yaml", *(f"_rules/{name}" for name in OURS)}


@pytest.mark.parametrize(
    ("change", "target"),
    [
        (("low: readiness/can", "low: readiness/cann"), "readiness/cann"),
        (("low: readiness/can", "low: four-tools/zzz"), "four-tools/zzz"),
        (("low: readiness/can", "low: tool_zzz_1"), "tool_zzz_1"),
        (("symptoms: [seven-sins/run]", "symptoms: [seven-sins/rum]"), "seven-sins/rum"),
    ],
)
@pytest.mark.parametrize("loaded", [False, True])
def test_a_rule_that_could_never_be_tested_is_refused_in_the_words_of_lint(study, own, change, target, loaded):
    path = own(OWN.replace(*change, 1))
    with pytest.raises(sd.InstrumentError) as caught:
        sd.diagnose(study, rules=load_rules(path) if loaded else path)
    assert caught.value.issues == lint_rules(load_rules(path))
    (issue,) = caught.value.issues
    assert f"OWN1: {target} is not part of " in issue.problem
    assert issue.where.endswith("own.yaml:3")


def test_rules_may_name_instruments_that_only_other_studies_hold(study, own):
    path = own(OWN.replace("low: readiness/can", "low: harbour/calm", 1))
    assert path.name in sd.diagnose(study, rules=path).method["rule_files"]


def test_what_an_instrument_holds_is_for_the_version_in_the_study_to_say(own):
    """A version of one's own may have lost a dimension that the catalogue has."""
    shipped = load_instrument("readiness")
    fewer = replace(shipped, dimensions=tuple(one for one in shipped.dimensions if one.id != "can"))
    rules = load_rules(own()).rules[-1:]
    assert list(missing_parts(rules, {"readiness": shipped})) == []
    assert [issue.code for issue in missing_parts(rules, {"readiness": fewer})] == ["unknown_reference"]


def test_a_folder_called_like_ours_is_not_taken_for_ours(tmp_path, monkeypatch):
    folder = tmp_path / "_rules"
    folder.mkdir()
    for name in ("causes.yaml", "actions.yaml"):
        (folder / name).write_bytes((instruments_root() / "_rules" / name).read_bytes())
    monkeypatch.chdir(tmp_path)
    assert dict(load_rules("_rules").files).keys() == {"causes.yaml", "actions.yaml", "_rules/indicators.yaml"}


def test_line_ends_and_a_byte_order_mark_change_nothing(own):
    first = load_rules(own())
    other = load_rules(own("\ufeff" + OWN.replace("\n", "\r\n")))
    assert (first.files, first.content_hash) == (other.files, other.content_hash)


@pytest.mark.parametrize("change", [("too far", "quite far"), ("  - id", "  # a remark\n  - id")])
def test_every_other_change_of_the_text_changes_the_hash(own, change):
    first = dict(load_rules(own()).files)
    assert dict(load_rules(own(OWN.replace(*change))).files)["own.yaml"] != first["own.yaml"]


def test_the_hash_is_that_of_the_bytes():
    assert fingerprint(b"a\n") == hashlib.sha256(b"a\n").hexdigest()


def test_json_and_method_sheet_show_them(study, tmp_path):
    diagnosis = sd.diagnose(study)
    written = json.loads(diagnosis.to_json(tmp_path / "d.json").read_text(encoding="utf-8"))
    assert written["method"]["rule_files"] == diagnosis.method["rule_files"]
    for language in ("en", "es", "ru", "zh-Hans"):
        cells = [cell for table in method_tables(diagnosis, Labels.of(diagnosis, language)) for row in table.rows
                 for cell in row if isinstance(cell, str)]  # fmt: skip
        assert any(all(mark in cell for mark in diagnosis.method["rule_files"].values()) for cell in cells)
