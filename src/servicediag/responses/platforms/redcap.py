"""REDCap: raw exports name fields and give codes, labelled ones give their labels; each form has its completion."""

from __future__ import annotations

import re
from collections.abc import Sequence

from servicediag.responses.platforms.layout import Layout, Marks, Platform, fold, tidy

__all__ = ["REDCAP"]

_STATES = frozenset(("", "0", "1", "2", "na", "incomplete", "unverified", "complete"))
_REPEATS = frozenset(
    ("redcap_event_name", "redcap_repeat_instrument", "redcap_repeat_instance", "event name", "repeat instrument",
     "repeat instance")
)  # fmt: skip
_RAW = re.compile(r"[a-z][a-z0-9_]*")
_CHECKBOX = re.compile(r".*___\S+|.*\(choice=.*\)", re.DOTALL)
_OWN = re.compile(r".*_complete|.*_timestamp|redcap_.*|complete\?|survey timestamp|survey identifier", re.DOTALL)


def _fingerprint(rows: Sequence[Sequence[str]]) -> str:
    names = [cell.strip() for cell in rows[0]]
    folded = [fold(name) for name in names]
    known = set(folded)
    if "record id" in known and known & {"complete", "survey timestamp"}:
        return "the headings Record ID and Complete? are those of REDCap"
    completions = [i for i, name in enumerate(names) if name.endswith("_complete") and _RAW.fullmatch(name)]
    states = all(fold(row[i]) in _STATES for row in rows[1:3] for i in completions)
    own = known & (_REPEATS | {"record_id", "redcap_survey_identifier", "redcap_data_access_group"})
    if completions and states and (own or any("___" in name for name in names)):
        return f"the headings {', '.join(sorted(own) or ['...___...'])} and {names[completions[0]]} are those of REDCap"
    return ""


def _layout(rows: Sequence[Sequence[str]], position: int) -> Layout:
    headings = tidy(rows[position])
    folded = [fold(heading) for heading in headings]
    key = next((i for i, name in enumerate(folded) if name), None)
    repeated = bool(_REPEATS & set(folded))
    timestamps = [i for i, name in enumerate(folded) if name.endswith("_timestamp") or name == "survey timestamp"]
    return Layout(
        "redcap",
        headings,
        position + 1,
        no_items=frozenset(
            i for i, name in enumerate(folded)
            if i == key or _OWN.fullmatch(name) or _CHECKBOX.fullmatch(headings[i]) or name == "complete"
        ),
        doubtful=tuple(
            Marks(i, frozenset(("[not completed]",)), "not completed by the participant") for i in timestamps
        ),
        submission=() if repeated or key is None else (key,),
        missing={"na": "blank"},
        positional=True,
    )  # fmt: skip


REDCAP = Platform("redcap", _fingerprint, _layout)
