"""Clients of a server behind deploy/nginx: TLS, all kinds of calls, errors, and an attack that the others outlive."""

import pathlib
import time

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from nginx_proxy import Nginx
from process_memory import memory_mib
from rapid_reset import Attacker

CLASSIFY = "/graft.v1.InferenceService/Classify"


@pytest.fixture(scope="module")
def proxy(server, tmp_path_factory):
    with Nginx(tmp_path_factory.mktemp("nginx") / "proxy", [server.address]) as running:
        yield running


@pytest.fixture(scope="module")
def outside(proxy):
    """A client that only sees the proxy."""
    import graft

    with graft.Client(proxy.address, tls=graft.Tls(ca_file=proxy.ca_file)) as one:
        yield one


def channel_to(proxy):
    return grpc.secure_channel(proxy.address, grpc.ssl_channel_credentials(pathlib.Path(proxy.ca_file).read_bytes()))


def test_all_kinds_of_calls_pass(outside, model, photos, photo):
    from graft.v1 import inference_pb2

    assert outside.classify(model, photo).predictions
    pushed = outside.push_dataset("through-nginx", photos)
    assert pushed.version.image_count == 60
    job = outside.submit_job({"dataset": "through-nginx", "backbone": "mobilenet_v2", "epochs": 2})
    assert outside.follow_job(job.name).result.epochs_run == 2

    def images():
        yield inference_pb2.ClassifyStreamRequest(start={"model": model})
        for number in range(100):
            yield inference_pb2.ClassifyStreamRequest(item={"id": number, "image": photo})

    answers = outside.inference.ClassifyStream(images())
    assert sorted(answer.id for answer in answers if answer.predictions) == list(range(100))
    assert pushed.blobs_received == 0  # `model` is of the same photos


def test_errors_keep_their_details(outside, model, photo):
    import graft

    assert model
    with pytest.raises(graft.NotFound) as missing:
        outside.classify("nobody", photo)
    assert missing.value.resource_name == "nobody" and missing.value.request_id


def test_plaintext_and_other_services_are_refused(proxy):
    import graft

    with graft.Client(proxy.address) as plain, pytest.raises(graft.GraftError):
        plain.server_info()
    with channel_to(proxy) as channel:
        assert health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest()).status == 1
        reflect = channel.stream_stream("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")
        with pytest.raises(grpc.RpcError) as refused:
            list(reflect(iter([b""])))
        assert refused.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_a_server_that_is_gone_is_unavailable_for_a_second(build, tmp_path):
    import graft

    assert build
    with Nginx(tmp_path / "proxy", ["127.0.0.1:1"]) as proxy:
        with graft.Client(proxy.address, tls=graft.Tls(ca_file=proxy.ca_file), deadline=0.5) as client:
            with pytest.raises(graft.Unavailable, match="no graft-server answers") as gone:
                client.server_info()
    assert gone.value.retry_delay == 1


def test_one_address_has_so_many_calls_and_hears_when_to_call_again(outside, proxy, model):
    import graft
    from graft.v1 import system_pb2, training_pb2

    job = outside.submit_job({"dataset": "shapes", "backbone": "mobilenet_v2", "model": model, "epochs": 1000})
    outside.call(outside.training.PauseJob, training_pb2.PauseJobRequest(name=job.name))
    watches = [outside.training.WatchJob(training_pb2.WatchJobRequest(name=job.name)) for _ in range(64)]
    assert all(next(watch).sequence == 1 for watch in watches)
    # Another name is another connection.
    other_name = proxy.address.replace("127.0.0.1", "localhost")
    with graft.Client(other_name, tls=graft.Tls(ca_file=proxy.ca_file)) as other:
        with pytest.raises(graft.ResourceExhausted, match="too many requests from this address") as refused:
            other.call(other.system.GetServerInfo, system_pb2.GetServerInfoRequest(), deadline=0.9)
        assert refused.value.retry_delay == 1
        for watch in watches:
            watch.cancel()
        assert other.server_info().models > 0  # tries again when it was told to
    outside.call(outside.training.CancelJob, training_pb2.CancelJobRequest(name=job.name))


def kept_by_sanitizer(build):
    """MiB of freed memory that the address sanitizer holds back (its quarantine_size_mb)."""
    return 256 if "GRAFT_SANITIZE:STRING=address" in (build / "CMakeCache.txt").read_text(encoding="utf-8") else 0


def test_rapid_resets_leave_memory_bounded_and_others_served(build, server, proxy, outside, model, photo):
    from graft.v1 import inference_pb2

    request = inference_pb2.ClassifyRequest(model=model, image=photo)
    before = memory_mib(server.pid, "VmRSS")
    attacker = Attacker(proxy.address, ca_file=proxy.ca_file, path=CLASSIFY, body=request.SerializeToString())
    attacker.start()
    start = time.monotonic()
    sent = served = 0
    try:
        while time.monotonic() - start < 4 or attacker.streams < 5000:
            assert time.monotonic() - start < 60, f"no attack: {attacker.streams} streams in a minute"
            sent += 1
            served += len(outside.classify(model, photo).predictions) > 0
    finally:
        attacker.stop()
    assert served == sent > 0
    assert server.process.poll() is None
    assert memory_mib(server.pid, "VmHWM") - before < 256 + kept_by_sanitizer(build)
