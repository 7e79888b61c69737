"""One connection of an UploadDataset: announces every file, sends the blobs that the server lacks, commits."""

import hashlib
import threading

from graft.v1.dataset_pb2 import UploadDatasetRequest

_ANNOUNCE_BYTES = 512 << 10  # the server takes messages below 1 MiB here
_CHUNK_BYTES = 512 << 10


def announced(photos):
    """(files to announce, digest -> a local file with these bytes). Reads every photo once."""
    files, by_digest = [], {}
    for photo in photos:
        content = photo.file.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        by_digest.setdefault(digest, photo.file)
        files.append(
            UploadDatasetRequest.File(
                path=photo.path, label=photo.label, split=photo.split, sha256=digest, size_bytes=len(content),
                group=photo.group,
            )
        )
    return files, by_digest


class UploadStream:
    """Used once. gRPC iterates `requests` on a thread of its own, while the caller hands on what the server says."""

    def __init__(self, start, files, by_digest):
        self._start, self._files, self._by_digest = start, files, by_digest
        self._missing = set()
        self._missing_known = threading.Event()  # or the stream has ended
        self.error = None  # why the photos could not be read
        self.complete = None
        self.progress = None

    def requests(self):
        try:
            yield from self._all()
        except (OSError, ValueError) as error:
            self.error = error
            raise  # ends the call

    def take(self, response):
        kind = response.WhichOneof("message")
        if kind == "missing":
            self._missing.update(response.missing.sha256)
            if response.missing.last:
                self._missing_known.set()
        elif kind == "progress":
            self.progress = response.progress
        elif kind == "complete":
            self.complete = response.complete

    def ended(self):
        self._missing_known.set()

    def _all(self):
        yield UploadDatasetRequest(start=self._start)
        yield from self._announcements()
        yield UploadDatasetRequest(announced=UploadDatasetRequest.Announced())
        self._missing_known.wait()
        for digest in sorted(self._missing):
            yield from self._chunks(digest)
        yield UploadDatasetRequest(commit=UploadDatasetRequest.Commit())

    def _announcements(self):
        batch, size = [], 0
        for file in self._files:
            file_bytes = file.ByteSize() + 8  # and its tag and length
            if batch and size + file_bytes > _ANNOUNCE_BYTES:
                yield UploadDatasetRequest(announce=UploadDatasetRequest.Announce(files=batch))
                batch, size = [], 0
            batch.append(file)
            size += file_bytes
        if batch:
            yield UploadDatasetRequest(announce=UploadDatasetRequest.Announce(files=batch))

    def _chunks(self, digest):
        content = self._by_digest[digest].read_bytes()
        if hashlib.sha256(content).hexdigest() != digest:
            raise ValueError(f"{self._by_digest[digest]} changed while it was uploaded; push the folder again")
        for offset in range(0, len(content), _CHUNK_BYTES):
            data = content[offset : offset + _CHUNK_BYTES]
            yield UploadDatasetRequest(chunk=UploadDatasetRequest.Chunk(sha256=digest, offset=offset, data=data))
