"""`payflow dead show`: one dead letter, masked; its bytes with a reason, which is audited."""

from typing import Annotated

import msgspec
import typer

from app.cli.dead_letter_output import transaction_around
from app.cli.dead_letters import Offset, Topic, Who, Why, now_ms, one_of
from app.cli.instance import AsJson, as_json, fail, out, run, running_instance, this_user
from app.cli.output import show_dead_letter
from app.operations.dead_letters.audit_records import Action
from app.operations.dead_letters.reader import gather
from app.operations.dead_letters.reveal import reveal
from app.operations.dead_letters.status import states
from app.operations.search.record_view import read_record


def show(  # noqa: PLR0913  each is an option
    topic: Topic,
    offset: Offset,
    *,
    in_clear: Annotated[
        bool, typer.Option("--reveal", help="The bytes, personal data included; it is audited.")
    ] = False,
    why: Why = "",
    who: Who = "",
    as_json_too: AsJson = False,
) -> None:
    """Show one dead letter, masked: headers, cause, history, state, its transaction."""
    if in_clear and not why.strip():
        fail("--reveal needs --reason: why you have to see personal data", 2)
    config = running_instance()
    facts = run(gather(config))
    dead_letter = one_of(facts, topic, offset)
    action = Action(who=who or this_user(), why=why, at_ms=now_ms())
    if in_clear:
        whole = run(reveal(config, dead_letter.place, action))
    else:
        whole = run(read_record(config, topic, dead_letter.record.partition, offset))
    around = transaction_around(config, dead_letter.correlation_id)
    output = {
        **msgspec.to_builtins(whole),
        "state": states(facts)[dead_letter.place],
        "history": msgspec.to_builtins(dead_letter.shown_history),
        "dropped_because": facts.discarded.get(dead_letter.place, ""),
        "transaction": around,
    }
    if as_json_too:
        as_json(output)
        return
    show_dead_letter(whole, out)
    out.print(f"{'state':<20}{output['state']}", markup=False)
    for earlier in dead_letter.shown_history:
        failure_text = f"{earlier.at} {earlier.agent} {earlier.cause}: {earlier.detail}"
        out.print(f"{'failed before':<20}{failure_text}  ({earlier.place})", markup=False)
    for event in around if isinstance(around, list) else [around]:
        out.print(f"{'around it':<20}{event}", markup=False)
