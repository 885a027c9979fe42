"""Whether a log is the one that rows have applied: what they know, what the broker says."""

from io import BytesIO
from typing import Any

import msgspec
import pytest
from aiokafka.errors import KafkaConnectionError, ProducerClosed

from app.config import Config
from app.delivery import row
from app.kafka import logs
from app.kafka.applied_logs import (
    AppliedLog,
    AppliedLogs,
    decode_logs,
    encode_logs,
    has_run,
    log_of_mark,
    mark_of,
    vouches,
)
from app.kafka.logs import LogIdentity, PlaceFacts, TopicLog
from app.wire.records import read_source, source_name
from app.worker import log_check
from app.worker.log_check import LogCheck
from app.worker.log_identity import (
    LogRefused,
    Position,
    RowsView,
    Source,
    check_changelog,
    judge,
)
from tests.support.agents import TALLY, Tally, cancel

SOURCE = Source(service="order", topic="orders", partition=1, partitions=4)
A, B = (LogIdentity(topic_id=name, cluster_id="c") for name in "AB")
OLD = LogIdentity(cluster_id="c")
"""As a broker before Kafka 2.8 says it."""


def facts(
    committed: int | None = 50, mark: AppliedLog | None = None, **changed: object
) -> PlaceFacts:
    fields: dict[str, object] = {
        "log": TopicLog(identity=A, partitions=4),
        "begin": 10,
        "end": 100,
        "committed": committed,
        "metadata": mark_of(mark) if mark is not None else "",
    }
    return msgspec.convert(fields | changed, PlaceFacts, from_attributes=True)


def rows(log: AppliedLog | None = None, **highest: int) -> RowsView:
    """Return rows that have applied `log`, up to an offset by epoch (`e0=49`)."""
    return RowsView(log=log, highest=lambda epoch: highest.get(f"e{epoch}", -1))


def applied(identity: LogIdentity = A, epoch: int = 0, *, adopted: bool = False) -> AppliedLog:
    return AppliedLog(identity=identity, epoch=epoch, adopted=adopted)


def joined() -> AppliedLog:
    return msgspec.structs.replace(applied(), joined=True)


@pytest.mark.parametrize(
    ("at", "view", "offset", "epoch"),
    [
        pytest.param(facts(None, begin=0), rows(), 0, 0, id="a new group begins at the beginning"),
        pytest.param(facts(None), rows(), 10, 0, id="or at what is left"),
        pytest.param(
            facts(None), rows(applied()), 10, 0, id="rows that have applied nothing of it"
        ),
        pytest.param(facts(50), rows(), 50, 0, id="rows of before this decision are believed"),
        pytest.param(facts(50, applied()), rows(applied()), 50, 0, id="the same log goes on"),
        pytest.param(facts(50, applied()), None, 50, 0, id="an agent without rows goes on"),
        pytest.param(
            facts(None), rows(applied(), e0=49), 10, 0, id="offsets that expired are read again"
        ),
        pytest.param(facts(20), rows(applied(), e0=49), 20, 0, id="an offset set back is harmless"),
        pytest.param(facts(50), rows(applied(), e0=49), 50, 0, id="set to where the rows are"),
        pytest.param(
            facts(10, applied(epoch=7, adopted=True)),
            rows(applied(B), e0=900),
            10,
            7,
            id="an adopted log is taken in an epoch of its own",
        ),
        pytest.param(
            facts(30, applied(epoch=7)), rows(applied(epoch=7)), 30, 7, id="and goes on in it"
        ),
        pytest.param(
            facts(30, applied(), log=TopicLog(identity=OLD, partitions=4)),
            rows(applied()),
            30,
            0,
            id="a broker without topic ids is known by its cluster",
        ),
    ],
)
def test_a_log_that_was_applied_goes_on(
    at: PlaceFacts, view: RowsView | None, offset: int, epoch: int
) -> None:
    """At which offset, in which epoch."""
    position = judge(SOURCE, at, view)

    assert (offset, epoch) == (position.offset, position.log.epoch)


