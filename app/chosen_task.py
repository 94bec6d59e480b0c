# SPDX-License-Identifier: Apache-2.0
"""From settings to a task with its networks, and to the twin that it is compared with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from app.compare.pair import Pair
from app.compare.twin import ExpressionTwin, FlowTwin, PoseTwin, Twin
from app.config import Settings
from app.opened_networks import Networks
from app.runtime.pipeline import NetworkChoice
from app.tasks.expression import ExpressionTask
from app.tasks.faces import FACE_TRACKING, FaceFinder
from app.tasks.flow import FlowMethod, FlowTask
from app.tasks.pose import PoseTask
from app.tracking.sort import Sort
from models.camera_motion import CornerCamera
from models.classical_flow import Dis, Farneback, LucasKanade, Reduced
from models.expression import ExpressionClassifier
from models.flow import FlowNet
from models.persons_tiled import person_search
from models.pose import PoseEstimator

BUILT_TASKS = ("expression", "flow", "pose")
CLASSICAL_METHODS: dict[str, Callable[[], FlowMethod]] = {"dis": Dis, "farneback": Farneback, "lk": LucasKanade}
"""Of task flow, besides "net"."""


def new_face_finder(networks: Networks) -> FaceFinder:
    """Return detectors with a tracker of their own: one for every source."""
    short, full = networks.face_detector("blazeface_short"), networks.face_detector("blazeface_full")
    return FaceFinder(short, full, Sort(FACE_TRACKING))


def new_task(settings: Settings, networks: Networks) -> ExpressionTask | FlowTask | PoseTask:
    """Return the task with the network or the method of `settings`; raises AppError."""
    if settings.task == "flow":
        return FlowTask(*choose_method(settings, networks))
    if settings.task == "pose":
        pose = networks.choose_pose(settings.backend, settings.precision)
        search = person_search(networks.person_detector(), settings.view)
        every = settings.detect_every
        faces = networks.face_detector("blazeface_short")
        look = settings.view, settings.tracker, faces
        return PoseTask(search, pose, pose.backend_name, settings.precision, every, *look)
    network = networks.choose_expression(settings.backend, settings.precision)
    task = ExpressionTask(new_face_finder(networks), network, network.backend_name, settings.precision)
    task.follow_camera(new_camera(settings))
    return task


def new_camera(settings: Settings) -> CornerCamera | None:
    """Return what finds the motion of the camera for the tracker, None where that is not wanted."""
    return CornerCamera() if settings.camera_motion == "lk" else None


def choose_method(settings: Settings, networks: Networks) -> tuple[FlowMethod, str, NetworkChoice]:
    """Return the flow method, its name, and the networks it uses; raises AppError.

    A method without a network uses neither precision nor backend: it is reported as float on the cpu.
    """
    if settings.method in CLASSICAL_METHODS:
        return Reduced(CLASSICAL_METHODS[settings.method]()), settings.method, NetworkChoice("cpu", "float")
    network = networks.choose_flow(settings.backend, settings.precision)
    return network, settings.method, network_choice("flow", network, settings.precision)


def new_twin(settings: Settings, pair: Pair, networks: Networks) -> Twin:
    """Return what runs the network of the task on another backend or at another precision; raises AppError."""
    task = settings.task
    if task == "flow":
        flow = networks.choose_flow(pair.backend, pair.precision)
        return FlowTwin(flow, network_choice(task, flow, pair.precision))
    if task == "pose":
        pose = networks.choose_pose(pair.backend, pair.precision)
        return PoseTwin(pose, network_choice(task, pose, pair.precision), settings.view)
    expression = networks.choose_expression(pair.backend, pair.precision)
    return ExpressionTwin(expression, network_choice(task, expression, pair.precision))


def network_choice(task: str, network: ExpressionClassifier | FlowNet | PoseEstimator, precision: str) -> NetworkChoice:
    """Return what is reported of a task's network."""
    return NetworkChoice(network.backend_name, precision, {task: Path(network.card.file).name})
