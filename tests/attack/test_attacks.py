"""Attacks on the rendered files learn nothing, and learn a great deal as soon as one rule is switched off.

A sample; ``python benchmarks/attack/run.py`` does the whole. Two waves with a few joiners or leavers are not
among them: there the attack still succeeds now and then, as docs/privacy.md says.
"""

from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks" / "attack"
RULES = ("minimum_group", "unanimity", "complementary", "interval", "audit", "partial_answers", "ledger")


@pytest.fixture(autouse=True)
def _attacks_can_be_imported(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))


@pytest.mark.parametrize("kind", ["one", "two"])
@pytest.mark.parametrize("seed", range(2))
def test_nothing_is_learnt_from_the_files(kind, seed):
    from organisations import random_organisation
    from run import attacked

    formats = ("xlsx", "html", "txt") if seed == 0 else ()
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
    for name in ("rendered_files.py", "equations.py"):
        assert "servicediag" not in (FOLDER / name).read_text(encoding="utf-8")
