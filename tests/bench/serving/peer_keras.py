"""Keras' `predict` in a plain loop over the payloads, one image a call and 32: what the article's user would write."""

import argparse
import json
import os
import pathlib
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import cv2  # noqa: E402
import keras  # noqa: E402
import numpy  # noqa: E402

SIZE = 224
BACKBONES = {
    "mobilenet_v2": (keras.applications.MobileNetV2, keras.applications.mobilenet_v2.preprocess_input),
    "efficientnet_v2_b0": (keras.applications.EfficientNetV2B0, lambda images: images),
}


def build(backbone, weights, classes):
    make, preprocess = BACKBONES[backbone]
    trunk = make(include_top=False, weights=weights, input_shape=(SIZE, SIZE, 3), pooling="avg")
    outputs = keras.layers.Dense(classes, activation="softmax")(trunk.output)
    return keras.Model(trunk.input, outputs), preprocess


def decoded(encoded):
    pixels = cv2.imdecode(numpy.frombuffer(encoded, numpy.uint8), cv2.IMREAD_COLOR_RGB)
    return cv2.resize(pixels, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR)


def images_per_second(model, preprocess, payloads, batch, seconds):
    def classify(first):
        images = [decoded(payloads[(first + i) % len(payloads)]) for i in range(batch)]
        return model.predict(preprocess(numpy.asarray(images, numpy.float32)), verbose=0)

    classify(0)  # traces the graph for this batch size
    begin, images = time.perf_counter(), 0
    while (elapsed := time.perf_counter() - begin) < seconds:
        classify(images)
        images += batch
    return images / elapsed


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backbone", choices=sorted(BACKBONES), required=True)
    parser.add_argument("--weights", required=True, help="Keras' .h5 file without top")
    parser.add_argument("--payload", action="append", required=True, help="folder of images")
    parser.add_argument("--seconds", type=float, default=2)
    arguments = parser.parse_args()
    model, preprocess = build(arguments.backbone, arguments.weights, classes=5)
    result = {}
    for folder in arguments.payload:
        payloads = [file.read_bytes() for file in sorted(pathlib.Path(folder).iterdir())]
        result[pathlib.Path(folder).name] = {
            f"batch_{batch}": images_per_second(model, preprocess, payloads, batch, arguments.seconds)
            for batch in (1, 32)
        }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
