"""The article's recipe as its reader would write it with Keras: frozen backbone, pooled features, softmax, Adam.

Reads FOLDER/train, FOLDER/validation and FOLDER/test (one sub-folder per class), fits without early stopping, evaluates
on the test photos and saves the model. Prints one JSON object: seconds of each step, importing Keras not among them.
"""

import argparse
import json
import os
import pathlib
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras  # noqa: E402
import tensorflow  # noqa: E402

SIZE = 224
BACKBONES = {
    "mobilenet_v2": (keras.applications.MobileNetV2, keras.applications.mobilenet_v2.preprocess_input),
    "efficientnet_v2_b0": (keras.applications.EfficientNetV2B0, None),  # scales inside the network
}


def photos(folder, preprocess, shuffle):
    dataset = keras.utils.image_dataset_from_directory(
        folder, image_size=(SIZE, SIZE), batch_size=32, label_mode="int", shuffle=shuffle, seed=0, verbose=False
    )
    classes = len(dataset.class_names)
    if preprocess:
        dataset = dataset.map(lambda images, labels: (preprocess(images), labels), num_parallel_calls=tensorflow.data.AUTOTUNE)
    return dataset.prefetch(tensorflow.data.AUTOTUNE), classes


def build(make, weights, classes):
    backbone = make(include_top=False, weights=weights, input_shape=(SIZE, SIZE, 3), pooling="avg")
    backbone.trainable = False
    outputs = keras.layers.Dense(classes, activation="softmax")(backbone.output)
    model = keras.Model(backbone.input, outputs)
    model.compile(optimizer=keras.optimizers.Adam(1e-3), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


class EpochSeconds(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.seconds = []

    def on_epoch_begin(self, epoch, logs=None):
        self._start = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        self.seconds.append(time.perf_counter() - self._start)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backbone", choices=sorted(BACKBONES), required=True)
    parser.add_argument("--weights", required=True, help="Keras' .h5 file without top")
    parser.add_argument("--photos", type=pathlib.Path, required=True)
    parser.add_argument("--epochs", type=int, required=True)
    arguments = parser.parse_args()
    keras.utils.set_random_seed(0)

    start = time.perf_counter()
    make, preprocess = BACKBONES[arguments.backbone]
    train, classes = photos(arguments.photos / "train", preprocess, shuffle=True)
    validation, _ = photos(arguments.photos / "validation", preprocess, shuffle=False)
    test, _ = photos(arguments.photos / "test", preprocess, shuffle=False)
    model = build(make, arguments.weights, classes)
    fitting = time.perf_counter()
    epochs = EpochSeconds()
    model.fit(train, validation_data=validation, epochs=arguments.epochs, verbose=0, callbacks=[epochs])
    evaluating = time.perf_counter()
    loss, accuracy = model.evaluate(test, verbose=0)
    saving = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        model.save(os.path.join(folder, "model.keras"))
    end = time.perf_counter()
    result = {
        "total": end - start,
        "prepare": fitting - start,
        "fit": evaluating - fitting,
        "evaluate": saving - evaluating,
        "save": end - saving,
        "epochs": epochs.seconds,
        "test_loss": loss,
        "test_accuracy": accuracy,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
