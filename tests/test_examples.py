"""The examples run as they stand and stay short."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
REAL = Path(__file__).parents[2] / "shared" / "oracle" / "data"


def run(command, folder):
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    run([sys.executable, "-m", "servicediag", "demo"], folder)
    return folder


@pytest.mark.parametrize("path", [*EXAMPLES.glob("*.py"), *EXAMPLES.glob("*.sh")], ids=lambda p: p.name)
def test_example_is_at_most_15_lines(path):
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    assert len([line for line in lines if not line.lstrip().startswith("#")]) <= 15


def test_consultants_script_writes_both_reports(demo):
    printed = run([sys.executable, str(EXAMPLES / "consultant.py")], demo)
    assert "First:" in printed
    assert (demo / "diagnosis.xlsx").stat().st_size > 5000
    assert (demo / "diagnosis.html").read_text(encoding="utf-8").lower().startswith("<!doctype html>")


def test_hrs_command_lines_write_a_workbook_and_a_page(demo):
    run(["sh", str(EXAMPLES / "hr.sh")], demo)
    assert (demo / "servicediag-demo" / "hr-report.xlsx").exists()
    assert (demo / "servicediag-demo" / "hr-report.html").exists()


def test_researchers_script_needs_no_instrument(tmp_path):
    printed = run([sys.executable, str(EXAMPLES / "researcher.py")], tmp_path)
    assert "alpha" in printed
    assert "omega" in printed


def test_companies_script_reads_data_of_that_shape(tmp_path):
    generator = np.random.default_rng(0)
    n = 240
    columns = {"COMPID": np.repeat(np.arange(2, 14), 20), "SUB": np.arange(1, n + 1)}
    level = generator.normal(0, 0.7, n) - 1.5 * (columns["COMPID"] == 7)
    for prefix, count, low, high in (("LEAD", 11, 1, 5), ("TSIG", 3, 1, 5), ("HOSTIL", 5, 0, 4)):
        for k in range(1, count + 1):
            sign = -1 if prefix == "HOSTIL" else 1
            value = (low + high) / 2 + sign * level + generator.normal(0, 0.8, n)
            columns[f"{prefix}{k:02d}"] = np.clip(np.rint(value), low, high).astype(int)
    pd.DataFrame(columns).to_csv(tmp_path / "companies.csv", index=False)
    printed = run([sys.executable, str(EXAMPLES / "lq2002_companies.py"), "companies.csv"], tmp_path)
    assert "unit 7" in printed
    assert (tmp_path / "lq2002.html").exists()


@pytest.mark.skipif(not REAL.is_dir(), reason="the public data sets are not here")
@pytest.mark.parametrize(
    ("script", "data", "expected"),
    [
        ("lq2002_companies.py", "lq2002.csv", "Task significance"),
        ("ecsi_customers.py", "ecsi_mobi.csv", "Perceived value"),
    ],
)
def test_example_on_real_data(tmp_path, script, data, expected):
    assert expected in run([sys.executable, str(EXAMPLES / script), str(REAL / data)], tmp_path)
