# SPDX-License-Identifier: Apache-2.0
"""Task `pose`: people found, followed with stable numbers, and the 17 keypoints of each."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.frame import Frame, PoseOutput
from app.motion.counting import Count
from app.motion.lines import Mark
from app.runtime.beside import Beside
from app.runtime.meters import StageTimes
from app.runtime.pipeline import NetworkChoice
from app.tasks.people_count import PeopleCount
from app.tracking.hybrid import Hybrid
from app.tracking.sort import Sort, SortSettings
from models.appearance import StripeHistograms
from models.face_appearance import FacePatterns, FaceSearch
from models.looks import Looks
from models.persons import known_keypoints
from models.persons_tiled import PersonSearch, directions
from models.pose import PoseEstimator
from models.results import MISSED, N_KEYPOINTS, NOT_SEARCHED, Float32, Image, Poses, Tracks

PERSON_TRACKING = SortSettings(
    score_threshold=0.08, sure_score=0.16, certain_score=0.5, n_init=2, first_at_once=True, coast_s=0.2
)
"""How people are tracked. MultiPose's scores are low: on TUD-Campus and TUD-Stadtmitte its boxes are best cut near 0.1,
and of 128 combinations these thresholds and `n_init` gave the best MOTA + IDF1 + HOTA but for 0.001 (0.773, 0.828,
0.586; tuned on these sequences); a coast of 0.2 s raised MOTA to 0.79."""
LOOKS = 2
LOOKS_BETWEEN = 1
"""People whose keypoints are looked at in one frame (18 ms each at float, 8 at int8), the longest waiting first: two
while another thread searches for people (33 ms), one where nothing is searched. Who waits is carried on by his track's
velocity."""
SEARCH_TIMEOUT_S = 30.0
"""A search takes 0.03 s, in tiles and on a small board seconds: after so long it hangs."""
BEST_KEYPOINTS = 5
LEAST_BELIEF = 0.37
BELIEF_SHARE = 0.2
"""What is followed is shown as a person where its best five keypoints have that mean score, of which each look changes
a fifth: MultiPose takes bottles for people (scores as those of a near face), the closer look does not. Medians: bottles
0.20 at float and 0.31 at int8, a face that fills the picture 0.45 and 0.43, people on the TUD sequences 0.73 and 0.76.
There it costs 0.012 of MOTA and gains 0.009 of IDF1."""
LEAST_BELIEF_TOP = 0.2
"""The same in a view from above, where the closer look knows less: on the drawn room 0.37 would hide half of those who
are followed (recall 0.28 instead of 0.66), and 0 shows as many as 0.2."""
SEEN_SCORE = 0.2
"""A keypoint below was guessed, not seen: it is not smoothed with what was seen before or comes after."""
MIN_CUTOFF_HZ = 1.0
CUTOFF_PER_SPEED = 20.0
SPEED_CUTOFF_HZ = 1.0
"""One-Euro filter: the cut-off of a keypoint at rest (noise of 0.5 % of the body falls to 0.2 %), what a speed of one
body a second adds to it in Hz (at half a body a second it lags 0.013 s), and the cut-off of that speed."""


@dataclass(frozen=True, eq=False)
class Body:
    """The smoothed keypoints of one person as of their last look."""

    xy: Float32  # (17, 2) px
    speed: Float32  # (17, 2) bodies/s, smoothed
    score: Float32  # (17,)
    t_ns: int
    n_frame: int  # of the last look at full size; -1 = only the detector's guess so far
    belief: float = 0.0  # that this is a person, 0..1


class OneEuro:
    """Casiez, Roussel, Vogel, "1 Euro Filter", CHI 2012: a low pass whose cut-off grows with the speed.

    x <- x + a(fc) (raw - x), a(fc) = 1 / (1 + 1 / (2 pi fc dt)), fc = MIN_CUTOFF_HZ + CUTOFF_PER_SPEED |dx/dt|, where
    dx/dt is itself smoothed by a(SPEED_CUTOFF_HZ). Speeds count in bodies (`side_px`, the longer side of the box), so
    that near and far people are smoothed alike. Time is the picture's own.
    """

    def __call__(self, body: Body, raw: Float32, side_px: float, t_ns: int, n_frame: int) -> Body:
        """Return the body after the keypoints `raw` (17, 3); those not seen now or before start anew."""
        dt_s = (t_ns - body.t_ns) / 1e9
        if dt_s == 0:
            return dataclasses.replace(body, n_frame=n_frame)
        if dt_s < 0:  # a clip that begins anew
            return Body(raw[:, :2], np.zeros_like(body.speed), raw[:, 2], t_ns, n_frame)
        speed = (raw[:, :2] - body.xy) / (side_px * dt_s)
        speed = body.speed + share(SPEED_CUTOFF_HZ, dt_s) * (speed - body.speed)
        cutoff_hz = MIN_CUTOFF_HZ + CUTOFF_PER_SPEED * np.hypot(speed[:, 0], speed[:, 1])
        weight = share(cutoff_hz, dt_s)
        is_new = (raw[:, 2] < SEEN_SCORE) | (body.score < SEEN_SCORE)
        weight, speed = np.where(is_new, 1.0, weight), np.where(is_new[:, None], 0.0, speed)
        xy = body.xy + weight[:, None] * (raw[:, :2] - body.xy)
        return Body(xy.astype(np.float32), speed.astype(np.float32), raw[:, 2], t_ns, n_frame)


def share(cutoff_hz: NDArray[np.floating] | float, dt_s: float) -> Float32:
    """Return a(fc): how much of a new value a low pass takes over after `dt_s`."""
    return np.asarray(1 / (1 + 1 / (2 * math.pi * np.asarray(cutoff_hz) * dt_s)), np.float32)


class PoseTask:
    """Runs in the inference thread; `select` may be called from any thread and takes effect at the next frame.

    Every `detect_every`-th frame is searched for people, in a thread beside the looks, which go to where the tracker
    expects them. What comes out does not depend on which of both is done first.
    """

    def __init__(
        self,
        detector: PersonSearch,
        pose: PoseEstimator,
        backend: str,
        precision: str,
        detect_every: int = 1,
        view: str = "eye",
        tracker: str = "sort",
        faces: FaceSearch | None = None,
    ) -> None:
        """`view` "top": the camera looks straight down, and people lie along the radii of the picture.

        With `faces` the tracker "hybrid" knows people by their faces too, not by their clothes alone.
        """
        self.times = StageTimes()
        self._faces = faces
        self._detector, self._tracker, self._filter = detector, new_tracker(tracker, faces), OneEuro()
        self._next_tracker: Sort | None = None
        self._detect_every, self._n_frames = detect_every, -1
        self._bodies: dict[int, Body] = {}
        self._missed: set[int] = set()  # tracks that the last search did not find
        self._is_top = view == "top"
        self._people_count = PeopleCount("centre" if self._is_top else "foot")
        self.select(pose, backend, precision)

    def select(self, pose: PoseEstimator, backend: str, precision: str) -> None:
        """Use another network from the next frame on; tracks and smoothing go on."""
        person = f"{Path(self._detector.card.file).name} (float)"
        self._next = pose, NetworkChoice(backend, precision, {"person": person, "pose": Path(pose.card.file).name})
        if not hasattr(self, "in_use"):
            self.in_use = self._next[1]

    def follow_with(self, tracker: str) -> None:
        """Let another tracker ("sort", "hybrid") number people from the next frame on; any thread.

        It knows nobody: whoever is in the picture gets a new number, which nobody had before.
        """
        self._next_tracker = new_tracker(tracker, self._faces)

    def watch(self, marks: Sequence[Mark]) -> None:
        """Count at these lines and in these zones from the next frame on; any thread. Raises ZoneError."""
        self._people_count.watch(marks)

    @property
    def counts(self) -> tuple[Count, ...]:
        """The counts as of the newest frame; any thread."""
        return self._people_count.counts

    def __call__(self, frame: Frame) -> PoseOutput:
        network, self.in_use = self._next
        self._change_tracker()
        self._n_frames += 1
        is_searched = self._n_frames % self._detect_every == 0
        search = Beside("search", partial(self._detector.poses, frame.image)) if is_searched else None
        try:
            with self.times.stage("track"):
                tracks = self._tracker.predict(frame.t_ns)
            with self.times.stage("pose"):
                looked = self._look(network, frame.image, tracks, LOOKS if is_searched else LOOKS_BETWEEN)
        finally:  # also where a look fails: no thread is left behind
            with self.times.stage("detect"):
                found = None if search is None else search.result(SEARCH_TIMEOUT_S)
        with self.times.stage("track"):
            tracks = self._track(found, tracks, frame)
            whys = self._tracker.whys(tracks) if isinstance(self._tracker, Hybrid) else ()
        if found is not None:
            with self.times.stage("pose"):
                looked = self._look_at_new(network, frame.image, tracks, found, looked)
        self.in_use = self.in_use.after(network)
        with self.times.stage("smooth"):
            keypoints = self._smooth(tracks, found, looked, frame.t_ns)
        least = LEAST_BELIEF_TOP if self._is_top else LEAST_BELIEF
        believed = [self._bodies[number].belief >= least for number in tracks.track_id.tolist()]
        is_shown = np.array(believed, bool)
        shown, (height, width) = tracks.take(is_shown), frame.image.shape[:2]
        with self.times.stage("count"):
            counting = self._people_count(shown, frame.t_ns, (width, height))
        of_shown = tuple(why for why, is_kept in zip(whys, believed, strict=True) if is_kept) if whys else ()
        return PoseOutput(shown, keypoints[is_shown], network.card.labels, counting, of_shown)

    def _change_tracker(self) -> None:
        """Take the tracker that was asked for; its numbers go on after the last one's."""
        tracker, self._next_tracker = self._next_tracker, None
        if tracker is not None:
            tracker.count_from(self._tracker.n_numbers)
            self._tracker, self._bodies, self._missed = tracker, {}, set()

    def _track(self, found: Poses | None, predicted: Tracks, frame: Frame) -> Tracks:
        if found is not None:
            if isinstance(self._tracker, Hybrid):
                self._tracker.show(frame.image)
            return self._tracker.update(found.detections(), frame.t_ns)
        return dataclasses.replace(predicted, detection_index=np.full(len(predicted), NOT_SEARCHED, np.int32))

    def _look(self, network: PoseEstimator, image: Image, tracks: Tracks, n: int) -> dict[int, Float32]:
        """Return the keypoints (17, 3) of the `n` people who waited longest, by track number.

        Who was searched last and not found is hidden or gone: a look there would show somebody else.
        """
        rows = [k for k, number in enumerate(tracks.track_id.tolist()) if number not in self._missed]
        rows.sort(key=lambda k: self._last_look(int(tracks.track_id[k])))
        return self._look_at(network, image, tracks, tracks.xyxy, rows[:n])

    def _look_at_new(
        self, network: PoseEstimator, image: Image, tracks: Tracks, found: Poses, looked: dict[int, Float32]
    ) -> dict[int, Float32]:
        """Drop the looks at people who were not found after all, and look at new ones as far as looks are left."""
        index = tracks.detection_index
        numbers = tracks.track_id.tolist()
        self._missed = {number for number, k in zip(numbers, index.tolist(), strict=True) if k == MISSED}
        new = [k for k, number in enumerate(numbers) if number not in self._bodies and number not in self._missed]
        boxes = np.array([box_of(tracks, found, k) for k in range(len(tracks))], np.float32).reshape(-1, 4)
        more = self._look_at(network, image, tracks, boxes, new[: max(LOOKS - len(looked), 0)])
        return {number: k for number, k in (looked | more).items() if number not in self._missed}

    def _look_at(
        self, network: PoseEstimator, image: Image, tracks: Tracks, xyxy: Float32, rows: list[int]
    ) -> dict[int, Float32]:
        if not rows:
            return {}
        boxes = xyxy[rows]
        height, width = image.shape[:2]
        turn_rad = directions(boxes, (width, height)) if self._is_top else None
        poses = network(image, boxes, turn_rad)
        return {int(tracks.track_id[k]): poses.keypoints[n] for n, k in enumerate(rows)}

    def _last_look(self, track_id: int) -> int:
        body = self._bodies.get(track_id)
        return -1 if body is None else body.n_frame

    def _smooth(self, tracks: Tracks, found: Poses | None, looked: dict[int, Float32], t_ns: int) -> Float32:
        """Return the keypoints (N, 17, 3) of the tracks; people who are not tracked any more are forgotten."""
        bodies, shown = {}, np.zeros((len(tracks), N_KEYPOINTS, 3), np.float32)
        for k, number in enumerate(tracks.track_id.tolist()):
            xyxy = tracks.xyxy[k]
            body = self._bodies.get(number)
            if number in looked:
                side_px = max(float((xyxy[2:] - xyxy[:2]).max()), 1.0)
                body = self._seen(body, looked[number], side_px, t_ns)
            elif body is None:
                body = self._guessed(tracks, found, k, t_ns)
            bodies[number] = body
            ahead = tracks.velocity[k] * np.float32(max(0, t_ns - body.t_ns) / 1e9)
            shown[k] = np.concatenate([body.xy + ahead, body.score[:, None]], axis=1)
        self._bodies = bodies
        return shown

    def _seen(self, body: Body | None, keypoints: Float32, side_px: float, t_ns: int) -> Body:
        """Return the body after a look; what was only guessed before does not count."""
        belief = belief_in(keypoints)
        if body is None or body.n_frame < 0:
            still = np.zeros((N_KEYPOINTS, 2), np.float32)
            return Body(keypoints[:, :2], still, keypoints[:, 2], t_ns, self._n_frames, belief)
        belief = body.belief + BELIEF_SHARE * (belief - body.belief)
        smooth = self._filter(body, keypoints, side_px, t_ns, self._n_frames)
        return dataclasses.replace(smooth, belief=belief)

    @staticmethod
    def _guessed(tracks: Tracks, found: Poses | None, k: int, t_ns: int) -> Body:
        """Return the detector's own keypoints of a person whose turn has not come yet, all unknown without them."""
        still, index = np.zeros((N_KEYPOINTS, 2), np.float32), int(tracks.detection_index[k])
        if found is not None and index >= 0:
            keypoints = found.keypoints[index]
        else:
            nothing = np.full((1, N_KEYPOINTS, 3), np.nan, np.float32)
            keypoints = known_keypoints(nothing, tracks.xyxy[k : k + 1])[0]
        return Body(keypoints[:, :2], still, keypoints[:, 2], t_ns, -1, belief_in(keypoints))


def new_tracker(name: str, faces: FaceSearch | None = None) -> Sort:
    """Return a tracker of people by its name, "sort" or "hybrid", which looks at faces where these can be found."""
    if name != "hybrid":
        return Sort(PERSON_TRACKING)
    if faces is None:
        return Hybrid(PERSON_TRACKING, embedder=StripeHistograms())
    return Hybrid(PERSON_TRACKING, embedder=Looks(FacePatterns(faces)), likeness=Looks.likeness)


def belief_in(keypoints: Float32) -> float:
    """Return the mean score of the best keypoints of (17, 3): a person's face alone has five."""
    return float(np.sort(keypoints[:, 2])[-BEST_KEYPOINTS:].mean())


def box_of(tracks: Tracks, found: Poses | None, k: int) -> Float32:
    """Return the box to look at: what was detected, which is sharper than the track, or else the prediction."""
    index = int(tracks.detection_index[k])
    return np.asarray(tracks.xyxy[k] if found is None or index < 0 else found.xyxy[index], np.float32)
