"""The client. See README.md for an example."""

import dataclasses
import ipaddress
import pathlib
import time
import uuid

import grpc

from graft import errors
from graft.photos import photos_in
from graft.retry import MAX_ATTEMPTS, Backoff, Reconnect
from graft.upload import UploadStream, announced
from graft.v1 import (
    dataset_pb2,
    dataset_pb2_grpc,
    inference_pb2,
    inference_pb2_grpc,
    model_pb2_grpc,
    system_pb2,
    system_pb2_grpc,
    training_pb2,
    training_pb2_grpc,
)

_MAX_MESSAGE_BYTES = 64 << 20  # as the server's
_SURELY_CONNECTED = 10.0  # seconds; a watch that stood this long was connected, even if the job had nothing to say
_CHANNEL_OPTIONS = [
    ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", _MAX_MESSAGE_BYTES),
    # Not slower than our own retries, which know what a job or an upload may repeat; gRPC's would add to them.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.enable_retries", 0),
    # A server that vanishes without a word is noticed within 90 seconds; asking every minute is not welcome there.
    ("grpc.keepalive_time_ms", 70_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.max_pings_without_data", 0),
]


@dataclasses.dataclass(frozen=True)
class Tls:
    """How the connection is protected. Files in PEM; `Tls()` trusts the authorities that gRPC comes with."""

    ca_file: str | None = None  # whom to trust instead
    cert_file: str | None = None  # who we are, for mutual TLS, with key_file
    key_file: str | None = None
    server_name: str | None = None  # that the certificate is for, where it is not the address

    def credentials(self):
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("Tls: cert_file and key_file belong together; one of them is missing")
        ca, key, cert = (
            None if file is None else pathlib.Path(file).read_bytes()
            for file in (self.ca_file, self.key_file, self.cert_file)
        )
        return grpc.ssl_channel_credentials(ca, key, cert)


class Client:
    """A connection to a Graft server, made when it is first needed. Thread-safe; `with` closes it.

    address        "HOST:PORT"
    tls            Tls(...); None is plaintext, for a server on this machine
    token          bearer token; over plaintext only to this machine
    deadline       seconds that a call gets with its retries, where it is not given its own
    reconnect_for  seconds that an upload or a watch that was under way keeps trying to reach the server again

    The helpers below cover pushing, training and classifying; every other RPC is a method of the stubs `datasets`,
    `training`, `models`, `inference` and `system`, to be called through `call`.
    """

    def __init__(self, address, *, tls=None, token=None, deadline=30.0, reconnect_for=120.0):
        if token is not None and tls is None and not _is_this_machine(address):
            raise ValueError(f"the token would cross the network to {address} in plaintext; give tls=Tls(...)")
        options = list(_CHANNEL_OPTIONS)
        if tls is None:
            self._channel = grpc.insecure_channel(address, options + [("grpc.enable_http_proxy", 0)])
        else:
            if tls.server_name is not None:
                options.append(("grpc.ssl_target_name_override", tls.server_name))
            self._channel = grpc.secure_channel(address, tls.credentials(), options)
        self.metadata = (("authorization", f"Bearer {token}"),) if token is not None else ()
        self.deadline, self.reconnect_for = deadline, reconnect_for
        self.datasets = dataset_pb2_grpc.DatasetServiceStub(self._channel)
        self.training = training_pb2_grpc.TrainingServiceStub(self._channel)
        self.models = model_pb2_grpc.ModelServiceStub(self._channel)
        self.inference = inference_pb2_grpc.InferenceServiceStub(self._channel)
        self.system = system_pb2_grpc.SystemServiceStub(self._channel)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._channel.close()

    def call(self, method, request, *, deadline=None):
        """The answer of a unary RPC: client.call(client.models.SetAlias, SetAliasRequest(...)).

        Every unary RPC of Graft can be repeated safely, so a broken connection and a server that asks to wait are tried
        again within `deadline` seconds. Raises what graft.errors has.
        """
        end = time.monotonic() + (self.deadline if deadline is None else deadline)
        backoff = Backoff()
        for attempt in range(1, MAX_ATTEMPTS + 1):
            try:
                return method(request, timeout=max(0, end - time.monotonic()), metadata=self.metadata)
            except grpc.RpcError as rpc_error:
                error = errors.from_rpc_error(rpc_error)
            may_pass = errors.is_broken_connection(error) or error.retry_delay
            delay = max(backoff.next(), error.retry_delay or 0)
            if not may_pass or attempt == MAX_ATTEMPTS or time.monotonic() + delay >= end:
                raise error
            time.sleep(delay)

    def server_info(self):
        return self.call(self.system.GetServerInfo, system_pb2.GetServerInfoRequest())

    def push_dataset(self, name, photos, *, max_undecodable_fraction=None, on_progress=None):
        """Uploads a version of data set `name` and returns UploadDatasetResponse.Complete.

        photos       a folder (see graft.photos), or a list of Photo
        on_progress  called with UploadDatasetResponse.Progress

        Only what the server lacks is sent; an interrupted upload goes on where it stopped, within this call and in later
        ones. ValueError where the folder is unclear, OSError where a photo cannot be read.
        """
        start = dataset_pb2.UploadDatasetRequest.Start(
            dataset=name, max_undecodable_fraction=max_undecodable_fraction
        )
        files, by_digest = announced(photos if isinstance(photos, (list, tuple)) else photos_in(photos))
        reconnect = Reconnect(self.reconnect_for)
        while True:
            stream = UploadStream(start, files, by_digest)
            error = self._run_upload(stream, on_progress)
            if stream.complete is not None:  # however the connection ended after that
                return stream.complete
            if stream.error is not None:
                raise stream.error
            if stream.progress is not None and stream.progress.blobs_stored > 0:
                reconnect.saw_progress()
            if not errors.is_broken_connection(error) or not reconnect.wait():
                raise error

    def _run_upload(self, stream, on_progress):
        """How the connection ended, as an error."""
        call = self.datasets.UploadDataset(stream.requests(), metadata=self.metadata)
        try:
            for response in call:
                stream.take(response)
                if on_progress is not None and response.HasField("progress"):
                    on_progress(response.progress)
        except grpc.RpcError as error:
            return errors.from_rpc_error(error)
        finally:
            call.cancel()  # before requests() goes on: after an exception nothing is committed
            stream.ended()
        return errors.make_error(grpc.StatusCode.INTERNAL, "the server ended the upload without completing it")

    def submit_job(self, spec, *, request_id=None, validate_only=False, deadline=None):
        """Queues a job and returns it. `spec`: a TrainSpec, or a dict of its fields.

        The same `request_id` with the same spec is the same job, also from another process; without one, this call
        makes at most one job. With `validate_only` nothing is queued: the answer has the resolved spec.
        """
        if not isinstance(spec, training_pb2.TrainSpec):
            spec = training_pb2.TrainSpec(**spec)
        request = training_pb2.SubmitJobRequest(
            spec=spec, request_id=request_id or str(uuid.uuid4()), validate_only=validate_only
        )
        return self.call(self.training.SubmitJob, request, deadline=deadline)

    def watch_job(self, name, after_sequence=0):
        """Yields each JobEvent after `after_sequence` that the server keeps, in order and none twice; ends with the job.

        A lost connection is made again from the last event seen.
        """
        last, reconnect = after_sequence, Reconnect(self.reconnect_for)
        while True:
            request = training_pb2.WatchJobRequest(name=name, after_sequence=last)
            stream = self.training.WatchJob(request, metadata=self.metadata)
            started = time.monotonic()
            try:
                for event in stream:
                    reconnect.saw_progress()
                    if event.sequence <= last:
                        continue
                    last = event.sequence
                    yield event
                return
            except grpc.RpcError as rpc_error:
                error = errors.from_rpc_error(rpc_error)
            finally:
                stream.cancel()  # where the caller stopped listening
            if time.monotonic() - started > _SURELY_CONNECTED:
                reconnect.saw_progress()
            if not errors.is_broken_connection(error) or not reconnect.wait():
                raise error

    def follow_job(self, name, *, after_sequence=0, on_event=None):
        """Waits for the end of a job and returns it; `on_event` gets what watch_job yields. JobEnded if it failed."""
        for event in self.watch_job(name, after_sequence):
            if on_event is not None:
                on_event(event)
        job = self.call(self.training.GetJob, training_pb2.GetJobRequest(name=name))
        if job.state != training_pb2.JOB_STATE_SUCCEEDED:
            raise errors.JobEnded(job)
        return job

    def classify(self, model, image, *, top_k=0, deadline=None):
        """ClassifyResponse: predictions, most probable first, and the version that answered.

        model  "animals", "animals:3" or "animals@production"
        image  the bytes of a JPEG, PNG, WebP or BMP, or the path of one
        top_k  how many predictions; 0: 5
        """
        content = image if isinstance(image, bytes) else pathlib.Path(image).read_bytes()
        request = inference_pb2.ClassifyRequest(model=model, image=content, top_k=top_k)
        return self.call(self.inference.Classify, request, deadline=deadline)


def _is_this_machine(address):
    if address.startswith("unix:"):
        return True
    host = address.rpartition(":")[0].strip("[]")
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
