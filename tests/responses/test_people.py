"""Who answered: ids, units, waves and background are kept as they stand; personal details are not kept at all."""

from __future__ import annotations

import inspect

import pytest

import servicediag as sd
from servicediag.errors import ResponsesError
from servicediag.responses import read_responses
from servicediag.responses.people import MINIMUM_GROUP


def issue_codes(responses):
    return [issue.code for issue in responses.intake.issues]


def test_unit_and_wave_columns_get_their_names(harbour, answered):
    frame = answered(Branch=["a", "b", "a", None], Round=["1", "2", "1", "2"], tenure=["x", "y", "z", "x"])
    people = read_responses(frame, harbour, form="guest", unit="branch ", wave="Round").respondents
    assert list(people) == ["unit", "wave", "tenure"]
    assert people["wave"].tolist() == ["1", "2", "1", "2"]
    assert people["unit"].isna().tolist() == [False, False, False, True]


@pytest.mark.parametrize("wave", ["2024", 2024])
def test_wave_without_such_a_column_is_the_wave_of_all(wave, harbour, answered):
    assert set(read_responses(answered(), harbour, form="guest", wave=wave).respondents["wave"]) == {"2024"}


def test_wave_that_looks_like_a_misspelt_column__warning(harbour, answered):
    responses = read_responses(answered(Wave=list("aabb")), harbour, form="guest", wave="Wav")
    assert issue_codes(responses) == ["missing_column"]
    assert set(responses.respondents["wave"]) == {"Wav"}
    assert list(responses.respondents) == ["wave", "Wave"]


@pytest.mark.parametrize("role", ["unit", "respondent"])
def test_missing_column__error_with_close_names(role, harbour, answered):
    with pytest.raises(ResponsesError, match="Did you mean 'Department'") as error:
        read_responses(answered(Department=list("aabb")), harbour, form="guest", **{role: "Departement"})
    assert [issue.code for issue in error.value.issues] == ["missing_column"]


def test_respondent_column_is_the_index(harbour, answered):
    responses = read_responses(answered(code=[7.0, 8.0, 9.0, 10.0]), harbour, form="guest", respondent="code")
    assert responses.answers.index.tolist() == ["7", "8", "9", "10"]
    assert responses.answers.index.name == responses.missing.index.name == "respondent"
    assert "code" not in responses.respondents


def test_respondent_twice_in_a_wave__error_names_ids_and_rows(harbour, answered):
    with pytest.raises(ResponsesError, match=r"'p1' \(rows 0, 2\)") as error:
        read_responses(answered(id=["p1", "p2", "p1", "p3"]), harbour, form="guest", respondent="id")
    assert [issue.code for issue in error.value.issues] == ["duplicate_respondent"]


def test_respondents_that_occur_very_often__five_places_and_how_many_more(harbour, answered):
    def problem(ids, **options):
        with pytest.raises(ResponsesError) as error:
            read_responses(
                answered(len(ids), id=ids, round=[1] * len(ids)), harbour, form="guest", respondent="id", **options
            )
        (issue,) = error.value.issues
        return issue.problem

    assert problem(["p1"] * 300) == "1 respondent id occurs more than once: 'p1' (rows 0, 1, 2, 3, 4 and 295 more)."
    assert problem(["p1"] * 5, wave="round") == (
        "1 respondent id occurs more than once in a wave: 'p1' (rows 0, 1, 2, 3, 4)."
    )
    many = problem([f"p{i // 2}" for i in range(2400)])
    assert many.startswith("1,200 respondent ids occur more than once: 'p0' (rows 0, 1), ")
    assert many.endswith("'p4' (rows 8, 9) and 1,195 more.")


def test_respondent_once_in_each_wave_is_no_fault(harbour, answered):
    frame = answered(id=["p1", "p2", "p1", "p2"], round=[1, 1, 2, 2])
    responses = read_responses(frame, harbour, form="guest", respondent="id", wave="round")
    assert responses.respondents.index.tolist() == ["p1", "p2", "p1", "p2"]
    assert responses.respondents["wave"].tolist() == ["1", "1", "2", "2"]


