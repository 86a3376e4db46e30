"""A notebook shows a short, escaped fragment."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import replace
from html import escape
from typing import Any

import pytest

import servicediag
from servicediag.diagnosis.model import Cause, Diagnosis
from servicediag.report.plain_text import clean


def test_fragment_names_the_top_findings_with_their_size(diagnosis: Diagnosis) -> None:
    fragment = diagnosis._repr_html_()
    for finding in diagnosis.top(5):
        assert finding.title in fragment
    assert "−18.2 points" in fragment
    assert "not yet validated" in fragment
    assert len(fragment) < 6000


@pytest.mark.parametrize("name", ["html", "formula", "markup", "bidi", "template", "control"])
def test_hostile_text_stays_text(
    diagnosis: Diagnosis,
    spoilt: Callable[[Diagnosis, str], Diagnosis],
    hostile_texts: Any,
    read_page: Callable[[str], Any],
    name: str,
) -> None:
    text = getattr(hostile_texts, name)
    reader = read_page(spoilt(diagnosis, text)._repr_html_())
    assert {tag for tag, _ in reader.tags} <= {"div", "p", "strong", "table", "thead", "tbody", "tr", "th", "td"}
    assert clean(text) in reader.texts


def test_fragment_of_nothing_says_so(empty_diagnosis: Diagnosis) -> None:
    assert "no proof that all is well" in empty_diagnosis._repr_html_()


@pytest.mark.parametrize("name", sorted(servicediag.__all__))
def test_every_public_value_shows_itself_in_a_notebook(name: str) -> None:
    public = getattr(servicediag, name)
    no_value = not inspect.isclass(public) or issubclass(public, Exception)
    # parts of a simulation and of a fault list are read within their whole
    assert no_value or hasattr(public, "_repr_html_") or name in {"AnswerProcess", "Effect", "Issue"}


@pytest.mark.parametrize("name", ["html", "markup", "template"])
def test_a_finding_and_its_causes_are_shown_as_text(diagnosis: Diagnosis, hostile_texts: Any, name: str) -> None:
    finding = replace(diagnosis.findings[0], title=getattr(hostile_texts, name))
    cause = Cause("R01", getattr(hostile_texts, name), "possible")
    for value in (finding, cause):
        shown = value._repr_html_()
        assert escape(getattr(hostile_texts, name)) in shown
        assert set(re.findall(r"<(\w+)", shown)) == {"div", "p"}
