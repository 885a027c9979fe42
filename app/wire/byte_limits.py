"""How many bytes a message, a record, a dead letter and a row may have: the one table.

Each limit is derived from the one before it, so that what the API accepts can be carried inside;
`tests/properties/test_limits.py` holds the relations. Kafka counts headers too.
"""

OPEN_BODY_BYTES_MAX = 900_000
"""Body of a message on an open topic, as the API emits it and as others produce it."""
COPY_BYTES_MAX = 100_000
"""What an agent adds to such a body when it passes on a copy."""
BODY_BYTES_MAX = OPEN_BODY_BYTES_MAX + COPY_BYTES_MAX
"""Body of any other message, and of a request over HTTP. A longer one is poison."""

RECORD_BYTES_MAX = 3_000_000
"""What a topic takes: poison must be able to arrive, or it could not be dead-lettered."""
CAUSE_BYTES_MAX = 500_000
"""Why a record lies in a dead topic or on its way back: headers, earlier failures among them."""
DEAD_LETTER_BYTES_MAX = RECORD_BYTES_MAX + CAUSE_BYTES_MAX
"""A record that is dead-lettered whole, with what it says of earlier failures. A longer one had
come compressed, and only its beginning is kept."""
DEAD_LETTER_TOPIC_BYTES_MAX = DEAD_LETTER_BYTES_MAX + CAUSE_BYTES_MAX
"""What dead, retry and redrive topics take, and brokers of topics that say nothing else."""

BATCH_BYTES_MAX = 2 * BODY_BYTES_MAX
"""Bodies and headers of the events that an agent takes at once: what one row decides between two
commits is about as long as its events, and lies in the row until it is produced."""
ROW_BYTES_MAX = 16_000_000
"""What a changelog takes: a row of the longest order with all its returns and its whole outbox."""
PRODUCE_BYTES_MAX = ROW_BYTES_MAX + CAUSE_BYTES_MAX
"""One request of a producer: the longest record of any topic, and its envelope."""
FETCH_BYTES_MAX = DEAD_LETTER_TOPIC_BYTES_MAX
"""What one answer of a broker holds of a partition; a longer record comes alone (KIP-74)."""

CONTENT_BYTES_MAX = PRODUCE_BYTES_MAX
"""What a batch may unfold to: the longest row. A topic bounds what producers write compressed, and
a few hundred bytes of zstd may be gigabytes: a longer one is unreadable before it is unfolded."""
BATCH_RECORDS_MAX = 100_000
"""Records of one batch. A message has more than `CONTENT_BYTES_MAX // BATCH_RECORDS_MAX` bytes with
its headers, so no batch of messages has more; one of two million empty records takes a reader
seconds, and a gigabyte."""
BATCH_HEADERS_MAX = 1_000_000
"""Headers of all records of a batch that unfolds to more than a topic takes: ten a record."""
STEP_BYTES_MAX = FETCH_BYTES_MAX
"""What a reader opens before others have their turn. The last batch of a step may pass it."""
STEP_RECORDS_MAX = 5_000
"""Records that a reader takes before others have their turn."""
