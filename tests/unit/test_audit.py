"""The chain of the audit: whatever is changed, removed, put in or moved is noticed, and named."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from app.cli import audit
from app.config import Config
from app.kafka.messages import console_record
from app.operations.audit.chain import BREACHES_MAX, ChainHead, Prover, after, beginning
from app.operations.audit.reader import checkpoint_in
from app.wire.records import Record
from app.wire.signing import signed
from workflows.audit.checkpoint import AuditCheckpointed
from workflows.audit.dead_letter_actions import DeadLetterDiscarded

AT_MS = 1_700_000_000_000


def record(offset: int, **changed: Any) -> Record:
    """Return the act at `offset` of partition 2."""
    facts = {
        "topic": "audit",
        "partition": 2,
        "offset": offset,
        "key": b"a letter",
        "value": b'{"who":"ann"}',
        "headers": (("ce_id", b"%d" % offset), ("x-payflow-seal", b"right")),
        "at_ms": AT_MS + offset,
    }
    return Record(**(facts | changed))


STORY = [record(offset) for offset in range(8)]


def chain_heads(story: list[Record]) -> list[ChainHead]:
    """Return the chain after each record of `story`."""
    chain = [beginning(2)]
    for each in story:
        chain.append(after(chain[-1], each))
    return chain[1:]


def is_right(each: Record) -> bool:
    """Return whether the record carries a signature that is right."""
    return ("x-payflow-seal", b"right") in each.headers


def proven(
    story: list[Record], heads: list[ChainHead], is_authentic: Callable[[Record], bool] = is_right
):
    """Return what comes of comparing `story` with what was said."""
    prover = Prover(2, heads, is_authentic)
    for each in story:
        prover.receive(each)
    return prover.done()


def test_what_was_emitted_holds():
    """Every checkpoint of it, emitted once or by several consoles; the rest waits for one."""
    chain = chain_heads(STORY)

    verdict = proven(STORY, [chain[2], chain[5], chain[5]])

    assert () == verdict.breaches
    assert (8, 2, 2, chain[-1]) == (
        verdict.actions,
        verdict.checkpoints,
        verdict.unsealed,
        verdict.chain_head,
    )


@pytest.mark.parametrize(
    ("story", "place"),
    [
        pytest.param(
            [*STORY[:3], replace(STORY[3], value=b'{"who":"bob"}'), *STORY[4:]],
            "audit/2/3..5",
            id="another body",
        ),
        pytest.param(
            [*STORY[:3], replace(STORY[3], at_ms=1), *STORY[4:]],
            "audit/2/3..5",
            id="another time",
        ),
        pytest.param(
            [*STORY[:3], replace(STORY[3], headers=STORY[3].headers[::-1]), *STORY[4:]],
            "audit/2/3..5",
            id="headers in another order",
        ),
        pytest.param(
            [*STORY[:3], replace(STORY[3], headers=STORY[2].headers), *STORY[4:]],
            "audit/2/3..5",
            id="one emitted twice in the place of another",
        ),
        pytest.param(
            [*STORY[:3], replace(STORY[4], offset=3), replace(STORY[3], offset=4), *STORY[5:]],
            "audit/2/3..5",
            id="two that changed places",
        ),
        pytest.param([*STORY[:3], *STORY[4:]], "audit/2/3", id="one removed"),
        pytest.param(STORY[2:], "audit/2/0..1", id="the first ones removed"),
        pytest.param(
            [*STORY[:3], *(replace(each, offset=each.offset - 1) for each in STORY[4:])],
            "audit/2/3..5",
            id="one removed and the rest moved up",
        ),
        pytest.param(
            [
                *STORY[:3],
                record(3, headers=STORY[7].headers),
                *(replace(each, offset=each.offset + 1) for each in STORY[3:]),
            ],
            "audit/2/3..5",
            id="one put in",
        ),
        pytest.param(STORY[:5], "audit/2/5", id="the last ones removed"),
        pytest.param([], "audit/2/0..5", id="all removed"),
        pytest.param(
            [*STORY, record(8, headers=(("ce_id", b"8"),))],
            "audit/2/8",
            id="one put behind, not by Payflow",
        ),
    ],
)
def test_whoever_tampers_is_found(story: list[Record], place: str):
    """The first place that does not hold is named: where nothing else can, by its checkpoints."""
    chain = chain_heads(STORY)

    verdict = proven(story, [chain[2], chain[5]])

    assert place == verdict.breaches[0].place


@given(data=st.data())
@settings(max_examples=200)
def test_no_byte_of_a_signed_act_can_be_changed(data: st.DataObject):
    """Whatever else an act said, the chain would be another."""
    at = data.draw(st.integers(0, len(STORY) - 1))
    parts = st.none() | st.binary(max_size=20)
    pairs = st.lists(st.tuples(st.text(max_size=5), st.binary(max_size=5)), max_size=3)
    changed = replace(
        STORY[at],
        key=data.draw(parts),
        value=data.draw(parts),
        headers=tuple(data.draw(pairs)),
        at_ms=data.draw(st.integers(0, 2**40)),
    )
    story = [*STORY[:at], changed, *STORY[at + 1 :]]

    verdict = proven(story, chain_heads(STORY)[-1:], lambda _record: True)

    assert (story == STORY) == (not verdict.breaches)


def test_bytes_cannot_move_from_one_part_to_the_next():
    """Key and body, name and value: each lies behind its length; nothing is not empty."""
    alike = [
        record(0, key=b"ab", value=b"c"),
        record(0, key=b"a", value=b"bc"),
        record(0, key=None, value=b"abc"),
        record(0, key=b"", value=b"abc"),
        record(0, key=b"ab", value=b"c", headers=(("ce_id", b""), ("0x", b""))),
        record(0, key=b"ab", value=b"c", headers=(("ce_id", b"0x"), ("", b""))),
    ]

    assert len(alike) == len({after(beginning(2), each).digest for each in alike})


def test_partitions_do_not_begin_alike():
    """What lay on one cannot be put on another."""
    assert beginning(0) != beginning(1)


def test_checkpoints_that_contradict_each_other_are_found():
    """One of two is a lie, whichever."""
    chain = chain_heads(STORY)

    verdict = proven(STORY, [chain[5], replace(chain[5], count=7)])

    assert ["audit/2/0..5"] == [breach.place for breach in verdict.breaches]


def test_of_very_many_breaches_the_first_are_named():
    """Somebody who floods the audit does not fill the terminal."""
    flood = [record(offset, headers=()) for offset in range(BREACHES_MAX + 5)]

    verdict = proven(flood, [])

    assert (BREACHES_MAX, "audit/2/0") == (len(verdict.breaches), verdict.breaches[0].place)


@pytest.mark.parametrize(
    ("key", "digest", "is_known"),
    [
        pytest.param("seal_payflow_local", "a" * 64, True, id="of Payflow"),
        pytest.param("another", "a" * 64, False, id="of somebody else"),
        pytest.param("seal_payflow_local", "z" * 64, False, id="of no digest"),
    ],
)
def test_a_checkpoint_counts_when_payflow_has_emitted_it(key: str, digest: str, is_known: bool):
    """Who may write to the topic does not yet say what was there."""
    emitted = signed(
        console_record(AuditCheckpointed(partition=2, offset=5, count=6, digest=digest), AT_MS), key
    )
    lies = Record(
        topic="audit.chain",
        partition=0,
        offset=0,
        key=emitted.key,
        value=emitted.value,
        headers=tuple(emitted.headers),
    )

    assert is_known == (checkpoint_in(lies, Config()) is not None)


def test_an_act_is_no_checkpoint():
    """Produced on the wrong topic by Payflow itself."""
    emitted = signed(
        console_record(DeadLetterDiscarded(about="a", who="b", why=""), AT_MS), Config().signing_key
    )
    lies = record(0, key=emitted.key, value=emitted.value, headers=tuple(emitted.headers))

    assert checkpoint_in(lies, Config()) is None


def test_what_was_kept_elsewhere_is_a_checkpoint_too(tmp_path):
    """An earlier verdict outlives a topic that was made anew."""
    chain = chain_heads(STORY)
    path = tmp_path / "kept.json"
    path.write_bytes(msgspec.json.encode({"partitions": [proven(STORY, []), proven([], [])]}))

    heads_by_partition = audit._chain_heads(path)

    assert {2: [chain[-1]]} == heads_by_partition
    assert "audit/2/0..7" == proven([], heads_by_partition[2]).breaches[0].place
