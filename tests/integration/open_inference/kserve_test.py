"""KServe's InferenceGRPCClient, unmodified. (Its messages cannot be loaded beside tritonclient's, hence the own file.)"""

import asyncio
import sys

import grpc
import numpy
import pytest
from kserve import InferenceGRPCClient, InferInput, InferRequest
from kserve.protocol.grpc import grpc_predict_v2_pb2

import protocol
from conftest import CLASSES, MODEL, assert_close, png


def ask(server, *questions):
    """Runs `questions` (coroutines of a client) one after the other; their answers."""

    async def run():
        async with InferenceGRPCClient(server) as client:
            return [await question(client) for question in questions]

    return asyncio.run(run())


def infer(server, tensor, version="", request_id="7"):
    request = InferRequest(model_name=MODEL, model_version=version, infer_inputs=[tensor], request_id=request_id)
    return ask(server, lambda client: client.infer(request))[0]


def test_server_and_model_are_ready(server):
    answers = ask(
        server,
        lambda client: client.is_server_live(),
        lambda client: client.is_server_ready(),
        lambda client: client.is_model_ready(MODEL),
        lambda client: client.is_model_ready("nothing"),
    )
    assert answers == [True, True, True, False]


@pytest.mark.parametrize("binary", [True, False])
def test_pixels_are_classified(server, pictures, probabilities, binary):
    pixels = pictures[:2].astype(numpy.float32)
    tensor = InferInput("image", list(pixels.shape), "FP32")
    tensor.set_data_from_numpy(pixels, binary_data=binary)
    response = infer(server, tensor)
    assert response.model_name == MODEL and response.model_version == "2" and response.id == "7"
    assert_close(response.outputs[0].as_numpy(), probabilities([png(picture) for picture in pictures[:2]]))


def test_encoded_images_are_classified(server, photos, probabilities):
    images = numpy.array(photos, dtype=numpy.object_)
    tensor = InferInput("image", [len(photos)], "BYTES")
    tensor.set_data_from_numpy(images, binary_data=True)
    response = infer(server, tensor, version="production")
    assert response.model_version == "1"
    assert response.outputs[0].shape == [len(photos), CLASSES]
    assert_close(response.outputs[0].as_numpy(), probabilities(photos, MODEL + "@production"))


def test_typed_bytes_are_classified(server, photos, probabilities):
    tensor = InferInput("image", [1], "BYTES", data=[photos[0]])
    assert_close(infer(server, tensor).outputs[0].as_numpy(), probabilities(photos[:1]))


def test_errors_have_their_codes(server):
    tensor = InferInput("image", [1], "BYTES", data=[b"not a picture"])
    with pytest.raises(grpc.RpcError) as error:
        infer(server, tensor)
    assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    with pytest.raises(grpc.RpcError) as error:
        infer(server, tensor, version="99")
    assert error.value.code() == grpc.StatusCode.NOT_FOUND


def test_messages_are_those_of_kserve(server):
    ours = protocol.server_pool(server).FindServiceByName(protocol.SERVICE)
    theirs = grpc_predict_v2_pb2.DESCRIPTOR.services_by_name["GRPCInferenceService"]
    # KServe numbers the fields of these two otherwise than Triton, whose extension they are.
    methods, fields = protocol.compare_service(ours, theirs, skip=("RepositoryModelLoad", "RepositoryModelUnload"))
    assert methods >= 6
    assert fields > 50


if __name__ == "__main__":
    sys.exit(pytest.main([__file__, "-p", "no:cacheprovider", *sys.argv[1:]]))
