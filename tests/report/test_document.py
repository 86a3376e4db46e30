"""The action plan tells findings, causes and actions, and leaves room for owner and date."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

docx = pytest.importorskip("docx")

from servicediag.diagnosis.model import Diagnosis  # noqa: E402
from servicediag.report import Theme, write_word  # noqa: E402
from servicediag.report.logo import Logo  # noqa: E402

LOGO = Logo(b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 120 40"><rect width="120" height="40"/></svg>')
THEME = Theme(organisation="Example Ltd", prepared_by="A. Adviser", logo=LOGO)


@pytest.fixture(scope="module")
def path(diagnosis: Diagnosis, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_word(diagnosis, tmp_path_factory.mktemp("plan") / "plan.docx", theme=THEME)


@pytest.fixture(scope="module")
def plan(path: Path) -> Any:
    return docx.Document(str(path))


def words(plan: Any) -> str:
    cells = (cell.text for table in plan.tables for row in table.rows for cell in row.cells)
    return "\n".join([*(paragraph.text for paragraph in plan.paragraphs), *cells])


def test_every_trouble_is_told_with_its_causes(plan: Any, diagnosis: Diagnosis) -> None:
    told = words(plan)
    for finding in diagnosis.top(40):
        assert finding.title in told
        for cause in finding.causes:
            assert cause.cause in told


def test_causes_say_how_they_stand(plan: Any) -> None:
    stands = {row.cells[1].text for table in plan.tables for row in table.rows if len(row.cells) == 3}
    assert {"Consistent with", "What speaks against", "Not measured"} <= stands


def test_actions_have_empty_columns_for_owner_and_date(plan: Any, diagnosis: Diagnosis) -> None:
    table = plan.tables[0]
    heads = [cell.text for cell in table.rows[0].cells]
    owner, date = heads.index("Owner"), heads.index("By when")
    actions = [row.cells[1].text for row in table.rows[1:]]
    assert {action for finding in diagnosis.top(40) for action in finding.actions} <= set(actions)
    assert actions[-1] == ""
    assert {row.cells[column].text for row in table.rows[1:] for column in (owner, date)} == {""}


def test_tables_and_logo_have_alt_text_and_heads_repeat(plan: Any) -> None:
    assert all(table._tbl.xpath("./w:tblPr/w:tblDescription/@w:val") for table in plan.tables)
    assert all(table.rows[0]._tr.xpath("./w:trPr/w:tblHeader") for table in plan.tables)
    assert plan.inline_shapes[0]._inline.docPr.get("descr") == "Logo: Example Ltd"


def test_same_diagnosis_gives_the_same_bytes(diagnosis: Diagnosis, path: Path, tmp_path: Path) -> None:
    assert write_word(diagnosis, tmp_path / "again.docx", theme=THEME).read_bytes() == path.read_bytes()


def test_nothing_of_the_template_or_the_clock_is_left(path: Path, plan: Any) -> None:
    assert plan.core_properties.author == "A. Adviser"
    assert plan.core_properties.created.year == 2000
    with zipfile.ZipFile(path) as archive:
        assert {entry.date_time[0] for entry in archive.infolist()} == {1980}


def test_headings_are_in_the_colour_of_the_theme(plan: Any) -> None:
    assert str(plan.styles["Heading 1"].font.color.rgb) == Theme().primary[1:].upper()


def test_diagnosis_without_findings_gives_a_plan_with_room(empty_diagnosis: Diagnosis, tmp_path: Path) -> None:
    plan = docx.Document(str(write_word(empty_diagnosis, tmp_path / "plan.docx")))
    assert "First find the cause" in words(plan)
    assert len(plan.tables[0].rows) == 4


@pytest.mark.parametrize("text", ["", "🙂" * 40, "unit " * 60, "<w:b/>&amp;", "a\x00b\x0bc"])
def test_hostile_texts_still_give_a_document(
    diagnosis: Diagnosis, spoilt: Callable[[Diagnosis, str], Diagnosis], tmp_path: Path, text: str
) -> None:
    plan = docx.Document(str(write_word(spoilt(diagnosis, text), tmp_path / "plan.docx")))
    assert "\x00" not in words(plan)


def test_other_suffix_and_missing_package_are_refused(
    diagnosis: Diagnosis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match=r"\.docx"):
        write_word(diagnosis, tmp_path / "plan.doc")
    monkeypatch.setattr("servicediag.report.office.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"servicediag\[word\]"):
        write_word(diagnosis, tmp_path / "plan.docx")


def test_actions_name_the_weak_points_by_the_numbers_of_their_headings(plan: Any) -> None:
    heads = {p.text for p in plan.paragraphs if p.style.name == "Heading 2"}
    table = plan.tables[0]
    served = [line for row in table.rows[1:] for line in row.cells[2].text.split("\n") if line]
    assert served
    assert set(served) <= heads


def test_heads_of_tables_stay_with_their_rows(plan: Any) -> None:
    for table in plan.tables:
        assert all(p.paragraph_format.keep_with_next for cell in table.rows[0].cells for p in cell.paragraphs)
