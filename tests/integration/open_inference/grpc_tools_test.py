"""grpcio-health-checking and grpcio-reflection against the server; the wire protocol against tritonclient's."""

import sys

import grpc
import pytest
import tritonclient.grpc.service_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

import protocol


@pytest.fixture
def channel(server):
    with grpc.insecure_channel(server) as channel:
        yield channel


def test_health_knows_every_service(channel):
    health = health_pb2_grpc.HealthStub(channel)
    for service in ("", "graft.v1.InferenceService", protocol.SERVICE):
        answer = health.Check(health_pb2.HealthCheckRequest(service=service), timeout=30)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING, service
    watch = health.Watch(health_pb2.HealthCheckRequest(service=protocol.SERVICE), timeout=30)
    assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
    watch.cancel()
    with pytest.raises(grpc.RpcError) as error:
        health.Check(health_pb2.HealthCheckRequest(service="nobody"), timeout=30)
    assert error.value.code() == grpc.StatusCode.NOT_FOUND


def test_reflection_lists_the_services(channel):
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    requests = iter([reflection_pb2.ServerReflectionRequest(list_services="")])
    answer = next(stub.ServerReflectionInfo(requests, timeout=30))
    services = {service.name for service in answer.list_services_response.service}
    assert {protocol.SERVICE, "graft.v1.InferenceService", "grpc.health.v1.Health"} <= services


def test_messages_are_those_of_triton(server):
    ours = protocol.server_pool(server).FindServiceByName(protocol.SERVICE)
    theirs = tritonclient.grpc.service_pb2.DESCRIPTOR.services_by_name["GRPCInferenceService"]
    methods, fields = protocol.compare_service(ours, theirs)
    assert methods == len(ours.methods) == 12
    assert fields > 90


if __name__ == "__main__":
    sys.exit(pytest.main([__file__, "-p", "no:cacheprovider", *sys.argv[1:]]))
