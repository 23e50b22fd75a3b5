"""The report of a tour: one HTML page in several languages, made of texts, numbers and pictures."""

from .page import SIGNS, report_page
from .texts import LANGUAGES, Texts

__all__ = ["LANGUAGES", "SIGNS", "Texts", "report_page"]
