"""The names that users were promised exist, load, and take the arguments that were promised."""

import inspect
import subprocess
import sys

import pytest

import servicediag as sd

SIGNATURES = {
    "list_instruments": [],
    "load_instrument": ["id_or_path"],
    "read_responses": [
        "source", "instrument", "form", "language", "sheet", "columns", "unit", "wave", "respondent", "missing_codes",
        "minimum_completed", "encoding", "header_row", "limits", "progress",
    ],
    "screen": ["responses", "duration", "cuts"],
    "score": ["responses"],
    "reliability": ["responses", "by"],
    "build_evidence": ["responses", "by"],
    "diagnose": [
        "responses_or_evidence", "by", "targets", "population", "population_size", "rules", "minimum_group",
        "smallest_gap", "seed",
    ],
    "plan": [
        "gap", "n_units", "power", "tier", "n_scales", "icc", "reliability", "n_items", "response_rate",
        "minimum_group", "n_simulations", "seed", "progress",
    ],
    "write_answer_sheet": ["instrument", "path", "form", "language", "overwrite"],
}  # fmt: skip

ATTRIBUTES = {
    "Instrument": ["items", "text", "options", "to_frame"],
    "Responses": [
        "answers", "missing", "keyed", "dimension", "part", "instruments", "instrument", "form", "drop",
    ],
    "Intake": ["to_frame", "save_mapping", "annotate"],
    "Screening": ["to_frame", "flagged", "rules", "describe", "compare"],
    "Scores": ["by", "to_frame"],
    "Reliability": ["to_frame", "items"],
    "Evidence": ["merge", "to_frame"],
    "StudyPlan": ["to_frame", "describe", "plot"],
    "Diagnosis": ["top", "to_frame", "to_excel", "to_html", "to_json", "plot"],
}  # fmt: skip

PSYCHOMETRICS = ["cronbach_alpha", "mcdonald_omega", "item_analysis", "standard_error_of_measurement"]


@pytest.mark.parametrize("name", sd.__all__)
def test_public_name_loads(name):
    assert getattr(sd, name) is not None


@pytest.mark.parametrize("name", SIGNATURES)
def test_function_takes_the_promised_arguments(name):
    parameters = inspect.signature(getattr(sd, name)).parameters
    missing = [argument for argument in SIGNATURES[name] if argument not in parameters]
    assert missing == []


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_class_has_the_promised_attributes(name):
    missing = [attribute for attribute in ATTRIBUTES[name] if not hasattr(getattr(sd, name), attribute)]
    assert missing == []


@pytest.mark.parametrize("name", PSYCHOMETRICS)
def test_psychometrics_function_exists(name):
    assert callable(getattr(sd.psychometrics, name))


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        sd.nonsense  # noqa: B018


def test_importing_the_package_loads_nothing_heavy():
    code = "import sys, servicediag; print(sorted({'numpy','pandas','scipy','pydantic','altair'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_errors_form_one_tree():
    for error in (sd.InstrumentError, sd.ResponsesError, sd.InsufficientDataError):
        assert issubclass(error, sd.ServicediagError)
    assert issubclass(sd.ServicediagWarning, UserWarning)


def test_issues_survive_in_the_message():
    issue = sd.Issue("out_of_range", "error", "survey.xlsx, sheet A, C7", "9 is above 5.", "Correct the cell.")
    error = sd.ResponsesError("survey.xlsx: 1 problem", (issue,))
    assert error.issues == (issue,)
    assert "C7: 9 is above 5. Correct the cell. [out_of_range]" in str(error)
