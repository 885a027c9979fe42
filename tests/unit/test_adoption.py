"""What `payflow adopt` does with each partition: where to go on, in which log and epoch."""

from collections.abc import Mapping, Sequence

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import UnknownMemberIdError

from app.config import Config
from app.kafka.applied_logs import AppliedLog, log_of_mark, mark_of
from app.kafka.logs import LogIdentity, PlaceFacts, TopicLog
from app.operations.adoption import adopt as adopt_module
from app.operations.adoption.adopt import (
    STARTS,
    AdoptionError,
    Choice,
    Start,
    _adoption,
    adopt,
)
from workflows.audit.adoption import LogsAdopted
from workflows.audit.messages import ActionUnconfirmed
from workflows.shared.message import Message

A, B = LogIdentity(topic_id="A"), LogIdentity(topic_id="B")
PLACE = TopicPartition("orders", 1)
NOW_S = 1_795_945_372


def facts(committed: int | None, mark: AppliedLog | None) -> PlaceFacts:
    return PlaceFacts(
        log=TopicLog(identity=A, partitions=4),
        begin=10,
        end=100,
        committed=committed,
        metadata=mark_of(mark) if mark is not None else "",
    )


def choice(start: Start, at_s: int = NOW_S, *, without_rows: bool = False) -> Choice:
    return Choice(start=start, at_s=at_s, without_rows=without_rows)


@pytest.mark.parametrize("start", STARTS)
def test_what_is_right_goes_on_where_it_is(start: Start) -> None:
    """In its own epoch; the workers are to take the tables as they lie."""
    adoption = _adoption(PLACE, facts(50, AppliedLog(identity=A, epoch=7)), choice(start))

    assert (True, 50, 7) == (adoption.is_kept, adoption.offset, adoption.epoch)
    assert adoption.log.adopted


@pytest.mark.parametrize(
    ("committed", "mark"),
    [
        pytest.param(50, AppliedLog(identity=B), id="another log"),
        pytest.param(50, None, id="an offset of somebody else"),
    ],
)
def test_what_is_not_goes_on_where_the_operator_says(
    committed: int, mark: AppliedLog | None
) -> None:
    """In an epoch of its own, so that applied offsets of before do not count."""
    place_facts = facts(committed, mark)
    adoptions = [_adoption(PLACE, place_facts, choice(start)) for start in STARTS]

    assert [10, 50, 100] == [each.offset for each in adoptions]
    assert {(False, NOW_S)} == {(each.is_kept, each.epoch) for each in adoptions}
    # What somebody else has committed, or in another log, says nothing of what was produced.
    expected_log = AppliedLog(identity=A, epoch=NOW_S, adopted=True, stored=0)
    assert expected_log == log_of_mark(mark_of(adoptions[0].log))


def test_what_is_passed_by_is_named_by_the_epoch_before_and_stays_so_until_it_is_taken() -> None:
    """Its events were deleted; then it is adopted once more, before a worker has started."""
    first = _adoption(PLACE, facts(9, AppliedLog(identity=A, epoch=7)), choice("beginning"))
    again = _adoption(PLACE, facts(10, first.log), choice("beginning", NOW_S + 1))
    deleted = _adoption(PLACE, facts(8, first.log), choice("beginning", NOW_S + 1))

    assert [(7, 9)] * 3 == [
        (each.log.before, each.log.produced) for each in (first, again, deleted)
    ]
    assert [NOW_S, NOW_S, NOW_S + 1] == [each.epoch for each in (first, again, deleted)]


@pytest.mark.parametrize("committed", [None, 9, 101])
def test_nothing_usable_is_committed(committed: int | None) -> None:
    """The message says what there is."""
    with pytest.raises(AdoptionError, match="orders/1, which goes from 10 to 100"):
        _adoption(PLACE, facts(committed, None), choice("committed"))


class Group:
    """A group whose last worker commits once more while it is waited for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.committed = 50
        self.published: list[Message] = []
        self.taken: Mapping[TopicPartition, tuple[int, str]] = {}
        self.error: Exception | None = None
        for name in ("wait_until_stopped", "place_facts", "publish", "commit_for"):
            monkeypatch.setattr(adopt_module, name, getattr(self, name))

    async def wait_until_stopped(self, *_args: object) -> None:
        self.committed = 60

    async def place_facts(
        self, _config: Config, _group: str, places: Sequence[TopicPartition]
    ) -> dict[TopicPartition, PlaceFacts]:
        return dict.fromkeys(places, facts(self.committed, AppliedLog(identity=A)))

    async def publish(self, _config: Config, messages: Sequence[Message], _at_ms: int) -> None:
        self.published += messages

    async def commit_for(
        self, _config: Config, _group: str, offsets: Mapping[TopicPartition, tuple[int, str]]
    ) -> None:
        if self.error is not None:
            raise self.error
        self.taken = offsets


async def test_what_a_worker_commits_as_it_ends_is_not_set_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The plan is made once nobody is in the group."""
    group = Group(monkeypatch)

    done = await adopt(Config(), "order", ["orders"], choice("committed"), "oda", "made again")

    assert {60} == {offset for offset, _ in group.taken.values()}
    assert {60} == {each.offset for each in done}
    assert ["LogsAdopted"] == [type(each).__name__ for each in group.published]


async def test_the_audit_says_that_a_group_did_not_take_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A worker that has joined in that moment owns the offsets."""
    group = Group(monkeypatch)
    group.error = UnknownMemberIdError()

    with pytest.raises(UnknownMemberIdError):
        await adopt(Config(), "order", ["orders"], choice("end"), "oda", "made again")

    adopted, failed = group.published
    assert isinstance(failed, ActionUnconfirmed)
    assert ("UnknownMemberIdError", "service:order") == (failed.failure, failed.about)
    assert failed.action_id
    assert isinstance(adopted, LogsAdopted)


@pytest.mark.parametrize(
    ("place_facts", "stored"),
    [
        pytest.param(facts(50, AppliedLog(identity=B, stored=7)), 7, id="as the group has said"),
        pytest.param(facts(50, AppliedLog(identity=B)), 0, id="a commit of a version before"),
        pytest.param(facts(50, None), 0, id="an offset of somebody else"),
        pytest.param(facts(None, None), None, id="nothing was committed"),
    ],
)
def test_it_says_whether_there_are_rows_somewhere(
    place_facts: PlaceFacts, stored: int | None
) -> None:
    """A worker that has none of them is refused then, unless the operator goes on without."""
    adoption = _adoption(PLACE, place_facts, choice("beginning"))
    without = _adoption(PLACE, place_facts, choice("beginning", without_rows=True))

    assert (stored, None) == (adoption.log.stored, without.log.stored)
