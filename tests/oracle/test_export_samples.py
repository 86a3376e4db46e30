"""Real and platform-made exports: what platform each is taken for, which rows are kept, and which items are found."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import yaml

from servicediag.errors import ResponsesError
from servicediag.instrument import load_instrument
from servicediag.responses import read_responses

SAMPLES = Path(__file__).parents[3] / "shared" / "exports" / "samples"

pytestmark = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the sample exports are not here")

AGREEMENT = {
    "en": {1: "Strongly disagree", 2: "Disagree", 3: "Neither agree nor disagree", 4: "Agree", 5: "Strongly agree"},
    "es": {1: "Totalmente en desacuerdo", 2: "En desacuerdo", 3: "Ni de acuerdo ni en desacuerdo", 4: "De acuerdo",
           5: "Totalmente de acuerdo"},
}  # fmt: skip
FREQUENCY = {"en": {1: "Never", 2: "Rarely", 3: "Sometimes", 4: "Often", 5: "Always"}}
FAVOUR = {
    "en": {1: "Very unfavorably", 2: "Somewhat unfavorably", 3: "Neither favorably nor unfavorably (neutral)",
           4: "Somewhat favorably", 5: "Very favorably"},
}  # fmt: skip


@pytest.fixture
def instrument(tmp_path):
    """Write an instrument: ``instrument({code: text}, labels)``, texts by language where there are several."""

    def write(items, labels):
        languages = list(labels)
        texts = {
            code: text if isinstance(text, dict) else dict.fromkeys(languages, text) for code, text in items.items()
        }
        prefix = next(iter(items)).split("_")[0]
        folder = tmp_path / "sample-check"
        (folder / "locale").mkdir(parents=True)
        structure = {
            "id": "sample-check",
            "version": "1.0.0",
            "prefix": prefix,
            "status": "not yet validated",
            "license": "CC-BY-4.0",
            "original_language": languages[0],
            "sources": ["made for a test"],
            "scales": [{"id": "own", "codes": sorted(labels[languages[0]]), "labels": labels}],
            "forms": [{"id": "answered", "rater": "employee"}],
            "dimensions": [
                {"id": "all", "direction": "strength", "measurement": "formative", "scale": "own",
                 "items": [{"code": code} for code in items]}
            ],
        }  # fmt: skip
        (folder / "instrument.yaml").write_text(yaml.safe_dump(structure, sort_keys=False), encoding="utf-8")
        for language in languages:
            locale = {
                "language": language,
                "status": "original" if language == languages[0] else "working translation",
                "title": "Sample",
                "definition": "Some questions of a sample.",
                "forms": {"answered": {"title": "Sample", "instruction": "Answer.", "stems": {"default": "How far?"}}},
                "dimensions": {"all": {"title": "All", "definition": "All of them."}},
                "items": {code: {"answered": texts[code][language]} for code in items},
            }
            path = folder / "locale" / f"{language}.yaml"
            path.write_text(yaml.safe_dump(locale, sort_keys=False, allow_unicode=True), encoding="utf-8")
        return load_instrument(folder)

    return write


def methods(responses):
    return responses.intake.matches.set_index("item")["method"].to_dict()


def issue_codes(responses):
    return {issue.code for issue in responses.intake.issues}


def recodes(*codes):
    return {"en": {code: f"Scale point {code}" for code in codes}}


def test_qualtrics_three_headings(instrument):
    mine = instrument({"qu_all_1": "This is a multiple choice question."}, recodes(1, 2, 3))
    path = SAMPLES / "qualtrics/qualtRics_sample_3hdr_de.csv"
    with pytest.raises(ResponsesError) as error:
        read_responses(path, mine)
    assert [issue.code for issue in error.value.issues] == ["unknown_direction"]
    responses = read_responses(path, mine, columns={"Q1": "qu_all_1"})
    assert (responses.intake.platform, responses.intake.n_rows, responses.intake.n_kept) == ("qualtrics", 1, 1)
    assert responses.answers["qu_all_1"].tolist() == [2]
    assert "IPAddress" not in responses.respondents
    assert responses.respondents["StartDate"].tolist() == ["2017-07-18 08:28:09"]


def test_qualtrics_legacy_two_headings(instrument):
    mine = instrument({"qu_all_1": "This is a multiple choice question."}, recodes(1, 2, 3))
    path = SAMPLES / "qualtrics/qualtRics_sample_legacy_2hdr_bom.csv"
    responses = read_responses(path, mine, columns={"This is a multiple choice question.": "qu_all_1"})
    assert (responses.intake.platform, responses.intake.n_kept) == ("qualtrics", 1)
    assert responses.intake.encoding == "utf-8-sig"
    assert responses.answers["qu_all_1"].tolist() == [2]


def test_qualtrics_matrix_with_recodes_and_export_tags(instrument):
    codes = ("q3_question_1", "q3_question_2", "q3_question_3")
    mine = instrument(
        dict.fromkeys(codes, "") | {c: f"A row {i} of a matrix" for i, c in enumerate(codes)}, recodes(1, 2, 3, 4)
    )
    columns = dict(zip(("Q3_question_one", "Q3_question_two", "Q3_question_three"), codes, strict=True))
    path = SAMPLES / "qualtrics/QualtricsTools_single_answer_matrix_insights.csv"
    responses = read_responses(path, mine, columns=columns)
    assert (responses.intake.platform, responses.intake.n_rows, responses.intake.n_kept) == ("qualtrics", 5, 5)
    assert responses.answers["q3_question_1"].tolist() == [1, 1, 2, 3, 4]
    assert "removed_test_row" in issue_codes(responses)  # all rows were generated as tests, so they are kept
    with pytest.raises(ResponsesError) as error:
        read_responses(path, mine, columns={"Q5_question_one": codes[0], "Q5_question_two": codes[1]})
    assert "out_of_range" in {issue.code for issue in error.value.issues}


def test_qualtrics_negative_codes_are_no_answers(instrument):
    codes = ("q3_veg_1", "q3_veg_2", "q3_veg_3", "q3_veg_4")
    vegetables = ("Squash", "Cucumbers", "Zucchini", "Green beans")
    mine = instrument(dict(zip(codes, vegetables, strict=True)), recodes(1, 2, 3))
    path = SAMPLES / "qualtrics/QualtricsTools_no_basis_for_evaluation_insights.csv"
    with pytest.raises(ResponsesError) as error:  # two questions have the same rows
        read_responses(path, mine)
    assert {issue.code for issue in error.value.issues} >= {"duplicate_match"}
    columns = {f"Q3_{i}": code for i, code in enumerate(codes, start=1)}
    responses = read_responses(path, mine, columns=columns)
    assert (responses.intake.platform, responses.intake.n_rows, responses.intake.n_kept) == ("qualtrics", 15, 15)
    with path.open(encoding="utf-8", newline="") as file:
        negative = sum(row["Q3_2"].startswith("-") for row in list(csv.DictReader(file))[2:])
    assert responses.answers["q3_veg_2"].isna().sum() == negative > 0
    assert set(responses.missing["q3_veg_2"]) == {"", "not_applicable"}


CHARACTERS = {"st_all_1": "Han Solo", "st_all_2": "Luke Skywalker", "st_all_3": "Jar Jar Binks", "st_all_4": "Yoda"}


def test_surveymonkey_two_headings_and_bytes_of_another_encoding(instrument):
    path = SAMPLES / "surveymonkey/StarWars_2hdr_badbytes.csv"
    responses = read_responses(path, instrument(CHARACTERS, FAVOUR), unit="Location (Census Region)")
    assert (responses.intake.platform, responses.intake.n_rows) == ("surveymonkey", 1186)
    assert set(methods(responses).values()) == {"text"}
    assert len(methods(responses)) == 4
    assert "guessed_encoding" in issue_codes(responses)
    everyone = read_responses(path, responses.instrument, unit="Location (Census Region)", minimum_completed=0)
    assert len(everyone) == 1186
    counts = everyone.answers["st_all_1"].value_counts()
    assert counts.to_dict() == {5: 610, 4: 151, 3: 44, 2: 8, 1: 1}
    assert (everyone.missing["st_all_1"] == "not_applicable").sum() == 15
    assert everyone.respondents["unit"].nunique() == 9


def test_google_forms_labels_that_end_with_a_full_stop(instrument):
    labels = {"pt": {1: "Muito ruim", 2: "Ruim", 3: "Regular", 4: "Boa", 5: "Muito boa"}}
    text = "No geral, como você avalia sua experiência no trabalho remoto e/ou híbrido"
    path = SAMPLES / "google_forms/pt_carimbo_trabalho_remoto_REDACTED.xlsx"
    responses = read_responses(path, instrument({"gf_all_1": text}, labels), minimum_completed=0)
    assert (responses.intake.platform, responses.intake.n_rows, len(responses)) == ("google_forms", 414, 414)
    assert methods(responses) == {"gf_all_1": "text"}
    assert set(responses.answers["gf_all_1"].dropna()) == {1, 2, 3, 4, 5}
    assert "Endereço de e-mail" not in responses.respondents


def test_google_forms_frequency_by_the_common_labels(instrument):
    labels = {"en": FREQUENCY["en"]}
    items = {
        "gf_all_1": "Durante as horas que se dedica ou dedicou ao trabalho remoto e/ou híbrido, você costuma/costumava "
        "ser interrompido por pessoas que moram ou estejam com você em sua residência?"
    }
    path = SAMPLES / "google_forms/pt_carimbo_trabalho_remoto_REDACTED.xlsx"
    responses = read_responses(path, instrument(items, labels), minimum_completed=0)
    assert set(responses.answers["gf_all_1"].dropna()) == {1, 3, 4}  # Nunca, Às vezes, Muitas vezes
    assert "common_labels" in issue_codes(responses)


def test_limesurvey_codes(instrument):
    items = {"c1_sq001": "A first row of the matrix", "c1_sq002": "A second row of the matrix"}
    path = SAMPLES / "limesurvey/n2_dummy_2021_codes.csv"
    mine = instrument(items, {"en": {i: f"Answer {i}" for i in range(1, 8)}})
    responses = read_responses(path, mine, minimum_completed=0)
    assert (responses.intake.platform, responses.intake.n_rows, len(responses)) == ("limesurvey", 36, 36)
    assert methods(responses) == {"c1_sq001": "code", "c1_sq002": "code"}
    assert responses.answers["c1_sq001"].notna().any()
    assert "doubtful_row" in issue_codes(responses)


def test_limesurvey_codes_with_texts_and_long_answers(instrument):
    items = {
        "b11_all_1": "Were you allowed to work from home before the current pandemic?",
        "b11_all_2": "Did you work from home before the current pandemic?",
    }
    path = SAMPLES / "limesurvey/n2_dummy_codeandtext_headers_longanswers.csv"
    responses = read_responses(path, instrument(items, FREQUENCY), minimum_completed=0)
    assert (responses.intake.platform, responses.intake.n_rows, len(responses)) == ("limesurvey", 12, 12)
    assert set(methods(responses).values()) == {"text"}
    assert {"dont_know", "blank", ""} >= set(responses.missing["b11_all_1"])
    assert "dont_know" in set(responses.missing["b11_all_1"])


def test_limesurvey_real_study_with_a_hidden_mark_in_a_label(instrument):
    items = {"lk_all_1": "In an average month, how much time do you spend on Teaching"}
    labels = {"en": {1: "1 (None at all)", **{i: str(i) for i in range(2, 10)}, 10: "10 (All my time)"}}
    path = SAMPLES / "limesurvey/rse2017_de_codetext_real.csv"
    responses = read_responses(path, instrument(items, labels), minimum_completed=0)
    assert (responses.intake.platform, responses.intake.n_rows, len(responses)) == ("limesurvey", 325, 325)
    assert methods(responses) == {"lk_all_1": "text"}
    assert responses.answers["lk_all_1"].min() == 1


def test_limesurvey_real_study_agreement(instrument):
    path = SAMPLES / "limesurvey/rse2017_de_codetext_real.csv"
    items = {
        "lk_all_1": "I find real enjoyment in my job",
        "lk_all_2": "Most days I am enthusiastic about my job",
    }
    responses = read_responses(path, instrument(items, {"en": AGREEMENT["en"]}), minimum_completed=0)
    assert set(methods(responses).values()) == {"text"}
    assert responses.answers.notna().any().all()
    assert set(responses.answers["lk_all_1"].dropna()) <= {1, 2, 3, 4, 5}


KOBO = {
    "sc_know_1": {"en": "I know what good service looks like.", "es": "Sé cómo es un buen servicio."},
    "sc_know_2": {"en": "My manager models good service.", "es": "Mi jefe da ejemplo de buen servicio."},
}


@pytest.mark.parametrize(
    "name", ["formpack_labels_en.csv", "formpack_labels_en.xlsx", "formpack_labels_es_with_groups.csv"]
)
def test_kobo_labels(name, instrument):
    responses = read_responses(SAMPLES / "kobo" / name, instrument(KOBO, AGREEMENT), minimum_completed=0)
    assert (responses.intake.platform, responses.intake.n_rows, len(responses)) == ("kobo", 2, 2)
    assert set(methods(responses).values()) == {"text"}
    assert responses.answers["sc_know_1"].tolist() == [5, 3]
    assert responses.missing["sc_know_2"].tolist() == ["dont_know", "blank"]


def test_kobo_names(instrument):
    items = {"sc_01": KOBO["sc_know_1"], "sc_02": KOBO["sc_know_2"]}
    path = SAMPLES / "kobo/formpack_xml_values_headers.csv"
    responses = read_responses(path, instrument(items, AGREEMENT), minimum_completed=0, missing_codes=(99,))
    assert responses.intake.platform == "kobo"
    assert methods(responses) == {"sc_01": "code", "sc_02": "code"}
    assert responses.answers["sc_01"].tolist() == [5, 3]
    assert responses.missing["sc_02"].tolist() == ["declared", "blank"]


@pytest.mark.parametrize(
    ("name", "code", "n_rows"),
    [
        ("REDCapR_survey_data.csv", "has_diabetes", 2),
        ("REDCapR_russian_data.csv", "pregnant_now", 3),
    ],
)
def test_redcap_raw(name, code, n_rows, instrument):
    mine = instrument({code: "A question of fact"}, {"en": {0: "No", 1: "Yes"}})
    responses = read_responses(SAMPLES / "redcap" / name, mine, minimum_completed=0)
    assert (responses.intake.platform, responses.intake.n_rows, len(responses)) == ("redcap", n_rows, n_rows)
    assert methods(responses) == {code: "code"}
    assert not {"email", "first_name", "address"} & set(responses.respondents)


@pytest.mark.parametrize("name", ["REDCapR_checkboxes-1_data.csv", "REDCapR_decimal-comma_data.csv"])
def test_redcap_files_without_a_question_are_recognised(name, instrument):
    mine = instrument({"desired_result": "A result"}, {"en": {0: "No", 1: "Yes"}})
    with pytest.raises(ResponsesError) as error:
        read_responses(SAMPLES / "redcap" / name, mine, minimum_completed=0)
    assert {issue.code for issue in error.value.issues} <= {"unknown_label", "missing_item"}


def test_redcap_dictionary_is_said_to_be_one(instrument):
    mine = instrument({"has_pets": "A question"}, {"en": {0: "No", 1: "Yes"}})
    with pytest.raises(ResponsesError, match="data dictionary"):
        read_responses(SAMPLES / "redcap/REDCapR_simple_dictionary.csv", mine)


def test_spss_labels_and_declared_missing_values(instrument):
    pytest.importorskip("pyreadstat")
    mine = instrument({"my_ord": "A question of degree"}, {"en": {1: "Low", 2: "Medium", 3: "High"}})
    responses = read_responses(SAMPLES / "spss/pyreadstat_sample_missing.sav", mine, minimum_completed=0)
    assert (responses.intake.platform, responses.intake.n_rows) == ("spss", 7)
    assert methods(responses) == {"my_ord": "code"}
    assert responses.answers["my_ord"].dropna().tolist() == [1, 2, 3, 1, 1]
    assert responses.missing["my_ord"].tolist()[-2:] == ["declared", "declared"]
