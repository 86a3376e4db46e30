"""Survey exports to coded answers, with a record of how each was read."""

from servicediag.responses.intake import Intake
from servicediag.responses.model import Part, Responses
from servicediag.responses.reading import read_responses
from servicediag.responses.safety import Limits
from servicediag.responses.screening import Screening, screen
from servicediag.responses.suggestions import SuggestedMappingError

__all__ = [
    "Intake",
    "Limits",
    "Part",
    "Responses",
    "Screening",
    "SuggestedMappingError",
    "read_responses",
    "screen",
]
