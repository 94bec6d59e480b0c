# SPDX-License-Identifier: Apache-2.0
"""What the input of a network looks like in use: the tensors that its own pre-processing makes of a drawn picture.

For comparing and timing backends. The picture is the synthetic scene at one moment, so every computer has the same one.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from app.sources.scene import Scene, Snapshot
from device.backend import Backend, Tensors
from device.errors import BackendUnavailable
from device.tflite import TfliteBackend
from models.blazeface import FaceDetector
from models.card import Card
from models.expression import ExpressionClassifier
from models.flow import FlowNet
from models.persons import PersonDetector
from models.pose import PoseEstimator
from models.results import Float32

SEED, SIZE_WH = 0, (640, 480)
TIMES_S = (4.0, 4.1)
"""Two moments with faces; between them people walk."""


class Witness:
    """Forwards to a backend and remembers the inputs of its last run."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.seen: Tensors = {}
        self.name, self.inputs, self.outputs = backend.name, backend.inputs, backend.outputs

    def run(self, inputs: Tensors) -> Tensors:
        self.seen = {name: array.copy() for name, array in inputs.items()}
        return self._backend.run(inputs)

    def close(self) -> None:
        self._backend.close()


def sample(card: Card, backend: Backend | None = None) -> Tensors:
    """Return one input of the network of `card` as `backend` takes it (None: as the CPU does).

    Runs the network once there. Raises BackendUnavailable for a network that is none of the program's.
    """
    witness = Witness(backend or TfliteBackend(card.verified_path()))
    try:
        look(card, witness)
    finally:
        if backend is None:
            witness.close()
    return witness.seen


@lru_cache(1)
def snapshots() -> tuple[Snapshot, Snapshot]:
    """Return the scene at both moments."""
    scene = Scene(SEED, SIZE_WH)
    return scene.snapshot(TIMES_S[0]), scene.snapshot(TIMES_S[1])


def look(card: Card, backend: Backend) -> None:
    """Run the network of `card` once on the scene, as the program runs it."""
    before, now = snapshots()
    family = card.name.partition("_")[0]
    if family == "blazeface":
        FaceDetector(card, backend)(now.image)
    elif family == "expression":
        ExpressionClassifier(card, backend)(now.image, now.truth.xyxy[:1])
    elif family == "flow":
        FlowNet(card, backend)(before.image, now.image)
    elif family == "persons":
        PersonDetector(card, backend)(now.image)
    elif family == "pose":
        PoseEstimator(card, backend)(now.image, body_of(now.truth.xyxy[:1]))
    else:
        raise BackendUnavailable(f"no sample for network {card.name}: its kind {family} is not known")


def body_of(face_xyxy: Float32) -> Float32:
    """Return about the boxes of the people whose faces are in `face_xyxy` (N, 4), px."""
    x0, y0, x1, y1 = face_xyxy.T
    width, height = x1 - x0, y1 - y0
    return np.stack([x0 - width, y0 - 0.3 * height, x1 + width, y0 + 6 * height], axis=1).astype(np.float32)
