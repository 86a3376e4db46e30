"""Service-culture assessment: questionnaires, scoring, reliability and gap diagnosis.

Public names load on first use, so that ``import servicediag`` is quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from servicediag import psychometrics
    from servicediag.diagnosis.engine import diagnose
    from servicediag.diagnosis.evidence import Evidence, build_evidence
    from servicediag.diagnosis.model import Cause, Diagnosis, Finding
    from servicediag.errors import (
        InstrumentError,
        InsufficientDataError,
        Issue,
        ResponsesError,
        ServicediagError,
        ServicediagWarning,
    )
    from servicediag.instrument import Instrument, lint_instrument, list_instruments, load_instrument
    from servicediag.planning import StudyPlan, plan
    from servicediag.questionnaire import write_answer_sheet
    from servicediag.reliability_table import Reliability, reliability
    from servicediag.responses import Intake, Responses, Screening, read_responses, screen
    from servicediag.scoring import Scores, score
    from servicediag.simulation import AnswerProcess, Effect, SimulatedStudy, simulate
    from servicediag.structure import StructureCheck, check_structure

__version__ = "0.1.0"

_HOMES = {
    "AnswerProcess": "simulation",
    "Cause": "diagnosis.model",
    "Diagnosis": "diagnosis.model",
    "Effect": "simulation",
    "Evidence": "diagnosis.evidence",
    "Finding": "diagnosis.model",
    "Instrument": "instrument",
    "InstrumentError": "errors",
    "InsufficientDataError": "errors",
    "Intake": "responses",
    "Issue": "errors",
    "Reliability": "reliability_table",
    "Responses": "responses",
    "ResponsesError": "errors",
    "Scores": "scoring",
    "Screening": "responses",
    "ServicediagError": "errors",
    "ServicediagWarning": "errors",
    "SimulatedStudy": "simulation",
    "StructureCheck": "structure",
    "StudyPlan": "planning",
    "build_evidence": "diagnosis.evidence",
    "check_structure": "structure",
    "diagnose": "diagnosis.engine",
    "lint_instrument": "instrument",
    "list_instruments": "instrument",
    "load_instrument": "instrument",
    "plan": "planning",
    "read_responses": "responses",
    "reliability": "reliability_table",
    "score": "scoring",
    "screen": "responses",
    "simulate": "simulation",
    "write_answer_sheet": "questionnaire",
}

__all__ = [
    "AnswerProcess",
    "Cause",
    "Diagnosis",
    "Effect",
    "Evidence",
    "Finding",
    "Instrument",
    "InstrumentError",
    "InsufficientDataError",
    "Intake",
    "Issue",
    "Reliability",
    "Responses",
    "ResponsesError",
    "Scores",
    "Screening",
    "ServicediagError",
    "ServicediagWarning",
    "SimulatedStudy",
    "StructureCheck",
    "StudyPlan",
    "__version__",
    "build_evidence",
    "check_structure",
    "diagnose",
    "lint_instrument",
    "list_instruments",
    "load_instrument",
    "plan",
    "psychometrics",
    "read_responses",
    "reliability",
    "score",
    "screen",
    "simulate",
    "write_answer_sheet",
]


def __getattr__(name: str) -> Any:
    if name == "psychometrics":
        return import_module("servicediag.psychometrics")
    if name not in _HOMES:
        raise AttributeError(f"module 'servicediag' has no attribute {name!r}")
    value = getattr(import_module(f"servicediag.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
