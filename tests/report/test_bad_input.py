"""Whatever the units are called, and however little may be shown, every format is a sensible report."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from servicediag.diagnosis.engine import diagnose
from servicediag.diagnosis.model import Diagnosis
from servicediag.report import write_excel, write_html, write_json, write_slides, write_word
from servicediag.report.page import MAXIMUM_UNITS
from servicediag.simulation import AnswerProcess, Effect, simulate
from servicediag.wording import languages, text

NAMES = (
    "Very long " * 30, "☎️ Hotline 👩‍👩‍👧‍👦", "فرع الرياض", "=cmd|'/c calc'!A1", "<script>alert(1)</script>",
    "Night\u202etfihs", "  ", "客户服务中心", "a/b\\c:d*e?f[g]",
)  # fmt: skip
WRITERS: dict[str, Callable[..., Path]] = {
    "html": write_html, "xlsx": write_excel, "pptx": write_slides, "docx": write_word, "json": write_json,
}  # fmt: skip


def study(n_units: int, people: int, **options: Any) -> Diagnosis:
    made = simulate(
        [("four-tools", "receiver")], n_units=n_units, respondents_per_unit=people, seed=5,
        process=AnswerProcess(icc=0.0), **options,
    )  # fmt: skip
    return diagnose(made.responses())


@pytest.fixture(scope="module")
def oddly_named() -> Diagnosis:
    effects = [Effect(name, "four-tools/feed", -30) for name in NAMES[:6]]
    return study(len(NAMES), 20, unit_names=NAMES, effects=effects)


@pytest.fixture(scope="module")
def many_units() -> Diagnosis:
    return study(4 * MAXIMUM_UNITS, 6, effects=[Effect("Unit 003", "four-tools/feed", -60)])


@pytest.fixture(scope="module")
def all_withheld() -> Diagnosis:
    return study(3, 4)


@pytest.fixture(scope="module")
def nothing_found() -> Diagnosis:
    return study(3, 8)


CASES = ("oddly_named", "many_units", "all_withheld", "nothing_found")


@pytest.mark.parametrize("suffix", WRITERS)
@pytest.mark.parametrize("case", CASES)
def test_every_format_is_written_and_opens(
    case: str, suffix: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    path = WRITERS[suffix](request.getfixturevalue(case), tmp_path / f"r.{suffix}")
    if suffix in ("html", "json"):
        assert path.read_text(encoding="utf-8").rstrip().endswith("</html>" if suffix == "html" else "}")
        return
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        parts = {name: archive.read(name) for name in archive.namelist()}
    assert all(b"\x00" not in content for name, content in parts.items() if name.endswith(".xml"))
    assert not any(b"<f>" in content for name, content in parts.items() if name.startswith("xl/worksheets/"))


def test_names_are_told_apart_and_never_run(
    oddly_named: Diagnosis, tmp_path: Path, read_page: Callable[[str], Any]
) -> None:
    page = write_html(oddly_named, tmp_path / "r.html").read_text(encoding="utf-8")
    reader = read_page(page)
    assert not [tag for tag, _ in reader.tags if tag == "script"]
    heads = [text for text in reader.texts if text in {"فرع الرياض", "客户服务中心", "<script>alert(1)</script>"}]
    assert set(heads) == {"فرع الرياض", "客户服务中心", "<script>alert(1)</script>"}
    assert "\u202e" not in page


def test_a_page_of_many_units_stays_small_and_links_to_each(many_units: Diagnosis, tmp_path: Path) -> None:
    page = write_html(many_units, tmp_path / "r.html")
    assert page.stat().st_size < 2_000_000
    files = sorted((tmp_path / "r-units").iterdir())
    assert len(files) == 4 * MAXIMUM_UNITS + 1
    linked = re.findall(r'href="r-units/([^"]+)"', page.read_text(encoding="utf-8"))
    assert sorted(linked) == [file.name for file in files]


@pytest.mark.parametrize("language", languages())
def test_where_every_unit_is_withheld_none_has_a_number_and_the_report_says_so(
    all_withheld: Diagnosis, tmp_path: Path, language: str, read_page: Callable[[str], Any]
) -> None:
    assert all_withheld.evidence["unit"].isna().all()
    assert len(all_withheld.withheld)
    page = write_html(all_withheld, tmp_path / "r.html", language=language).read_text(encoding="utf-8")
    assert text("report.count.withheld", language, count=len(all_withheld.withheld)) in page
    assert text("report.every_unit", language) in read_page(page).texts
    book = openpyxl.load_workbook(write_excel(all_withheld, tmp_path / "r.xlsx", language=language))
    rows = book[text("report.sheet.scales.title", language)].iter_rows(min_row=2, values_only=True)
    assert {row[0] for row in rows} == {text("report.whole_organisation", language)}


@pytest.mark.parametrize("language", languages())
def test_where_nothing_is_found_the_report_says_so_without_praise(
    nothing_found: Diagnosis, tmp_path: Path, language: str
) -> None:
    assert not nothing_found.top(1)
    page = write_html(nothing_found, tmp_path / "r.html", language=language).read_text(encoding="utf-8")
    assert nothing_found.in_language(language).summary.headline in page
    assert text("report.brief.no_strength", language) in page or nothing_found.summary.strengths
