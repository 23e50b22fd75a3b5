"""The backprop debugger: step through the sweep, forth and back, and stop where a gradient is not as it should be."""

from ..ops.mathematics import Rule, rule_of
from ..ops.visited import node
from .breakpoints import Breakpoint
from .explanation import Explanation, explain
from .halting import breakpoint_on
from .prompt import Prompt
from .session import Session, Stop
from .starting import debug, full_screen
from .tape import Arrival, Moment, Tape

__all__ = [
    "Arrival", "Breakpoint", "Explanation", "Moment", "Prompt", "Rule", "Session", "Stop", "Tape", "breakpoint_on",
    "debug", "explain", "full_screen", "node", "rule_of",
]  # fmt: skip