def test_second_attempt_after_an_unfinished_one_is_no_duplicate(harbour, answered):
    frame = answered(id=["p1", "p2", "p3", "p1"])
    frame.loc[0, ["hrb_calm_1", "hrb_calm_2", "hrb_calm_3", "hrb_late_1"]] = None
    responses = read_responses(frame, harbour, form="guest", respondent="id")
    assert responses.answers.index.tolist() == ["p2", "p3", "p1"]


def test_respondent_without_id__the_row_stands_for_it_with_a_warning(harbour, answered):
    responses = read_responses(answered(id=["p1", "", None, "p2"]), harbour, form="guest", respondent="id")
    assert responses.answers.index.tolist() == ["p1", "row 1", "row 2", "p2"]
    assert issue_codes(responses) == ["missing_respondent"]


def test_ids_that_are_personal__warning(harbour, answered):
    frame = answered(mail=[f"person{i}@example.org" for i in range(4)])
    assert issue_codes(read_responses(frame, harbour, form="guest", respondent="mail")) == ["personal_ids"]


@pytest.mark.parametrize(
    "heading",
    [
        "Name", "First name", "E-mail", "Email Address", "Phone number", "IP Address", "LocationLatitude", "Your name:",
        "Nombre", "Correo electrónico", "Teléfono", "Dirección IP", "Ubicación",
        "姓名", "电子邮件", "手机", "IP地址", "位置",
        "ФИО", "Электронная почта", "Телефон", "IP-адрес", "Адрес",
        "What is your name?", "1. Name (first and last):", "Please enter your e-mail address", "Contact Details - Name",
        "staff/name", "Q1_您的姓名：", "Nombre (opcional)", "¿Cuál es su nombre?", "Qual é o seu nome?",
        "Как вас зовут?", "Wie lautet Ihr Name?", "About you [First name]", "Your telephone number (optional)",
    ],
)  # fmt: skip
def test_personal_heading__dropped_and_reported(heading, harbour, answered):
    responses = read_responses(answered(**{heading: list("abcd")}), harbour, form="guest")
    assert list(responses.respondents) == []
    assert issue_codes(responses) == ["dropped_personal_column"]


@pytest.mark.parametrize(
    "values",
    [
        ["ann@example.org", "", None, "none"],
        ["192.168.0.1", "10.0.0.7", "", ""],
        ["1.2.3.4(广东-深圳)", "x", "y", "z"],
        ["2001:db8::ff00:42:8329", "", "", ""],
        ["+34 600 123 456", "600-123-4567", "(020) 7946 0018", ""],
    ],
)
def test_personal_content__dropped_and_reported(values, harbour, answered):
    responses = read_responses(answered(Contact=values), harbour, form="guest")
    assert list(responses.respondents) == []
    assert issue_codes(responses) == ["dropped_personal_column"]


@pytest.mark.parametrize(
    ("heading", "values"),
    [
        ("Store name", ["Ann's", "Bob's", "Ann's", "Bob's"]),
        ("Started", ["2024-01-03 12:30:00", "2024-01-03 12:31:00", "2024-01-04 09:00:00", ""]),
        ("Date", ["2024-01-03", "03.01.2024", "1/3/2024", ""]),
        ("Serial", ["123456789", "223456789", "323456789", "423456789"]),
        ("Score", ["12345.678", "1.5", "2.5", "3.5"]),
        ("Comment", ["Write to the office @ noon", "ok", "fine", "no 1.2.3"]),
        ("Years", ["1999-2024", "2001-2002", "", ""]),
        ("What do we know of you? [Name]", ["Yes", "No", "", "Yes"]),
        ("What do we know of you? - Name", ["Name", "", "", "Name"]),
        ("How content are you with [Location]", ["Very", "Not", "Not", "Very"]),
        ("Name of your store", ["Ann's", "Bob's", "Ann's", "Bob's"]),
        ("Your role", ["a", "b", "a", "b"]),
    ],
)
def test_column_that_is_not_personal_is_kept(heading, values, harbour, answered):
    responses = read_responses(answered(**{heading: values}), harbour, form="guest")
    assert list(responses.respondents) == [heading]
    assert responses.respondents[heading].tolist() == values
    assert responses.intake.issues == ()


