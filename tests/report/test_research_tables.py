"""Research tables have APA form and every text is escaped for its format."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import servicediag as sd
from servicediag.report import research_table
from servicediag.report.research_tables import apa_coefficient


@pytest.fixture(scope="module")
def responses() -> Any:
    return sd.simulate("readiness", form="employee", n_units=4, respondents_per_unit=30, seed=3).responses()


@pytest.fixture(scope="module")
def reliability(responses: Any) -> Any:
    return sd.reliability(responses)


def hostile(reliability: Any, note: str) -> Any:
    table = reliability.table.copy()
    table.loc[0, "note"] = note
    return replace(reliability, table=table)


@pytest.mark.parametrize(
    ("value", "shown"), [(0.834, ".83"), (-0.125, "−.13"), (1.0, "1.00"), (-1.5, "−1.50"), (0.999, "1.00"), (None, "—")]
)
def test_coefficients_have_no_zero_before_the_point(value: float | None, shown: str) -> None:
    assert apa_coefficient(value) == shown


def test_markdown_holds_every_scale_with_its_coefficients(reliability: Any) -> None:
    lines = reliability.to_markdown().splitlines()
    assert lines[0] == "**Table 1**"
    row = reliability.to_frame().iloc[0]
    cells = next(line for line in lines if line.startswith("| Know")).strip("| ").split(" | ")
    assert cells[1:4] == [str(row["n_items"]), str(row["n_respondents"]), f"{row['alpha']:.2f}"[1:]]
    assert cells[4] == rf"\[{row['alpha_low']:.2f}, {row['alpha_high']:.2f}\]".replace("0.", ".")


def test_rows_of_a_table_have_as_many_cells_as_its_head(reliability: Any, responses: Any) -> None:
    for result in (reliability, sd.score(responses), sd.reliability(responses, by="unit")):
        rows = [line for line in result.to_markdown().splitlines() if line.startswith("|")]
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1
        rows = [line for line in result.to_latex().splitlines() if line.endswith("\\\\")]
        assert len({len(re.findall(r"(?<!\\)&", row)) for row in rows}) == 1


def test_scale_without_a_coefficient_has_a_dash_and_a_footnote(reliability: Any) -> None:
    shown = reliability.to_markdown()
    assert re.search(r"Requirements for knowing<sup>a</sup> \| 7 \| \d+ \| — \|", shown)
    assert shown.count("<sup>a</sup> Formative") == 1


def test_scores_show_correlations_below_the_diagonal(responses: Any) -> None:
    scores = sd.score(responses)
    row = next(line for line in scores.to_markdown().splitlines() if line.startswith("| 2."))
    expected = scores.values["know"].corr(scores.values["want"])
    assert row.strip("| ").split(" | ")[4] == f"{expected:.2f}"[1:]


def test_text_is_escaped_in_markdown(reliability: Any) -> None:
    shown = hostile(reliability, "a|b *c* <script> [x](y) `z`").to_markdown()
    assert r"a\|b \*c\* \<script\> \[x\](y) \`z\`" in shown


def test_text_is_escaped_in_latex(reliability: Any) -> None:
    shown = hostile(reliability, r"\input{x} 50% of a_b & $c$ #1 ~ ^").to_latex()
    assert r"\textbackslash{}input\{x\} 50\% of a\_b \& \$c\$ \#1 \textasciitilde{} \textasciicircum{}" in shown


def test_latex_has_rules_across_and_none_down(reliability: Any) -> None:
    shown = reliability.to_latex()
    assert [shown.count(rule) for rule in (r"\toprule", r"\midrule", r"\bottomrule")] == [1, 1, 1]
    assert re.search(r"\\begin\{tabular\}\{[lr]+\}", shown)


def test_word_table_says_the_same(reliability: Any, tmp_path: Path) -> None:
    docx = pytest.importorskip("docx")
    path = reliability.to_word(tmp_path / "table.docx")
    document = docx.Document(str(path))
    rows = [[cell.text for cell in row.cells] for row in document.tables[0].rows]
    lines = [line for line in reliability.to_markdown().splitlines() if line.startswith("| Know")]
    assert [" | ".join(rows[1])] == [line.strip("| ").replace("\\", "") for line in lines]
    assert any(run.font.superscript for cell in document.tables[0].columns[0].cells for run in cell.paragraphs[0].runs)
    assert reliability.to_word(tmp_path / "again.docx").read_bytes() == path.read_bytes()


def test_file_holds_the_table(reliability: Any, tmp_path: Path) -> None:
    shown = reliability.to_latex(tmp_path / "table.tex")
    assert (tmp_path / "table.tex").read_text(encoding="utf-8") == shown
    with pytest.raises(FileExistsError):
        reliability.to_latex(tmp_path / "table.tex")


def test_wrong_arguments_are_refused(reliability: Any, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="style='html'"):
        research_table(reliability, "html")
    with pytest.raises(ValueError, match=r"'\.md'"):
        reliability.to_markdown(tmp_path / "table.tex")
    with pytest.raises(ValueError, match="needs a path"):
        research_table(reliability, "docx")
    with pytest.raises(TypeError, match="DataFrame"):
        research_table(reliability.to_frame())  # type: ignore[arg-type]
