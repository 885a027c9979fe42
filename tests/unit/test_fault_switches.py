"""Faults on the command line: names find their system, mistakes are named."""

import pytest

from app.console.api.fault_injection import NO_FAULT, SHAPES
from app.console.pages.fault_injection import MESSAGES
from app.local.fault_switches import FaultError, parse


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param("", {}, id="none"),
        pytest.param("decline=0.2", {"provider": {"decline": 0.2}}, id="the provider's own"),
        pytest.param("refuse=0.05", {"carrier": {"refuse": 0.05}}, id="the carrier's own"),
        pytest.param("timeout=0.1", {"provider": {"timeout": 0.1}}, id="both know it: the first"),
        pytest.param("carrier.timeout=0.1", {"carrier": {"timeout": 0.1}}, id="said whose"),
        pytest.param(
            "decline=0.2, refuse=1",
            {"provider": {"decline": 0.2}, "carrier": {"refuse": 1.0}},
            id="several",
        ),
    ],
)
def test_faults_find_their_system(text: str, found: dict[str, dict[str, float]]) -> None:
    """A name without a system belongs to the first that has it."""
    assert found == parse(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("declin=0.2", "'declin' is no fault; there are", id="an unknown name"),
        pytest.param("carrier.decline=1", "'carrier.decline' is no fault", id="another's fault"),
        pytest.param("decline=often", "decline needs a number, not 'often'", id="no number"),
    ],
)
def test_a_mistake_is_named(text: str, said: str) -> None:
    """The error says what is wrong and what there is."""
    with pytest.raises(FaultError, match=said):
        parse(text)


def test_the_page_knows_every_fault() -> None:
    """One that it does not know would count as in force for ever, or could not be set there."""
    known = {name for shape in SHAPES.values() for name in shape.__struct_fields__}

    assert known == NO_FAULT | set(MESSAGES)
