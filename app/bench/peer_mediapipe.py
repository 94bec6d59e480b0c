# SPDX-License-Identifier: Apache-2.0
"""The script a newcomer would write: OpenCV capture, MediaPipe FaceLandmarker, `fer`'s expression network, drawing.

Not part of the program: `app.bench --peers` starts it with MediaPipe on the path. `fer` itself would bring
TensorFlow along; its own quantised network in LiteRT is what it runs, without that weight.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import mediapipe as mp
import numpy as np
from ai_edge_litert.interpreter import Interpreter
from mediapipe.tasks.python import BaseOptions, vision

from app.runtime.machine_load import rss_mb
from models.fetch import fetched

LABELS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


def main(clip: str, out: str, n_frames: int) -> None:
    options = vision.FaceLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=str(fetched("face_landmarker.task"))),
        running_mode=vision.RunningMode.VIDEO,
    )
    expression = Interpreter(model_path=str(fetched("fer_expression.tflite")))
    expression.allocate_tensors()
    capture = cv2.VideoCapture(clip)
    with vision.FaceLandmarker.create_from_options(options) as landmarker:
        start, count = time.perf_counter(), 0
        while not n_frames or count < n_frames:
            is_read, frame = capture.read()
            if not is_read:
                break
            count += 1
            rgb = cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
            found = landmarker.detect_for_video(mp.Image(mp.ImageFormat.SRGB, rgb), count * 33)
            for face in found.face_landmarks:
                draw(frame, face, expression)
        wall_s = time.perf_counter() - start
    Path(out).write_text(json.dumps({"frames": count, "wall_s": wall_s, "rss_mb": rss_mb()}))


def draw(frame: np.ndarray, face: list[Any], expression: Interpreter) -> None:
    height, width = frame.shape[:2]
    xy = np.array([(p.x * width, p.y * height) for p in face])
    (left, top), (right, bottom) = xy.min(0).astype(int).clip(0), xy.max(0).astype(int)
    grey = cv2.cvtColor(frame[top:bottom, left:right], cv2.COLOR_BGR2GRAY)
    small = cv2.resize(grey, (64, 64)).astype(np.float32) / 127.5 - 1
    expression.set_tensor(expression.get_input_details()[0]["index"], small[None, :, :, None])
    expression.invoke()
    prob = expression.get_tensor(expression.get_output_details()[0]["index"])[0]
    cv2.rectangle(frame, (left, top), (right, bottom), (0, 255, 0), 2)
    for x, y in xy.astype(int):
        cv2.circle(frame, (int(x), int(y)), 1, (255, 255, 0), -1)
    for k, (label, p) in enumerate(zip(LABELS, prob, strict=True)):
        cv2.putText(frame, f"{label} {p:.2f}", (8, 16 + 14 * k), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (0, 255, 0))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
