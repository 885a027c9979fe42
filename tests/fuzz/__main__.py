"""Fuzzing led by coverage: `python -m tests.fuzz` gives each reader so many inputs.

Each runs in a process of its own, since libFuzzer ends the one in which it has found something.
The bytes are then printed: they become one of `SEEDS`, or a test beside the reader.
"""

import argparse
import importlib.util
import subprocess
import sys
import tempfile
from pathlib import Path

NAMES = (
    *("envelope", "body", "record", "condition", "expression", "search", "signature"),
    "order_file",
)
"""Of the readers, which are imported late: what is imported before is not instrumented."""
RUNS, SECONDS_MAX = 5_000, 120
RSS_MB, BYTES_MAX, ONE_SECONDS = 2_000, 4_096, 60
"""By the clock on the wall: a busy machine alone is not a failure."""
SHOWN_CHARS = 4_000


def main() -> int:
    """Fuzz the readers that are named, all of them without a name; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("readers", nargs="*", choices=[*NAMES, []], metavar="reader")
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--seconds", type=int, default=SECONDS_MAX, help="at most, of each reader")
    parser.add_argument("--here", action="store_true", help="in this process, one reader")
    arguments = parser.parse_args()
    if importlib.util.find_spec("atheris") is None:
        print("fuzz: atheris has no wheel for this Python or machine; nothing was fuzzed")
        return 0
    if arguments.here:
        return fuzz(arguments.readers[0], arguments.runs, arguments.seconds)
    names = arguments.readers or NAMES
    failed = [name for name in names if not _holds(name, arguments.runs, arguments.seconds)]
    print(f"fuzz: {len(names) - len(failed)} of {len(names)} readers held")
    return int(bool(failed))


def _holds(name: str, runs: int, seconds: int) -> bool:
    command = [sys.executable, "-m", "tests.fuzz", name, "--here"]
    command += ["--runs", str(runs), "--seconds", str(seconds)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    # Without its lines on progress, hundreds of them.
    lines = [each for each in done.stderr.splitlines() if not each.startswith(("#", "INFO"))]
    output = "\n".join([done.stdout, *lines])
    # libFuzzer also ends with 0 where it never began, such as without a function to call.
    number = next((line for line in lines if line.startswith("Done ")), "")
    held = done.returncode == 0 and bool(number)
    why = f"ended with {done.returncode}: {output[-SHOWN_CHARS:]}"
    print(f"fuzz: {name}: {number if held else why}", flush=True)
    return held


def fuzz(name: str, runs: int, seconds: int) -> int:
    """Fuzz one reader in this process, which ends where something is found."""
    import atheris  # noqa: PLC0415  where there is one

    with atheris.instrument_imports(include=["app", "workflows"], enable_loader_override=False):
        from tests.fuzz.readers import READERS, seeds  # noqa: PLC0415  instrumented
    with tempfile.TemporaryDirectory() as folder:
        for number, seed in enumerate(seeds(name)):
            (Path(folder) / str(number)).write_bytes(seed)
        limits = [f"-runs={runs}", f"-max_total_time={seconds}", f"-timeout={ONE_SECONDS}"]
        limits += [f"-max_len={BYTES_MAX}", f"-rss_limit_mb={RSS_MB}", "-seed=1"]
        atheris.Setup([sys.argv[0], *limits, f"-artifact_prefix={folder}/", folder], READERS[name])
        atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
