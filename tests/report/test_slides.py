"""Slides say the finding, can be edited, and embed nothing but published numbers."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest

pptx = pytest.importorskip("pptx")

from servicediag import Effect, diagnose, load_instrument, simulate  # noqa: E402
from servicediag.diagnosis.model import Diagnosis  # noqa: E402
from servicediag.report import Theme, write_slides  # noqa: E402
from servicediag.report.logo import Logo  # noqa: E402
from servicediag.report.publication import FRAMES, printable  # noqa: E402
from servicediag.report.slide_content import Bullets  # noqa: E402
from servicediag.report.slides import _fitting, slide_contents  # noqa: E402

LOGO = Logo(b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 120 40"><rect width="120" height="40"/></svg>')


@pytest.fixture(scope="module")
def path(diagnosis: Diagnosis, tmp_path_factory: pytest.TempPathFactory) -> Path:
    theme = Theme(organisation="Example Ltd", logo=LOGO)
    return write_slides(diagnosis, tmp_path_factory.mktemp("slides") / "talk.pptx", theme=theme)


@pytest.fixture(scope="module")
def deck(path: Path) -> Any:
    return pptx.Presentation(str(path))


def workbooks(path: Path) -> Iterator[Any]:
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if name.startswith("ppt/embeddings/"):
                yield openpyxl.load_workbook(io.BytesIO(archive.read(name)))


def cells(path: Path) -> list[Any]:
    return [cell for book in workbooks(path) for sheet in book for row in sheet.iter_rows() for cell in row]


def published_numbers(diagnosis: Diagnosis) -> set[float]:
    frames = [getattr(printable(diagnosis), name).select_dtypes("number") for name in FRAMES]
    return {round(float(v), 6) for frame in frames for v in frame.to_numpy().ravel() if pd.notna(v)}


def test_there_are_ten_to_fifteen_slides(deck: Any, empty_diagnosis: Diagnosis) -> None:
    assert 10 <= len(deck.slides) <= 15
    assert 10 <= len(slide_contents(empty_diagnosis)) <= 15


def test_every_slide_has_a_title_and_notes(deck: Any) -> None:
    for slide in deck.slides:
        assert slide.shapes.title.text_frame.text.strip()
        assert "does not prove" in slide.notes_slide.notes_text_frame.text


def test_titles_state_findings(diagnosis: Diagnosis) -> None:
    titles = {slide.key: slide.title for slide in slide_contents(diagnosis)}
    worst = diagnosis.evidence.loc[diagnosis.evidence["gap"].idxmin()]
    assert worst["unit"] in titles["gaps"]
    assert f"{abs(worst['gap']):.1f}" in titles["gaps"]
    assert titles["finding"] == diagnosis.top(1)[0].title


def test_charts_tables_and_pictures_have_alt_text_and_decoration_is_marked(deck: Any) -> None:
    for slide in deck.slides:
        for shape in slide.shapes:
            drawing = shape._element.xpath(".//p:cNvPr")[0]
            if shape.has_chart or shape.has_table or shape.shape_type == pptx.enum.shapes.MSO_SHAPE_TYPE.PICTURE:
                assert drawing.get("descr")


def test_embedded_workbooks_hold_only_published_numbers(path: Path, diagnosis: Diagnosis) -> None:
    known = published_numbers(diagnosis)
    found = 0
    for book in workbooks(path):
        for sheet in book:
            names = [str(cell.value) for cell in sheet[1]]
            columns = list(zip(*sheet.iter_rows(min_row=2, values_only=True), strict=True))
            for name, column in zip(names[1:], columns[1:], strict=True):
                for place, value in enumerate(column):
                    if value is None:
                        continue
                    if "95% limit" in name:
                        base = columns[names.index(name.partition(",")[0])][place]
                        value = base - value if "lower" in name else base + value
                    assert any(abs(value - number) < 1e-5 for number in known), (name, value)
                    found += 1
    assert found > 20


def test_withheld_unit_is_in_no_embedded_workbook(diagnosis: Diagnosis, tmp_path: Path) -> None:
    unit = "Customer contact centre"
    frames = {name: getattr(diagnosis, name) for name in FRAMES if name != "withheld"}
    kept = {name: f[f["unit"] != unit] if "unit" in f else f for name, f in frames.items()}
    findings = tuple(finding for finding in diagnosis.findings if finding.unit != unit)
    place = {"by": "department", "unit": unit, "rule": "minimum_group"}
    withheld = pd.concat([diagnosis.withheld, pd.DataFrame([place])], ignore_index=True).astype(object)
    hidden = replace(diagnosis, findings=findings, withheld=withheld.where(withheld.notna(), None), **kept)
    path = write_slides(hidden, tmp_path / "talk.pptx")
    assert not any(unit in str(cell.value) for cell in cells(path))
    with zipfile.ZipFile(path) as archive:
        assert not any(unit.encode() in archive.read(n) for n in archive.namelist() if n.startswith("ppt/charts/"))


def test_text_of_a_chart_is_never_a_formula(
    diagnosis: Diagnosis, spoilt: Callable[[Diagnosis, str], Diagnosis], tmp_path: Path
) -> None:
    path = write_slides(spoilt(diagnosis, '=HYPERLINK("http://x.example","y")'), tmp_path / "talk.pptx")
    assert any("HYPERLINK" in str(cell.value) for cell in cells(path))
    assert {cell.data_type for cell in cells(path)} <= {"s", "n"}
    assert not any(cell.hyperlink for cell in cells(path))


def test_same_diagnosis_gives_the_same_bytes(diagnosis: Diagnosis, path: Path, tmp_path: Path) -> None:
    theme = Theme(organisation="Example Ltd", logo=LOGO)
    again = write_slides(diagnosis, tmp_path / "again.pptx", theme=theme)
    assert again.read_bytes() == path.read_bytes()


def test_nothing_of_the_template_or_the_clock_is_left(path: Path, deck: Any) -> None:
    assert deck.core_properties.author == "Example Ltd"
    assert deck.core_properties.created.year == deck.core_properties.modified.year == 2000
    with zipfile.ZipFile(path) as archive:
        assert {entry.date_time[0] for entry in archive.infolist()} == {1980}
        assert not any("thumbnail" in name for name in archive.namelist())


def test_charts_are_native_and_show_intervals(deck: Any) -> None:
    charts = [shape.chart for slide in deck.slides for shape in slide.shapes if shape.has_chart]
    assert len(charts) >= 3
    assert any(chart._chartSpace.xpath(".//c:errBars") for chart in charts)


def test_theme_is_in_the_presentation(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        theme = archive.read("ppt/theme/theme1.xml").decode()
    assert Theme().primary[1:].upper() in theme
    assert "Calibri" not in theme.partition("</a:fontScheme>")[0].partition("<a:font script")[0]


@pytest.mark.parametrize("text", ["", "🙂" * 40, "unit " * 60, "שלום‮abc", "<b>&amp;</b>", "a\x00b\x0bc"])
def test_hostile_texts_still_give_slides(
    diagnosis: Diagnosis, spoilt: Callable[[Diagnosis, str], Diagnosis], tmp_path: Path, text: str
) -> None:
    path = write_slides(spoilt(diagnosis, text), tmp_path / "talk.pptx")
    assert 10 <= len(pptx.Presentation(str(path)).slides) <= 15


def test_nothing_lies_outside_the_slide(deck: Any) -> None:
    for slide in deck.slides:
        for shape in slide.shapes:
            assert shape.left >= 0
            assert shape.left + shape.width <= deck.slide_width
            assert shape.top + shape.height <= deck.slide_height


def test_other_suffix_and_existing_file_are_refused(diagnosis: Diagnosis, path: Path) -> None:
    with pytest.raises(ValueError, match=r"\.pptx"):
        write_slides(diagnosis, path.with_suffix(".ppt"))
    with pytest.raises(FileExistsError):
        write_slides(diagnosis, path)


def test_missing_package_is_named(diagnosis: Diagnosis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("servicediag.report.office.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"servicediag\[slides\]"):
        write_slides(diagnosis, tmp_path / "talk.pptx")
    assert not list(tmp_path.iterdir())


def shown_tables(deck: Any) -> list[Any]:
    return [shape.table for slide in deck.slides for shape in slide.shapes if shape.has_table]


def test_no_text_of_ours_is_cut_where_a_table_has_room(deck: Any) -> None:
    heads = [cell.text for table in shown_tables(deck) for cell in table.rows[0].cells]
    assert not [head for head in heads if head.endswith("…")]
    causes = next(table for table in shown_tables(deck) if table.cell(0, 1).text == "Consistent with")
    assert not [cell.text for row in causes.rows for cell in row.cells if cell.text.endswith("…")]


def test_heads_of_a_table_have_one_size(deck: Any) -> None:
    for table in shown_tables(deck):
        sizes = {run.font.size for cell in table.rows[0].cells for p in cell.text_frame.paragraphs for run in p.runs}
        assert len(sizes) == 1


def test_a_cause_stands_in_one_column_only(diagnosis: Diagnosis) -> None:
    slide = next(slide for slide in slide_contents(diagnosis) if slide.key == "causes")
    for _, consistent, _, untested in slide.body.rows:
        assert not {cause for cause in untested.split("; ") if cause != "–"} & set(consistent.split("; "))


def test_without_a_strength_the_highest_levels_are_listed(diagnosis: Diagnosis) -> None:
    calm = tuple(f for f in diagnosis.findings if f.direction != "better" and f.kind != "strength")
    summary = replace(diagnosis.summary, strengths=("Healthiest: 'Coldness', health 90.3.",))
    slide = next(s for s in slide_contents(replace(diagnosis, findings=calm, summary=summary)) if s.key == "strengths")
    assert slide.title == "Healthiest: 'Coldness', health 90.3."
    levels = [float(row[-1]) for row in slide.body.rows]
    assert len(levels) == 5
    assert levels == sorted(levels, reverse=True)
    whole = diagnosis.evidence[diagnosis.evidence["unit"].isna()]
    assert levels[0] == pytest.approx(whole["health"].max(), abs=0.05001)


def test_answers_of_opposed_questions_are_not_mixed_under_one_legend() -> None:
    effect = Effect("Unit 01", "condesc", -30)
    study = simulate("seven-sins", n_units=4, respondents_per_unit=60, effects=[effect], seed=3)
    published = diagnose(study.responses())
    slide = next(slide for slide in slide_contents(published) if slide.key == "answers")
    assert published.top(1)[0].dimension == "condesc"
    sins = load_instrument("seven-sins")
    opposed = {sins.text(item.code) for item in sins.items if item.reverse_keyed}
    assert slide.body.categories
    assert not [name for name in slide.body.categories if name in opposed]
    assert "Shown: 4 of 5" in slide.lead
    worst = slide.body.series[0]
    items = published.items[(published.items["unit"] == "Unit 01") & (published.items["dimension"] == "condesc")]
    weakest = items.loc[items["health"].idxmin()]
    assert slide.body.categories[0] == weakest["text"]
    assert worst.name == "Almost always"


def test_rows_of_wide_letters_are_higher(tmp_path: Path, diagnosis: Diagnosis) -> None:
    heights = {}
    for language in ("en", "zh-Hans"):
        path = write_slides(diagnosis, tmp_path / f"{language}.pptx", language=language)
        table = shown_tables(pptx.Presentation(str(path)))[-1]
        size = table.cell(1, 0).text_frame.paragraphs[0].runs[0].font.size
        heights[language] = table.rows[1].height / size
    assert heights["zh-Hans"] > heights["en"]


@pytest.mark.parametrize("number", [3, 3_000])
def test_bullets_that_fit_are_the_first_ones_whatever_their_number(number: int) -> None:
    entries = tuple((f"Unit {position}", "fewer than 5 answers") for position in range(number))
    size, shown = _fitting(Bullets(entries), (0.6, 1.5, 12.0, 5.0))
    assert tuple(shown) == entries[: len(shown)]
    assert len(shown) == 3 if number == 3 else 8 < len(shown) < 20
    assert size == (20 if number == 3 else 14)
