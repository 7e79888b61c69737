"""tritonclient.grpc, unmodified: synchronous, asyncio and streaming."""

import asyncio
import pathlib
import queue
import re
import sys

import numpy
import pytest
import tritonclient.grpc as triton
import tritonclient.grpc.aio as triton_aio
from tritonclient.utils import InferenceServerException

from conftest import CLASSES, MODEL, assert_close, png


@pytest.fixture
def client(server):
    with triton.InferenceServerClient(server) as client:
        yield client


def pixel_input(pixels, datatype="FP32"):
    tensor = triton.InferInput("image", list(pixels.shape), datatype)
    tensor.set_data_from_numpy(pixels)
    return tensor


def encoded_input(images):
    tensor = triton.InferInput("image", [len(images)], "BYTES")
    tensor.set_data_from_numpy(numpy.array(images, dtype=numpy.object_))
    return tensor


def refusal(call):
    """The code and the text of the error that `call` ends in."""
    with pytest.raises(InferenceServerException) as error:
        call()
    return error.value.status(), error.value.message()


# ---- about the server and its models ----
def test_server_and_models_are_ready(client):
    assert client.is_server_live() and client.is_server_ready()
    for version in ("", "1", "2", "production"):
        assert client.is_model_ready(MODEL, version), version
    for model, version in (("nothing", ""), (MODEL, "9"), (MODEL, "nobody"), ("NOT A NAME", ""), ("", "")):
        assert not client.is_model_ready(model, version), (model, version)


def test_metadata_and_configuration_describe_the_tensors(client):
    server = client.get_server_metadata()
    assert server.name == "graft" and server.version
    assert {"classification", "model_configuration", "statistics"} <= set(server.extensions)

    metadata = client.get_model_metadata(MODEL)
    assert metadata.name == MODEL and list(metadata.versions) == ["2", "1"] and metadata.platform
    (image,), (output,) = metadata.inputs, metadata.outputs
    assert (image.name, image.datatype, list(image.shape)) == ("image", "FP32", [-1, 224, 224, 3])
    assert (output.name, output.datatype, list(output.shape)) == ("probabilities", "FP32", [-1, CLASSES])
    assert list(client.get_model_metadata(MODEL, "production").versions) == ["1"]

    config = client.get_model_config(MODEL).config
    assert config.name == MODEL and config.max_batch_size == 32
    assert config.input[0].format == config.input[0].FORMAT_NHWC
    assert list(config.input[0].dims) == [224, 224, 3] and list(config.output[0].dims) == [CLASSES]


def test_repository_is_indexed_and_loads(client):
    index = {(model.name, model.version, model.state) for model in client.get_model_repository_index().models}
    assert {(MODEL, "1", "READY"), (MODEL, "2", "READY")} <= index
    client.load_model(MODEL)
    client.load_model(MODEL + "@production")
    code, text = refusal(lambda: client.load_model("nothing"))
    assert code == "StatusCode.NOT_FOUND" and "Request for unknown model" in text
    code, text = refusal(lambda: client.load_model(MODEL, config="{}"))
    assert code == "StatusCode.INVALID_ARGUMENT" and "parameters" in text
    code, text = refusal(lambda: client.unload_model(MODEL))
    assert code == "StatusCode.FAILED_PRECONDITION" and "production" in text
    client.unload_model(MODEL + ":2")
    assert client.is_model_ready(MODEL, "2")


def test_unknown_models_have_tritons_text(client):
    for call in (client.get_model_metadata, client.get_model_config, client.get_inference_statistics):
        code, text = refusal(lambda: call("nothing"))
        assert code == "StatusCode.NOT_FOUND" and "Request for unknown model" in text
        code, text = refusal(lambda: call(MODEL, "9"))
        assert code == "StatusCode.NOT_FOUND" and "Request for unknown model" in text
        code, text = refusal(lambda: call(MODEL + ":1", "1"))
        assert code == "StatusCode.INVALID_ARGUMENT" and "version" in text


