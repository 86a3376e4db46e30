"""The published pages are fresh, and no instrument changes its meaning under the same version."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from servicediag.errors import InstrumentError
from servicediag.instrument import load_instrument
from servicediag.instrument.catalogue_page import catalogue_page, catalogue_pages, write_pages
from servicediag.instrument.meaning import (
    content_hashes,
    content_hashes_text,
    meaning_hash,
    read_content_hashes,
    unversioned_changes,
)

PUBLISHED = Path(__file__).parents[2] / "docs" / "instruments"
AGAIN = (
    "write the pages again: from pathlib import Path; "
    "from servicediag.instrument.catalogue_page import write_pages; write_pages(Path('docs/instruments'))"
)


def test_meaning_changes_only_with_the_version() -> None:
    changes = unversioned_changes(read_content_hashes(PUBLISHED / "content-hashes.yaml"), content_hashes())
    told = "; ".join(f"{issue.problem} {issue.remedy}" for issue in changes)
    assert changes == (), f"{told} Raise `version` in the instrument.yaml, then {AGAIN}"


def test_recorded_versions_and_hashes_are_fresh() -> None:
    published = (PUBLISHED / "content-hashes.yaml").read_text(encoding="utf-8")
    assert published == content_hashes_text(content_hashes()), AGAIN


def test_published_pages_are_fresh() -> None:
    pages = catalogue_pages()
    stale = [name for name, page in pages.items() if not _is_published(name, page)]
    assert stale == [], AGAIN
    assert sorted(path.name for path in PUBLISHED.iterdir()) == sorted([*pages, "content-hashes.yaml"])


def _is_published(name: str, page: str) -> bool:
    path = PUBLISHED / name
    return path.is_file() and path.read_text(encoding="utf-8") == page


def test_page_holds_every_item_with_key_facet_and_every_wording(catalogue: SimpleNamespace) -> None:
    page = catalogue_page(load_instrument("harbour", root=catalogue.root))
    rows = {line.split("`")[1]: line for line in page.splitlines() if line.startswith("| `hrb_")}
    assert list(rows) == ["hrb_calm_1", "hrb_calm_2", "hrb_calm_3", "hrb_calm_4", "hrb_late_1"]
    assert rows["hrb_calm_4"] == (
        "| `hrb_calm_4` | Staff shouted at each other. | Crew members shouted at each other. "
        "| reversed | opposite | 001, I |"
    )
    assert rows["hrb_late_1"] == "| `hrb_late_1` | My boat left late. | + | delay | 002, S |"


def test_page_says_how_each_form_is_scored(catalogue: SimpleNamespace) -> None:
    page = catalogue_page(load_instrument("harbour", root=catalogue.root))
    assert "| Calm | `guest`, `visitor`, `crew` | 4 | 2 |" in page
    assert "| Calm | `guest-short` | 1 | 1 |" in page
    assert (
        "- `presence3`: 1 = No; 2 = Partly; 3 = Yes. Used in `guest` (late), `visitor`, `guest-short` (late)." in page
    )


def test_page_says_status_licence_cautions_and_sources(catalogue: SimpleNamespace) -> None:
    catalogue.edit("harbour/instrument.yaml", "sources: [Written", "notes: [Mind the gap.]\nsources: [Written")
    page = catalogue_page(load_instrument("harbour", root=catalogue.root))
    for part in (
        "**Not yet validated.**",
        "CC BY 4.0",
        "- Mind the gap.",
        "- Written for the tests.",
        "version `1.2.0`",
    ):
        assert part in page, part


def test_page_lists_targets_with_their_source_where_there_are_any(catalogue: SimpleNamespace) -> None:
    without = catalogue_page(load_instrument("harbour", root=catalogue.root))
    assert "Target" not in without
    target = "block: mood\n    target: {points: 72.5, source: Agreed in 2025}"
    catalogue.edit("harbour/instrument.yaml", "block: mood", target)
    harbour = load_instrument("harbour", root=catalogue.root)
    assert "| Calm (`calm`) | 72.5 | Agreed in 2025 |" in catalogue_page(harbour)


def test_another_licence_is_named_and_its_terms_are_not_invented(catalogue: SimpleNamespace) -> None:
    catalogue.edit("harbour/instrument.yaml", "license: CC-BY-4.0", "license: All rights reserved")
    page = catalogue_page(load_instrument("harbour", root=catalogue.root))
    assert "Licence: All rights reserved." in page
    assert "free to use" not in page


def test_text_of_an_instrument_is_never_markup(catalogue: SimpleNamespace) -> None:
    hostile = "'# <b>x</b> | *y* [z](http://a.b) `c` &amp; _d_ ~e~ \\ {unit}'"
    catalogue.edit("harbour/locale/en.yaml", "My boat left late.", hostile)
    catalogue.edit("harbour/instrument.yaml", "sources: [Written", "notes: ['1. one', '- two']\nsources: [Written")
    page = catalogue_page(load_instrument("harbour", root=catalogue.root))
    (row,) = [line for line in page.splitlines() if line.startswith("| `hrb_late_1`")]
    escaped = r"\# \<b\>x\</b\> \| \*y\* \[z\](http://a.b) \`c\` \&amp; \_d\_ \~e\~ \\ {unit}"
    assert row == f"| `hrb_late_1` | {escaped} | + | delay | 002, S |"
    assert "- 1\\. one" in page
    assert "- \\- two" in page


def test_index_lists_instruments_packages_background_fields_and_rollups() -> None:
    index = catalogue_pages()["index.md"]
    for part in ("[Seven service sins](seven-sins.md)", "| `pulse` |", "| `customer_type` |", "### Service triangle"):
        assert part in index, part


def test_index_of_a_catalogue_without_shared_files(catalogue: SimpleNamespace) -> None:
    (catalogue.root / "_packages.yaml").unlink()
    pages = catalogue_pages(root=catalogue.root)
    assert sorted(pages) == ["harbour.md", "index.md", "kitchen.md"]
    assert "## Packages" not in pages["index.md"]
    assert "## Roll-ups" not in pages["index.md"]


def test_pages_do_not_change_with_a_translation(catalogue: SimpleNamespace) -> None:
    before = catalogue_pages(root=catalogue.root), content_hashes(root=catalogue.root)
    text = (catalogue.root / "kitchen/locale/en.yaml").read_text(encoding="utf-8")
    text = text.replace("language: en", "language: de").replace("status: original", "status: working translation")
    catalogue.write("kitchen/locale/de.yaml", text.replace("Heat", "Wärme"))
    catalogue.edit(
        "_scales/frequency5.yaml", "labels:\n", "labels:\n  de: {1: Nie, 2: Selten, 3: Ab und zu, 4: Oft, 5: Immer}\n"
    )
    catalogue.edit("_scales/frequency5.yaml", "missing:\n", "missing:\n  de: {not_applicable: Kam nicht vor}\n")
    assert load_instrument("kitchen", root=catalogue.root).languages == ("en", "de")
    assert (catalogue_pages(root=catalogue.root), content_hashes(root=catalogue.root)) == before


CHANGES = {
    "text": ("harbour/locale/en.yaml", "My boat left late.", "My boat left very late."),
    "stem": ("harbour/locale/en.yaml", "In {unit}, how often?", "In {unit}, how many times?"),
    "instruction": ("harbour/locale/en.yaml", "Think of your work.", "Think of your day."),
    "definition": ("harbour/locale/en.yaml", "Quiet and steady care.", "Quiet care."),
    "key": ("harbour/instrument.yaml", ", reverse_keyed: true", ""),
    "direction": ("harbour/instrument.yaml", "direction: weakness", "direction: strength"),
    "minimum answered": ("harbour/instrument.yaml", "minimum_answered: 0.5", "minimum_answered: 0.75"),
    "items of a form": ("harbour/instrument.yaml", "[hrb_calm_2, hrb_late_1]", "[hrb_calm_2]"),
    "reference period": ("harbour/instrument.yaml", "last 3 months", "last 6 months"),
    "label": ("_scales/frequency5.yaml", "2: Rarely", "2: Seldom"),
    "no-answer label": ("_scales/frequency5.yaml", "Did not apply", "Does not apply"),
    "codes": ("_scales/presence3.yaml", "codes: [1, 2, 3]", "codes: [1, 2, 4]"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_change_of_meaning_changes_the_hash_and_is_not_written(
    catalogue: SimpleNamespace, tmp_path: Path, change: str
) -> None:
    write_pages(tmp_path / "pages", root=catalogue.root)
    before = {path.name: path.read_bytes() for path in (tmp_path / "pages").iterdir()}
    catalogue.edit(*CHANGES[change])
    if change == "codes":
        catalogue.edit("_scales/presence3.yaml", "3: Yes", "4: Yes")
    with pytest.raises(InstrumentError) as caught:
        write_pages(tmp_path / "pages", root=catalogue.root)
    assert ("unversioned_change", "harbour/instrument.yaml") in [(i.code, i.where) for i in caught.value.issues]
    assert {path.name: path.read_bytes() for path in (tmp_path / "pages").iterdir()} == before


def test_change_of_meaning_with_a_new_version_is_written(catalogue: SimpleNamespace, tmp_path: Path) -> None:
    write_pages(tmp_path, root=catalogue.root)
    catalogue.edit("harbour/locale/en.yaml", "My boat left late.", "My boat left very late.")
    catalogue.edit("harbour/instrument.yaml", "version: 1.2.0", "version: 2.0.0")
    write_pages(tmp_path, root=catalogue.root)
    assert read_content_hashes(tmp_path / "content-hashes.yaml") == content_hashes(root=catalogue.root)
    assert content_hashes(root=catalogue.root)["harbour"][0] == "2.0.0"
    assert "My boat left very late." in (tmp_path / "harbour.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("harbour/instrument.yaml", "facet: pace", "facet: speed"),
        ("harbour/instrument.yaml", "sources: [Written", "notes: [New.]\nsources: [Written"),
        ("_scales/frequency5.yaml", "{5: [Always]}", "{5: [Always, Daily]}"),
    ],
)
def test_provenance_notes_and_spellings_are_no_change_of_meaning(
    catalogue: SimpleNamespace, file: str, old: str, new: str
) -> None:
    before = meaning_hash(load_instrument("harbour", root=catalogue.root))
    catalogue.edit(file, old, new)
    assert meaning_hash(load_instrument("harbour", root=catalogue.root)) == before


def test_order_of_the_items_is_part_of_the_meaning(catalogue: SimpleNamespace) -> None:
    harbour = load_instrument("harbour", root=catalogue.root)
    assert meaning_hash(replace(harbour, dimensions=harbour.dimensions[::-1])) != meaning_hash(harbour)


def test_new_instruments_need_no_record(catalogue: SimpleNamespace) -> None:
    assert unversioned_changes({}, content_hashes(root=catalogue.root)) == ()


@pytest.mark.parametrize("text", ["- a\n", "harbour: 1\n", "harbour: {version: 1.0.0}\n", "null\n"])
def test_damaged_record_of_hashes__error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "content-hashes.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InstrumentError) as caught:
        read_content_hashes(path)
    assert [issue.code for issue in caught.value.issues] == ["invalid_value"]
