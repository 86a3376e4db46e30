"""Small studies that several tests share; their numbers are generated here, never taken from the library."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import settings

import servicediag as sd

# The same examples on every machine, so that a landing never hangs on luck. `--hypothesis-profile=explore` searches on.
settings.register_profile("fixed", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("explore", deadline=None, print_blob=True)
settings.load_profile("fixed")


def _make_responses(parts, units, seed=0, shifts=(), halo=0.4, trait=0.6, noise=0.7, missing=0.0):
    """Answers to whole forms: a person's general level, a level per dimension, noise, and planted shifts.

    ``units`` lists a unit a respondent; ``shifts`` lists (unit, dimension or item, scale points of health).
    """
    generator = np.random.default_rng(seed)
    units = np.asarray(units, dtype=object)
    n = len(units)
    general = generator.normal(0, halo, n)
    columns = {}
    instruments = []
    for instrument_id, form in parts:
        instrument = sd.load_instrument(instrument_id)
        instruments.append(instrument)
        for dimension in instrument.dimensions:
            level = general + generator.normal(0, trait, n)
            sign = 1 if dimension.direction == "strength" else -1
            for item in dimension.items:
                error = generator.normal(0, noise, n)
                if item.code not in instrument.form(form).items:
                    continue
                scale = instrument.scale(item.code, form)
                value = level.copy()
                for unit, target, points in shifts:
                    if target in (dimension.id, item.code):
                        value = value + np.where(units == unit, points, 0.0)
                value = sign * (value + 0.3) * (-1 if item.reverse_keyed else 1)
                middle = (scale.minimum + scale.maximum) / 2
                answer = np.clip(np.rint(middle + value + error), scale.minimum, scale.maximum)
                answer[generator.random(n) < missing] = np.nan
                columns[item.code] = answer
    frame = pd.DataFrame({"branch": units, **columns})
    forms = dict(parts)
    return sd.read_responses(frame, instruments, form=forms, unit="branch", minimum_completed=0)


@pytest.fixture(scope="session")
def make_responses():
    return _make_responses
