"""Attacks on the rendered files learn nothing, and learn a great deal as soon as one rule is switched off.

A sample; ``python benchmarks/attack/run.py`` does the whole.
"""

from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks" / "attack"
RULES = (
    "minimum_group", "unanimity", "complementary", "interval", "audit", "partial_answers", "ledger", "waves", "scales",
)  # fmt: skip


@pytest.fixture(autouse=True)
def _attacks_can_be_imported(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))


@pytest.mark.parametrize("kind", ["one", "two", "waves", "study"])
@pytest.mark.parametrize("seed", range(2))
def test_nothing_is_learnt_from_the_files(kind, seed):
    from organisations import random_organisation
    from run import attacked

    formats = ("xlsx", "html", "pptx", "docx", "txt") if (kind, seed) == ("two", 0) else ()
    found, named, _ = attacked(random_organisation(seed, kind), formats=formats)
    assert not found
    assert not named


@pytest.mark.parametrize("rule", RULES)
def test_attack_succeeds_without_the_rule(rule):
    from organisations import crafted
    from run import attacked

    organisation = crafted(rule, 1)
    assert not attacked(organisation)[0]
    assert attacked(organisation, without=rule)[0]


def test_attack_knows_nothing_of_the_library():
    for name in ("rendered_files.py", "office_files.py", "equations.py"):
        assert "servicediag" not in (FOLDER / name).read_text(encoding="utf-8")


def test_small_group_in_a_chart_of_the_slides_is_found(tmp_path):
    """A number beside the name of a small group in a workbook inside a chart, and one in its cache alone."""
    import io
    import zipfile

    import openpyxl
    from office_files import small_groups

    book, inner = openpyxl.Workbook(), io.BytesIO()
    book.active.append(["Tiny", 40.0])
    book.save(inner)
    with zipfile.ZipFile(tmp_path / "report.pptx", "w") as package:
        package.writestr("ppt/embeddings/chart.xlsx", inner.getvalue())
        package.writestr("ppt/charts/chart1.xml", "<c><pt><v>40</v></pt><pt><v>7</v></pt><pt><v>Tiny</v></pt></c>")
    found = list(small_groups(tmp_path / "report.pptx", {"Tiny"}))
    assert [place.split()[1] for place in found] == ["ppt/embeddings/chart.xlsx:", "cache", "cache"]


def test_answers_left_by_subtraction_are_found():
    from equations import options_told

    everybody, most = frozenset(range(16)), frozenset(range(10))
    assert set(options_told([(everybody, (6, 10)), (most, (1, 9))], 5)) == {(everybody - most, (5, 1))}
    assert not list(options_told([(everybody, (6, 10)), (most, (3, 7))], 5))
