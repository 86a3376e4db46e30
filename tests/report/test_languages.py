"""A report in another language holds no English of ours: sentences, titles, questions, causes, numbers."""

from __future__ import annotations

import html
import io
import pickle
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest
from rich.console import Console

import servicediag as sd
from servicediag.diagnosis import rule_texts
from servicediag.diagnosis.model import Cause, Finding, OpenQuestion, PublishedDiagnosis, Summary
from servicediag.instrument import load_instrument
from servicediag.report import print_diagnosis
from servicediag.report.json_report import document
from servicediag.wording import catalogue, languages
from servicediag.wording.plurals import CATEGORIES
from servicediag.wording.telling import Term

MARK = "§"
INSTRUMENTS = ("seven-sins", "readiness", "four-tools")
TEXTS = ("title", "text", "comparator", "abstentions", "actions", "cause", "confirming", "refuting", "undetermined",
         "untested", "headline", "strengths", "first_actions", "what", "settled_by")  # fmt: skip


@cache
def diagnosis() -> PublishedDiagnosis:
    effects = [sd.Effect("Unit 01", "seven-sins/run", -25.0)]
    sizes = {"n_units": 5, "respondents_per_unit": 45}
    responses = [
        sd.simulate("seven-sins", form="customer", seed=1, effects=effects, **sizes).responses(),
        sd.simulate("readiness", form="employee", seed=2, **sizes).responses(),
        sd.simulate("four-tools", form="receiver", seed=3, **sizes).responses(),
        sd.simulate("four-tools", form="provider", seed=4, **sizes).responses(),
    ]
    targets = {f"readiness/{state}": 75 for state in ("know", "want", "can")}
    return sd.diagnose(*responses, targets={**targets, "seven-sins/run": 80, "four-tools/feed": 90})


@cache
def small() -> PublishedDiagnosis:
    """With few tables and charts, since drawing takes time."""
    responses = [
        sd.simulate(name, form=form, n_units=2, respondents_per_unit=25, seed=seed).responses()
        for seed, (name, form) in enumerate({"readiness": "employee", "seven-sins": "customer"}.items())
    ]
    return sd.diagnose(*responses, targets={"readiness/know": 80, "seven-sins/run": 80})


