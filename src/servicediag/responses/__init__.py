"""Survey exports to coded answers, with a record of how each was read."""

from servicediag.responses.intake import Intake
from servicediag.responses.model import Part, Responses
from servicediag.responses.reading import read_responses
from servicediag.responses.safety import Limits
from servicediag.responses.screening import Screening, screen

__all__ = ["Intake", "Limits", "Part", "Responses", "Screening", "read_responses", "screen"]
