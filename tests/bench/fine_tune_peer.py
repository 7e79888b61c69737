#!/usr/bin/env python3
"""A full fine-tuning step in PyTorch eager or Keras, as their users write it; prints one line of JSON."""

import argparse
import json
import os
import time

CLASSES, SIZE = 5, 224


def measure(step, batch, steps):
    rates = []
    for number in range(steps + 1):
        start = time.perf_counter()
        step()
        if number > 0:  # the first one fills caches
            rates.append(batch / (time.perf_counter() - start))
    return rates


def torch_step(arguments):
    import torch

    torch.set_num_threads(arguments.threads)
    if arguments.backbone == "mobilenet_v2":
        import torchvision

        model = torchvision.models.mobilenet_v2(num_classes=CLASSES, dropout=0)
    else:
        import timm

        name = {"efficientnet_v2_b0": "tf_efficientnetv2_b0", "resnet50_v2": "resnetv2_50"}[arguments.backbone]
        model = timm.create_model(name, num_classes=CLASSES)
    model = model.to(memory_format=torch.channels_last).train()
    if not arguments.train_statistics:
        for module in model.modules():
            if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
                module.eval()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-6, weight_decay=0.01)
    loss_function = torch.nn.CrossEntropyLoss(label_smoothing=0.1)
    photos = torch.randint(0, 256, (arguments.batch, SIZE, SIZE, 3), dtype=torch.uint8)
    labels = torch.randint(0, CLASSES, (arguments.batch,))

    def step():
        images = photos.permute(0, 3, 1, 2).to(torch.float32).div_(127.5).sub_(1)
        with torch.autocast("cpu", torch.bfloat16, enabled=arguments.bf16):
            logits = model(images)
        optimizer.zero_grad(set_to_none=True)
        loss_function(logits.float(), labels).backward()
        optimizer.step()

    return step


def keras_step(arguments):
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
    import keras
    import numpy
    import tensorflow

    tensorflow.config.threading.set_intra_op_parallelism_threads(arguments.threads)
    tensorflow.config.threading.set_inter_op_parallelism_threads(1)
    if arguments.bf16:
        keras.mixed_precision.set_global_policy("mixed_bfloat16")
    make = {
        "mobilenet_v2": keras.applications.MobileNetV2,
        "efficientnet_v2_b0": keras.applications.EfficientNetV2B0,
        "resnet50_v2": keras.applications.ResNet50V2,
    }[arguments.backbone]
    backbone = make(include_top=False, weights=None, pooling="avg", input_shape=(SIZE, SIZE, 3))
    images = keras.Input((SIZE, SIZE, 3))
    features = backbone(images / 127.5 - 1, training=arguments.train_statistics)
    model = keras.Model(images, keras.layers.Dense(CLASSES, activation="softmax", dtype="float32")(features))
    model.compile(
        keras.optimizers.AdamW(1e-6, weight_decay=0.01),
        keras.losses.CategoricalCrossentropy(label_smoothing=0.1),
    )
    photos = numpy.random.randint(0, 256, (arguments.batch, SIZE, SIZE, 3)).astype(numpy.float32)
    labels = keras.utils.to_categorical(numpy.random.randint(0, CLASSES, arguments.batch), CLASSES)
    return lambda: model.train_on_batch(photos, labels)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("engine", choices=["torch", "keras"])
    parser.add_argument("--backbone", default="mobilenet_v2")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--train-statistics", action="store_true")
    arguments = parser.parse_args()
    step = {"torch": torch_step, "keras": keras_step}[arguments.engine](arguments)
    print(json.dumps({"images_per_second": measure(step, arguments.batch, arguments.steps)}))


if __name__ == "__main__":
    main()
