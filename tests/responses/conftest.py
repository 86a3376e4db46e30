"""A small instrument in three languages and four forms, and ways to put answers to it into files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import openpyxl
import pandas as pd
import pytest

from servicediag.errors import ResponsesError
from servicediag.instrument.model import Dimension, Form, FormText, Instrument, Item, Locale, Scale
from servicediag.responses import read_responses

FREQUENCY = Scale(
    "frequency",
    (1, 2, 3, 4, 5),
    {
        "en": {1: "Never", 2: "Rarely", 3: "Sometimes", 4: "Often", 5: "Almost always"},
        "es": {1: "Nunca", 2: "Rara vez", 3: "A veces", 4: "A menudo", 5: "Casi siempre"},
        "ru": {1: "Никогда", 2: "Редко", 3: "Иногда", 4: "Часто", 5: "Почти всегда"},
    },
    {"en": {"not_applicable": "Did not apply"}, "es": {"dont_know": "No lo sé"}},
    {"en": {5: ("Always",)}},
)
PRESENCE = Scale("presence", (0, 1), {"en": {0: "No", 1: "Yes"}, "es": {0: "No", 1: "Sí"}, "ru": {0: "Нет", 1: "Да"}})
AGREEMENT = Scale("agreement", (1, 2, 3), {"en": {1: "Disagree", 2: "Neither", 3: "Agree"}})

TEXTS = {
    "hrb_calm_1": {"guest": "Staff kept calm", "crew": "We keep calm"},
    "hrb_calm_2": {"guest": "Staff listened - and answered", "crew": "We listen to guests"},
    "hrb_calm_3": {"guest": "Staff hurried me", "crew": "We hurry guests"},
    "hrb_calm_4": {"guest": "Staff helped at once", "crew": "We help at once"},
    "hrb_late_1": {"guest": "The boat was late", "crew": "Our boat is late"},
    "hrb_late_2": {"guest": "The office was shut", "crew": "Our office is shut"},
}
SPANISH = {
    "hrb_calm_1": "El personal mantuvo la calma",
    "hrb_calm_2": "El personal escuchó",
    "hrb_calm_3": "El personal me metió prisa",
    "hrb_calm_4": "El personal ayudó enseguida",
    "hrb_late_1": "El barco llegó tarde",
    "hrb_late_2": "La oficina estaba cerrada",
}
RUSSIAN = {
    "hrb_calm_1": "Сотрудники были спокойны",
    "hrb_calm_2": "Сотрудники слушали",
    "hrb_calm_3": "Сотрудники меня торопили",
    "hrb_calm_4": "Сотрудники сразу помогли",
    "hrb_late_1": "Катер опоздал",
    "hrb_late_2": "Контора была закрыта",
}


def _locale(language: str, texts: dict[str, dict[str, str]]) -> Locale:
    form = FormText("Title", "Instruction", {"default": "Stem"})
    forms = dict.fromkeys(("guest", "crew", "inspector", "guest-short"), form)
    return Locale(language, "original", "Harbour", "", forms, {"calm": ("Calm", ""), "late": ("Late", "")}, texts)


def _harbour() -> Instrument:
    calm = tuple(Item(f"hrb_calm_{i}", "calm", "frequency", 1, 5, reverse_keyed=i == 3) for i in range(1, 5))
    late = (Item("hrb_late_1", "late", "frequency", 1, 5), Item("hrb_late_2", "late", "frequency", 1, 5))
    every = tuple(item.code for item in (*calm, *late))
    return Instrument(
        "harbour",
        "1.0.0",
        "Harbour",
        ("en", "es", "ru"),
        (
            Form("guest", "customer", every, "guest"),
            Form("crew", "employee", every, "crew"),
            Form("inspector", "mystery_shopper", every, "guest", dict.fromkeys(every, "presence")),
            Form("guest-short", "customer", ("hrb_calm_1", "hrb_calm_2", "hrb_late_1"), "guest", short_of="guest"),
        ),
        (
            Dimension("calm", "Calm", "strength", "reflective", calm, minimum_answered=0.7),
            Dimension("late", "Late", "weakness", "formative", late),
        ),
        {"frequency": FREQUENCY, "presence": PRESENCE},
        {
            "en": _locale("en", TEXTS),
            "es": _locale("es", {code: {"guest": text} for code, text in SPANISH.items()}),
            "ru": _locale("ru", {code: {"guest": text} for code, text in RUSSIAN.items()}),
        },
    )


def _kitchen() -> Instrument:
    items = (Item("kit_heat_1", "heat", "agreement", 1, 3), Item("kit_heat_2", "heat", "agreement", 1, 3))
    texts = {"kit_heat_1": {"cook": "The kitchen is hot"}, "kit_heat_2": {"cook": "The stove works"}}
    form_text = {"cook": FormText("Title", "Instruction", {"default": "Stem"})}
    locale = Locale("en", "original", "Kitchen", "", form_text, {"heat": ("Heat", "")}, texts)
    return Instrument(
        "kitchen",
        "1.0.0",
        "Kitchen",
        ("en",),
        (Form("cook", "employee", ("kit_heat_1", "kit_heat_2"), "cook"),),
        (Dimension("heat", "Heat", "strength", "reflective", items),),
        {"agreement": AGREEMENT},
        {"en": locale},
    )


@pytest.fixture(scope="session")
def harbour() -> Instrument:
    """Six items, a reverse-keyed one, in the forms guest, crew, inspector (0-1) and guest-short."""
    return _harbour()


@pytest.fixture(scope="session")
def kitchen() -> Instrument:
    """Two items in one form."""
    return _kitchen()


@pytest.fixture(scope="session")
def codes(harbour: Instrument) -> list[str]:
    """The item codes of the harbour instrument."""
    return [item.code for item in harbour.items]


@pytest.fixture
def answered(codes: list[str]) -> Callable[..., pd.DataFrame]:
    """Make a frame in which every item is answered with 1 to 5; columns can be replaced, added, or left out (None)."""

    def make(n: int = 4, **columns: Sequence[object] | None) -> pd.DataFrame:
        frame = pd.DataFrame({code: [(i + j) % 5 + 1 for i in range(n)] for j, code in enumerate(codes)}, dtype=object)
        for name, values in columns.items():
            if values is None:
                del frame[name]
            else:
                frame[name] = values
        return frame

    return make


@pytest.fixture
def faults() -> Callable[..., list[str]]:
    """Read, expect a ResponsesError, and give the codes of its issues."""

    def read(*arguments: object, **keywords: object) -> list[str]:
        with pytest.raises(ResponsesError) as error:
            read_responses(*arguments, **keywords)  # type: ignore[arg-type]
        assert all(issue.severity == "error" and issue.where and issue.problem for issue in error.value.issues)
        return [issue.code for issue in error.value.issues]

    return read


@pytest.fixture
def workbook(tmp_path: Path) -> Callable[..., Path]:
    """Write rows into the sheets of a workbook: ``workbook(Data=[["a"], [1]], first=(3, 2))``."""

    def write(first: tuple[int, int] = (1, 1), **sheets: Sequence[Sequence[object]]) -> Path:
        book = openpyxl.Workbook()
        book.remove(book.active)
        for name, rows in sheets.items():
            sheet = book.create_sheet(name)
            for i, row in enumerate(rows):
                for j, value in enumerate(row):
                    sheet.cell(first[0] + i, first[1] + j, value)
        path = tmp_path / "answers.xlsx"
        book.save(path)
        return path

    return write
