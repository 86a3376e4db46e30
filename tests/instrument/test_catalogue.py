"""The catalogue: finding it, listing it, and loading from it or from a path."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

import servicediag.instrument
from servicediag.errors import InstrumentError
from servicediag.instrument import (
    Package,
    PackagePart,
    instruments_root,
    list_instruments,
    list_packages,
    load_instrument,
    load_package,
)

PACKAGE = Path(servicediag.instrument.__file__).parents[1]


def test_listing_has_a_row_an_instrument(catalogue: SimpleNamespace) -> None:
    frame = list_instruments(root=catalogue.root)
    assert frame.columns.tolist() == ["id", "title", "version", "forms", "languages", "n_items"]
    assert frame.to_dict("records") == [
        {
            "id": "harbour",
            "title": "Harbour mood",
            "version": "1.2.0",
            "forms": ("guest", "visitor", "crew", "guest-short"),
            "languages": ("en",),
            "n_items": 5,
        },
        {
            "id": "kitchen",
            "title": "Warm food",
            "version": "0.1.0",
            "forms": ("cook",),
            "languages": ("en",),
            "n_items": 2,
        },
    ]


def test_listing_ignores_what_is_no_instrument(catalogue: SimpleNamespace) -> None:
    catalogue.write("_rules/instrument.yaml", "broken: [")
    catalogue.write("Not-an-id/instrument.yaml", "broken: [")
    catalogue.write("con/instrument.yaml", "broken: [")
    catalogue.write("drafts/notes.yaml", "broken: [")
    assert list_instruments(root=catalogue.root)["id"].tolist() == ["harbour", "kitchen"]


def test_listing_puts_the_original_language_first(catalogue: SimpleNamespace) -> None:
    catalogue.edit("kitchen/instrument.yaml", "prefix: kit", "prefix: kit\noriginal_language: fr")
    catalogue.write("kitchen/locale/fr.yaml", "language: fr\ntitle: Plats chauds\n")
    catalogue.write("kitchen/locale/de.yaml", "language: de\ntitle: Warmes Essen\n")
    row = list_instruments(root=catalogue.root).set_index("id").loc["kitchen"]
    assert (row["title"], row["languages"]) == ("Plats chauds", ("fr", "de", "en"))


def test_listing_of_an_empty_catalogue_has_the_columns(tmp_path: Path) -> None:
    frame = list_instruments(root=tmp_path)
    assert frame.columns.tolist() == ["id", "title", "version", "forms", "languages", "n_items"]
    assert len(frame) == 0


def test_listing_reports_every_faulty_instrument(catalogue: SimpleNamespace) -> None:
    catalogue.edit("harbour/instrument.yaml", "version: 1.2.0", "version: one")
    catalogue.edit("kitchen/instrument.yaml", "direction: strength", "direction: strong")
    with pytest.raises(InstrumentError) as caught:
        list_instruments(root=catalogue.root)
    assert [(issue.code, issue.where) for issue in caught.value.issues] == [
        ("invalid_value", "harbour/instrument.yaml:2"),
        ("unknown_value", "kitchen/instrument.yaml:11"),
    ]


def test_loading_does_not_change_between_calls(catalogue: SimpleNamespace) -> None:
    first = load_instrument("harbour", root=catalogue.root)
    assert load_instrument("harbour", root=catalogue.root) == first
    catalogue.edit("harbour/locale/en.yaml", "title: Harbour mood", "title: Port mood")
    assert load_instrument("harbour", root=catalogue.root).title == "Port mood"


def test_unknown_id__error_names_choices_and_the_nearest(catalogue: SimpleNamespace) -> None:
    with pytest.raises(ValueError, match=r"id_or_path='harbor'.*'harbour', 'kitchen'.*Did you mean 'harbour'\?"):
        load_instrument("harbor", root=catalogue.root)


@pytest.mark.parametrize("hostile", ["CON", "con", "", "x" * 300, "Harbour", "_scales", "har bour", "harbour\n"])
def test_text_that_is_no_id_and_no_path__error(catalogue: SimpleNamespace, hostile: str) -> None:
    with pytest.raises(ValueError, match="choose from 'harbour', 'kitchen'"):
        load_instrument(hostile, root=catalogue.root)


@pytest.mark.parametrize(
    "path",
    ["../../etc/passwd", "no/such/folder", "./harbour", "absent.yaml", "a\\b", "no\0such/folder", "./" + "x" * 300],
)
def test_path_that_does_not_exist__unreadable(
    catalogue: SimpleNamespace, path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InstrumentError) as caught:
        load_instrument(path, root=catalogue.root)
    assert [issue.code for issue in caught.value.issues] == ["unreadable_file"]


def test_file_that_is_no_instrument__unreadable(catalogue: SimpleNamespace) -> None:
    with pytest.raises(InstrumentError) as caught:
        load_instrument(catalogue.root / "harbour" / "locale" / "en.yaml")
    assert [issue.code for issue in caught.value.issues] == ["unreadable_file"]


def test_folder_without_instrument__unreadable(tmp_path: Path) -> None:
    with pytest.raises(InstrumentError) as caught:
        load_instrument(tmp_path)
    assert [(issue.code, issue.where) for issue in caught.value.issues] == [
        ("unreadable_file", f"{tmp_path.as_posix()}/instrument.yaml")
    ]


def test_argument_of_another_type__error() -> None:
    with pytest.raises(TypeError, match="id_or_path"):
        load_instrument(3)  # type: ignore[arg-type]


def test_folder_and_file_and_text_are_the_same_path(
    catalogue: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_id = load_instrument("harbour", root=catalogue.root)
    folder = catalogue.root / "harbour"
    monkeypatch.chdir(catalogue.root)
    for path in (folder, folder / "instrument.yaml", str(folder), str(folder / "instrument.yaml"), "./harbour"):
        assert load_instrument(path) == by_id


def test_id_of_a_folder_outside_the_catalogue_is_found_in_the_working_folder(
    catalogue: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(catalogue.root / "kitchen", tmp_path / "own")
    monkeypatch.chdir(tmp_path)
    assert load_instrument("own", root=catalogue.root).id == "kitchen"


def test_id_of_the_catalogue_wins_over_a_folder(
    catalogue: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "work" / "harbour").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "work")
    assert load_instrument("harbour", root=catalogue.root).id == "harbour"


def test_instrument_by_path_may_carry_its_scales_and_be_named_otherwise(
    catalogue: SimpleNamespace, tmp_path: Path
) -> None:
    folder = tmp_path / "My own folder"
    shutil.copytree(catalogue.root / "kitchen", folder)
    file = folder / "instrument.yaml"
    scales = (
        "scales:\n  - id: warmth4\n    codes: [1, 2, 3, 4]\n    labels: {en: {1: Cold, 2: Cool, 3: Warm, 4: Hot}}\n"
    )
    file.write_text(file.read_text(encoding="utf-8").replace("frequency5", "warmth4") + scales, encoding="utf-8")
    kitchen = load_instrument(folder)
    assert kitchen.id == "kitchen"
    assert kitchen.options("kit_heat_1") == {1: "Cold", 2: "Cool", 3: "Warm", 4: "Hot"}


def test_instrument_by_path_uses_scales_beside_it_before_the_catalogue(
    catalogue: SimpleNamespace, tmp_path: Path
) -> None:
    folder = tmp_path / "own" / "kitchen"
    shutil.copytree(catalogue.root / "kitchen", folder)
    assert load_instrument(folder, root=catalogue.root).options("kit_heat_1")[1] == "Never"
    beside = tmp_path / "own" / "_scales" / "frequency5.yaml"
    beside.parent.mkdir()
    text = (catalogue.root / "_scales" / "frequency5.yaml").read_text(encoding="utf-8")
    beside.write_text(text.replace("Never", "Not once"), encoding="utf-8")
    assert load_instrument(folder, root=catalogue.root).options("kit_heat_1")[1] == "Not once"


def test_faults_of_an_instrument_by_path_name_that_path(catalogue: SimpleNamespace) -> None:
    catalogue.edit("harbour/instrument.yaml", "default: presence3", "default: yesno")
    with pytest.raises(InstrumentError) as caught:
        load_instrument(catalogue.root / "harbour")
    assert [issue.where for issue in caught.value.issues] == [
        f"{catalogue.root.as_posix()}/{catalogue.line('harbour/instrument.yaml', 'yesno')}"
    ]


def test_package_names_its_parts(catalogue: SimpleNamespace) -> None:
    assert load_package("both", root=catalogue.root) == Package(
        "both",
        "Both instruments",
        (PackagePart("harbour", "guest", 5), PackagePart("kitchen", "cook", 1, ("kit_heat_1",))),
    )
    frame = list_packages(root=catalogue.root)
    assert frame.to_dict("records") == [
        {
            "id": "both",
            "title": "Both instruments",
            "parts": ("harbour:guest", "kitchen:cook"),
            "n_items": 6,
            "minutes": 2,
        }
    ]


def test_item_count_of_a_package_follows_the_form(catalogue: SimpleNamespace) -> None:
    catalogue.edit("_packages.yaml", "form: guest", "form: guest-short")
    assert load_package("both", root=catalogue.root).n_items == 3
    catalogue.edit("harbour/instrument.yaml", "items: [hrb_calm_2, hrb_late_1]", "items: [hrb_calm_2]")
    assert load_package("both", root=catalogue.root).n_items == 2


@pytest.mark.parametrize(("n_items", "minutes"), [(1, 1), (4, 1), (5, 2), (9, 2), (10, 3), (45, 10), (46, 11)])
def test_minutes_are_rounded_up_at_four_and_a_half_items_a_minute(n_items: int, minutes: int) -> None:
    assert Package("x", "X", (PackagePart("harbour", "guest", n_items),)).minutes == minutes


def test_unknown_package__error_names_choices(catalogue: SimpleNamespace) -> None:
    with pytest.raises(ValueError, match=r"package_id='bot'.*'both'.*Did you mean 'both'\?"):
        load_package("bot", root=catalogue.root)


def test_catalogue_without_packages(catalogue: SimpleNamespace) -> None:
    (catalogue.root / "_packages.yaml").unlink()
    frame = list_packages(root=catalogue.root)
    assert frame.columns.tolist() == ["id", "title", "parts", "n_items", "minutes"]
    with pytest.raises(ValueError, match="empty"):
        load_package("both", root=catalogue.root)


@pytest.mark.parametrize(
    ("old", "new", "code", "line"),
    [
        ("instrument: harbour", "instrument: harbor", "unknown_instrument", 5),
        ("instrument: harbour", "instrument: ../harbour", "invalid_value", 5),
        ("form: guest", "form: gest", "unknown_form", 5),
        ("items: [kit_heat_1]", "items: [kit_heat_9]", "unknown_item", 6),
        ("items: [kit_heat_1]", "items: [kit_heat_1, kit_heat_1]", "duplicate_id", 6),
        ("instrument: kitchen, form: cook", "instrument: harbour, form: crew", "duplicate_id", 6),
        ("title: Both", "titel: Both", "unknown_key", 3),
        (
            "packages:",
            "packages:\n  - {id: both, title: x, parts: [{instrument: kitchen, form: cook}]}",
            "duplicate_id",
            3,
        ),
    ],
)
def test_faulty_package__error_with_line(catalogue: SimpleNamespace, old: str, new: str, code: str, line: int) -> None:
    catalogue.edit("_packages.yaml", old, new)
    for call in (lambda: load_package("both", root=catalogue.root), lambda: list_packages(root=catalogue.root)):
        with pytest.raises(InstrumentError) as caught:
            call()
        assert (code, f"_packages.yaml:{line}") in [(issue.code, issue.where) for issue in caught.value.issues]


def test_checkout_has_the_catalogue_beside_src() -> None:
    root = instruments_root()
    assert root.joinpath("_scales").is_dir()
    if PACKAGE.parent.name == "src" and not (PACKAGE / "instruments").exists():
        assert Path(str(root)) == PACKAGE.parents[1] / "instruments"


SCRIPT = """
import servicediag.instrument as instrument
print(type(instrument.instruments_root()).__module__)
print(list(instrument.list_instruments()["id"]))
harbour = instrument.load_instrument("harbour")
print(harbour.options("hrb_calm_1")[5], instrument.load_package("both").id, len(harbour.content_hash))
print([issue.code for issue in instrument.lint_catalogue() if issue.severity == "error"])
"""


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_package_data_is_used_where_the_package_is_installed(
    catalogue: SimpleNamespace, tmp_path: Path, kind: str
) -> None:
    files = {
        f"servicediag/instruments/{p.relative_to(catalogue.root).as_posix()}": p for p in catalogue.root.rglob("*.yaml")
    }
    files |= {f"servicediag/{name}": PACKAGE / name for name in ("errors.py", "results.py")}
    files |= {f"servicediag/instrument/{path.name}": path for path in (PACKAGE / "instrument").glob("*.py")}
    target = tmp_path / ("site.zip" if kind == "zip" else "site")
    if kind == "zip":
        with zipfile.ZipFile(target, "w") as archive:
            archive.writestr("servicediag/__init__.py", "")
            for name, path in files.items():
                archive.write(path, name)
    else:
        for name, path in files.items():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target / name)
        (target / "servicediag" / "__init__.py").write_text("", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT],
        env={**os.environ, "PYTHONPATH": str(target)},
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1:] == ["['harbour', 'kitchen']", "Almost always both 64", "[]"]
    assert ("zipfile" in done.stdout.splitlines()[0]) == (kind == "zip")
