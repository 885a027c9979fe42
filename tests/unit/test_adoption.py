"""What `payflow adopt` does with each partition: where to go on, in which log and epoch."""

import pytest
from aiokafka import TopicPartition

from app.kafka.applied_logs import AppliedLog, log_of_mark, mark_of
from app.kafka.logs import LogIdentity, PlaceFacts, TopicLog
from app.operations.adoption.adopt import STARTS, AdoptionError, _adoption
from app.worker.log_identity import is_adopted

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


@pytest.mark.parametrize("start", STARTS)
def test_what_is_right_goes_on_where_it_is(start: str) -> None:
    """In its own epoch; the workers are to take the tables as they lie."""
    adoption = _adoption(PLACE, facts(50, AppliedLog(identity=A, epoch=7)), start, NOW_S)

    assert (True, 50, 7) == (adoption.is_kept, adoption.offset, adoption.epoch)
    assert is_adopted(mark_of(adoption.log))


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
    said = facts(committed, mark)
    adoptions = [_adoption(PLACE, said, start, NOW_S) for start in STARTS]

    assert [10, 50, 100] == [each.offset for each in adoptions]
    assert {(False, NOW_S)} == {(each.is_kept, each.epoch) for each in adoptions}
    # What somebody else has committed, or in another log, says nothing of what was produced.
    taken = AppliedLog(identity=A, epoch=NOW_S, adopted=True)
    assert taken == log_of_mark(mark_of(adoptions[0].log))


def test_what_is_passed_by_is_named_by_the_epoch_before_and_stays_so_until_it_is_taken() -> None:
    """Its events were deleted; then it is adopted once more, before a worker has started."""
    first = _adoption(PLACE, facts(9, AppliedLog(identity=A, epoch=7)), "beginning", NOW_S)
    again = _adoption(PLACE, facts(10, first.log), "beginning", NOW_S + 1)
    deleted = _adoption(PLACE, facts(8, first.log), "beginning", NOW_S + 1)

    assert [(7, 9)] * 3 == [
        (each.log.before, each.log.produced) for each in (first, again, deleted)
    ]
    assert [NOW_S, NOW_S, NOW_S + 1] == [each.epoch for each in (first, again, deleted)]


@pytest.mark.parametrize("committed", [None, 9, 101])
def test_nothing_usable_is_committed(committed: int | None) -> None:
    """The message says what there is."""
    with pytest.raises(AdoptionError, match="orders/1, which goes from 10 to 100"):
        _adoption(PLACE, facts(committed, None), "committed", NOW_S)
