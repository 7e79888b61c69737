"""Runs an ONNX model in ONNX Runtime and compares its outputs with files.

onnx_parity.py MODEL IMAGES TOLERANCE OUTPUT=FILE...

IMAGES: raw uint8 [N, 224, 224, 3]; FILE: raw float32 [N, D]. All images at once and one by one. The error is the largest
difference over the largest expected value. Prints it; exit code 1 if it is above the tolerance.
"""

import sys

import numpy as np
import onnxruntime


def relative_error(actual, expected):
    return np.abs(actual - expected).max() / np.abs(expected).max()


def main(model, images_path, tolerance, *outputs):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    images = np.fromfile(images_path, np.uint8).reshape(-1, 224, 224, 3)
    failed = False
    for output in outputs:
        name, path = output.split("=", 1)
        expected = np.fromfile(path, np.float32).reshape(len(images), -1)
        together = session.run([name], {"image": images})[0]
        alone = np.concatenate([session.run([name], {"image": image[None]})[0] for image in images])
        for batch, actual in ((len(images), together), (1, alone)):
            error = relative_error(actual, expected)
            print(f"{name}, batch {batch}: {error:.3g}")
            failed = failed or not error <= float(tolerance)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
