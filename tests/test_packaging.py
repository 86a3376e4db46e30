"""The wheel holds the code, the fixed texts and every instrument file, and works as a zip."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    code = f"import hatchling.build as b; print(b.build_wheel({str(folder)!r}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return folder / done.stdout.strip().splitlines()[-1]


def tracked(folder):
    done = subprocess.run(["git", "ls-files", folder], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode or not done.stdout:
        pytest.skip("not a git checkout")
    return {name for name in done.stdout.splitlines() if (ROOT / name).is_file()}


def test_wheel_holds_every_instrument_file(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = {n.removeprefix("servicediag/") for n in archive.namelist() if n.startswith("servicediag/instruments/")}
    assert tracked("instruments") <= names


def test_wheel_holds_every_file_of_the_package(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {name.removeprefix("src/") for name in tracked("src")} <= names


def test_wheel_holds_nothing_but_package_and_metadata(wheel):
    with zipfile.ZipFile(wheel) as archive:
        roots = {name.split("/")[0] for name in archive.namelist()}
    assert {root for root in roots if not root.endswith(".dist-info")} == {"servicediag"}


def test_instruments_load_from_a_zip(wheel, tmp_path):
    code = (
        f"import sys; sys.path.insert(0, {str(wheel)!r}); import servicediag as sd; "
        "assert '.whl' in sd.__file__, sd.__file__; "
        "print(sd.load_instrument('readiness').id, len(sd.list_instruments()) > 2)"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.split() == ["readiness", "True"], done.stderr
