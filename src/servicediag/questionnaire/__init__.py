"""An instrument as something that people can fill in."""

from servicediag.questionnaire.answer_sheet import write_answer_sheet

__all__ = ["write_answer_sheet"]
