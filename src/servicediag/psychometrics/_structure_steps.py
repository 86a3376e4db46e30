"""How the search for a minimum steps: by curvature, by what earlier steps showed of it, and with word to the caller."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.linalg.lapack import dpotrf, dpotrs

from servicediag.psychometrics._frames import FloatArray
from servicediag.psychometrics._resampling import Progress

__all__ = ["FIRM", "NO_GRADIENT", "Curvature", "Steps", "polished"]

FIRM = 1e-2  # smallest entry of the Cholesky root of a scaled matrix that is far from singular
NO_GRADIENT = 1e-8  # reached by steps that still halve the gradient where the discrepancy is flat by rounding
_POLISHING = 12


class Steps:
    """Tells a caller, who may raise to stop, how far the iterations have come."""

    def __init__(self, progress: Progress | None = None) -> None:
        self._progress, self._done = progress, 0

    def step(self, left: int) -> None:
        """One more, and how many there may still be."""
        self._done += 1
        if self._progress is not None:
            self._progress(self._done, self._done + max(left, 1))

    def end(self) -> None:
        """No more will come."""
        if self._progress is not None:
            self._progress(max(self._done, 1), max(self._done, 1))


class Curvature:
    """Twice the expected information, factored for steps that it suggests."""

    def __init__(self, information: FloatArray) -> None:
        self._scale = np.sqrt(np.maximum(information.diagonal(), 1e-12))
        self._scaled = information / (self._scale[:, None] * self._scale)
        root, failed = dpotrf(self._scaled, lower=1)
        self._root = root
        self.firm = not failed and bool(root.diagonal().min(initial=1.0) > FIRM)

    def solve(self, slope: FloatArray) -> FloatArray:
        """The product of the inverse with a vector."""
        relative = slope / self._scale
        if self.firm:
            solved = dpotrs(self._root, relative, lower=1)[0]
        else:
            values, vectors = np.linalg.eigh(self._scaled)
            damped = np.maximum(values, 1e-7)  # directions that the data hardly inform move slowly
            solved = vectors @ ((vectors.T @ relative) / damped)
        return np.asarray(solved / (2 * self._scale))

    def step(self, slope: FloatArray) -> FloatArray:
        """Downhill, no parameter by more than 1."""
        step = -self.solve(slope)
        longest = float(np.abs(step).max(initial=0.0))
        return step if longest <= 1 else step / longest


def polished(
    objective: Any, parameters: FloatArray, slope: FloatArray, curvature: Curvature, steps: Steps
) -> tuple[FloatArray, float, float, int] | None:
    """The minimum from close by: quasi-Newton steps from the expected information; None where they do not help."""
    if not curvature.firm:
        return None
    learnt: list[tuple[FloatArray, FloatArray, float]] = []
    largest = np.inf
    for done in range(1, _POLISHING + 1):
        steps.step(_POLISHING - done)
        step = _learnt_step(curvature, learnt, slope)
        parameters = parameters + step
        place, value = objective.moments(parameters)
        if not np.isfinite(value):
            return None
        new = objective.gradient(place)
        largest, previous = float(np.abs(new).max(initial=0.0)), largest
        if largest < NO_GRADIENT:
            return parameters, value, largest, done
        turn, slope = new - slope, new
        along = float(turn @ step)
        if largest > previous / 2 or along <= 0:
            return None
        learnt.append((step, turn, along))
    return None


def _learnt_step(
    curvature: Curvature, learnt: Sequence[tuple[FloatArray, FloatArray, float]], slope: FloatArray
) -> FloatArray:
    """Downhill by the curvature and what earlier steps showed of it (Nocedal 1980, Math. of Computation, 35, 773)."""
    left, shares = slope, []
    for step, turn, along in reversed(learnt):
        shares.append(float(step @ left) / along)
        left = left - shares[-1] * turn
    result = curvature.solve(left)
    for (step, turn, along), share in zip(learnt, reversed(shares), strict=True):
        result = result + (share - float(turn @ result) / along) * step
    return -result