@pytest.mark.parametrize(
    ("at", "view", "says"),
    [
        pytest.param(None, rows(), "orders/1 is gone from the broker", id="gone"),
        pytest.param(
            facts(None, log=TopicLog(identity=B, partitions=4)),
            rows(applied()),
            "orders/1 is another log than the one that order has applied: it was A, it is B",
            id="made again while nobody was there",
        ),
        pytest.param(
            facts(50, applied(), log=TopicLog(identity=B, partitions=4)),
            None,
            "it was A, it is B",
            id="an offset of another log, as a mirror copies it",
        ),
        pytest.param(
            facts(
                50,
                log=TopicLog(identity=msgspec.structs.replace(OLD, cluster_id="d"), partitions=4),
            ),
            rows(applied(OLD)),
            "it was of cluster c, it is of cluster d",
            id="another cluster, before topic ids",
        ),
        pytest.param(
            facts(101, applied()),
            rows(applied()),
            "ends at offset 100, and order was",
            id="cut off",
        ),
        pytest.param(
            facts(None, end=40),
            rows(applied(), e0=49),
            "ends at offset 40",
            id="cut off, uncommitted",
        ),
        pytest.param(
            facts(8, applied()),
            rows(applied()),
            "the events from 8 to 9 were deleted",
            id="deleted",
        ),
        pytest.param(
            facts(None),
            rows(applied(), e0=4),
            "the events from 5 to 9 were",
            id="deleted, no offset",
        ),
        pytest.param(
            facts(None),
            None,
            "which has run before, has committed nothing of it: it was away for longer than its "
            "offsets are kept, and the events from 0 to 9 are gone",
            id="deleted, no offset, and no rows that would know",
        ),
        pytest.param(
            facts(100),
            rows(applied(), e0=49),
            "was set to offset 100 by somebody else, and the rows of order have applied it up to",
            id="set to the end while the rows are behind",
        ),
        pytest.param(
            facts(50, applied()), rows(), "the rows of order do not know it", id="rows were lost"
        ),
        pytest.param(
            facts(50, applied(epoch=7)),
            rows(applied()),
            "the rows of order do not know it",
            id="rows of before the adoption were put back",
        ),
        pytest.param(
            facts(50, log=TopicLog(identity=A, partitions=6)),
            rows(),
            "topic orders has 6 partitions, order was started with 4",
            id="partitions were added",
        ),
        pytest.param(
            facts(5, applied(epoch=7, adopted=True)),
            rows(applied(B)),
            "the events from 5 to 9 were deleted",
            id="adopted at an offset that is gone by now",
        ),
    ],
)
def test_a_log_that_was_not_applied_is_refused(
    at: PlaceFacts | None, view: RowsView | None, says: str
) -> None:
    """The message says what was, what is, and what to do."""
    with pytest.raises(LogRefused) as refused:
        judge(SOURCE, at, view)

    assert says in str(refused.value)
    assert "Operator: " in str(refused.value)


@pytest.mark.parametrize(
    ("metadata", "ends", "stored_logs", "ran"),
    [
        pytest.param([], [0, 0], [{}], False, id="nothing committed, nothing written"),
        pytest.param([], [], [], False, id="it has no topic yet"),
        pytest.param([], [0, 7], [{}], True, id="it has written, its offsets have expired"),
        pytest.param([], [0], [{}, {"orders": applied()}], True, id="its rows remember a topic"),
        pytest.param([mark_of(applied())], [0], [{}], True, id="its group lives"),
        pytest.param([""], [0], [{}], True, id="somebody has set its offsets"),
        pytest.param(
            [mark_of(applied()), mark_of(joined())], [3], [{"orders": applied()}], False,
            id="another worker of the same first start was faster",
        ),
    ],
)  # fmt: skip
def test_a_service_has_run_when_anything_of_it_is_left(
    metadata: list[str], ends: list[int], stored_logs: list[AppliedLogs], *, ran: bool
) -> None:
    """Commits expire; the end of what only it writes never falls, whatever is deleted."""
    assert ran == has_run(metadata, ends, stored_logs)


@pytest.mark.parametrize("view", [None, rows()])
def test_a_service_that_has_never_run_begins_with_what_there_is(view: RowsView | None) -> None:
    """Its commit says that it is new, once: with what it commits at its next start, it is not."""
    first = judge(SOURCE, facts(None), view, has_run=False)
    again = judge(SOURCE, facts(10, first.log), view and rows(applied()), has_run=True)

    assert (10, joined(), False) == (first.offset, first.log, first.is_committed)
    assert (10, applied(), False) == (again.offset, again.log, again.is_committed)


def test_a_service_that_is_new_here_and_has_rows_of_another_log_is_refused() -> None:
    """On another cluster nothing is committed and written yet."""
    with pytest.raises(LogRefused, match="it was B, it is A"):
        judge(SOURCE, facts(None), rows(applied(B)), has_run=False)


def test_only_a_commit_of_payflow_in_this_very_log_is_not_made_again() -> None:
    """Anything else is committed anew, with the log it is of."""
    same = facts(50, applied())
    set_by_another = facts(50)

    assert Position(log=applied(), offset=50, is_committed=True) == judge(
        SOURCE, same, rows(applied())
    )
    assert not judge(SOURCE, set_by_another, rows(applied(), e0=49)).is_committed
    assert (True, False, False) == (
        vouches(same),
        vouches(set_by_another),
        vouches(facts(101, applied())),
    )


