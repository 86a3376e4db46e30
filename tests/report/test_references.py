"""Readers see titles where the diagnosis holds ids."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from servicediag.diagnosis.model import Diagnosis, OpenQuestion, Summary
from servicediag.instrument import list_instruments
from servicediag.report.json_report import document
from servicediag.report.publication import printable
from servicediag.report.references import spelled
from servicediag.wording import languages

UNTESTED = "Not measured: seven-sins/rule; the instrument 'Service culture' (service-culture) would test it."


@pytest.mark.parametrize("language", languages())
@pytest.mark.parametrize("sentence", [
    "readiness/know, readiness/want", "customer-outcomes", "scu_coop_1", "breach_rate", "attitude-life-cycle/retain",
    "请用customer-outcomes问卷", UNTESTED,
])  # fmt: skip
def test_no_id_of_the_catalogue_is_left(sentence: str, language: str) -> None:
    told = spelled(sentence, language)
    assert not re.search(r"[a-z]/[a-z]|[a-z]_[a-z]", told)
    assert not [name for name in list_instruments()["id"] if "-" in name and name in told]


def test_titles_stand_in_the_language_behind_them_their_questionnaire() -> None:
    assert spelled("readiness/know, readiness/want", "zh-Hans") == "“懂得”、“愿意”（懂得、愿意、能够）"
    assert spelled("churn", "ru") == "«Доля потерянных клиентов»"


def test_the_number_of_cases_of_a_record_stands_behind_its_title() -> None:
    told = spelled("operations data: breach_rate and breach_rate_n, the promises due", "en")
    assert told == "operations data: 'Share of promises broken' and its number of cases, the promises due"
    assert spelled("breach_rate_n", "ru") == "число случаев"


def test_a_questionnaire_called_by_a_common_word_is_told_in_lists() -> None:
    assert spelled("ask with: service-culture, readiness", "en") == "ask with: 'Service culture', 'Know, want and can'"
    assert spelled("ask with: readiness; bring: age_band", "en").startswith("ask with: 'Know, want and can'; ")
    assert spelled("service-culture shows readiness", "en") == "'Service culture' shows readiness"


def test_a_long_list_is_cut_and_says_so() -> None:
    told = spelled("seven-sins/apathy, seven-sins/brush, seven-sins/cold, seven-sins/robot, seven-sins/rule", "en")
    assert told.count("'") == 6
    assert "and 2 more" in told


@pytest.mark.parametrize("sentence", ["a cross-sectional survey", "own-scale/own_dimension", "readiness", "and/or",
                                      "Desk-7", "seven-sins/nothing", "tenure and churn are words"])  # fmt: skip
def test_what_the_catalogue_does_not_know_stays(sentence: str) -> None:
    assert spelled(sentence, "en") == sentence


def test_only_what_people_read_is_spelled_out(diagnosis: Diagnosis) -> None:
    summary = Summary("Headline", (), (), (), (OpenQuestion("seven-sins/rule", UNTESTED),))
    diagnosis = replace(diagnosis, summary=summary)
    assert "seven-sins/rule" not in str(printable(diagnosis).summary)
    assert "seven-sins/rule" in str(document(diagnosis))
