"""Reliability and scale tables in APA form, as Markdown, LaTeX or a Word document."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from servicediag.diagnosis.draft import dimension_title, instrument_title
from servicediag.files import atomic_path
from servicediag.report.office import need, packed, set_properties
from servicediag.report.plain_text import clean
from servicediag.report.publication import blank_to_none
from servicediag.report.theme import Theme
from servicediag.wording.catalogue import text
from servicediag.wording.numbers import MINUS, number, number_format
from servicediag.wording.telling import retold

if TYPE_CHECKING:
    from servicediag.reliability_table import Reliability
    from servicediag.scoring import Scores

__all__ = ["STYLES", "ResearchTable", "apa_coefficient", "research_table"]

STYLES = ("markdown", "latex", "docx")
_SUFFIXES = {"markdown": ".md", "latex": ".tex", "docx": ".docx"}
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>#|~$&])")
_LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"\textquotedbl{}", "α": r"$\alpha$", "ω": r"$\omega$", MINUS: "$-$", "—": "---",
    "[": "{[}", "]": "{]}",
}  # fmt: skip
"""Square brackets are wrapped because LaTeX would take one at the start of a row for an option of the line break."""


@dataclass(frozen=True)
class Head:
    """The head of a column; statistics are set in italics, Greek letters and words are not."""

    text: str
    italic: bool = False


@dataclass(frozen=True)
class ResearchTable:
    """A table as plain values.

    Attributes
    ----------
    n_names : int
        Leading columns that hold names: the group, if there is one, and the scale; all others hold numbers.
    marks : tuple of str
        The letter of each row's footnote, or nothing.
    footnotes : tuple of (letter, text)
    """

    title: str
    heads: tuple[Head, ...]
    rows: tuple[tuple[str, ...], ...]
    marks: tuple[str, ...]
    note: str
    footnotes: tuple[tuple[str, str], ...]
    n_names: int
    number: str
    note_word: str


def research_table(
    result: Reliability | Scores, style: str = "markdown", *, path: str | Path | None = None, language: str = "en",
    overwrite: bool = False,
) -> str:  # fmt: skip
    """A table of reliabilities, or of means, standard deviations and correlations, in APA form [1]_.

    Working data of the analyst: small groups are not withheld here, so it is not for release.

    Parameters
    ----------
    result : Reliability or Scores
    style : {"markdown", "latex", "docx"}
        LaTeX needs the package ``booktabs``, and XeLaTeX or LuaLaTeX where titles hold letters beyond Latin ones.
    path : str or Path, optional
        File to write, ending in ``.md``, ``.tex`` or ``.docx``; a Word document needs one.
    language : str
        Language of heads and notes.
    overwrite : bool
        Whether an existing file may be replaced.

    Returns
    -------
    str
        The table; for a Word document, the path of the file.

    Raises
    ------
    TypeError
        The result is of another kind.
    ValueError
        No such style; a path with another ending; or no path for a Word document.
    ImportError
        A Word document is wanted and python-docx is not installed; it comes with ``servicediag[word]``.

    Notes
    -----
    Coefficients that cannot exceed 1 have no zero before the decimal mark; numbers have two decimals. Each text from
    data is escaped for the format.

    References
    ----------
    .. [1] American Psychological Association (2020). Publication Manual, 7th edition, chapters 6 and 7.

    Examples
    --------
    >>> import servicediag as sd
    >>> study = sd.simulate("readiness", form="employee", n_units=4, respondents_per_unit=30, seed=3)
    >>> print(research_table(sd.reliability(study.responses())).splitlines()[0])
    **Table 1**
    """
    if style not in STYLES:
        raise ValueError(f"style={style!r} must be one of {', '.join(map(repr, STYLES))}")
    if path is not None and Path(path).suffix.lower() != _SUFFIXES[style]:
        raise ValueError(f"path={str(path)!r} must end in {_SUFFIXES[style]!r} for style={style!r}")
    table = _table(result, language)
    if style == "docx":
        if path is None:
            raise ValueError("path=None: style='docx' writes a file, so it needs a path")
        content = _docx(table, language)
    else:
        rendered = {"markdown": _markdown, "latex": _latex}[style](table)
        if path is None:
            return rendered
        content = rendered.encode("utf-8")
    with atomic_path(path, overwrite=overwrite) as temporary:
        temporary.write_bytes(content)
    return str(path) if style == "docx" else rendered


def apa_coefficient(value: Any, language: str = "en") -> str:
    """A coefficient that cannot exceed 1, without the zero before the decimal mark.

    Examples
    --------
    >>> apa_coefficient(0.834), apa_coefficient(-0.2), apa_coefficient(1), apa_coefficient(float("nan"))
    ('.83', '−.20', '1.00', '—')
    """
    shown = number(blank_to_none(value), 2, language)
    return re.sub(r"^(−?)0([.,])", r"\1\2", shown) or "—"


def _table(result: Any, language: str) -> ResearchTable:
    # told by name, since the modules that define them stand lower and load slowly
    kinds: dict[str, Callable[[Any, _Words], ResearchTable]] = {"Reliability": _of_reliability, "Scores": _of_scores}
    if type(result).__name__ not in kinds:
        raise TypeError(f"result must be a Reliability or Scores, not {type(result).__name__}")
    return kinds[type(result).__name__](result, _Words(language))


@dataclass(frozen=True)
class _Words:
    """Fixed texts and numbers of a table in one language."""

    language: str

    def say(self, key: str, **values: Any) -> str:
        return text(f"document.{key}", self.language, **values)

    def number(self, value: Any, decimals: int = 2) -> str:
        return number(blank_to_none(value), decimals, self.language) or "—"

    def coefficient(self, value: Any) -> str:
        return apa_coefficient(value, self.language)

    def interval(self, low: Any, high: Any) -> str:
        if blank_to_none(low) is None or blank_to_none(high) is None:
            return "—"
        between = "; " if number_format(self.language).decimal == "," else ", "
        return f"[{self.coefficient(low)}{between}{self.coefficient(high)}]"

    def titles(self, responses: Any) -> dict[tuple[str, str], str]:
        """Titles of the dimensions; with the questionnaire where two of them share a title."""
        found = [
            (part.instrument, dimension.id, retold(dimension_title(part.instrument, dimension.id), self.language))
            for part in responses.parts for dimension in part.dimensions
        ]  # fmt: skip
        shared = [title for *_, title in found]
        return {
            (instrument.id, dimension): clean(
                title if shared.count(title) == 1
                else f"{title} ({retold(instrument_title(instrument), self.language)})")
            for instrument, dimension, title in found
        }  # fmt: skip


def _of_reliability(result: Reliability, words: _Words) -> ResearchTable:
    frame = result.to_frame()
    titles = words.titles(result.responses)
    by = [str(frame.columns[0])] if frame.columns[0] != "instrument" else []
    say = words.say
    heads = [*(Head(clean(name)) for name in by), Head(say("research.scale")), Head(say("research.items")),
             Head("n", True), Head("α"), Head(say("research.interval")), Head("ω"), Head(say("research.interval")),
             Head(say("research.mean_correlation")), Head("SEM", True)]  # fmt: skip
    letters: dict[str, str] = {}
    rows, marks = [], []
    for row in frame.to_dict("records"):
        note = clean(retold(row["note"], words.language) or "")
        marks.append(letters.setdefault(note, _letter(len(letters))) if note else "")
        rows.append((
            *(clean(str(row[name])) for name in by), titles[row["instrument"], row["dimension"]],
            words.number(row["n_items"], 0), words.number(row["n_respondents"], 0), words.coefficient(row["alpha"]),
            words.interval(row["alpha_low"], row["alpha_high"]), words.coefficient(row["omega"]),
            words.interval(row["omega_low"], row["omega_high"]), words.coefficient(row["mean_inter_item_correlation"]),
            words.number(row["sem"]),
        ))  # fmt: skip
    return _made("reliability", heads, rows, marks, letters, words, 1 + len(by))


def _of_scores(result: Scores, words: _Words) -> ResearchTable:
    values, titles = result.values, words.titles(result.responses)
    names = [titles[rule["instrument"], rule["dimension"]] for rule in result.rules.to_dict("records")]
    correlations = values.corr(min_periods=3).to_numpy() if len(names) else np.empty((0, 0))
    heads = [Head(words.say("research.scale")), Head("n", True), Head("M", True), Head("SD", True),
             *(Head(str(place)) for place in range(1, len(names)))]  # fmt: skip
    rows = []
    for place, (name, key) in enumerate(zip(names, values.columns, strict=True)):
        column = values[key].dropna()
        spread = column.std(ddof=1) if len(column) > 1 else math.nan
        below = [words.coefficient(correlations[place, other]) for other in range(place)]
        rows.append((f"{place + 1}. {name}", words.number(len(column), 0), words.number(column.mean()),
                     words.number(spread), *below, *["—"] * (place < len(names) - 1),
                     *[""] * max(0, len(names) - 2 - place)))  # fmt: skip
    return _made("scores", heads, rows, [""] * len(rows), {}, words)


def _made(
    kind: str, heads: Sequence[Head], rows: Sequence[tuple[str, ...]], marks: Sequence[str], letters: dict[str, str],
    words: _Words, n_names: int = 1,
) -> ResearchTable:  # fmt: skip
    footnotes = tuple((letter, note) for note, letter in letters.items())
    return ResearchTable(words.say(f"research.{kind}.title"), tuple(heads), tuple(rows), tuple(marks),
                         words.say(f"research.{kind}.note"), footnotes, n_names, words.say("research.table", number=1),
                         words.say("research.note"))  # fmt: skip


def _letter(position: int) -> str:
    return chr(ord("a") + position) if position < 26 else _letter(position // 26 - 1) + _letter(position % 26)


def _markdown(table: ResearchTable) -> str:
    def escaped(words: str) -> str:
        return _MARKDOWN.sub(r"\\\1", words)

    marked = [f"*{escaped(head.text)}*" if head.italic else escaped(head.text) for head in table.heads]
    at = table.n_names - 1
    lines = [f"**{escaped(table.number)}**", "", f"*{escaped(table.title)}*", "", _pipes(marked),
             _pipes([":---" if position <= at else "---:" for position in range(len(marked))])]  # fmt: skip
    for row, mark in zip(table.rows, table.marks, strict=True):
        cells = [escaped(cell) for cell in row]
        if mark:
            cells[at] += f"<sup>{mark}</sup>"
        lines.append(_pipes(cells))
    lines += ["", f"*{escaped(table.note_word)}* {escaped(table.note)}"]
    for letter, note in table.footnotes:
        lines += ["", f"<sup>{letter}</sup> {escaped(note)}"]
    return "\n".join(lines) + "\n"


def _pipes(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _latex(table: ResearchTable) -> str:
    def escaped(words: str) -> str:
        return "".join(_LATEX.get(character, character) for character in words)

    heads = [rf"\textit{{{escaped(head.text)}}}" if head.italic else escaped(head.text) for head in table.heads]
    at = table.n_names - 1
    columns = "l" * (at + 1) + "r" * (len(heads) - at - 1)
    lines = [r"\begin{table}", r"\raggedright", rf"\textbf{{{escaped(table.number)}}}\par\medskip",
             rf"\textit{{{escaped(table.title)}}}\par\medskip", rf"\begin{{tabular}}{{{columns}}}", r"\toprule",
             f"{' & '.join(heads)} \\\\", r"\midrule"]  # fmt: skip
    for row, mark in zip(table.rows, table.marks, strict=True):
        cells = [escaped(cell) for cell in row]
        if mark:
            cells[at] += rf"\textsuperscript{{{mark}}}"
        lines.append(f"{' & '.join(cells)} \\\\")
    lines += [
        r"\bottomrule",
        r"\end{tabular}\par\medskip",
        rf"\textit{{{escaped(table.note_word)}}} {escaped(table.note)}",
    ]
    lines += [rf"\par\textsuperscript{{{letter}}} {escaped(note)}" for letter, note in table.footnotes]
    return "\n".join([*lines, r"\end{table}"]) + "\n"


def _docx(table: ResearchTable, language: str) -> bytes:
    need("docx", "word", "Word documents")
    from servicediag.report.word_parts import WordFile

    file = WordFile(Theme(), language, landscape=len(table.heads) > 8)
    file.paragraph(table.number, bold=True)
    file.paragraph(table.title, italic=True)
    file.research_table([(head.text, head.italic) for head in table.heads], table.rows, table.marks,
                        table.n_names - 1, table.title)  # fmt: skip
    note = file.paragraph(f"{table.note_word} ", italic=True)
    note.add_run(table.note)
    for letter, words in table.footnotes:
        paragraph = file.paragraph("")
        paragraph.add_run(letter).font.superscript = True
        paragraph.add_run(f" {words}")
    set_properties(file.document.core_properties, Theme(), title=table.title, subject=table.title, language=language)
    return packed(file.document.save)
