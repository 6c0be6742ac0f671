"""`import hf_slt` is cheap: scripts answer `--help` at once and tools that only look at the package pay nothing."""

import subprocess
import sys

HEAVY = ("torch", "transformers", "datasets", "evaluate", "pandas")
PROBE = f"""
import sys, time
start = time.perf_counter()
import hf_slt
seconds = time.perf_counter() - start
print(hf_slt.__file__, seconds, *[name for name in {HEAVY!r} if name in sys.modules])
"""


def test_import_is_fast_and_loads_no_heavy_package():
    runs = [
        subprocess.run([sys.executable, "-c", PROBE], check=True, capture_output=True, text=True).stdout.split()
        for _ in range(3)
    ]
    assert all(path.endswith("__init__.py") for path, *_ in runs)
    assert [loaded for _, _, *loaded in runs] == [[], [], []]
    assert min(float(seconds) for _, seconds, *_ in runs) < 0.3
