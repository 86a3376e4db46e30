"""The answer sheet: what people see, what the drop-downs offer, and that it is read back as it was filled in."""

from __future__ import annotations

import random
import re
import shutil
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import openpyxl
import pytest
from openpyxl.worksheet.worksheet import Worksheet

import servicediag as sd
from servicediag.instrument.catalogue import instrument_ids, instruments_root
from servicediag.instrument.model import Instrument, Scale

FORMS = [(i, form.id) for i in instrument_ids(instruments_root()) for form in sd.load_instrument(i).forms]
FIRST_ITEM, FIRST_ROW, LAST_ROW = 4, 3, 502


@pytest.fixture
def sins() -> Instrument:
    return sd.load_instrument("seven-sins")


def with_text(instrument: Instrument, texts: dict[str, str]) -> Instrument:
    """The same instrument, with other wordings of some items."""
    locale = instrument.locales["en"]
    items = {c: (dict.fromkeys(wordings, texts[c]) if c in texts else wordings) for c, wordings in locale.items.items()}
    return replace(instrument, locales={"en": replace(locale, items=items)})


def with_labels(instrument: Instrument, labels: dict[int, str]) -> Instrument:
    """The same instrument, with other labels on every response scale."""
    scales = {
        scale_id: Scale(scale.id, tuple(labels), {"en": labels}, {"en": {"dont_know": "Cannot say"}})
        for scale_id, scale in instrument.scales.items()
    }
    return replace(instrument, scales=scales)


def item_columns(sheet: Worksheet) -> dict[str, int]:
    return {str(cell.value): cell.column for cell in sheet[2] if cell.column >= FIRST_ITEM}


def drop_downs(book: openpyxl.Workbook) -> dict[int, list[str]]:
    """Column -> labels that its drop-down offers in every row meant for answers."""
    sheet = book.worksheets[0]
    found = {}
    for validation in sheet.data_validations.dataValidation:
        if validation.type != "list":
            continue
        (area,) = validation.sqref.ranges
        assert (area.min_row, area.max_row) == (FIRST_ROW, LAST_ROW)
        name, _, cells = validation.formula1.rpartition("!")
        labels = [str(row[0].value) for row in book[name.strip("'$")][cells.replace("$", "")]]
        found.update(dict.fromkeys(range(area.min_col, area.max_col + 1), labels))
    return found


def bands(path: Path) -> list[tuple[int, int, str]]:
    """First and last column (from 1) and text of every shape on the first sheet."""
    spaces = {
        "a": "http://schemas.openxmlformats.org/drawingml/2006/main",
        "x": "http://schemas.openxmlformats.org/drawingml/2006/spreadsheetDrawing",
    }
    with zipfile.ZipFile(path) as archive:
        root = ElementTree.fromstring(archive.read("xl/drawings/drawing1.xml"))
    return [
        (
            int(anchor.findtext("x:from/x:col", namespaces=spaces)) + 1,
            int(anchor.findtext("x:to/x:col", namespaces=spaces)) + 1,
            "".join(part.text or "" for part in anchor.iterfind(".//a:t", spaces)),
        )
        for anchor in root.iterfind("x:twoCellAnchor", spaces)
    ]


def visible_text(book: openpyxl.Workbook) -> str:
    sheets = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
    rows = [row for sheet in sheets for row in sheet if not sheet.row_dimensions[row[0].row].hidden]
    return "\n".join(str(cell.value) for row in rows for cell in row if cell.value is not None)


