"""An advisory about a locked package is a failure; what was not checked is said."""

import pytest

from tests.support.advisories import Advisory, Package, Report, verdict

FLASK = Package(name="flask", version="0.5", vulns=[Advisory(id="PYSEC-1", fix_versions=["1.0"])])
JINJA = Package(name="jinja2", version="3.1")
UNKNOWN = Package(name="typer", skip_reason="Dependency not found on PyPI")


@pytest.mark.parametrize(
    ("packages", "phrase", "is_failure"),
    [
        pytest.param([FLASK, JINJA], "flask 0.5: PYSEC-1, mended in 1.0", True, id="an advisory"),
        pytest.param([JINJA, UNKNOWN], "1 of 2 packages were checked", False, id="one is unknown"),
        pytest.param([UNKNOWN], "not checked", False, id="all are unknown"),
    ],
)
def test_what_is_known_of_locked_packages(
    packages: list[Package], phrase: str, is_failure: bool
) -> None:
    """In text, and as an exit code."""
    text, has_failure = verdict(Report(dependencies=packages))

    assert phrase in text
    assert is_failure == has_failure
