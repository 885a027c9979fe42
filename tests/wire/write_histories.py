"""`python -m tests.wire.write_histories`: records a day of each kind that has none yet.

A recorded history is never written again: it says what code of its time came to.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path

import msgspec

from tests.support.simulation.scenario import run_scenario
from tests.support.simulation.world import World
from tests.wire.history import recorded
from workflows.fraud import messages as fraud
from workflows.order import saga_messages as saga
from workflows.payment import messages as payment

FOLDER = Path(__file__).parent / "histories"
SEEDS_MAX = 2_000


def _has(world: World, topic: str, shape: type) -> bool:
    return any(isinstance(message, shape) for message in world.messages(topic))


def _refunded_cancel(world: World) -> bool:
    return _has(world, "sagas", saga.OrderCancelled) and _has(
        world, "payments", payment.PaymentRefunded
    )


KINDS: dict[str, Callable[[World], bool]] = {
    "completed": lambda world: _has(world, "sagas", saga.OrderCompleted),
    "cancelled-after-payment": _refunded_cancel,
    "returned": lambda world: _has(world, "sagas", saga.ReturnAccepted),
    "payment-failed": lambda world: _has(world, "payments", payment.PaymentFailed),
    "judged": lambda world: _has(world, "fraud", fraud.FraudCleared),
    "unknown-outcome": lambda world: (
        _has(world, "payments", payment.PaymentPending)
        and _has(world, "sagas", saga.OrderCompleted)
    ),
}
"""What a day must hold to be of a kind."""


def main() -> None:
    """Write what is missing."""
    FOLDER.mkdir(exist_ok=True)
    loop = asyncio.new_event_loop()
    for kind, fits in KINDS.items():
        path = FOLDER / f"{kind}.json"
        if path.exists():
            continue
        for seed in range(SEEDS_MAX):
            world = run_scenario(seed, loop)
            small = sum(len(log) for log in world.log.values()) < 90
            if small and fits(world):
                history = recorded(f"{kind}, as it was on the day of seed {seed}", seed)
                path.write_bytes(
                    msgspec.json.format(msgspec.json.encode(history), indent=1) + b"\n"
                )
                break


if __name__ == "__main__":
    main()
