"""Where the parts lie that batches and messages of every magic have in common."""

import struct

from aiokafka.record.legacy_records import _LegacyRecordBatchPy

BASE_OFFSET = struct.Struct(">q")
LENGTH = struct.Struct(">i")
LENGTH_AT, LENGTH_ENDS = 8, 12
"""Where the length of a batch lies in it; it counts what follows."""
MAGIC_AT = 16
BATCH_BYTES_MIN = LENGTH_ENDS + _LegacyRecordBatchPy.RECORD_OVERHEAD_V0


def end_of(rest: memoryview) -> int:
    """Return where the batch at the begin of `rest` says that it ends; 12 where it is cut off."""
    has_length = len(rest) >= LENGTH_ENDS
    return LENGTH_ENDS + (LENGTH.unpack_from(rest, LENGTH_AT)[0] if has_length else 0)
