"""The shortest Python server one can write: grpcio's thread pool, OpenCV's decoder, ONNX Runtime or OpenVINO.

Bare image bytes in, JSON out; one core per forward pass and as many at once as --cores.
"""

import argparse
import concurrent.futures
import json
import threading

import cv2
import grpc
import numpy

METHOD = "/peer.Classifier/Classify"
SIZE = 224


def onnxruntime_engine(path, precision, cores):
    import onnxruntime

    if precision != "f32":
        raise SystemExit("peer_grpcio: ONNX Runtime is measured in f32")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda pixels: session.run(None, {name: pixels})[0][0]


def openvino_engine(path, precision, cores):
    import openvino

    hints = {"INFERENCE_PRECISION_HINT": precision, "NUM_STREAMS": cores, "INFERENCE_NUM_THREADS": cores}
    model = openvino.Core().compile_model(path, "CPU", hints)
    local = threading.local()

    def run(pixels):
        if not hasattr(local, "request"):
            local.request = model.create_infer_request()
        return local.request.infer(pixels, share_inputs=True, share_outputs=True)[0][0]

    return run


def classifier(engine, kernel, bias):
    def classify(image, _):
        pixels = cv2.imdecode(numpy.frombuffer(image, numpy.uint8), cv2.IMREAD_COLOR_RGB)
        pixels = cv2.resize(pixels, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR)
        logits = engine(pixels[None]) @ kernel + bias
        probabilities = numpy.exp(logits - logits.max())
        best = int(probabilities.argmax())
        return json.dumps({"index": best, "probability": float(probabilities[best] / probabilities.sum())}).encode()

    return classify


class Handler(grpc.GenericRpcHandler):
    def __init__(self, classify):
        self.handler = grpc.unary_unary_rpc_method_handler(classify)

    def service(self, details):
        return self.handler if details.method == METHOD else None


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--onnx", required=True, help="backbone, uint8 [N, 224, 224, 3] to features [N, D]")
    parser.add_argument("--classes", type=int, default=5)
    parser.add_argument("--engine", choices=["onnxruntime", "openvino"], required=True)
    parser.add_argument("--precision", choices=["f32", "bf16"], default="f32")
    parser.add_argument("--cores", type=int, required=True)
    arguments = parser.parse_args()

    cv2.setNumThreads(1)
    engine = globals()[arguments.engine + "_engine"](arguments.onnx, arguments.precision, arguments.cores)
    dimension = engine(numpy.zeros((1, SIZE, SIZE, 3), numpy.uint8)).shape[0]
    random = numpy.random.default_rng(0)  # a head costs the same whatever it says
    kernel, bias = random.normal(size=(dimension, arguments.classes)).astype(numpy.float32), numpy.float32(0)

    pool = concurrent.futures.ThreadPoolExecutor(max_workers=4 * arguments.cores)
    server = grpc.server(pool, options=[("grpc.max_receive_message_length", -1)])
    server.add_generic_rpc_handlers([Handler(classifier(engine, kernel, bias))])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(f"listening on 127.0.0.1:{port}", flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    main()
