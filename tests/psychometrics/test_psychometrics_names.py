"""The public names of servicediag.psychometrics: complete, sorted, lazy, and not hidden by modules."""

import pkgutil
import subprocess
import sys

import pytest

from servicediag import psychometrics as pm


@pytest.mark.parametrize("name", pm.__all__)
def test_every_public_name_loads(name):
    assert callable(getattr(pm, name))


def test_names_are_sorted_and_differ_from_modules():
    modules = {module.name for module in pkgutil.iter_modules(pm.__path__)}
    assert list(pm._PUBLIC) == sorted(pm._PUBLIC)
    assert not modules & set(pm.__all__)
    assert set(pm._PUBLIC.values()) <= modules


def test_unknown_names_are_attribute_errors():
    with pytest.raises(AttributeError, match="no_such_statistic"):
        _ = pm.no_such_statistic


def test_importing_the_package_and_computing_alpha_leaves_scipy_stats_alone():
    code = (
        "import sys, pandas as pd\n"
        "from servicediag import psychometrics as pm\n"
        "assert 'scipy' not in sys.modules\n"
        "x = pd.DataFrame({'a': [1, 2, 3, 5], 'b': [1, 3, 2, 4], 'c': [2, 2, 3, 5]})\n"
        "pm.cronbach_alpha(x).describe(); pm.mcdonald_omega(x).describe(); pm.item_analysis(x).describe()\n"
        "assert 'scipy.stats' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
