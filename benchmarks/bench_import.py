"""What `import tinygrad_seq` adds to importing NumPy, in fresh processes, interleaved."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from statistics import median

PROBE = "import time, numpy; start = time.perf_counter(); import {}; print(time.perf_counter() - start)"


def seconds(module: str, cache: str) -> float:
    """How long the import takes in a fresh process that has NumPy already, compiled as an installed package is."""
    env = {**os.environ, "PYTHONPYCACHEPREFIX": cache, "PYTHONDONTWRITEBYTECODE": ""}
    run = subprocess.run([sys.executable, "-c", PROBE.format(module)], capture_output=True, check=True, env=env)
    return float(run.stdout)


def main() -> None:
    with tempfile.TemporaryDirectory() as cache:
        seconds("tinygrad_seq", cache)
        seconds("json", cache)
        times = [(seconds("tinygrad_seq", cache), seconds("json", cache)) for _ in range(11)]
    ours, nothing = (median(t) * 1e3 for t in zip(*times, strict=True))
    print(f"import tinygrad_seq adds {ours:.1f} ms to NumPy (target 30); import json, for scale, {nothing:.1f} ms")


if __name__ == "__main__":
    main()