def test_what_is_not_supported_says_so(client):
    for call in (client.get_system_shared_memory_status, client.get_trace_settings, client.get_log_settings):
        assert refusal(call)[0] == "StatusCode.UNIMPLEMENTED"


# ---- inference ----
def test_pixels_bytes_and_classify_agree(client, pictures, probabilities):
    encoded = [png(picture) for picture in pictures]
    expected = probabilities(encoded)
    for tensor in (
        pixel_input(pictures.astype(numpy.float32)),
        pixel_input(numpy.minimum(pictures + numpy.float32(0.4), 255)),
        pixel_input(pictures, "UINT8"),
        encoded_input(encoded),
    ):
        assert_close(client.infer(MODEL, [tensor]).as_numpy("probabilities"), expected)


def test_photos_are_decoded_as_classify_does(client, photos, probabilities):
    for version, reference in (("", MODEL), ("1", MODEL + ":1"), ("production", MODEL + "@production")):
        result = client.infer(MODEL, [encoded_input(photos)], model_version=version, request_id="r1")
        assert_close(result.as_numpy("probabilities"), probabilities(photos, reference))
        response = result.get_response()
        assert response.id == "r1" and response.model_name == MODEL
        assert response.model_version == ("2" if version == "" else "1")


def test_versions_differ(photos, probabilities):
    assert abs(probabilities(photos, MODEL + ":1") - probabilities(photos, MODEL + ":2")).max() > 1e-3


@pytest.mark.parametrize("k", [1, 2, 3, 100])
def test_classification_lists_the_most_probable(client, photos, classify, k):
    output = triton.InferRequestedOutput("probabilities", class_count=k)
    rows = client.infer(MODEL, [encoded_input(photos)], outputs=[output]).as_numpy("probabilities")
    assert rows.shape == (len(photos), min(k, CLASSES))
    for row, photo in zip(rows, photos):
        best = sorted(classify(photo).items(), key=lambda item: -item[1][1])
        for text, (index, (label, probability)) in zip(row, best):
            value, found_index, found_label = text.decode().split(":")
            assert (int(found_index), found_label) == (index, label)
            assert abs(float(value) - probability) < 1e-4


def test_bad_requests_are_refused(client, pictures, photos):
    one = pictures[:1].astype(numpy.float32)

    def raw(shape, data, datatype="FP32"):
        tensor = triton.InferInput("image", shape, datatype)
        tensor._raw_content = data  # set_data_from_numpy would not send a wrong size
        return tensor

    other = triton.InferInput("picture", [1, 224, 224, 3], "FP32")
    other.set_data_from_numpy(one)
    huge = 2**62
    for inputs, reason in (
        ([pixel_input(one - 1)], "is not within 0 to 255"),
        ([pixel_input(one / 0.5)], "is not within 0 to 255"),
        ([pixel_input(one * numpy.nan)], "is not within 0 to 255"),
        ([pixel_input(one[0])], "is not [N, 224, 224, 3]"),
        ([pixel_input(numpy.ones((1, 3, 224, 224), numpy.float32))], "is not [N, 224, 224, 3]"),
        ([pixel_input(numpy.ones((33, 224, 224, 3), numpy.uint8), "UINT8")], "N must be 1 to 32"),
        ([raw([1, 224, 224, 3], b"")], "needs 602112 bytes"),
        ([raw([2, 224, 224, 3], one.tobytes())], "needs 1204224 bytes"),
        ([raw([huge, 224, 224, 3], one.tobytes())], "N must be 1 to 32"),
        ([raw([-1, 224, 224, 3], one.tobytes())], "N must be 1 to 32"),
        ([raw([1], b"\x05\0\0\0abc", "BYTES")], "length prefix 5"),
        ([raw([1], b"\x01\0\0\0abc", "BYTES")], "2 bytes after the last"),
        ([raw([1], b"\x01\0", "BYTES")], "before the length"),
        ([encoded_input([])], "N must be 1 to 32"),
        ([encoded_input(photos * 6)], "N must be 1 to 32"),
        ([encoded_input([photos[0], b"not a picture"])], "image 1"),
        ([encoded_input([b""])], "image"),
        ([pixel_input(pictures[:1].astype(numpy.int32), "INT32")], "'INT32' is not FP32, UINT8 or BYTES"),
        ([pixel_input(one), pixel_input(one)], "is in the request already"),
        ([pixel_input(one), other], "'picture' is not 'image'"),
        ([other], "'picture' is not 'image'"),
        ([], "'image' is missing"),
    ):
        code, text = refusal(lambda: client.infer(MODEL, inputs))
        assert code == "StatusCode.INVALID_ARGUMENT" and reason in text, (reason, text)


