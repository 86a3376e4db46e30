"""``read_responses``: one export in, coded answers and a record of the reading out, or every fault at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from servicediag.errors import Issue, ResponsesError, Severity
from servicediag.instrument import list_packages, load_instrument, load_package
from servicediag.instrument.model import Form, Instrument
from servicediag.responses.answers import Coder
from servicediag.responses.coding import missing_texts
from servicediag.responses.completeness import absent_items, constant_items, doubled_respondents, share_completed
from servicediag.responses.dates import ambiguous_dates
from servicediag.responses.file_names import name_hint
from servicediag.responses.forms import infer_form, requested_forms
from servicediag.responses.formulas import formulas_without_values
from servicediag.responses.garbled import garbled_texts
from servicediag.responses.intake import Intake
from servicediag.responses.keying import seeming_reversals
from servicediag.responses.mapping_file import read_mapping
from servicediag.responses.matching import (
    Columns,
    ItemTexts,
    MappedItem,
    Match,
    close_names,
    match_columns,
)
from servicediag.responses.model import Part, Responses
from servicediag.responses.multiple_choice import joined_choices, option_columns
from servicediag.responses.normalise import normal_code, normal_text
from servicediag.responses.open_answers import (
    find_comments,
    item_faults,
    kept_comments,
    read_comments,
    wanted_comments,
)
from servicediag.responses.option_columns import joined_options
from servicediag.responses.people import People, Roles, find_roles, read_people, small_groups
from servicediag.responses.personal import personal_reason
from servicediag.responses.platforms.layout import Layout
from servicediag.responses.platforms.recognition import PLATFORM_NAMES
from servicediag.responses.readers import Table
from servicediag.responses.rows import (
    doubled_submissions,
    doubtful_rows,
    holds_answers,
    other_kind,
    questions_in_rows,
    without_other_rows,
)
from servicediag.responses.safety import Limits
from servicediag.responses.sheets import Opened, Search, open_table
from servicediag.responses.suggestions import SuggestedMappingError, suggest, suggestion_issues
from servicediag.responses.twins import merge_twins
from servicediag.responses.value_labels import with_value_labels

__all__ = ["read_responses"]

InstrumentLike = Instrument | str | os.PathLike[str]
Progress = Callable[[int, int, str], object]
_HEADINGS_SHOWN = 8


def read_responses(
    source: str | os.PathLike[str] | pd.DataFrame,
    instrument: InstrumentLike | Iterable[InstrumentLike],
    *,
    form: str | Mapping[str, str] | None = None,
    language: str | None = None,
    sheet: str | int | None = None,
    columns: Mapping[str, str | None] | str | os.PathLike[str] | None = None,
    unit: str | None = None,
    wave: object = None,
    respondent: str | None = None,
    comments: str | Sequence[str] = (),
    missing_codes: Collection[int | float | str] = (),
    minimum_completed: float = 0.5,
    accept_suggestions: bool = False,
    platform: str | None = None,
    encoding: str | None = None,
    header_row: int | None = None,
    limits: Limits | Mapping[str, int] | None = None,
    progress: Progress | None = None,
) -> Responses:
    """Read a survey export and code its answers on the declared response scales.

    The platform that made the export is told by its content. A column holds an item if it is mapped to it, if its
    heading is the item code (case and punctuation ignored), if it is the exact text of the question in any language of
    the instrument, or if it is the beginning of one text only and visibly cut off. Columns are never matched by
    position; headings that resemble an item are suggested, and the reading stops until a person confirms them.
    Answers are labels of the declared scale in any language, codes within its bounds, or both together. Bare numbers
    are taken only where it is known in which direction they run.

    Parameters
    ----------
    source : path or DataFrame
        ``.xlsx``, ``.xlsm`` (macros are not run), ``.xls``, ``.ods``, ``.csv``, ``.tsv``, ``.txt``, ``.json``,
        ``.parquet``, or with the extra ``spss`` ``.sav`` and ``.zsav``; its content says what a file is.
    instrument : Instrument, id, path, or a list of these
        One export often holds several instruments.
    form : str or mapping, optional
        A form id, ``"instrument:form"``, or ``{instrument id: form id}``. Without it the form is inferred from the
        wording, the answer sheet or the scales; where these cannot tell, that is an ``ambiguous_form`` error.
    language : str, optional
        Language of the labels, where the same label has different codes in two languages.
    sheet : str or int, optional
        Name or position (from 0) of the worksheet; without it the one in which most items are found,
        of at most 50.
    columns : mapping or path, optional
        ``{source column: item code}``, or a file that ``Intake.save_mapping`` wrote. None instead of an item code says
        that the column is no item. A mapping also confirms that bare numbers are the codes of the scale; in a file the
        column ``direction`` may say ``reversed``.
    unit, respondent : str, optional
        Columns that hold the unit and the respondent's id.
    wave : str or other value, optional
        A column; or, if there is no column of that name, the wave of all respondents.
    comments : str or sequence of str
        Columns of open answers. They are kept apart from the columns beside the items, are not looked through for
        personal details, and a diagnosis lists them where its privacy rules permit it; by default it lists none.
    missing_codes : collection of int or str
        Values that mean "no answer", e.g. ``(-99, "no opinion")``; their reason is ``declared``.
    minimum_completed : float
        Share (0 to 1) of the form's items in the export below which a respondent is set aside; 0 keeps all.
        With several instruments a respondent is set aside who is below it in each of them.
    accept_suggestions : bool
        Whether headings that resemble items are read as these items.
    platform : str, optional
        The platform that made the export, where its content does not tell: ``"qualtrics"``, ``"plain"`` ...
    encoding : str, optional
        Encoding of a text file; without it, it is found from the content.
    header_row : int, optional
        Row of the headings, counted from 1; without it, it is looked for in the first 15 rows.
    limits : Limits or mapping, optional
        Larger or smaller limits for the file.
    progress : callable, optional
        Called with steps done, steps in all, and what is being done.

    Returns
    -------
    Responses
        Index: the respondents' ids, or the row numbers of the file, or the index of the DataFrame.

    Raises
    ------
    ResponsesError
        The file or its answers are faulty; ``issues`` lists every fault with its place and what to do.
    SuggestedMappingError
        A ResponsesError where a person has to say which column holds which item, or in which direction numbers run;
        its ``save_mapping`` writes a mapping to check or to fill in.
    ValueError, TypeError
        An argument is wrong.

    Examples
    --------
    >>> import pandas as pd
    >>> from servicediag.instrument import load_instrument
    >>> sins = load_instrument("seven-sins")
    >>> export = pd.DataFrame({item.code: ["Never", "Often"] for item in sins.items})
    >>> responses = read_responses(export, sins, form="customer")
    >>> responses
    Responses(seven-sins:customer, n_respondents=2, n_items=35)
    """
    instruments, packaged = _resolve(instrument)
    forms = {**packaged.forms, **requested_forms(form, instruments)}
    mapping = _mapping(columns, instruments)
    _check_arguments(language, instruments, minimum_completed, header_row, platform)
    asked = {"respondent": respondent, "unit": unit, "wave": wave}
    open_answers = wanted_comments(comments)
    names = {*mapping, *open_answers, *(name for name in asked.values() if isinstance(name, str))}
    texts = ItemTexts.of(instruments)
    known = _known_texts(instruments, texts)
    search = Search(texts, names, known, sheet, header_row, encoding, platform)
    report = progress or _silent
    report(0, 1, "reading")
    opened = open_table(source, search, Limits.of(limits))
    report(1, 1, "reading")
    missing = missing_texts(missing_codes)
    wanted = _Wanted(
        instruments, texts, forms, packaged.items, mapping, asked, language, missing, accept_suggestions, known,
        open_answers,
    )  # fmt: skip
    return _Reading(opened, wanted, report).responses(minimum_completed)


@dataclass(frozen=True)
class _Packaged:
    """What a package says of its parts: their form, and the items asked where not all of them are."""

    forms: dict[str, str] = field(default_factory=dict)
    items: dict[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class _Wanted:
    """What the caller asks for, resolved."""

    instruments: tuple[Instrument, ...]
    texts: ItemTexts
    forms: Mapping[str, str]
    packaged_items: Mapping[str, tuple[str, ...]]
    mapping: Mapping[str, MappedItem | None]
    asked: Mapping[str, object]
    language: str | None
    missing: Collection[str]
    accept_suggestions: bool
    known_texts: frozenset[str]
    comments: tuple[str, ...]


@dataclass
class _Reading:
    """One reading in progress; faults are collected, and raised together at the end."""

    opened: Opened
    wanted: _Wanted
    report: Progress
    issues: list[Issue] = field(default_factory=list)
    matches: list[Match] = field(default_factory=list)
    emptied: frozenset[int] = frozenset()
    comments: dict[str, int] = field(default_factory=dict)
    nothing_found: bool = False
    table: Table = field(init=False)

    def __post_init__(self) -> None:
        self.table = self.opened.table

    def responses(self, minimum_completed: float) -> Responses:
        self.issues.extend(self.opened.issues)
        if not len(self.table.rows) or not self.table.headings:
            remedy = "Check the file, sheet= and header_row=."
            self._error("empty_sheet", self.table.where(), "There are no answers.", remedy)
            self._raise()
        layout = self.opened.layout
        self.issues.extend(garbled_texts(self.table, self.wanted.known_texts, self.opened.encoding))
        if fault := questions_in_rows(self.table, self.wanted.texts):
            self.issues.append(fault)
            self._raise()
        roles = find_roles(self.table, self.wanted.asked, layout.roles, self.issues)
        self.comments = find_comments(self.table, self.wanted.comments, roles.taken, self.issues)
        self._match(roles)
        self.table, n_rows, faults = without_other_rows(self.table, layout, {m.column for m in self.matches})
        self.issues.extend(faults)
        if not len(self.table.rows):
            self._raise()
        parts, codes = self._code()
        taken = {column for match in self.matches for column in (match.column, *match.twins)}
        taken |= {*self.emptied, *self.comments.values()}
        people = read_people(with_value_labels(self.table, layout.variables, taken), roles, taken, self.issues)
        self._look_around(roles, people, taken)
        self._raise()
        kept = self._keep(parts, codes, minimum_completed)
        self.issues.extend(doubtful_rows(self.table, layout, kept))
        self._check_twice(people, layout, codes, kept)
        self._raise()
        self.issues.extend(small_groups(people, kept, self.table.where(roles.columns.get("unit"))))
        if len(kept) < len(self.table.rows):
            codes = {code: column[kept] for code, column in codes.items()}
        self.issues.extend(constant_items(parts, codes, {m.item: m.column for m in self.matches}, self.table))
        self.issues.extend(seeming_reversals(parts, codes, self.table.where()))
        comments = read_comments(self.table, self.comments, kept)
        self.issues.extend(kept_comments(self.table, self.comments, comments))
        background = tuple(str(name) for name in people.frame)
        intake = self._intake(parts, codes, n_rows, len(kept), background)
        return Responses(parts, codes, people.frame.iloc[kept], intake, comments=comments)

    def _match(self, roles: Roles) -> None:
        """Find the column of every item; twin columns are merged into one."""
        wanted, layout = self.wanted, self.opened.layout
        keys = {item.code: (i.id, item.code) for i in wanted.instruments for item in i.items}
        columns = Columns(roles.taken, layout.codes, layout.no_items, layout.shortest_prefix)
        if layout.options:
            self.table, merged = joined_options(self.table, layout)
            self.issues.extend(merged.issues)
            self.emptied = merged.emptied
            columns = replace(columns, no_items=columns.no_items | merged.emptied)
        found, faults = match_columns(self.table, wanted.texts, wanted.mapping, keys, columns)
        self.issues.extend(faults)
        self.table, found, faults = merge_twins(self.table, found, wanted.instruments)
        self.issues.extend(faults)
        self.issues.extend(item_faults(self.table, self.comments, found))
        settled = {*roles.taken, *columns.no_items, *self._mapped_columns(), *self.comments.values()}
        settled.update(column for match in found for column in (match.column, *match.twins))
        suggested = suggest(self.table, wanted.texts, found, settled)
        shown = {match.item: self._text_of(match) for match in suggested}
        self.issues.extend(suggestion_issues(suggested, shown, self.table, wanted.accept_suggestions))
        place = {code: number for number, code in enumerate(wanted.texts.order)}
        self.matches = sorted([*found, *suggested], key=lambda match: place[match.item])
        for instrument in wanted.instruments:
            if not any(match.instrument == instrument.id for match in self.matches):
                self._none_found(instrument)

    def _look_around(self, roles: Roles, people: People, items: set[int]) -> None:
        """Say what a person may stumble over in the file as a whole and in the columns beside the items."""
        opened, table = self.opened, self.table
        self.issues.extend(formulas_without_values(table, opened.path, {match.column for match in self.matches}))
        found = {match.item for match in self.matches}
        self.issues.extend(option_columns(table, self.wanted.texts, {*items, *roles.taken}, found))
        self.issues.extend(joined_choices(table, people.background, roles.taken))
        self.issues.extend(ambiguous_dates(table, people.background))
        if opened.layout.platform == "plain" and not opened.layout.why and opened.path is not None:
            hint = name_hint(opened.path.stem, table.sheet, table.where())
            self.issues.extend([hint] if hint else [])

    def _none_found(self, instrument: Instrument) -> None:
        headings = [repr(h) for h in self.table.headings if h and not personal_reason("", [h])][:_HEADINGS_SHOWN]
        problem = f"No item of {instrument.id} is in the file, whose headings begin {', '.join(headings)}."
        if holds_answers(self.table.headings):
            problem = f"No item of {instrument.id} is in the file: its first row seems to hold answers, not headings."
        if kind := other_kind(self.table):
            problem = f"{problem} It seems to be {kind}."
        self.nothing_found = True
        remedy = "Check instrument=, sheet= and header_row=, or name the columns with columns=."
        self._error("missing_item", self.table.where(), problem, remedy)

    def _mapped_columns(self) -> set[int]:
        return {column for name in self.wanted.mapping for column in self.table.called(name)}

    def _text_of(self, match: Match) -> str:
        instrument = next(i for i in self.wanted.instruments if i.id == match.instrument)
        wording, language = min(match.readings, default=("", instrument.languages[0]))
        texts = instrument.locales[language].items.get(match.item, {})
        return texts.get(wording) or next(iter(texts.values()), "")

    def _code(self) -> tuple[tuple[Part, ...], dict[str, np.ndarray]]:
        """The parts whose form is known, and the codes of their items."""
        coder = Coder(
            self.table, self.wanted.language or self._declared_language(), self.wanted.missing, self.opened.layout
        )
        parts: list[Part] = []
        codes: dict[str, np.ndarray] = {}
        for instrument in self.wanted.instruments:
            mine = [match for match in self.matches if match.instrument == instrument.id]
            form = self._form(instrument, mine, coder) if mine else None
            if form is None:
                continue
            mine = [match for match in mine if match.item in form.items]
            for match in mine:
                codes[match.item], faults = coder.column(match, instrument, form)
                self.issues.extend(faults)
                self.report(len(codes), len(self.matches), "coding answers")
            parts.append(Part(instrument, form, tuple(match.item for match in mine)))
            offered = self.wanted.packaged_items.get(instrument.id, form.items)
            self.issues.extend(absent_items(instrument, offered, parts[-1].items, self.table.where()))
        self.issues.extend(coder.remarks())
        return tuple(parts), codes

    def _form(self, instrument: Instrument, matches: Sequence[Match], coder: Coder) -> Form | None:
        wanted = self.wanted.forms.get(instrument.id)
        declared = self.opened.layout.declaration
        where = self.table.where()
        if declared and declared.instrument == instrument.id:
            if wanted not in (None, declared.form):
                problem = f"The answer sheet says that it is the form {declared.form!r}, not {wanted!r}."
                self._error("ambiguous_form", where, problem, "Leave out form=, or check the file.")
                return None
            wanted = declared.form if declared.form in {form.id for form in instrument.forms} else wanted
            if declared.version != instrument.version:
                problem = f"The answer sheet was made for version {declared.version}; this is {instrument.version}."
                remedy = "Check that the items are the same."
                self.issues.append(Issue("other_version", "warning", where, problem, remedy))
        if wanted is not None:
            form = instrument.form(wanted)
            self._outside(form, instrument, matches)
            return form
        candidates = infer_form(instrument, matches, coder.fits(instrument))
        if len(candidates) == 1:
            return candidates[0]
        if candidates:
            shown = ", ".join(f"{form.id} (answered by: {form.rater})" for form in candidates)
            problem = f"The file can be any of these forms of {instrument.id}: {shown}."
        else:
            problem = f"No form of {instrument.id} has all of the items and the wording that the file has."
        choices = candidates or instrument.forms
        remedy = f"Say which it is: form={choices[0].id!r}, or {', '.join(repr(form.id) for form in choices[1:])}."
        self._error("ambiguous_form", where, problem, remedy)
        return None

    def _outside(self, form: Form, instrument: Instrument, matches: Sequence[Match]) -> None:
        """Say what speaks against the form that the caller named."""
        table = self.table
        for match in matches:
            if match.item not in form.items:
                problem = f"{match.item} is not part of the form {form.id!r} of {instrument.id}; it was left out."
                self.issues.append(Issue("outside_form", "warning", table.where(match.column), problem, "Check form=."))
        worded = {wording for match in matches for wording, _ in match.readings}
        if worded and form.wording not in worded:
            problem = f"The headings are worded as for {', '.join(sorted(worded))}, not for {form.wording}."
            remedy = f"Check that form={form.id!r} is who answered."
            self.issues.append(Issue("other_wording", "warning", table.where(), problem, remedy))

    def _declared_language(self) -> str | None:
        declared = self.opened.layout.declaration
        return declared.language or None if declared else None

    def _keep(self, parts: Sequence[Part], codes: Mapping[str, np.ndarray], minimum_completed: float) -> np.ndarray:
        """Positions of the respondents who answered enough."""
        table = self.table
        shares = share_completed(parts, codes, len(table.rows))
        if len(shares) and not shares.any():
            problem, remedy = "No question is answered in any row.", "Is this the right sheet or export?"
            severity: Severity = "error" if minimum_completed else "warning"
            self.issues.append(Issue("empty_sheet", severity, table.where(), problem, remedy))
            self._raise()
        enough = shares >= minimum_completed - 1e-9
        kept = np.flatnonzero(enough)
        removed = len(enough) - len(kept)
        if removed:
            share = f"{minimum_completed:.0%} of the items"
            problem = f"{removed:,} of {len(enough):,} respondents answered less than {share}"
            nothing = int((shares[~enough] == 0).sum())
            problem += f", {nothing:,} of them nothing." if nothing else "."
            remedy = "They were set aside; minimum_completed=0 keeps them."
            where = table.where(positions=np.flatnonzero(~enough))
            self.issues.append(Issue("removed_partial", "note", where, problem, remedy))
        if not len(kept):
            self._error("too_few_respondents", table.where(), "No respondent is left.", "Check minimum_completed=.")
        elif len(kept) == 1:
            problem = "There is one respondent: nothing can be said about reliability or differences."
            self.issues.append(Issue("too_few_respondents", "warning", table.where(), problem, "Add answers."))
        return kept

    def _check_twice(self, people: People, layout: Layout, codes: Mapping[str, np.ndarray], kept: np.ndarray) -> None:
        """Say which respondents or submissions are there more than once."""
        if people.has_ids:
            if not people.repeated_ids:
                return
            waves = people.frame["wave"].iloc[kept] if "wave" in people.frame else None
            self.issues.extend(doubled_respondents(people.frame.index[kept], waves, self.table, kept))
        else:
            self.issues.extend(doubled_submissions(self.table, layout, codes, kept))

    def _intake(
        self,
        parts: Sequence[Part],
        codes: Mapping[str, np.ndarray],
        n_rows: int,
        n_kept: int,
        background: tuple[str, ...],
    ) -> Intake:
        opened, table = self.opened, self.table
        rows = [
            (match.item, table.names[column], match.method, match.reverse)
            for match in self.matches
            if match.item in codes
            for column in (match.column, *match.twins)
        ]
        frame = pd.DataFrame([row[:3] for row in rows], columns=["item", "column", "method"])
        packaged = self.wanted.packaged_items
        return Intake(
            opened.layout.platform, n_rows, n_kept, frame, tuple(self.issues), table.source, table.sheet,
            opened.delimiter, opened.encoding, opened.path, opened.layout.why,
            sum(len(packaged.get(part.instrument.id, part.form.items)) for part in parts),
            tuple(column for _, column, _, reverse in rows if reverse),
            tuple(f"{part.instrument.id}:{part.form.id}" for part in parts), background,
        )  # fmt: skip

    def _error(self, code: str, where: str, problem: str, remedy: str) -> None:
        self.issues.append(Issue(code, "error", where, problem, remedy))

    def _raise(self) -> None:
        errors = [issue for issue in self.issues if issue.severity == "error"]
        if not errors:
            return
        faults = "a fault" if len(errors) == 1 else f"{len(errors)} faults"
        headline = f"{self.table.source} has {faults}; nothing was read."
        suggested = any(issue.code in ("suggested_match", "unknown_direction") for issue in errors)
        if suggested or (self.nothing_found and not self.matches):
            names = self.table.names
            mapping = {names[match.column]: match.item for match in self.matches} or dict.fromkeys(names, "")
            turned = [names[match.column] for match in self.matches if match.reverse]
            raise SuggestedMappingError(headline, errors, mapping, turned)
        raise ResponsesError(headline, errors)


def _resolve(instrument: InstrumentLike | Iterable[InstrumentLike]) -> tuple[tuple[Instrument, ...], _Packaged]:
    """The instruments meant, those of a package included."""
    single = isinstance(instrument, (Instrument, str, os.PathLike))
    wanted: list[InstrumentLike] = [instrument] if single else list(instrument)  # type: ignore[arg-type, list-item]
    packaged = _Packaged()
    instruments: list[Instrument] = []
    for entry in wanted:
        if isinstance(entry, Instrument):
            instruments.append(entry)
        elif isinstance(entry, (str, os.PathLike)):
            instruments.extend(_load(entry, packaged))
        else:
            raise TypeError(f"instrument={entry!r} must be an Instrument, an id, a path, or a list of these")
    if not instruments:
        raise ValueError("instrument=[] names no instrument")
    codes = [item.code for one in instruments for item in one.items]
    ids = [one.id for one in instruments]
    if len(set(ids)) < len(ids) or len(set(codes)) < len(codes):
        raise ValueError(f"instrument={ids} holds an instrument or an item code twice")
    return tuple(instruments), packaged


def _load(entry: str | os.PathLike[str], packaged: _Packaged) -> list[Instrument]:
    try:
        return [load_instrument(entry)]
    except ValueError:
        if not isinstance(entry, str) or entry not in set(list_packages()["id"]):
            raise
    package = load_package(entry)
    for part in package.parts:
        packaged.forms[part.instrument] = part.form
        if part.items is not None:
            packaged.items[part.instrument] = part.items
    return [load_instrument(part.instrument) for part in package.parts]


def _silent(done: int, total: int, what: str) -> None:
    """No progress is reported."""


def _mapping(
    columns: Mapping[str, str | None] | str | os.PathLike[str] | None, instruments: Sequence[Instrument]
) -> dict[str, MappedItem | None]:
    if columns is None:
        return {}
    mapping: Mapping[str, MappedItem | None]
    if isinstance(columns, Mapping):
        mapping = {str(name): None if code is None else MappedItem(str(code)) for name, code in columns.items()}
    else:
        mapping = read_mapping(Path(columns))
    known = {normal_code(item.code): item.code for instrument in instruments for item in instrument.items}
    settled: dict[str, MappedItem | None] = {}
    for name, entry in mapping.items():
        if entry is None:
            settled[name] = None
        elif (found := known.get(normal_code(entry.code))) is None:
            close = close_names(entry.code, list(known.values()))
            raise ValueError(f"columns={{{name!r}: {entry.code!r}}} names no item. {close}".strip())
        else:
            settled[name] = replace(entry, code=found)
    return settled


def _check_arguments(
    language: str | None,
    instruments: Sequence[Instrument],
    minimum_completed: float,
    header_row: int | None,
    platform: str | None,
) -> None:
    languages = sorted({name for instrument in instruments for name in instrument.languages})
    if language is not None and language not in languages:
        raise ValueError(f"language={language!r} is not available; choose from {', '.join(languages)}")
    if not 0 <= minimum_completed <= 1:
        raise ValueError(f"minimum_completed={minimum_completed!r} must be a share from 0 to 1")
    if header_row is not None and header_row < 1:
        raise ValueError(f"header_row={header_row!r} must be a row number, counted from 1")
    if platform is not None and platform not in PLATFORM_NAMES:
        raise ValueError(f"platform={platform!r} is not known; choose from {', '.join(PLATFORM_NAMES)}")


def _known_texts(instruments: Sequence[Instrument], texts: ItemTexts) -> frozenset[str]:
    """Normalised questions, item codes and labels, by which encoding and delimiter are recognised."""
    labels = {
        normal_text(label)
        for instrument in instruments
        for scale in instrument.scales.values()
        for by_code in scale.labels.values()
        for label in by_code.values()
    }
    return frozenset(labels | texts.texts.keys() | {normal_text(code) for code in texts.order})
