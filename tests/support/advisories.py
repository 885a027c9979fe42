"""Whether a locked package has an advisory: `python -m tests.support.advisories`, by `pip-audit`.

It asks the package index. Where the index knows no advisories, or does not answer, that is said:
then nothing was checked, and it is not a failure.
"""

import subprocess
import sys
from pathlib import Path

import msgspec

LOCK = Path(__file__).parents[2] / "requirements-dev.lock"
SECONDS_MAX = 300


class Advisory(msgspec.Struct):
    """One advisory about a version."""

    id: str
    fix_versions: list[str] = []


class Package(msgspec.Struct):
    """One package; without a version where it could not be looked up."""

    name: str
    version: str = ""
    vulns: list[Advisory] = []
    skip_reason: str = ""


class Report(msgspec.Struct):
    """What `pip-audit` says."""

    dependencies: list[Package]


def verdict(report: Report) -> tuple[str, bool]:
    """Return what was found, in text, and whether it is a failure."""
    packages = report.dependencies
    audited = [each for each in packages if not each.skip_reason]
    if not audited:
        return f"not checked: the index knows no advisories of {len(packages)} packages", False
    advisories = [
        f"{each.name} {each.version}: {vuln.id}, mended in {', '.join(vuln.fix_versions) or 'none'}"
        for each in audited
        for vuln in each.vulns
    ]
    text = f"{len(audited)} of {len(packages)} packages were checked, {len(advisories)} advisories"
    return "\n".join([text, *advisories]), bool(advisories)


def main() -> int:
    """Ask, print what was found, and return the exit code."""
    command = [
        *(sys.executable, "-m", "pip_audit", "--vulnerability-service", "pypi"),
        *("--requirement", str(LOCK), "--require-hashes", "--disable-pip"),
        *("--format", "json", "--progress-spinner", "off"),
    ]
    try:
        done = subprocess.run(command, capture_output=True, timeout=SECONDS_MAX, check=False)
        text, is_failure = verdict(msgspec.json.decode(done.stdout, type=Report))
    except (subprocess.TimeoutExpired, msgspec.DecodeError):
        text, is_failure = "not checked: the index does not answer", False
    sys.stdout.write(f"advisories: {text}\n")
    return int(is_failure)


if __name__ == "__main__":
    sys.exit(main())