@pytest.fixture
def marked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spanish is English with a mark before each fixed text, so that what comes from elsewhere shows."""
    packaged = catalogue._catalogue

    @cache
    def found(area: str, language: str) -> Mapping[str, str]:
        english = packaged(area, "en")
        if language == "en":
            return english
        plural = {key.rpartition(".")[0] for key in english if key.endswith(".one")}
        texts = {key: re.sub(r"^([A-Z][A-Z_]+: )?", rf"\1{MARK}", template, count=1)
                 for key, template in english.items()}  # fmt: skip
        texts |= {f"{key}.{form}": MARK + english[f"{key}.other"] for key in plural for form in CATEGORIES[language]}
        return {**texts, **{key: english[key] for key in english if key.startswith("finding.join.")}}

    class Everything(dict[str, Any]):
        def __missing__(self, key: str) -> str:
            return MARK + key

        def __contains__(self, key: object) -> bool:
            return True

    sections = {name: Everything() for name in ("causes", "actions", "indicators", "needs")}
    monkeypatch.setattr(catalogue, "_catalogue", found)
    monkeypatch.setattr(rule_texts, "_locale", lambda language: sections)
    monkeypatch.setattr("servicediag.diagnosis.languages.languages", lambda: ("en", "es"))


def texts_in(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """(field, text) for every text within a finding, cause or summary."""
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, tuple):
        for entry in value:
            yield from texts_in(entry, name)
    elif isinstance(value, Finding | Cause | Summary | OpenQuestion):
        for field in value.__dataclass_fields__:
            yield from texts_in(getattr(value, field), field)


def told_elsewhere() -> set[str]:
    """What instruments and data say themselves, and what is a name of the library."""
    known = {"servicediag", "α", "ω"}
    for name in INSTRUMENTS:
        instrument = load_instrument(name)
        locale = instrument.locales["es"]
        known |= {locale.title, name, *(form.id for form in instrument.forms), *(title for title, _ in
                  locale.dimensions.values()), *(d.id for d in instrument.dimensions), *instrument.sources}  # fmt: skip
        known |= {text for wordings in locale.items.values() for text in wordings.values()}
        known |= {label for scale in instrument.scales.values() for label in scale.labels.get("es", {}).values()}
    frame = diagnosis().evidence
    return known | {str(unit) for unit in frame["unit"].dropna()} | {"unit"}


@pytest.mark.usefixtures("marked")
def test_every_text_of_a_finding_is_told_in_the_language() -> None:
    told = diagnosis().in_language("es")
    assert told.language == "es"
    found = [(name, text) for value in (*told.findings, told.summary) for name, text in texts_in(value)]
    english = [(name, text) for name, text in found if name in TEXTS and text and MARK not in text]
    assert english == []
    assert {"cause", "confirming", "untested", "comparator", "headline", "settled_by"} <= {name for name, _ in found}


@pytest.mark.usefixtures("marked")
def test_titles_questions_and_answers_of_tables_are_those_of_the_questionnaire() -> None:
    told = diagnosis().in_language("es")
    instrument = load_instrument("seven-sins")
    rows = told.evidence[told.evidence["instrument"] == "seven-sins"]
    titles = {dimension: title for dimension, (title, _) in instrument.locales["es"].dimensions.items()}
    assert dict(zip(rows["dimension"], rows["title"], strict=True)) == titles
    items = told.items[told.items["instrument"] == "seven-sins"]
    assert {*items["text"]} == {instrument.text(item.code, "customer", "es") for item in instrument.items}
    answers = told.answers[told.answers["instrument"] == "seven-sins"]
    assert "Nunca" in {*answers["label"]}
    assert all(MARK in text for text in (*told.not_measured["what"], *told.indicators["title"]))


@pytest.mark.usefixtures("marked")
def test_numbers_ids_and_codes_stay_as_they_are() -> None:
    before, told = diagnosis(), diagnosis().in_language("es")
    for first, second in zip(before.findings, told.findings, strict=True):
        kept = {name: getattr(first, name) for name in TEXTS[:5]}
        assert replace(second, causes=first.causes, **kept) == first
    for name in ("gap", "n", "dimension", "tier"):
        pd.testing.assert_series_equal(before.evidence[name], told.evidence[name])


@pytest.mark.usefixtures("marked")
def test_english_comes_back_as_it_was() -> None:
    before = diagnosis()
    back = pickle.loads(pickle.dumps(before.in_language("es"))).in_language("en")
    assert (back.findings, back.summary, back.method, back.study) == (
        before.findings, before.summary, before.method, before.study)  # fmt: skip
    for name in ("evidence", "items", "indicators", "answers", "not_measured", "reliability"):
        pd.testing.assert_frame_equal(getattr(back, name), getattr(before, name))


@pytest.mark.usefixtures("marked")
def test_page_holds_no_english_of_ours(tmp_path: Path) -> None:
    page = small().to_html(tmp_path / "page.html", language="es").read_text(encoding="utf-8")
    assert '<html lang="es">' in page
    page = re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL)
    page = re.sub(r"</?(?:bdi|strong|span|br)\b[^>]*>", "", page)
    nodes = {html.unescape(text).strip() for text in re.findall(r">([^<>]+)<", page)}
    assert sorted(_english(nodes)) == []


@pytest.mark.usefixtures("marked")
def test_workbook_holds_no_english_of_ours(tmp_path: Path) -> None:
    book = openpyxl.load_workbook(diagnosis().to_excel(tmp_path / "book.xlsx", language="es"))
    cells = {
        str(cell.value).strip()
        for sheet in book if "Dictionary" not in sheet.title for row in sheet.iter_rows() for cell in row
        if isinstance(cell.value, str)
    }  # fmt: skip
    assert sorted(_english(cells)) == []
    assert all(sheet.title.startswith(MARK) for sheet in book)


def _english(texts: set[str]) -> Iterator[str]:
    """Texts of two words and more that neither the catalogue nor a questionnaire nor the data gave."""
    known = told_elsewhere()
    for text in texts:
        parts = re.split(r"\n|, \d |^\d ", text)
        if MARK in text or not re.search(r"[A-Za-z]{2,} [A-Za-z]{2,}", text) or all(part in known for part in parts):
            continue
        if not any(text.rstrip("…") in one or one in text for one in known if len(one) > 3):
            yield text


@pytest.mark.usefixtures("marked")
def test_numbers_of_the_page_have_the_mark_of_the_language(tmp_path: Path) -> None:
    page = small().to_html(tmp_path / "page.html", language="es").read_text(encoding="utf-8")
    page = re.sub(r"<style>.*?</style>|<svg.*?</svg>", "", page, flags=re.DOTALL)
    nodes = [text for text in re.findall(r">([^<>]+)<", page) if "servicediag" not in text and text != "1.0.0"]
    assert [text for text in nodes if re.search(r"\d\.\d", text)] == []
    assert any(re.search(r"\d,\d", text) for text in nodes)
    drawn = re.findall(r"<text[^>]*>([^<]*)</text>", (tmp_path / "page.html").read_text(encoding="utf-8"))
    assert [text for text in drawn if re.search(r"\d\.\d", text)] == []


@pytest.mark.usefixtures("marked")
def test_json_and_terminal_follow_the_diagnosis() -> None:
    told = diagnosis().in_language("es")
    assert document(told)["language"] == "es"
    assert document(told)["summary"]["headline"].startswith(MARK)
    assert document(diagnosis(), "es") == document(told)
    stream = io.StringIO()
    print_diagnosis(told, Console(file=stream, width=100))
    assert stream.getvalue().startswith(MARK)


def test_own_questionnaire_keeps_its_language_and_a_note_says_so(marked: None) -> None:
    before = diagnosis()
    titles = [Term(str(title), {"en": str(title)}) for title in before.evidence["title"]]
    own = before.evidence.assign(title=pd.Series(titles, index=before.evidence.index, dtype=object))
    told = replace(before, evidence=own).in_language("es")
    assert list(told.evidence["title"]) == list(before.evidence["title"])
    assert [note for note in told.study["notes"] if "in which their author gave them" in note]
    assert told.in_language("en").study["notes"] == before.study["notes"]


def test_unknown_language_is_refused_with_the_choices() -> None:
    with pytest.raises(ValueError, match="en"):
        diagnosis().in_language("xx")
    with pytest.raises(ValueError, match="xx"):
        diagnosis().to_html("page.html", language="xx")


def test_the_own_language_costs_nothing() -> None:
    assert diagnosis().in_language("en") is diagnosis()


@pytest.mark.parametrize("language", languages())
def test_every_artefact_renders_in_every_language(language: str, tmp_path: Path) -> None:
    told = small().in_language(language)
    told.to_html(tmp_path / "a.html")
    told.to_excel(tmp_path / "a.xlsx")
    told.to_slides(tmp_path / "a.pptx")
    told.to_word(tmp_path / "a.docx")
    told.to_json(tmp_path / "a.json")
    print_diagnosis(told, Console(file=io.StringIO(), width=100))
    assert len({path.suffix for path in tmp_path.iterdir()}) == 5
