"""What is installed with servicediag carries no licence of the GPL family."""

from __future__ import annotations

import importlib.util
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def licences():
    spec = importlib.util.spec_from_file_location("licences", Path(__file__).parents[2] / "benchmarks" / "licences.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_no_dependency_is_under_the_gpl(licences):
    try:
        distribution("servicediag")
    except PackageNotFoundError:
        pytest.skip("servicediag is imported without being installed")
    packages = {
        name: version for name, version in licences.closure("servicediag", frozenset({"spss"})).items() if version
    }
    assert {"numpy", "pandas", "jinja2", "markupsafe"} <= set(packages)
    stated = {name: licences.licence(name) for name in packages}
    assert [name for name, text in stated.items() if text == "unknown"] == []
    assert {name: text for name, text in stated.items() if licences.is_copyleft(text)} == {}


@pytest.mark.parametrize(
    ("stated", "verdict"),
    [
        ("GPL-3.0-or-later", True),
        ("AGPL-3.0", True),
        ("GNU General Public License v2 (GPLv2)", True),
        ("GNU Affero General Public License v3", True),
        ("LGPL-2.1", False),
        ("GNU Lesser General Public License v3 (LGPLv3)", False),
        ("MIT", False),
        ("Apache-2.0 OR BSD-2-Clause", False),
    ],
)
def test_licences_of_the_gpl_family_are_recognised(licences, stated, verdict):
    assert licences.is_copyleft(stated) == verdict
