"""The state of the live page, as rows with a version each: a snapshot first, then changes.

A client that reconnects sends the version that it has, and receives the changes since.
"""

import secrets
from collections import OrderedDict
from collections.abc import Mapping

from app.wire.json_output import json_bytes

GONE_MAX = 2_000
"""Removed rows that are remembered; a client that is further behind gets a snapshot."""


class LiveState:
    """Rows by section and key."""

    def __init__(self) -> None:
        self.version = 0
        self._rows: dict[tuple[str, str], tuple[int, object]] = {}
        self._gone: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._floor = 0
        self._made: dict[int, bytes] = {}
        # Versions begin anew with the process, so they must not continue those of another.
        self._epoch = secrets.token_hex(4)

    def put(self, section: str, rows: Mapping[str, object]) -> None:
        """Replace the rows of `section` by `rows`."""
        changed = {
            (section, key): row
            for key, row in rows.items()
            if (section, key) not in self._rows or self._rows[section, key][1] != row
        }
        removed_keys = [at for at in self._rows if at[0] == section and at[1] not in rows]
        if not changed and not removed_keys:
            return
        self.version += 1
        self._made.clear()
        for at, row in changed.items():
            self._rows[at] = (self.version, row)
            self._gone.pop(at, None)
        for at in removed_keys:
            del self._rows[at]
            self._gone[at] = self.version
        while len(self._gone) > GONE_MAX:
            self._floor = self._gone.popitem(last=False)[1]

    def version_in(self, event_id: str) -> int:
        """Return the version of `Last-Event-ID`; 0 when it is of no use, for a snapshot."""
        epoch, _, version = event_id.partition("-")
        if epoch != self._epoch or not version.isascii() or not version.isdigit():
            return 0
        version_number = int(version[:18])
        return version_number if self._floor <= version_number <= self.version else 0

    def event(self, since_version: int) -> bytes:
        """Return the changes since `since_version` as a server-sent event; a snapshot for 0."""
        # All clients that have been connected for a while have the same version.
        if since_version not in self._made:
            self._made[since_version] = self._event(since_version)
        return self._made[since_version]

    def _event(self, since_version: int) -> bytes:
        changes: dict[str, dict[str, object]] = {}
        for (section, key), (version, row) in self._rows.items():
            if version > since_version:
                changes.setdefault(section, {})[key] = row
        if since_version:
            for (section, key), version in self._gone.items():
                if version > since_version:
                    changes.setdefault(section, {})[key] = None
        name = b"change" if since_version else b"snapshot"
        version_id = f"{self._epoch}-{self.version}".encode()
        return b"event: %b\nid: %b\ndata: %b\n\n" % (name, version_id, json_bytes(changes))
