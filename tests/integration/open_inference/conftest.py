"""What the scripts of this folder share: the server under test, photos, and what Classify says of them.

    python triton_test.py --server 127.0.0.1:50051 --photos FOLDER

The server has the model "colours": version 1 (alias "production") and version 2. FOLDER has a folder per class.
"""

import pathlib
import struct
import zlib

import google.protobuf.descriptor_pool
import google.protobuf.message_factory
import grpc
import numpy
import pytest
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

MODEL = "colours"
CLASSES = 3


def pytest_addoption(parser):
    parser.addoption("--server", required=True)
    parser.addoption("--photos", required=True)


@pytest.fixture(scope="session")
def server(request):
    return request.config.getoption("--server")


@pytest.fixture(scope="session")
def photos(request):
    """Encoded photos, two of each class."""
    root = pathlib.Path(request.config.getoption("--photos"))
    return [path.read_bytes() for folder in sorted(root.iterdir()) for path in sorted(folder.iterdir())[:2]]


def png(pixels):
    """A lossless encoding of [height, width, 3] RGB."""
    height, width, _ = pixels.shape

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.fixture(scope="session")
def pictures():
    """[5, 224, 224, 3] RGB of the network's own size, so that decoding them leaves nothing to resize."""
    noise = numpy.random.default_rng(7)
    return noise.integers(0, 256, size=(5, 224, 224, 3), dtype=numpy.uint8)


@pytest.fixture(scope="session")
def classify(server):
    """Graft's own Classify, through messages that server reflection describes: image -> {class index: (label, p)}."""
    channel = grpc.insecure_channel(server)
    pool = google.protobuf.descriptor_pool.DescriptorPool(ProtoReflectionDescriptorDatabase(channel))
    messages = [
        google.protobuf.message_factory.GetMessageClass(pool.FindMessageTypeByName("graft.v1." + name))
        for name in ("ClassifyRequest", "ClassifyResponse")
    ]
    method = channel.unary_unary(
        "/graft.v1.InferenceService/Classify",
        request_serializer=messages[0].SerializeToString,
        response_deserializer=messages[1].FromString,
    )

    def call(image, model=MODEL):
        response = method(messages[0](model=model, image=image, top_k=1000), timeout=60)
        return {one.index: (one.label, one.probability) for one in response.predictions}

    return call


@pytest.fixture(scope="session")
def probabilities(classify):
    """[N, classes] of encoded images, by Classify."""

    def call(images, model=MODEL):
        answers = [classify(image, model) for image in images]
        return numpy.array([[answer[i][1] for i in range(CLASSES)] for answer in answers], dtype=numpy.float32)

    return call


def assert_close(actual, expected):
    """One image alone may use all cores and so add in another order than one of many."""
    assert actual.dtype == numpy.float32 and actual.shape == expected.shape
    numpy.testing.assert_allclose(actual, expected, rtol=0, atol=1e-4)
    numpy.testing.assert_allclose(actual.sum(axis=1), 1, atol=1e-5)
