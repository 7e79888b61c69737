"""A client that calls one after the other on a thread of its own, and what it saw."""

import collections
import threading
import time

import graft


class Caller(threading.Thread):
    """Calls `call(client)` until stop(); `answers` counts OK and the names of codes, `seconds` has each call's time."""

    def __init__(self, make_client, call):
        super().__init__(name="caller", daemon=True)
        self.answers, self.seconds, self.errors = collections.Counter(), [], []
        self._make_client, self._call = make_client, call
        self._stop_it = threading.Event()

    def run(self):
        with self._make_client() as client:
            while not self._stop_it.is_set():
                start = time.monotonic()
                try:
                    self._call(client)
                    self.answers["OK"] += 1
                except graft.GraftError as error:
                    self.answers[error.code.name] += 1
                    self.errors.append(error)
                self.seconds.append(time.monotonic() - start)

    def stop(self):
        self._stop_it.set()
        self.join()

    def summary(self):
        times = sorted(self.seconds)
        p50, p99 = (1000 * times[min(len(times) - 1, int(share * len(times)))] for share in (0.5, 0.99))
        counts = ", ".join(f"{name} {count}" for name, count in sorted(self.answers.items()))
        return f"{counts}; p50 {p50:.1f} ms, p99 {p99:.1f} ms"