def test_unit_column_named_by_the_caller_is_kept_though_it_sounds_personal(harbour, answered):
    responses = read_responses(
        answered(Location=["Pier", "Quay", "Pier", "Quay"]), harbour, form="guest", unit="Location"
    )
    assert responses.respondents["unit"].tolist() == ["Pier", "Quay", "Pier", "Quay"]


def test_no_personal_detail_is_in_the_issues(harbour, answered):
    responses = read_responses(answered(Contact=["ann@example.org"] * 4), harbour, form="guest")
    assert "ann" not in str(responses.intake.to_frame().to_dict())


def test_repeated_background_heading__both_kept_and_reported(harbour, codes, tmp_path):
    path = tmp_path / "export.csv"
    path.write_text(",".join([*codes, "Why", "Why", ""]) + "\n1,2,3,4,5,1,a,b,c\n1,2,3,4,5,1,d,e,f\n")
    responses = read_responses(path, harbour, form="guest")
    assert list(responses.respondents) == ["Why (column G)", "Why (column H)", "(column I)"]
    assert responses.respondents["Why (column H)"].tolist() == ["b", "e"]
    assert issue_codes(responses) == ["duplicate_heading"] * 2


def test_other_column_called_unit_does_not_replace_the_unit(harbour, answered):
    responses = read_responses(answered(Branch=list("aabb"), unit=list("wxyz")), harbour, form="guest", unit="Branch")
    assert responses.respondents["unit"].tolist() == list("aabb")
    assert responses.respondents["unit (column 8)"].tolist() == list("wxyz")
    assert issue_codes(responses) == ["duplicate_heading", "small_group"]


@pytest.mark.parametrize("other", ["SALES", "Sales ", "ＳＡＬＥＳ", "Sales\u00a0"])
def test_units_that_differ_only_in_spelling_are_not_merged_but_reported(other, harbour, answered):
    responses = read_responses(answered(Branch=["Sales", other, "Sales", other]), harbour, form="guest", unit="Branch")
    assert responses.respondents["unit"].nunique() == 2
    assert issue_codes(responses) == ["similar_units", "small_group"]


def test_hostile_unit_names_come_back_unchanged(harbour, answered):
    names = ["=cmd|'/c calc'!A1", "<img src=x onerror=alert(1)>", "[bold red]x[/]", "\u202eevil\x0b"]
    responses = read_responses(answered(Branch=names), harbour, form="guest", unit="Branch")
    assert responses.respondents["unit"].tolist() == names


def test_units_too_small_to_be_shown_are_named_with_their_numbers(harbour, answered):
    units = ["Pier"] * 5 + ["Quay"] * 4 + ["Dock", None]
    responses = read_responses(answered(11, Branch=units), harbour, form="guest", unit="Branch")
    (issue,) = (issue for issue in responses.intake.issues if issue.code == "small_group")
    assert issue.severity == "warning"
    assert "2 of 3 units have fewer than 5 respondents: 'Dock' (1), 'Quay' (4)." in issue.problem


def test_units_are_counted_after_respondents_were_set_aside(harbour, answered):
    frame = answered(6, Branch=["Pier"] * 6)
    assert issue_codes(read_responses(frame, harbour, form="guest", unit="Branch")) == []
    frame.iloc[:2, :6] = None
    issues = issue_codes(read_responses(frame, harbour, form="guest", unit="Branch"))
    assert issues == ["removed_partial", "small_group"]
    assert issue_codes(read_responses(frame, harbour, form="guest", unit="Branch", minimum_completed=0)) == []


def test_small_is_what_a_diagnosis_withholds_by_itself():
    assert inspect.signature(sd.diagnose).parameters["minimum_group"].default == MINIMUM_GROUP
