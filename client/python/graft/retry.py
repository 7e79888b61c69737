"""When to try a call again, and how long to wait before: as the C++ client does (client/api/retry.h)."""

import random
import time

MAX_ATTEMPTS = 5  # about 2 seconds in all
_INITIAL_DELAY = 0.1  # seconds
_MAX_DELAY = 2.0


class Backoff:
    """Doubling waits, each between half and all of it so that clients spread."""

    def __init__(self):
        self._next = _INITIAL_DELAY

    def next(self):
        delay = self._next * random.uniform(0.5, 1)
        self._next = min(2 * self._next, _MAX_DELAY)
        return delay


class Reconnect:
    """How long a stream keeps trying to reach its server again.

    Until the first progress a few attempts: the server may simply not be there. Afterwards until `patience` seconds have
    passed since the last progress: it is being restarted, or the network comes back.
    """

    def __init__(self, patience):
        self._patience, self._backoff = patience, Backoff()
        self._attempts, self._last_progress = 0, None

    def saw_progress(self):
        self._attempts, self._backoff, self._last_progress = 0, Backoff(), time.monotonic()

    def wait(self):
        """Before the next attempt; False, at once, when there should be none."""
        self._attempts += 1
        if self._last_progress is None:
            go_on = self._attempts < MAX_ATTEMPTS
        else:
            go_on = time.monotonic() - self._last_progress < self._patience
        if go_on:
            time.sleep(self._backoff.next())
        return go_on
