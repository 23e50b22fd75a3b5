"""The backprop debugger: step through the sweep, forth and back, and stop where a gradient is not as it should be."""

from .breakpoints import Breakpoint
from .explanation import Explanation, explain
from .mathematics import Rule, rule_of
from .prompt import Prompt, debug
from .session import Session, Stop
from .tape import Arrival, Moment, Tape

__all__ = [
    "Arrival", "Breakpoint", "Explanation", "Moment", "Prompt", "Rule", "Session", "Stop", "Tape", "debug", "explain",
    "rule_of",
]  # fmt: skip
