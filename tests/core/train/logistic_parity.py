"""Compares a head with scikit-learn's StandardScaler and LogisticRegression on the same features.

logistic_parity.py FEATURES LABELS HEAD L2 CLASSES TOLERANCE

FEATURES: raw float32 [N, D]; LABELS: raw int32 [N]; HEAD: raw float32, the kernel [D, CLASSES] and then the bias.
The error is the largest difference of a probability. Prints it; exit code 1 if it is above the tolerance.
"""

import sys

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler


def softmax(logits):
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def main(features_path, labels_path, head_path, l2, classes, tolerance):
    labels = np.fromfile(labels_path, np.int32)
    features = np.fromfile(features_path, np.float32).reshape(len(labels), -1).astype(np.float64)
    head = np.fromfile(head_path, np.float32).astype(np.float64).reshape(-1, int(classes))
    actual = softmax(features @ head[:-1] + head[-1])

    scaled = StandardScaler().fit_transform(features)
    regression = LogisticRegression(C=1 / (len(labels) * float(l2)), tol=1e-9, max_iter=100_000)
    expected = regression.fit(scaled, labels).predict_proba(scaled)
    error = np.abs(actual - expected).max()
    print(f"l2 {l2}: {error:.3g}")
    return 0 if error <= float(tolerance) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