def test_bad_outputs_and_parameters_are_refused(client, photos):
    image = encoded_input(photos[:1])

    def output(name="probabilities", **arguments):
        return triton.InferRequestedOutput(name, **arguments)

    shared = output()
    shared.set_shared_memory("region", 12)
    for arguments, reason in (
        ({"outputs": [output("logits")]}, "'logits' is not 'probabilities'"),
        ({"outputs": [output(), output()]}, "already exists in request"),
        ({"outputs": [output(class_count=-1)]}, "must be an integer from 1"),
        ({"outputs": [shared]}, "shared memory is not supported"),
        ({"timeout": -1}, "timeout"),
        ({"model_version": "0"}, "model_version"),
        ({"model_version": "99999999999999999999"}, "model_version"),
        ({"model_version": "No Alias"}, "model_version"),
    ):
        code, text = refusal(lambda: client.infer(MODEL, [image], **arguments))
        assert code == "StatusCode.INVALID_ARGUMENT" and reason in text, (reason, text)
    image = triton.InferInput("image", [1], "BYTES")
    image.set_shared_memory("region", 12)
    code, text = refusal(lambda: client.infer(MODEL, [image]))
    assert code == "StatusCode.INVALID_ARGUMENT" and "shared memory is not supported" in text
    code, text = refusal(lambda: client.infer("nothing", [encoded_input(photos[:1])]))
    assert code == "StatusCode.NOT_FOUND" and "Request for unknown model" in text


def test_a_timeout_ends_the_request(client, photos):
    code, _ = refusal(lambda: client.infer(MODEL, [encoded_input(photos)], timeout=1))
    assert code == "StatusCode.DEADLINE_EXCEEDED"
    assert client.infer(MODEL, [encoded_input(photos[:1])], timeout=60_000_000).as_numpy("probabilities").size


def test_statistics_count_requests_and_images(client, photos):
    def counts(version):
        (model,) = client.get_inference_statistics(MODEL, version).model_stats
        stats = model.inference_stats
        assert stats.success.count == stats.queue.count == stats.compute_infer.count == stats.compute_output.count
        batch = {entry.batch_size: entry.compute_infer.count for entry in model.batch_stats}
        return stats.success.count, stats.fail.count, model.inference_count, batch.get(6, 0), stats.compute_infer.ns

    before, other = counts("1"), counts("2")
    client.infer(MODEL, [encoded_input(photos)], model_version="1")
    client.infer(MODEL, [encoded_input(photos[:1])], model_version="production")
    refusal(lambda: client.infer(MODEL, [encoded_input([b"x"])], model_version="1"))
    after = counts("1")
    assert [b - a for a, b in zip(before, after)][:4] == [2, 1, 7, 1]
    assert after[4] > before[4]
    assert counts("2") == other
    everything = client.get_inference_statistics().model_stats
    assert "1" in [entry.version for entry in everything if entry.name == MODEL]
    assert [entry.last_inference > 0 for entry in everything] == [True] * len(everything)