class TestWhatTheWorkbookHolds:
    @pytest.mark.parametrize(("instrument_id", "form"), FORMS)
    def test_every_question_with_its_code_and_its_answers(self, tmp_path, instrument_id, form):
        instrument = sd.load_instrument(instrument_id)
        book = openpyxl.load_workbook(sd.write_answer_sheet(instrument, tmp_path / "a.xlsx", form=form))
        sheet = book.worksheets[0]
        assert [cell.value for cell in sheet[2]][:3] == ["respondent", "unit", "wave"]
        assert [cell.value for cell in sheet[1]][:3] == ["Respondent", "Unit", "Wave"]
        columns = item_columns(sheet)
        assert list(columns) == [item.code for item in instrument.form_items(form)]
        offered = drop_downs(book)
        assert set(offered) == set(columns.values())
        for code, column in columns.items():
            assert sheet.cell(1, column).value == instrument.text(code, form)
            expected = [*instrument.options(code, form).values(), *instrument.missing_options(code, form).values()]
            assert offered[column] == expected

    @pytest.mark.parametrize(("instrument_id", "form"), FORMS)
    def test_hidden_sheet_tells_what_was_asked(self, tmp_path, instrument_id, form):
        book = openpyxl.load_workbook(sd.write_answer_sheet(instrument_id, tmp_path / "a.xlsx", form=form))
        assert [sheet.sheet_state for sheet in book.worksheets] == ["visible", "visible", "veryHidden"]
        hidden = book["servicediag"]
        version = sd.load_instrument(instrument_id).version
        assert [[cell.value for cell in row] for row in hidden["A1:B4"]] == [
            ["instrument", instrument_id],
            ["form", form],
            ["language", "en"],
            ["version", version],
        ]

    def test_codes_are_hidden_and_questions_stay_in_view(self, tmp_path):
        sheet = openpyxl.load_workbook(sd.write_answer_sheet("readiness", tmp_path / "a.xlsx")).worksheets[0]
        assert sheet.row_dimensions[2].hidden
        assert not sheet.row_dimensions[1].hidden
        assert sheet.freeze_panes == "D3"
        assert all(cell.alignment.wrap_text for cell in sheet[1])
        assert sheet.max_row == 2

    def test_respondent_unit_and_wave_stay_text(self, tmp_path):
        sheet = openpyxl.load_workbook(sd.write_answer_sheet("readiness", tmp_path / "a.xlsx")).worksheets[0]
        assert [sheet.column_dimensions[letter].number_format for letter in "ABC"] == ["@", "@", "@"]

    @pytest.mark.parametrize(("instrument_id", "form"), FORMS)
    def test_every_question_stands_below_its_lead_in(self, tmp_path, instrument_id, form):
        instrument = sd.load_instrument(instrument_id)
        path = sd.write_answer_sheet(instrument, tmp_path / "a.xlsx", form=form)
        above = {column: text for first, last, text in bands(path) for column in range(first, last + 1)}
        sheet = openpyxl.load_workbook(path).worksheets[0]
        for code, column in item_columns(sheet).items():
            assert above[column] == instrument.stem(code, form).replace("{unit}", "this unit")

    def test_lead_in_appears_when_a_cell_is_chosen(self, tmp_path):
        sheet = openpyxl.load_workbook(
            sd.write_answer_sheet("four-tools", tmp_path / "a.xlsx", form="provider")
        ).worksheets[0]
        prompts = {str(v.sqref).partition("3:")[0]: v.prompt for v in sheet.data_validations.dataValidation}
        assert prompts["D"].startswith("How adequately has this unit provided each of these")
        assert all(0 < len(prompt) <= 255 for prompt in prompts.values())

    def test_guide_says_in_plain_words_what_it_is(self, tmp_path, sins):
        guide = openpyxl.load_workbook(sd.write_answer_sheet(sins, tmp_path / "a.xlsx")).worksheets[1]
        read = "\n".join(str(row[0].value) for row in guide if row[0].value)
        frame = sins.locales["en"].forms["customer"]
        assert read.startswith(frame.title)
        for expected in (frame.instruction, "not yet validated", "CC-BY-4.0", "this unit", "room for 500"):
            assert expected in read
        assert all(f"{n}. {item}" in read for n, item in enumerate(map(sins.text, (i.code for i in sins.items)), 1))
        assert " · ".join(sins.options("sin_apathy_1").values()) in read

    @pytest.mark.parametrize("form", ["customer", "observer", "mystery-shopper"])
    def test_respondents_see_no_loaded_names(self, tmp_path, sins, form):
        book = openpyxl.load_workbook(sd.write_answer_sheet(sins, tmp_path / "a.xlsx", form=form))
        seen = f"{visible_text(book)}\n{book.properties.title}\n{book.properties.subject}".lower()
        assert [d.title for d in sins.dimensions if re.search(rf"\b{re.escape(d.title.lower())}\b", seen)] == []
        assert re.search(r"\bsins?\b", seen) is None

    def test_placeholder_of_the_unit_is_filled_everywhere(self, tmp_path):
        for instrument_id, form in FORMS:
            path = sd.write_answer_sheet(instrument_id, tmp_path / "a.xlsx", form=form, overwrite=True)
            with zipfile.ZipFile(path) as archive:
                assert all("{unit}" not in archive.read(name).decode() for name in archive.namelist())