def test_a_changelog_made_again_is_filled_only_when_it_was_adopted() -> None:
    """What a table has noted, what the broker says."""
    assert not check_changelog(SOURCE, None, A, is_adopted=False)
    assert not check_changelog(SOURCE, applied(A), A, is_adopted=True)
    assert check_changelog(SOURCE, applied(B), A, is_adopted=True)
    with pytest.raises(LogRefused, match="it was B, it is A"):
        check_changelog(SOURCE, applied(B), A, is_adopted=False)
    with pytest.raises(LogRefused, match="gone"):
        check_changelog(SOURCE, applied(B), None, is_adopted=True)


@pytest.mark.parametrize(
    "metadata", ["", "Kafka's own", "{}", "[1]", "\udcff", '{"a":' + "[" * 9_000]
)
def test_metadata_of_somebody_else_names_no_log(metadata: str) -> None:
    """Tools write nothing, or what they like."""
    assert log_of_mark(metadata) is None


def test_what_is_stored_is_read_again() -> None:
    """The row of a partition, and the metadata of a commit."""
    log_by_topic = {"orders": applied(B, 7), "payflow-order-orders-changelog": applied()}

    assert log_by_topic == decode_logs(encode_logs(log_by_topic))
    assert {} == decode_logs(None)
    assert applied(B, 7, adopted=True) == log_of_mark(mark_of(applied(B, 7, adopted=True)))


def test_applied_offsets_of_the_log_before_do_not_count() -> None:
    """They go with the first event of the adopted one; other places keep theirs."""
    before = row.Row(state=Tally(), applied_offsets={"orders/0": 900, "payments/0": 5})
    event = cancel(3, epoch=7)

    assert not row.behind(before, event)
    after = row.advanced(before, event)
    assert {"orders/0~7": 3, "payments/0": 5} == after.applied_offsets
    assert row.behind(after, event)
    stored = [row.encode_row(before), row.encode_row(after)]
    assert [before.applied_offsets, after.applied_offsets] == [*map(row.offsets_of, stored)]
    assert after == row.decode_row(TALLY, stored[1])


def test_the_name_of_a_source_says_its_epoch() -> None:
    """None in the first log: stored rows are as they were."""
    assert ("orders/0", "orders/0~7") == (source_name("orders", 0), source_name("orders", 0, 7))
    assert ("orders", 0, 0) == read_source("orders/0")
    assert ("a.b", 3, 7) == read_source("a.b/3~7")


def test_metadata_is_asked_for_with_topic_ids() -> None:
    """Version 10, byte for byte as KIP-516 has it; version 5 where the broker is older."""
    query = logs._MetadataQuery(["orders"])
    request = query.prepare({3: (0, 13)})
    topic_id = "AAECAwQFBgcICQoLDA0ODw"
    answer = request.RESPONSE_TYPE(
        0,
        [],
        "cluster",
        1,
        [(0, "orders", topic_id, False, [], 0, {}), (3, "x", "", False, [], 0, {})],
        0,
        {},
    )
    read = request.RESPONSE_TYPE.decode(BytesIO(answer.encode()))

    assert bytes([2]) + bytes(16) + b"\x07orders" + b"\0" + bytes(4) == request.encode()
    assert {
        "orders": TopicLog(
            identity=LogIdentity(topic_id=topic_id, cluster_id="cluster"), partitions=0
        )
    } == logs._topic_logs(read.to_object())
    assert 5 == query.prepare({3: (0, 9)}).API_VERSION


async def test_logs_are_checked_again_when_the_broker_was_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A recovery that ends in such a moment is not a reason to end the worker."""
    answers: list[Exception] = [KafkaConnectionError("nobody listens"), ProducerClosed()]
    checks: list[str] = []

    async def check(_logs: LogCheck, _app: object) -> None:
        if answers:
            raise answers.pop()
        checks.append("all")

    monkeypatch.setattr(LogCheck, "_check", check)
    monkeypatch.setattr(log_check, "CHECK_AGAIN_SECONDS", 0)
    app: Any = None

    await LogCheck(Config()).check(app)

    assert ([], ["all"]) == (answers, checks)


async def test_a_log_that_is_not_known_ends_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever else goes wrong: events must not flow without a check."""
    reasons: list[str] = []

    async def check(_logs: LogCheck, _app: object) -> None:
        raise ValueError("of another kind")

    monkeypatch.setattr(LogCheck, "_check", check)
    monkeypatch.setattr(log_check, "hard_stop", reasons.append)
    app: Any = None

    await LogCheck(Config()).check(app)

    assert ["it is not known which logs there are: ValueError('of another kind')"] == reasons
