"""How a diagnosis was made, as tables and sentences: questionnaires, thresholds, settings, cautions, sources."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from servicediag.diagnosis.model import Diagnosis, Finding
from servicediag.report.labels import Labels
from servicediag.report.tables import Column, Table, columns_of, without_empty
from servicediag.wording.catalogue import has_text, keys, text
from servicediag.wording.numbers import localized

__all__ = [
    "cautions",
    "facts",
    "glossary",
    "parts_table",
    "quality_table",
    "references",
    "settings_table",
    "statements",
    "thresholds_table",
]

_PART = ("instrument", "title", "version", "form", "rater", "wave", "n_respondents", "status")
_STATEMENTS = ("not_validated", "conventions", "consistent", "missing", "rounding", "privacy")


def facts(diagnosis: Diagnosis, labels: Labels) -> str:
    """One line about the study: questionnaires, who answered, how many units."""
    pieces = []
    # of several waves the last one stands for its questionnaire
    last = {(part["instrument"], part["form"], part["rater"]): part for part in _parts(diagnosis)}
    for part in last.values():
        piece = labels.instrument(part["instrument"])
        if part["rater"] is not None:
            piece = labels.aside(piece, labels.say("rated_by", rater=labels.value("rater", part["rater"])))
        if part["n_respondents"] is not None:
            piece = labels.colon(piece, labels.say("count.respondents", count=part["n_respondents"]))
        pieces.append(piece)
    waves = list(dict.fromkeys(str(part["wave"]) for part in _parts(diagnosis) if part["wave"] is not None))
    if len(waves) > 1:
        pieces.append(labels.say("count.waves", waves=labels.joined("names", waves)))
    counts = diagnosis.study.get("n_units")
    if isinstance(counts, Mapping):
        for grouping, count in counts.items():
            units = labels.say("count.units", count=count)
            pieces.append(units if len(counts) == 1 else labels.aside(units, labels.value("by", grouping)))
    return " · ".join(pieces)


def parts_table(diagnosis: Diagnosis, labels: Labels) -> Table:
    """A row a questionnaire and form."""
    columns = columns_of([name for name in _PART if name != "title"], labels)
    rows = []
    for part in _parts(diagnosis):
        row = {
            **part,
            "instrument": labels.instrument(part["instrument"]),
            "form": labels.value("form", part["form"]),
            "rater": labels.value("rater", part["rater"]),
        }
        rows.append(tuple(row[column.name] for column in columns))
    return without_empty(Table(labels.say("method.parts"), columns, tuple(rows)))


def thresholds_table(diagnosis: Diagnosis, labels: Labels) -> Table:
    """The conventions that judged the findings."""
    given = {name: value for name, value in diagnosis.method.items() if _is_threshold(name, labels)}
    rows = [(_named("threshold", name, labels), value_text(value, labels)) for name, value in given.items()]
    return Table(labels.say("method.thresholds"), _two_columns(labels), tuple(rows))


def settings_table(diagnosis: Diagnosis, labels: Labels) -> Table:
    """Everything else that study and method say, so that nothing is left out of the report."""
    shown = {"parts", "references", "sources", "statements", "notes"}
    entries = [(n, v) for source in (diagnosis.study, diagnosis.method) for n, v in source.items()
               if n not in shown and not _is_threshold(n, labels)]  # fmt: skip
    rows = [(_named("study_key", name, labels), value_text(value, labels, name)) for name, value in entries]
    return Table(labels.say("method.further"), _two_columns(labels), tuple(row for row in rows if row[1]))


def cautions(diagnosis: Diagnosis, labels: Labels) -> list[str]:
    """The cautions that every report prints, and the status of the questionnaires."""
    statuses = dict.fromkeys(str(part["status"]) for part in _parts(diagnosis) if part["status"] is not None)
    fixed = [labels.say(f"method.{name}") for name in _STATEMENTS]
    if statuses:
        fixed.insert(1, labels.say("method.statuses", status=labels.joined("list", statuses)))
    return fixed


def statements(diagnosis: Diagnosis, labels: Labels) -> list[str]:
    """The cautions, then the statements of the diagnosis itself and notes about its data."""
    own = [*_sentences(diagnosis.method.get("statements")), *_sentences(diagnosis.study.get("notes"))]
    return [*cautions(diagnosis, labels), *own]


def quality_table(diagnosis: Diagnosis, labels: Labels) -> Table:
    """Who answered, how many were asked, how much was withheld, and what was noted about the data."""
    columns = columns_of(("topic", "remark", "n"), labels)
    rows: list[tuple[Any, ...]] = []
    for part in _parts(diagnosis):
        place = [labels.instrument(part["instrument"]), labels.value("rater", part["rater"]), part["wave"]]
        where = labels.clauses(str(entry) for entry in place if entry)
        rows.append((labels.say("quality.respondents"), where, part["n_respondents"]))
    rows.append((labels.say("quality.withheld"), None, len(diagnosis.withheld)))
    rows += [(labels.say("quality.note"), note, None) for note in _sentences(diagnosis.study.get("notes"))]
    rows += [
        (labels.say("quality.finding"), _titled(finding, labels), finding.n)
        for finding in diagnosis.findings if finding.kind == "data_quality"
    ]  # fmt: skip
    return Table(labels.say("sheet.quality.title"), columns, tuple(rows))


def references(diagnosis: Diagnosis) -> list[str]:
    """The sources of the methods and of the questionnaires that the diagnosis names."""
    return [*_sentences(diagnosis.method.get("references")), *_sentences(diagnosis.study.get("sources"))]


def glossary(labels: Labels) -> list[tuple[str, str]]:
    """Terms with their meanings."""
    terms = [
        key for key in keys("report", labels.language) if key.startswith("report.glossary.") and key.endswith(".term")
    ]
    return [(text(term, labels.language), text(f"{term[:-5]}.meaning", labels.language)) for term in terms]


def value_text(value: Any, labels: Labels, name: str = "") -> str:
    """A setting in words: lists joined, mappings as ``name: value``."""
    if isinstance(value, Mapping):
        told = (labels.colon(labels.value("by", key), value_text(entry, labels)) for key, entry in value.items())
        return labels.joined("list", told)
    if isinstance(value, (list, tuple)):
        inner = "by" if name == "groupings" else ""
        return labels.joined("list", (value_text(entry, labels, inner) for entry in value))
    if value is None:
        return ""
    if isinstance(value, float):
        return localized(f"{value:g}", labels.language)
    return labels.value(name, value) if name else str(value)


def _parts(diagnosis: Diagnosis) -> list[dict[str, Any]]:
    entries = diagnosis.study.get("parts") or ()
    return [
        {**{name: entry.get(name) for name in _PART},
         "n_respondents": entry.get("n_respondents", entry.get("respondents"))}
        for entry in entries if isinstance(entry, Mapping)
    ]  # fmt: skip


def _titled(finding: Finding, labels: Labels) -> str:
    if finding.title and finding.text:
        return labels.colon(finding.title, finding.text)
    return finding.title or finding.text


def _sentences(value: Any) -> list[str]:
    if value is None:
        return []
    if isinstance(value, Mapping):
        return [f"{key}: {entry}" for key, entry in value.items()]
    entries: Iterable[Any] = [value] if isinstance(value, str) else value
    return [str(entry) for entry in entries]


def _named(area: str, name: str, labels: Labels) -> str:
    key = f"report.{area}.{name}"
    if has_text(key, labels.language):
        return text(key, labels.language)
    words = name.replace("_", " ")
    return words[:1].upper() + words[1:]


def _is_threshold(name: str, labels: Labels) -> bool:
    return has_text(f"report.threshold.{name}", labels.language)


def _two_columns(labels: Labels) -> tuple[Column, Column]:
    return Column("setting", labels.column("setting"), "text"), Column("value", labels.column("value"), "text")
