# SPDX-License-Identifier: Apache-2.0
"""Record what MediaPipe's own face detector finds on fetched pictures in faces_mediapipe.json: `make golden`."""

from __future__ import annotations

import json
from pathlib import Path

import mediapipe as mp
from mediapipe.tasks.python import BaseOptions, vision

from models.fetch import fetched
from tests.data.pictures import golden_pictures


def main() -> None:
    options = vision.FaceDetectorOptions(
        base_options=BaseOptions(model_asset_path=str(fetched("mediapipe_face_detector.tflite"))),
        running_mode=vision.RunningMode.IMAGE,
        min_detection_confidence=0.5,
    )
    golden = {"mediapipe": mp.__version__}
    with vision.FaceDetector.create_from_options(options) as detector:
        for name, image in golden_pictures().items():
            found = detector.detect(mp.Image(mp.ImageFormat.SRGB, image.copy())).detections
            golden[name] = [
                {
                    "xywh": [b.origin_x, b.origin_y, b.width, b.height],
                    "score": round(face.categories[0].score, 5),
                    "points": [
                        [round(p.x * image.shape[1], 2), round(p.y * image.shape[0], 2)] for p in face.keypoints
                    ],
                }
                for face in found
                for b in [face.bounding_box]
            ]
    path = Path(__file__).with_name("faces_mediapipe.json")
    path.write_text(json.dumps(golden, indent=1) + "\n")
    print(f"{path}: {sum(len(v) for v in golden.values() if isinstance(v, list))} faces")


if __name__ == "__main__":
    main()