class TestSafety:
    def test_text_never_becomes_a_formula_or_a_link(self, tmp_path, sins):
        hostile = [
            "=1+1",
            "+1",
            "-1",
            "@SUM(A1)",
            "http://example.org",
            '=HYPERLINK("http://x")',
            "<b>&amp;",
            "=cmd|x!A1",
        ]
        texts = {item.code: text for item, text in zip(sins.items, hostile, strict=False)}
        changed = with_text(with_labels(sins, {1: "=1+1", 2: "-2", 3: "0123", 4: "@A1", 5: "a,b"}), texts)
        path = sd.write_answer_sheet(changed, tmp_path / "a.xlsx")
        with zipfile.ZipFile(path) as archive:
            sheets = [archive.read(n).decode() for n in archive.namelist() if n.startswith("xl/worksheets/sheet")]
            assert not any("hyperlink" in name.lower() for name in archive.namelist())
        assert not any("<f>" in sheet or "<hyperlink" in sheet for sheet in sheets)
        book = openpyxl.load_workbook(path)
        sheet = book.worksheets[0]
        assert [sheet.cell(1, FIRST_ITEM + n).value for n in range(len(hostile))] == hostile
        assert {cell.data_type for cell in sheet[1]} == {"s"}
        assert drop_downs(book)[FIRST_ITEM] == ["=1+1", "-2", "0123", "@A1", "a,b", "Cannot say"]

    def test_answers_longer_than_a_typed_list_allows(self, tmp_path, sins):
        labels = {code: f"Answer {code}, {'very ' * 20}long" for code in range(1, 6)}
        assert len(",".join(labels.values())) > 255
        book = openpyxl.load_workbook(sd.write_answer_sheet(with_labels(sins, labels), tmp_path / "a.xlsx"))
        assert drop_downs(book)[FIRST_ITEM] == [*labels.values(), "Cannot say"]

    def test_long_question_is_whole_in_its_cell_and_shortened_in_the_help(self, tmp_path, sins):
        long = "word " * 300 + "end"
        sheet = openpyxl.load_workbook(
            sd.write_answer_sheet(with_text(sins, {"sin_apathy_1": long}), tmp_path / "a.xlsx")
        ).worksheets[0]
        assert sheet.cell(1, FIRST_ITEM).value == long
        assert sheet.row_dimensions[1].height <= 409
        prompts = [v.prompt for v in sheet.data_validations.dataValidation]
        assert max(map(len, prompts)) <= 255
        assert any(prompt.endswith("…") for prompt in prompts)


class TestWriting:
    @pytest.mark.parametrize(("instrument_id", "form"), FORMS)
    def test_same_instrument_same_bytes(self, tmp_path, instrument_id, form):
        first = sd.write_answer_sheet(instrument_id, tmp_path / "a.xlsx", form=form).read_bytes()
        folder = instruments_root() / instrument_id
        assert sd.write_answer_sheet(str(folder), tmp_path / "b.xlsx", form=form).read_bytes() == first
        loaded = sd.load_instrument(instrument_id)
        assert sd.write_answer_sheet(loaded, tmp_path / "c.xlsx", form=form).read_bytes() == first

    def test_forms_differ(self, tmp_path):
        contents = {
            sd.write_answer_sheet(i, tmp_path / f"{n}.xlsx", form=f).read_bytes() for n, (i, f) in enumerate(FORMS)
        }
        assert len(contents) == len(FORMS)

    def test_default_is_the_first_form(self, tmp_path):
        book = openpyxl.load_workbook(sd.write_answer_sheet("four-tools", tmp_path / "a.xlsx"))
        assert book["servicediag"]["B2"].value == "receiver"

    def test_existing_file_is_replaced_only_on_request(self, tmp_path):
        path = tmp_path / "a.xlsx"
        path.write_text("filled in already")
        with pytest.raises(FileExistsError):
            sd.write_answer_sheet("seven-sins", path)
        assert path.read_text() == "filled in already"
        sd.write_answer_sheet("seven-sins", str(path), overwrite=True)
        assert len(openpyxl.load_workbook(path).worksheets) == 3

    @pytest.mark.parametrize(
        ("changes", "error", "message"),
        [
            ({"form": "clients"}, ValueError, "customer"),
            ({"language": "xx"}, ValueError, "language='xx'"),
            ({"instrument": "seven-sinns"}, ValueError, "seven-sins"),
            ({"path": "answers.xls"}, ValueError, r"must end in \.xlsx"),
            ({"path": "nowhere/answers.xlsx"}, FileNotFoundError, "does not exist"),
        ],
    )
    def test_wrong_arguments_name_the_choices_and_leave_no_file(self, tmp_path, changes, error, message):
        arguments = {"instrument": "seven-sins", "path": "answers.xlsx", **changes}
        instrument, path = arguments.pop("instrument"), tmp_path / arguments.pop("path")
        with pytest.raises(error, match=message):
            sd.write_answer_sheet(instrument, path, **arguments)
        assert list(tmp_path.iterdir()) == []

    def test_language_without_fixed_words_keeps_its_own_questions(self, tmp_path, sins):
        locale = replace(sins.locales["en"], language="eo")
        scales = {
            scale.id: replace(scale, labels={"eo": scale.labels["en"]}, missing={"eo": scale.missing["en"]})
            for scale in sins.scales.values()
        }
        other = replace(sins, languages=("eo",), locales={"eo": locale}, scales=scales)
        book = openpyxl.load_workbook(sd.write_answer_sheet(other, tmp_path / "a.xlsx", language="eo"))
        assert book["servicediag"]["B3"].value == "eo"
        assert book.worksheets[0]["A1"].value == "Respondent"


