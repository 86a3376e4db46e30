"""The release ledger: what few people who joined or left gave does not follow from two releases."""

import json
import os
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

import servicediag as sd
from servicediag.cli import app

UNITS = np.repeat(["A", "B", "C", "D"], [12, 20, 15, 18])
LEAVER = 3


@pytest.fixture(scope="module")
def everybody(make_responses):
    responses = make_responses([("readiness", "employee")], UNITS, seed=3)
    ids = [f"p{k}" for k in range(len(responses))]
    return replace(responses, respondents=responses.respondents.set_axis(ids, axis=0).rename_axis("respondent"))


def without(responses, *people):
    rows = ~np.isin(np.arange(len(responses)), people)
    codes = {code: column[rows] for code, column in responses.codes.items()}
    return replace(responses, respondents=responses.respondents[rows], codes=codes)


@pytest.fixture(scope="module")
def releases(everybody, tmp_path_factory):
    """Everybody first, then without one person of unit A."""
    file = tmp_path_factory.mktemp("ledger") / "releases.json"
    second = without(everybody, LEAVER)
    return sd.diagnose(everybody, ledger=file), sd.diagnose(second, ledger=file), sd.diagnose(second), file


def means(diagnosis, dimension="know"):
    rows = diagnosis.evidence[diagnosis.evidence["dimension"] == dimension]
    return rows.assign(unit=rows["unit"].fillna("")).set_index("unit")


def test_leaver_cannot_be_subtracted(releases, everybody):
    """A fifth of the range is left open by the unit, by the whole, and by the whole less the other units."""
    first, second, exact, _ = releases
    score = sd.score(everybody).values["know"].to_numpy()[LEAVER]
    before, after, true = means(first), means(second), means(exact)
    assert before.loc["A", "mean"] * 12 - true.loc["A", "mean"] * 11 == pytest.approx(score)
    # told is in which third of the range the one who left had answered
    told = before.loc["A", "mean"] * 12 - after.loc["A", "mean"] * 11
    assert told == pytest.approx((int(score * 3 / 100) + 0.5) * 100 / 3)
    moved = after.loc["A", "mean"] * 11 - true.loc["A", "mean"] * 11
    whole = after.loc["", "mean"] * 64 - true.loc["", "mean"] * 64
    assert whole == pytest.approx(moved)
    for unit in "BCD":
        assert after.loc[unit, "mean"] == true.loc[unit, "mean"]


def test_leaver_cannot_be_subtracted_from_another_form_of_the_questionnaire(make_responses, tmp_path):
    """The same export was read under a shorter form first, with the same scales of the same items."""
    responses = make_responses([("readiness", "employee")], UNITS, seed=3)
    frame = responses.answers.assign(unit=UNITS, id=[f"p{k}" for k in range(len(UNITS))])
    read = {"unit": "unit", "respondent": "id"}
    short = sd.read_responses(frame, "readiness", form="employee-state", **read)
    long = sd.read_responses(frame.drop(index=frame.index[LEAVER]), "readiness", form="employee", **read)
    file = tmp_path / "releases.json"
    before, after = means(sd.diagnose(short, ledger=file)), means(sd.diagnose(long, ledger=file))
    score = sd.score(responses).values["know"].to_numpy()[LEAVER]
    told = before.loc["A", "mean"] * 12 - after.loc["A", "mean"] * 11
    assert told == pytest.approx((int(score * 3 / 100) + 0.5) * 100 / 3, abs=0.06 * 23)
    assert told != pytest.approx(score, abs=0.06 * 23)


def test_second_release_keeps_its_units_though_people_of_a_small_unit_answered_low(everybody, tmp_path):
    """A rounding by which a sum would fall below nought used to close the whole, and with it every unit."""
    codes = {code: column.copy() for code, column in everybody.codes.items()}
    for code in codes:
        codes[code][:3] = 1
    file, low = tmp_path / "releases.json", replace(everybody, codes=codes)
    first, second = sd.diagnose(low, ledger=file), sd.diagnose(without(low, 0, 1, 2), ledger=file)
    shown = [set(zip(d.evidence["unit"].fillna(""), d.evidence["dimension"], strict=True)) for d in (first, second)]
    assert shown[0] == shown[1]


def test_spread_of_the_changed_unit_is_lent_by_the_others(releases):
    _, second, exact, _ = releases
    assert means(second).loc["A", "sd"] != pytest.approx(means(exact).loc["A", "sd"])
    assert means(second).loc["B", "sd"] == means(exact).loc["B", "sd"]


def test_items_and_counts_of_the_changed_unit_are_left_out(releases):
    second = releases[1]
    for table in (second.items, second.indicators, second.answers):
        assert "A" not in set(table["unit"])
    assert not second.answers["unit"].isna().any()
    assert "ledger" in set(second.withheld["rule"])


def test_texts_tell_the_coarse_numbers_only(releases):
    _, second, exact, _ = releases
    finding = {f.id: f for f in second.findings}
    for other in exact.findings:
        if other.unit == "A" and other.id in finding:
            assert finding[other.id].text != other.text


def test_reader_is_told_that_numbers_are_coarse(releases):
    first, second, _, _ = releases
    assert any("joined or left" in note for note in second.study["notes"])
    assert not any("joined or left" in note for note in first.study["notes"])


