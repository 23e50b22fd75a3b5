"""False alarms: random programs, all of them right, by the thousand; `make alarms` runs it.

Every program is checked as a user's function would be, one in ten with the gradient of its gradient, and one in ten in
float32.  Prints each that is called wrong, how many had a kink or could not be told, and leaves with 1 if any was.
"""

import argparse
import sys
import time
from collections import Counter

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from joblib import Parallel, delayed

from tinygrad_seq.testing import gradcheck, programs

CHUNK = 1_000
EVERY = 10  # one chunk in so many is checked to the second order, and the one after it in float32


def chunk(number, n):
    """What came of n programs: counts, and the alarms as (program, report)."""
    counts, alarms = Counter(), []
    order = 2 if number % EVERY == 0 else 1
    dtype = np.float32 if number % EVERY == 1 else np.float64

    @seed(number)
    @settings(
        max_examples=n, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
    )
    @given(programs(dtype=dtype))
    def look(program):
        report = gradcheck(program, program.leaves, order=order, raise_exception=False)
        notes = " ".join(report.notes)
        counts.update(
            {
                "programs": 1,
                "of these to the second order": order - 1,
                "in float32": dtype is np.float32,
                "with a kink, a tie or a pole": "no derivative" in notes,
                "too rough or badly conditioned to tell": "too roughly" in notes or "badly conditioned" in notes,
                "numbers compared": report.checks,
            }
        )
        if not report:
            alarms.append((program.source, str(report)))

    look()
    return counts, alarms


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=int, default=100_000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--first", type=int, default=0, help="number of the first thousand, which is its seed")
    options = parser.parse_args()
    started, total, alarms = time.monotonic(), Counter(), []
    sizes = [min(CHUNK, options.programs - i) for i in range(0, options.programs, CHUNK)]
    jobs = (delayed(chunk)(options.first + i, n) for i, n in enumerate(sizes))
    for counts, found in Parallel(options.jobs, return_as="generator_unordered")(jobs):
        total += counts
        alarms += found
        for source, report in found:
            print(f"{source}\n{report}\n", flush=True)
        print(f"{total['programs']:,} programs, {len(alarms)} alarms, {time.monotonic() - started:.0f} s", flush=True)
    for what, n in total.items():
        print(f"{n:>12,} {what}")
    print(f"{len(alarms):>12,} false alarms")
    return 1 if alarms else 0


if __name__ == "__main__":
    sys.exit(main())