def fill(path: Path, n: int = 40, seed: int = 1) -> dict[str, list[str | None]]:
    """Fill the sheet in as people do: labels from the lists, some options without an answer, some empty cells."""
    chance = random.Random(seed)
    book = openpyxl.load_workbook(path)
    sheet = book.worksheets[0]
    filled: dict[str, list[str | None]] = {}
    for code, column in item_columns(sheet).items():
        labels = drop_downs(book)[column]
        filled[code] = [None if chance.random() < 0.03 else chance.choice(labels) for _ in range(n)]
        for row, label in enumerate(filled[code], FIRST_ROW):
            sheet.cell(row, column).value = label
    for row in range(FIRST_ROW, FIRST_ROW + n):
        sheet.cell(row, 1).value = f"{row - FIRST_ROW:03}"
        sheet.cell(row, 2).value = "North" if row % 2 else "Süd"
        sheet.cell(row, 3).value = "2025-03"
    book.save(path)
    return filled


def check_read_back(path: Path, instrument_id: str, form: str, filled: dict[str, list[str | None]]) -> None:
    responses = sd.read_responses(path, instrument_id, minimum_completed=0)
    assert (responses.instrument.id, responses.form) == (instrument_id, form)
    assert responses.intake.platform == "answer_sheet"
    assert list(responses.answers.columns) == list(filled)
    n = len(next(iter(filled.values())))
    assert responses.respondents["unit"].tolist() == [
        "North" if row % 2 else "Süd" for row in range(FIRST_ROW, FIRST_ROW + n)
    ]
    assert responses.respondents["wave"].tolist() == ["2025-03"] * n
    for code, labels in filled.items():
        codes = {label: number for number, label in responses.instrument.options(code, form).items()}
        reasons = {label: reason for reason, label in responses.instrument.missing_options(code, form).items()}
        expected = [codes.get(label) for label in labels]
        assert [None if v != v else int(v) for v in responses.answers[code]] == expected
        found = responses.missing[code].tolist()
        assert found == ["" if label in codes else reasons.get(label, "blank") for label in labels]


class TestReadingBack:
    @pytest.mark.parametrize(("instrument_id", "form"), FORMS)
    def test_answers_come_back_as_they_were_chosen(self, tmp_path, instrument_id, form):
        path = sd.write_answer_sheet(instrument_id, tmp_path / "a.xlsx", form=form)
        check_read_back(path, instrument_id, form, fill(path))

    def test_sheet_that_nobody_filled_in_is_refused(self, tmp_path):
        path = sd.write_answer_sheet("readiness", tmp_path / "a.xlsx")
        with pytest.raises(sd.ResponsesError):
            sd.read_responses(path, "readiness")


@pytest.mark.skipif(shutil.which("soffice") is None, reason="LibreOffice is not installed")
class TestLibreOffice:
    def test_sheet_survives_being_saved_by_it(self, tmp_path):
        path = sd.write_answer_sheet("four-tools", tmp_path / "a.xlsx", form="provider")
        filled = fill(path)
        before = drop_downs(openpyxl.load_workbook(path))
        saved = tmp_path / "saved"
        profile = (tmp_path / "profile").as_uri()
        command = [
            "soffice",
            f"-env:UserInstallation={profile}",
            "--headless",
            "--convert-to",
            "xlsx",
            "--outdir",
            saved,
        ]
        subprocess.run([*command, path], check=True, capture_output=True, timeout=120)
        book = openpyxl.load_workbook(saved / "a.xlsx")
        assert drop_downs(book) == before
        assert book["servicediag"].sheet_state != "visible"
        assert book.worksheets[0].row_dimensions[2].hidden
        check_read_back(saved / "a.xlsx", "four-tools", "provider", filled)