def test_joiner_is_protected_like_a_leaver(everybody, tmp_path):
    file = tmp_path / "releases.json"
    sd.diagnose(without(everybody, LEAVER), ledger=file)
    second, exact = sd.diagnose(everybody, ledger=file), sd.diagnose(everybody)
    assert means(second).loc["A", "mean"] != means(exact).loc["A", "mean"]


def test_same_release_twice_shows_the_same(everybody, tmp_path):
    file = tmp_path / "releases.json"
    first, second = sd.diagnose(everybody, ledger=file), sd.diagnose(everybody, ledger=file)
    assert first.evidence.equals(second.evidence)
    assert first.items.equals(second.items)
    assert len(json.loads(file.read_text())["releases"]) == 2


def test_many_who_left_need_no_protection(everybody, tmp_path):
    file = tmp_path / "releases.json"
    sd.diagnose(everybody, ledger=file)
    fewer = without(everybody, *range(5))
    assert sd.diagnose(fewer, ledger=file).evidence.equals(sd.diagnose(fewer).evidence)


def test_file_names_nobody(releases, everybody):
    text = releases[3].read_text()
    assert not any(f'"{person}"' in text for person in everybody.respondents.index)
    assert len(json.loads(text)["salt"]) == 32


def test_two_ledgers_do_not_hash_alike(everybody, tmp_path):
    hashes = []
    for name in ("one.json", "two.json"):
        sd.diagnose(everybody, ledger=tmp_path / name)
        document = json.loads((tmp_path / name).read_text())
        hashes.append({m for group in document["releases"][0]["groups"] for m in group["members"]})
    assert not hashes[0] & hashes[1]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": 9, "salt": "", "releases": []}', '{"schema": 1}'])
def test_file_that_is_no_ledger_is_refused_and_kept(everybody, tmp_path, text):
    file = tmp_path / "releases.json"
    file.write_text(text)
    with pytest.raises(ValueError, match="ledger="):
        sd.diagnose(everybody, ledger=file)
    assert file.read_text() == text


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_link_is_refused(everybody, tmp_path):
    (tmp_path / "link.json").symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(ValueError, match="symbolic link"):
        sd.diagnose(everybody, ledger=tmp_path / "link.json")
    assert not (tmp_path / "elsewhere.json").exists()


def test_respondents_need_ids(make_responses, tmp_path):
    with pytest.raises(ValueError, match="needs an id for every respondent"):
        sd.diagnose(make_responses([("readiness", "employee")], UNITS, seed=3), ledger=tmp_path / "releases.json")


def test_evidence_has_no_members(everybody, tmp_path):
    with pytest.raises(ValueError, match="needs Responses"):
        sd.diagnose(sd.build_evidence(everybody), ledger=tmp_path / "releases.json")


def test_nothing_is_written_where_the_diagnosis_fails(everybody, tmp_path):
    file = tmp_path / "releases.json"
    with pytest.raises(ValueError, match="no_such"):
        sd.diagnose(everybody, targets={"no_such": 70}, ledger=file)
    assert not file.exists()


def test_command_line_keeps_the_ledger(everybody, tmp_path):
    export, file = tmp_path / "export.csv", tmp_path / "releases.json"
    answers = {code: column.astype(int) for code, column in everybody.codes.items()}
    frame = everybody.respondents.reset_index()[["respondent", "unit"]].assign(**answers)
    frame.to_csv(export, index=False)
    command = ["diagnose", str(export), "-i", "readiness:employee", "--unit", "unit", "--ledger", str(file)]
    refused = CliRunner().invoke(app, [*command, "--respondent", ""])
    assert refused.exit_code == 2
    assert not file.exists()
    assert CliRunner().invoke(app, [*command, "--respondent", "respondent"]).exit_code == 0
    assert len(json.loads(file.read_text())["releases"]) == 1


def test_fewer_answers_than_people_are_what_counts(everybody, tmp_path):
    """Six leave the unit, but only two of them answered the item: its total would tell of these two."""
    silent = [12, 13, 14, 15]
    codes = dict(everybody.codes)
    codes["rdy_know_s1"] = codes["rdy_know_s1"].copy()
    codes["rdy_know_s1"][silent] = -128
    study = replace(everybody, codes=codes)
    gone = [*silent, 16, 17]
    file = tmp_path / "releases.json"
    sd.diagnose(study, ledger=file)
    second, alone = sd.diagnose(without(study, *gone), ledger=file), sd.diagnose(without(study, *gone))
    shown, exact = ({(r.unit, r.item) for r in d.items.itertuples()} for d in (second, alone))
    assert ("B", "rdy_know_s1") in exact - shown
    assert ("B", "rdy_know_s3") in shown


def test_answers_by_option_are_left_out_where_few_came_or_went(everybody, tmp_path):
    file = tmp_path / "releases.json"
    first = sd.diagnose(everybody, ledger=file)
    second = sd.diagnose(without(everybody, 12, 13, 14, 15, 16, 17), ledger=file)
    assert set(first.answers["unit"].dropna()) == {"A", "B", "C", "D"}
    assert set(second.answers["unit"].dropna()) == {"A", "C", "D"}
