"""A notebook shows a short, escaped fragment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from servicediag.diagnosis.model import Diagnosis
from servicediag.report.plain_text import clean


def test_fragment_names_the_top_findings_with_their_size(diagnosis: Diagnosis) -> None:
    fragment = diagnosis._repr_html_()
    for finding in diagnosis.top(5):
        assert finding.title in fragment
    assert "−18.1 points" in fragment
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
