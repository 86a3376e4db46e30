"""Tells which form of an instrument was filled in, or says that the file cannot tell."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from servicediag.instrument.model import Form, Instrument
from servicediag.responses.matching import Match

__all__ = ["infer_form", "requested_forms"]

Fits = Callable[[Match, Form], bool]


def requested_forms(form: str | Mapping[str, str] | None, instruments: Sequence[Instrument]) -> dict[str, str]:
    """``{instrument id: form id}`` from what the caller passed.

    ``form`` is a form id, ``"instrument:form"``, several of these separated by commas, or a mapping.

    Raises
    ------
    ValueError
        A form or an instrument of that name does not exist.
    """
    if form is None:
        return {}
    by_id = {instrument.id: instrument for instrument in instruments}
    wanted: dict[str, str] = {}
    if isinstance(form, Mapping):
        wanted = dict(form)
    elif isinstance(form, str):
        for part in form.split(","):
            instrument_id, colon, form_id = part.strip().rpartition(":")
            targets = [instrument_id] if colon else list(by_id)
            wanted.update(dict.fromkeys(targets, form_id))
    else:
        raise TypeError(f"form={form!r} must be a form id, 'instrument:form' or a mapping of these")
    for instrument_id, form_id in wanted.items():
        if instrument_id not in by_id:
            choices = ", ".join(by_id)
            raise ValueError(f"form={form!r} names {instrument_id!r}, which is not read; choose from {choices}")
        forms = [f.id for f in by_id[instrument_id].forms]
        if form_id not in forms:
            raise ValueError(f"form={form_id!r} is not a form of {instrument_id}; choose from {', '.join(forms)}")
    return wanted


def infer_form(instrument: Instrument, matches: Sequence[Match], fits: Fits) -> tuple[Form, ...]:
    """The forms that the matched columns can be; one of them where they can tell.

    A form is possible if it holds every item that was found, is worded as every heading that is a text, and has
    response scales that know every answer. A short form is told from its long form by the items that are there; it is
    never guessed who answered.

    Parameters
    ----------
    fits : callable (match, form) -> bool
        Whether the answers of the column can be coded on the form's scale.
    """
    items = {match.item for match in matches}
    possible = [form for form in instrument.forms if items <= set(form.items)]
    worded = [form for form in possible if all(_is_worded(match, form) for match in matches)]
    misfits = {form.id: sum(not fits(match, form) for match in matches) for form in worded}
    fitting = [form for form in worded if misfits[form.id] == min(misfits.values())]
    candidates = fitting or possible
    if len(candidates) > 1 and _is_family(instrument, candidates, items):
        return (min(candidates, key=lambda form: len(form.items)),)
    return tuple(candidates)


def _is_worded(match: Match, form: Form) -> bool:
    return not match.readings or any(wording == form.wording for wording, _ in match.readings)


def _is_family(instrument: Instrument, forms: Sequence[Form], items: Collection[str]) -> bool:
    """Whether the forms are one long form and short versions of it, for the same raters, words and scales."""
    roots = {form.short_of or form.id for form in forms}
    raters = {(form.rater, form.wording) for form in forms}
    scales = {tuple(instrument.scale(code, form.id).id for code in sorted(items)) for form in forms}
    return len(roots) == len(raters) == len(scales) == 1
