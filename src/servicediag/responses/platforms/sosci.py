"""SoSci Survey: one row of variable names, in workbooks a row of labels below it; -9 means not answered."""

from __future__ import annotations

from collections.abc import Sequence

from servicediag.responses.platforms.layout import Layout, Platform, column_of, fold, marks, tidy

__all__ = ["SOSCI"]

_METADATA = frozenset(
    (
        "case", "serial", "ref", "questnnr", "mode", "started", "time_sum", "mailsent", "lastdata", "finished",
        "q_viewer", "lastpage", "maxpage", "missing", "missrel", "time_rsi", "deg_time",
    )
)  # fmt: skip
_CERTAIN = frozenset(("questnnr", "missrel", "time_rsi", "deg_time"))


def _fingerprint(rows: Sequence[Sequence[str]]) -> str:
    found = [cell.strip() for cell in rows[0] if fold(cell) in _METADATA and cell.strip().isupper()]
    folded = {fold(cell) for cell in found}
    if (folded & _CERTAIN and len(folded) >= 2) or len(folded) >= 4:
        return f"the headings {', '.join(found[:6])} are those of SoSci Survey"
    return ""


def _layout(rows: Sequence[Sequence[str]], position: int) -> Layout:
    names = tidy(rows[position])
    below = tidy(rows[position + 1]) if position + 1 < len(rows) else ()
    labelled = _is_label_row(names, below)
    case = column_of(names, "case")
    return Layout(
        "sosci",
        names,
        position + 1 + labelled,
        questions=tuple(_questions(label) for label in below) if labelled else (),
        no_items=frozenset(
            i for i, name in enumerate(names) if fold(name) in _METADATA or fold(name).startswith("time0")
        ),
        tests=marks(names, "mode", ("debug", "pretest", "admin", "preview"), "runs in debug or pretest mode"),
        doubtful=marks(names, "finished", ("f", "false", "0", "falsch"), "not finished"),
        submission=() if case is None else (case,),
        missing={"-9": "blank", "-1": "dont_know"},
        positional=True,
    )


def _questions(label: str) -> tuple[str, ...]:
    """The label, and what follows the title of its question."""
    title, colon, text = label.partition(": ")
    return tuple(part for part in (label, text.strip() if colon and title else "") if part)


def _is_label_row(names: Sequence[str], row: Sequence[str]) -> bool:
    """Whether the row below the names labels them: a respondent has numbers there."""
    if not row:
        return False
    checked = [cell for name, cell in zip(names, row, strict=True) if fold(name) in ("case", "started", "lastdata")]
    filled = [cell for cell in checked if cell] or [cell for cell in row if cell]
    return bool(filled) and not any(character.isdigit() for cell in filled for character in cell)


SOSCI = Platform("sosci", _fingerprint, _layout)