def test_the_readmes_example(server, photos, classify, tmp_path, capsys):
    readme = pathlib.Path(__file__).parents[3] / "README.md"
    (code,) = re.findall(r"```python\n(import numpy\nimport tritonclient.*?)```", readme.read_text(), re.DOTALL)
    (tmp_path / "photo.jpg").write_bytes(photos[0])
    for written, here in (
        ("127.0.0.1:50051", server),
        ("some-photo.jpg", str(tmp_path / "photo.jpg")),
        ('"animals"', f'"{MODEL}"'),
    ):
        assert written in code
        code = code.replace(written, here)
    exec(compile(code, str(readme), "exec"), {})
    best = sorted(classify(photos[0], MODEL + "@production").values(), key=lambda item: -item[1])
    assert [line.split(":")[0] for line in capsys.readouterr().out.splitlines()] == [label for label, _ in best]


# ---- asynchronous ----
def test_callbacks_are_called(client, photos, probabilities):
    answers = queue.Queue()
    for i in range(8):
        client.async_infer(
            MODEL,
            [encoded_input([photos[i % len(photos)]])],
            callback=lambda result, error: answers.put((result, error)),
            request_id=str(i),
        )
    expected = probabilities(photos)
    seen = set()
    for _ in range(8):
        result, error = answers.get(timeout=60)
        assert error is None
        i = int(result.get_response().id)
        assert_close(result.as_numpy("probabilities"), expected[i % len(photos)][None])
        seen.add(i)
    assert seen == set(range(8))


def test_asyncio_client(server, photos, probabilities):
    async def run():
        async with triton_aio.InferenceServerClient(server) as client:
            assert await client.is_server_live() and await client.is_model_ready(MODEL)
            results = await asyncio.gather(*(client.infer(MODEL, [encoded_input([photo])]) for photo in photos))
            with pytest.raises(InferenceServerException, match="Request for unknown model"):
                await client.infer("nothing", [encoded_input(photos[:1])])
            return [result.as_numpy("probabilities") for result in results]

    for answer, expected in zip(asyncio.run(run()), probabilities(photos)):
        assert_close(answer, expected[None])


# ---- streaming ----
def test_stream_answers_in_order_and_survives_errors(client, photos, probabilities):
    answers = queue.Queue()
    client.start_stream(callback=lambda result, error: answers.put((result, error)))
    expected = probabilities(photos)
    requests = 30
    for i in range(requests):
        image = b"not a picture" if i % 7 == 3 else photos[i % len(photos)]
        model = "nothing" if i % 7 == 5 else MODEL
        client.async_stream_infer(model, [encoded_input([image])], request_id=str(i))
    for i in range(requests):
        result, error = answers.get(timeout=60)
        if i % 7 == 3:
            assert "image" in error.message()
        elif i % 7 == 5:
            assert "Request for unknown model" in error.message()
        else:
            assert error is None and result.get_response().id == str(i)
            assert_close(result.as_numpy("probabilities"), expected[i % len(photos)][None])
    client.stop_stream()
    assert answers.empty()


def test_stream_can_be_abandoned(client, photos):
    client.start_stream(callback=lambda result, error: None)
    for _ in range(100):
        client.async_stream_infer(MODEL, [encoded_input(photos)])
    client.stop_stream(cancel_requests=True)
    assert client.infer(MODEL, [encoded_input(photos[:1])]).as_numpy("probabilities").size == CLASSES


def test_asyncio_stream(server, photos, probabilities):
    async def requests():
        for i, photo in enumerate(photos):
            yield {"model_name": MODEL, "inputs": [encoded_input([photo])], "request_id": str(i)}

    async def run():
        async with triton_aio.InferenceServerClient(server) as client:
            return [answer async for answer in client.stream_infer(requests())]

    answers = asyncio.run(run())
    assert [error for _, error in answers] == [None] * len(photos)
    assert [result.get_response().id for result, _ in answers] == [str(i) for i in range(len(photos))]
    for (result, _), expected in zip(answers, probabilities(photos)):
        assert_close(result.as_numpy("probabilities"), expected[None])


if __name__ == "__main__":
    sys.exit(pytest.main([__file__, "-p", "no:cacheprovider", *sys.argv[1:]]))
