"""Compares files of scikit_learn_test.cc with what scikit-learn, SciPy and NumPy say about the same predictions.

scikit_learn.py FILE...

Metrics within 1e-6; the temperature within 1e-4 of its value, where the minimum is flat; bootstrap intervals, which are
random, within a fifth of their width. Prints one line for each file; exit code 1 with the differences.
"""

import json
import sys
import warnings

import numpy as np
from scipy import optimize, special, stats
from sklearn import metrics

CLIP = 1e-7  # as Keras
differences = []


def expect(what, actual, expected, tolerance=1e-6):
    if expected is None or actual is None:
        same = expected is None and actual is None
    else:
        same = np.all(np.abs(np.asarray(actual, float) - np.asarray(expected, float)) <= tolerance)
    if not same:
        differences.append(f"{what}: {actual}, expected {expected}")


def log_loss(probabilities, labels):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # rows of clipped float32 sum to almost 1
        return metrics.log_loss(labels, np.clip(probabilities, CLIP, 1), labels=range(probabilities.shape[1]))


def roc_auc(probabilities, labels, k):
    if len(set(labels == k)) < 2:
        return None
    return metrics.roc_auc_score(labels == k, probabilities[:, k])


def averaged_auc(aucs, weights):
    pairs = [(auc, weight) for auc, weight in zip(aucs, weights) if auc is not None and weight > 0]
    if not pairs:
        return None
    values, weights = zip(*pairs)
    return np.average(values, weights=weights)


def calibration_error(probabilities, labels, bins=15):
    """Guo et al.: for lower < confidence <= upper, |mean confidence - accuracy| times the share of the bin."""
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    edges = np.linspace(0, 1, bins + 1)
    error = 0
    for lower, upper in zip(edges[:-1], edges[1:]):
        inside = (confidence > lower) & (confidence <= upper)
        if inside.any():
            error += abs(confidence[inside].mean() - right[inside].mean()) * inside.mean()
    return error


def temperature(logits, labels):
    def objective(b):
        log_probabilities = special.log_softmax(b * logits, axis=1)
        return -log_probabilities[np.arange(len(labels)), labels].sum() + (b - 1) ** 2 / 2

    found = optimize.minimize_scalar(objective, bounds=(1 / 20, 20), method="bounded", options={"xatol": 1e-9})
    return 1 / found.x


def bootstrap(statistic, count, resamples=4000):
    random = np.random.default_rng(1)
    values = [statistic(random.integers(0, count, count)) for _ in range(resamples)]
    return np.percentile(values, [2.5, 97.5])


def expect_interval(what, actual, statistic, count):
    low, high = bootstrap(statistic, count)
    expect(what, actual, [low, high], max((high - low) / 5, 1e-6))


def check_case(path, case):
    labels = np.array(case["labels"])
    logits = np.fromfile(path + ".logits", np.float32).astype(float).reshape(len(labels), -1)
    probabilities = np.fromfile(path + ".probabilities", np.float32).astype(float).reshape(len(labels), -1)
    classes = range(logits.shape[1])
    predictions = probabilities.argmax(axis=1)
    expect("probabilities", probabilities, special.softmax(logits, axis=1))
    expect("loss", case["loss"], log_loss(probabilities, labels))
    expect("accuracy", case["accuracy"], metrics.accuracy_score(labels, predictions))

    precision, recall, f1, images = metrics.precision_recall_fscore_support(
        labels, predictions, labels=classes, zero_division=0
    )
    aucs = [roc_auc(probabilities, labels, k) for k in classes]
    for k, ours in enumerate(case["classes"]):
        expect(f"precision of {k}", ours["precision"], precision[k])
        expect(f"recall of {k}", ours["recall"], recall[k])
        expect(f"f1 of {k}", ours["f1"], f1[k])
        expect(f"images of {k}", ours["images"], images[k])
        expect(f"roc_auc of {k}", ours["roc_auc"], aucs[k])
    occurs = np.isin(classes, np.union1d(labels, predictions))
    for average, weights in (("macro", occurs), ("weighted", images)):
        scores = metrics.precision_recall_fscore_support(labels, predictions, average=average, zero_division=0)
        for name, score in zip(("precision", "recall", "f1"), scores):
            expect(f"{average} {name}", case[average][name], score)
        expect(f"{average} roc_auc", case[average]["roc_auc"], averaged_auc(aucs, weights))

    confusion = np.zeros((len(classes), len(classes)), int)
    for actual, predicted, count in case["confusion"]:
        confusion[actual, predicted] += count
    expect("confusion", confusion, metrics.confusion_matrix(labels, predictions, labels=classes), 0)
    expect("calibration error", case["calibration_error"], calibration_error(probabilities, labels))
    expected_temperature = temperature(logits, labels)
    expect("temperature", case["temperature"], expected_temperature, 1e-4 * expected_temperature)
    if len(classes) <= 100:
        check_intervals(case["intervals"], probabilities, predictions, labels)


def check_intervals(intervals, probabilities, predictions, labels):
    right = predictions == labels
    losses = -np.log(np.clip(probabilities[np.arange(len(labels)), labels], CLIP, 1))
    expect_interval("accuracy interval", intervals["accuracy"], lambda rows: right[rows].mean(), len(labels))
    expect_interval("loss interval", intervals["loss"], lambda rows: losses[rows].mean(), len(labels))

    def macro_f1(rows):
        return metrics.f1_score(labels[rows], predictions[rows], average="macro", zero_division=0)

    low, high = bootstrap(macro_f1, len(labels), resamples=500)
    expect("macro F1 interval", intervals["macro_f1"], [low, high], max((high - low) / 4, 1e-6))


def check_mcnemar(tests):
    for test in tests:
        b, c = test["b"], test["c"]
        if b + c < 25:
            statistic = min(b, c)
            p = stats.binomtest(statistic, b + c, 0.5).pvalue if b + c else 1
        else:
            statistic = 0 if b == c else (abs(b - c) - 1) ** 2 / (b + c)
            p = stats.chi2.sf(statistic, 1)
        expect(f"McNemar {b} {c} exact", test["exact"], b + c < 25, 0)
        expect(f"McNemar {b} {c} statistic", test["statistic"], statistic)
        expect(f"McNemar {b} {c} p", test["p"], p, 1e-9)


def main(paths):
    for path in paths:
        with open(path) as file:
            content = json.load(file)
        name = content.get("name", "McNemar")
        before = len(differences)
        if "mcnemar" in content:
            check_mcnemar(content["mcnemar"])
        else:
            check_case(path, content)
        for difference in differences[before:]:
            print(f"{name}: {difference}")
        if len(differences) == before:
            print(f"{name}: agrees")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
