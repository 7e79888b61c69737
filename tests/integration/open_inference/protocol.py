"""Compares the server's Open Inference messages, as reflection shows them, with those of a stock client."""

import google.protobuf.descriptor_pool
import grpc
from google.protobuf.descriptor import FieldDescriptor
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

SERVICE = "inference.GRPCInferenceService"


def server_pool(address):
    return google.protobuf.descriptor_pool.DescriptorPool(
        ProtoReflectionDescriptorDatabase(grpc.insecure_channel(address))
    )


def _describe(field):
    kind = field.type
    if kind == FieldDescriptor.TYPE_MESSAGE:
        kind = field.message_type.full_name
    elif kind == FieldDescriptor.TYPE_ENUM:
        kind = field.enum_type.full_name
    oneof = field.containing_oneof.name if field.containing_oneof else None
    return field.number, kind, field.is_repeated, oneof


def compare_message(ours, theirs, seen):
    """Every field that both know is the same; returns how many that are, messages inside included."""
    if ours.full_name in seen:
        return 0
    seen.add(ours.full_name)
    same = 0
    names = {field.number: field.name for field in theirs.fields}
    for field in ours.fields:
        other = theirs.fields_by_name.get(field.name)
        if other is None:
            assert field.number not in names, f"{ours.full_name}.{field.name} has the number of {names[field.number]}"
            continue
        assert _describe(field) == _describe(other), f"{ours.full_name}.{field.name}"
        same += 1
        if field.message_type:
            same += compare_message(field.message_type, other.message_type, seen)
        if field.enum_type:
            values = {value.name: value.number for value in other.enum_type.values}
            for value in field.enum_type.values:
                assert values[value.name] == value.number, f"{field.enum_type.full_name}.{value.name}"
    return same


def compare_service(ours, theirs, skip=()):
    """Every rpc that both know, but those to skip, with its messages: (rpcs, fields) that are the same."""
    methods, fields, seen = 0, 0, set()
    for method in ours.methods:
        other = theirs.methods_by_name.get(method.name)
        if other is None or method.name in skip:
            continue
        methods += 1
        assert (method.client_streaming, method.server_streaming) == (other.client_streaming, other.server_streaming)
        for mine, its in ((method.input_type, other.input_type), (method.output_type, other.output_type)):
            assert mine.full_name == its.full_name
            fields += compare_message(mine, its, seen)
    return methods, fields
