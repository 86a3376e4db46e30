"""Pages of documentation, made from the instrument files: one for each instrument, and an index."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from importlib.resources.abc import Traversable
from pathlib import Path

from servicediag.errors import InstrumentError
from servicediag.instrument.background import load_background
from servicediag.instrument.catalogue import (
    ITEMS_PER_MINUTE,
    instrument_ids,
    instruments_root,
    load_instrument,
    read_packages,
)
from servicediag.instrument.meaning import (
    content_hashes,
    content_hashes_text,
    read_content_hashes,
    unversioned_changes,
)
from servicediag.instrument.model import Dimension, Form, FormText, Instrument, Item, Scale
from servicediag.instrument.rollups import load_rollups

__all__ = ["catalogue_page", "catalogue_pages", "write_pages"]

_HASHES = "content-hashes.yaml"
_MADE = "<!-- Made from the instrument files by servicediag.instrument.catalogue_page.write_pages; do not edit. -->"
_RATERS = {
    "customer": "customers",
    "employee": "employees",
    "supervisor": "supervisors",
    "mystery_shopper": "mystery shoppers",
    "auditor": "auditors",
    "leader": "leaders",
    "hr": "the HR department",
    "peer": "colleagues",
    "internal_customer": "internal customers",
}
_LICENSES = {"CC-BY-4.0": "[CC BY 4.0](https://creativecommons.org/licenses/by/4.0/)"}
_MEASUREMENT = {
    "reflective": "The items are signs of one thing, so they should agree; reliability coefficients apply.",
    "formative": "A list of separate facts that need not agree: read it item by item, without internal consistency.",
    "ordered_stages": "A stage in a fixed order; stages are compared with each other and never averaged.",
    "non_compensatory": "One of several conditions, each of which can block: look for the lowest instead of averaging.",
    "single": "One item, without internal consistency.",
}
_EVIDENCE = "Evidence: S stated by the source, S\\~ implied by it, I inferred by the authors. The key + is direct."
_INLINE = re.compile(r"([\\`*_\[\]<>|~&])")
_START = re.compile(r"^(?:[#+=-]|[0-9]+[.)])")


def catalogue_page(instrument: Instrument) -> str:
    """An instrument as a Markdown page in its original language.

    Parameters
    ----------
    instrument : Instrument

    Returns
    -------
    str
        Constructs, forms, items with keys and facets, response scales, scoring, cautions, sources and licence. Text of
        the instrument is escaped, so it is never read as markup.

    Examples
    --------
    >>> page = catalogue_page(load_instrument("programme-launch"))
    >>> [line for line in page.splitlines() if line.startswith("## ")][:3]
    ['## What it measures', '## Forms', '## Items']
    """
    locale = instrument.locales[instrument.languages[0]]
    lines = [
        _MADE,
        "",
        f"# {_plain(locale.title)}",
        "",
        f"**{_plain(_sentence(instrument.status))}** "
        f"Id `{instrument.id}`, version `{instrument.version}`, {_count(len(instrument.items), 'item')}, "
        f"original language `{instrument.languages[0]}`, licence {_license(instrument)}.",
        "",
        _plain(locale.definition),
        "",
        *_constructs(instrument),
        *_forms(instrument),
        *_items(instrument),
        *_scales(instrument),
        *_scoring(instrument),
        "## Cautions",
        "",
        *(f"- {_plain(note)}" for note in instrument.notes),
        "",
        "## Sources",
        "",
        *(f"- {_plain(source)}" for source in instrument.sources),
        "",
        "## Licence",
        "",
        _terms(instrument),
    ]
    return "\n".join(lines) + "\n"


def catalogue_pages(*, root: Traversable | None = None) -> dict[str, str]:
    """Every page of a catalogue by file name: ``<id>.md``, and ``index.md``.

    Raises
    ------
    InstrumentError
        A file of the catalogue is faulty.

    Examples
    --------
    >>> "seven-sins.md" in catalogue_pages()
    True
    """
    catalogue = instruments_root() if root is None else root
    instruments = [load_instrument(instrument_id, root=catalogue) for instrument_id in instrument_ids(catalogue)]
    pages = {f"{instrument.id}.md": catalogue_page(instrument) for instrument in instruments}
    return {**pages, "index.md": _index(instruments, catalogue)}


def write_pages(folder: Path, *, root: Traversable | None = None) -> tuple[Path, ...]:
    """Write every page, and the hashes of the instruments' meaning; ``docs/instruments`` holds the published ones.

    Parameters
    ----------
    folder : Path
        Made where it is missing.
    root : Traversable, optional
        Folder of another catalogue; default is the one that comes with servicediag.

    Returns
    -------
    tuple of Path
        The files written.

    Raises
    ------
    InstrumentError
        The meaning of an instrument has changed since the folder was written, but not its version
        (``unversioned_change``); or a file of the catalogue is faulty. Nothing is written then.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     [path.name for path in write_pages(Path(folder))][-2:]
    ['index.md', 'content-hashes.yaml']
    """
    hashes = content_hashes(root=root)
    changes = unversioned_changes(read_content_hashes(folder / _HASHES), hashes)
    if changes:
        raise InstrumentError(f"{len(changes)} instruments have changed under the same version", changes)
    files = {**catalogue_pages(root=root), _HASHES: content_hashes_text(hashes)}
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, text in files.items():
        path = folder / name
        path.write_text(text, encoding="utf-8", newline="\n")
        written.append(path)
    return tuple(written)


def _plain(text: str) -> str:
    """Text as one line of Markdown that shows exactly this text."""
    escaped = _INLINE.sub(r"\\\1", " ".join(text.split()))
    if match := _START.match(escaped):
        return f"{escaped[: match.end() - 1]}\\{escaped[match.end() - 1 :]}"
    return escaped


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _license(instrument: Instrument) -> str:
    return _LICENSES.get(instrument.license) or _plain(instrument.license or "not stated")


def _terms(instrument: Instrument) -> str:
    if instrument.license not in _LICENSES:
        return f"Licence: {_license(instrument)}."
    return (
        f"{_license(instrument)}: free to use, adapt and pass on, with credit to the authors. Say what you changed, "
        "and give a changed instrument an id of its own."
    )


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [heads, ["---"] * len(heads), *rows]
    return [f"| {' | '.join(cells)} |" for cells in lines] + [""]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _constructs(instrument: Instrument) -> list[str]:
    rows = [
        (
            f"{_plain(dimension.title)} (`{dimension.id}`)",
            _plain(dimension.definition),
            "good" if dimension.direction == "strength" else "bad",
            dimension.measurement.replace("_", "-"),
            str(len(dimension.items)),
        )
        for dimension in instrument.dimensions
    ]
    kinds = dict.fromkeys(dimension.measurement for dimension in instrument.dimensions)
    return [
        "## What it measures",
        "",
        *_table(("Dimension", "Meaning", "A high score is", "Measurement", "Items"), rows),
        *(f"- *{kind.replace('_', '-')}*: {_MEASUREMENT[kind]}" for kind in kinds),
        "",
        *_targets(instrument),
    ]


def _targets(instrument: Instrument) -> list[str]:
    rows = [
        (
            f"{_plain(dimension.title)} (`{dimension.id}`)",
            f"{dimension.target.points:g}",
            _plain(dimension.target.source),
        )
        for dimension in instrument.dimensions
        if dimension.target is not None
    ]
    return _table(("Dimension", "Target, in points of health", "Declared by"), rows) if rows else []


def _forms(instrument: Instrument) -> list[str]:
    lines = ["## Forms", ""]
    for form in instrument.forms:
        texts = instrument.locales[instrument.languages[0]].forms[form.id]
        facts = [f"filled in by {_RATERS[form.rater]}", _count(len(form.items), "item")]
        if form.reference_period:
            facts.append(f"reference period: {_plain(form.reference_period)}")
        if form.short_of is not None:
            facts.append(f"a part of `{form.short_of}`")
        lines += [f"### `{form.id}`: {_plain(texts.title)}", "", _sentence("; ".join(facts)), ""]
        lines += [f"> {_plain(texts.instruction)}", ""] if texts.instruction else []
        lines += [f"- {_stem_place(instrument, key, texts)}: {_plain(stem)}" for key, stem in texts.stems.items()]
        lines += [""] if texts.stems else []
    return lines


def _stem_place(instrument: Instrument, key: str, texts: FormText) -> str:
    if key == "default":
        return "Above the items" if len(texts.stems) == 1 else "Above all other items"
    return f"Above *{_plain(instrument.dimension(key).title)}*"


def _items(instrument: Instrument) -> list[str]:
    lines = ["## Items", "", _EVIDENCE, ""]
    for dimension in instrument.dimensions:
        codes = {item.code for item in dimension.items}
        wordings = list(dict.fromkeys(form.wording for form in instrument.forms if codes & set(form.items)))
        lines += [f"### {_plain(dimension.title)}", ""]
        heads = ("Code", *(f"Wording `{wording}`" for wording in wordings), "Key", "Facet", "Source")
        lines += _table(heads, (_item_row(instrument, item, wordings) for item in dimension.items))
    return lines


def _item_row(instrument: Instrument, item: Item, wordings: Sequence[str]) -> tuple[str, ...]:
    texts = instrument.locales[instrument.languages[0]].items[item.code]
    key = "reversed" if item.reverse_keyed else "+"
    source = ", ".join(part for part in (item.source, item.evidence) if part)
    return (
        f"`{item.code}`",
        *(_plain(texts.get(wording, "")) for wording in wordings),
        key if item.in_score else f"{key}, not scored",
        _plain(item.facet),
        _plain(source),
    )


def _scales(instrument: Instrument) -> list[str]:
    places: dict[str, dict[str, list[str]]] = {}
    scales: dict[str, Scale] = {}
    for form in instrument.forms:
        for item in instrument.form_items(form.id):
            scale = instrument.scale(item.code, form.id)
            scales[scale.id] = scale
            dimensions = places.setdefault(scale.id, {}).setdefault(form.id, [])
            if item.dimension not in dimensions:
                dimensions.append(item.dimension)
    lines = ["## Response scales", ""]
    language = instrument.languages[0]
    for name, scale in scales.items():
        options = [f"{code} = {_plain(label)}" for code, label in scale.labels[language].items()]
        options += [f"no answer = {_plain(label)}" for label in scale.missing.get(language, {}).values()]
        used = [f"`{form}`{_part_of(instrument, form, held)}" for form, held in places[name].items()]
        lines.append(f"- `{name}`: {'; '.join(options)}. Used in {', '.join(used)}.")
    return [*lines, ""]


def _part_of(instrument: Instrument, form: str, dimensions: Sequence[str]) -> str:
    held = dict.fromkeys(item.dimension for item in instrument.form_items(form))
    return "" if len(held) == len(dimensions) else f" ({', '.join(dimensions)})"


def _scoring(instrument: Instrument) -> list[str]:
    rows = []
    for dimension in instrument.dimensions:
        for form, scored in _scored(instrument, dimension):
            needed = max(1, math.ceil(dimension.minimum_answered * len(scored) - 1e-9))
            row = (_plain(dimension.title), form, str(len(scored)), str(needed))
            rows.append(row)
    return [
        "## Scoring",
        "",
        "Each answer becomes `100 * (code - lowest) / (highest - lowest)` by the declared codes of its response scale, "
        "and `100 -` that where the key is reversed. The score of a dimension is the mean of its answered items, if "
        "enough of them are answered. Nothing is imputed. Where a high score is bad, health is `100 - score`.",
        "",
        *_table(("Dimension", "Forms", "Scored items", "Answers needed"), rows),
    ]


def _scored(instrument: Instrument, dimension: Dimension) -> list[tuple[str, list[Item]]]:
    """The forms of a dimension, put together where they score the same items, and these items."""
    found: dict[tuple[str, ...], tuple[list[Form], list[Item]]] = {}
    for form in instrument.forms:
        items = [item for item in dimension.scored_items if item.code in form.items]
        if items:
            found.setdefault(tuple(item.code for item in items), ([], items))[0].append(form)
    return [(", ".join(f"`{form.id}`" for form in forms), items) for forms, items in found.values()]


def _index(instruments: Sequence[Instrument], root: Traversable) -> str:
    rows = [
        (
            f"[{_plain(one.title)}]({one.id}.md)",
            f"`{one.id}`",
            f"`{one.version}`",
            _plain(one.status),
            str(len(one.items)),
            ", ".join(f"`{form.id}`" for form in one.forms),
        )
        for one in instruments
    ]
    lines = [
        _MADE,
        "",
        "# Instruments",
        "",
        "There are no norms. Each page gives constructs, forms, items with keys and facets, scoring, cautions, sources "
        "and licence.",
        "",
        *_table(("Instrument", "Id", "Version", "Status", "Items", "Forms"), rows),
        *_package_lines(root),
        *_background_lines(root),
        *_rollup_lines(root),
    ]
    return "\n".join(lines).rstrip("\n") + "\n"


def _package_lines(root: Traversable) -> list[str]:
    rows = [
        (
            _plain(package.title),
            f"`{package.id}`",
            ", ".join(
                f"`{part.instrument}:{part.form}`" + (f" ({part.n_items} items)" if part.items else "")
                for part in package.parts
            ),
            str(package.n_items),
            str(package.minutes),
        )
        for package in read_packages(root)
    ]
    if not rows:
        return []
    return [
        "## Packages",
        "",
        f"What one person fills in. Minutes are expected at {ITEMS_PER_MINUTE} items a minute, a convention; "
        "background fields and the search for evidence come on top.",
        "",
        *_table(("Package", "Id", "Parts", "Items", "Minutes"), rows),
    ]


def _background_lines(root: Traversable) -> list[str]:
    rows = []
    for entry in load_background(root=root):
        language = next(iter(entry.title))
        asked = _plain(entry.question.get(language, "")) if entry.set_by == "respondent" else "*set by the survey*"
        options = "; ".join(_plain(label) for label in entry.labels(language).values())
        shown = "; ".join(f"only if `{name}` is {' or '.join(codes)}" for name, codes in entry.shown_if.items())
        raters = "everybody" if len(entry.raters) == len(_RATERS) else ", ".join(_RATERS[r] for r in entry.raters)
        who = "; ".join(part for part in (raters, "optional" if entry.optional else "", shown) if part)
        rows.append((f"`{entry.id}`", asked, options, who, _plain(entry.why), _plain(entry.identifiability)))
    if not rows:
        return []
    heads = ("Field", "Question", "Options", "For whom", "Why", "Who could be recognised")
    return [
        "## Background fields",
        "",
        "Shared by all instruments. Every field more makes people easier to recognise: take only those that an "
        "analysis will use.",
        "",
        *_table(heads, rows),
    ]


def _rollup_lines(root: Traversable) -> list[str]:
    rollups = load_rollups(root=root)
    lines = ["## Roll-ups", "", "Dimensions of several instruments that are read together, without a score.", ""]
    for rollup in rollups:
        language = next(iter(rollup.title))
        lines += [f"### {_plain(rollup.title[language])}", ""]
        lines += [f"{_plain(rollup.source)} Evidence: {_plain(rollup.evidence)}.", ""]
        lines += [
            f"- {_plain(part.title[language])}: {', '.join(f'`{name}`' for name in part.references)}"
            for part in rollup.parts
        ]
        lines += ["", *(f"- {_plain(note)}" for note in rollup.notes), ""]
    return lines if rollups else []
