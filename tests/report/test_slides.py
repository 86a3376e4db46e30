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

from servicediag.diagnosis.model import Diagnosis  # noqa: E402
from servicediag.report import Theme, write_slides  # noqa: E402
from servicediag.report.logo import Logo  # noqa: E402
from servicediag.report.publication import FRAMES, printable  # noqa: E402
from servicediag.report.slides import slide_contents  # noqa: E402

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
