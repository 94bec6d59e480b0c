# SPDX-License-Identifier: Apache-2.0
"""The recipe of the expression network: FER2013 Training rows, dev set PublicTest."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.lowbit.modules import Precision
from models.nets.expression import CLASSES, ExpressionNet
from models.nets.expression_teacher import ExpressionTeacher
from models.train import training
from models.train.fer2013 import Faces, augment, to_input

N_LOGGED = 4000
"""Training pictures that measure the batch norms for a line of the log; at the end all do."""


@dataclass(frozen=True)
class Recipe(training.Recipe):
    """The recipe of the expression network."""

    label_smoothing: float = 0.05
    vote_weight: float = 0.5
    teacher_share: float = 0.6
    mixup: float = 0.1
    dropout: float = 0.2


RECIPES = {
    Precision.FLOAT: Recipe(),
    Precision.W1A2: Recipe(
        precision=Precision.W1A2,
        learning_rate=2e-3,
        final_rate=0.2,
        weight_decay=0.0,
        warmup_epochs=1.0,
        mixup=0.1,
        dropout=0.1,
        ema_decay=0.9995,
    ),
}
"""A w1a2 network starts from the weights of its float twin and needs less to keep it from learning by heart.

Its signs go on flipping: of one run of 40 epochs a slow average (0.9995 a step, nine epochs) reached 67.85 % on
PublicTest and 66.9 % on its clean rows, the faster one that float networks have (0.998) 67.57 and 66.3.
"""


def predict(net: nn.Module, image: Tensor) -> Tensor:
    """Return class probabilities (N, 7) of uint8 images (N, 48, 48); one pass each, no flip averaging."""
    net.eval()
    device = next(net.parameters()).device
    with torch.inference_mode():
        return torch.cat([net(to_input(part).to(device)).float().softmax(1).cpu() for part in image.split(512)])


def soft_labels(teachers: list[nn.Module], image: Tensor) -> Tensor:
    """Return the teachers' mean probabilities (N, 7) of uint8 images (N, 48, 48), each seen as it is and mirrored.

    Hinton et al. 2015 at temperature 1. Computed once, not per step: a teacher costs nothing after that.
    """
    return torch.stack([predict(net, view) for net in teachers for view in (image, image.flip(2))]).mean(0)


def accuracy(probability: Tensor, label: Tensor) -> float:
    """Return the share of rows whose largest probability is at `label`, 0..1."""
    return float((probability.argmax(1) == label).float().mean())


def recall(probability: Tensor, label: Tensor) -> dict[str, float]:
    """Return, by class name, the share of its rows that were found, 0..1."""
    found = probability.argmax(1)
    return {name: float((found[label == k] == k).float().mean()) for k, name in enumerate(CLASSES)}


def measure_on_faces(net: nn.Module, image: Tensor, batch: int = 256) -> None:
    """Measure the batch norms anew on uint8 pictures (N, 48, 48) as they are."""
    training.measure_norms(net, (to_input(part) for part in image.split(batch)))


class Training(training.Training):
    """A run on FER2013; see the base class."""

    recipe: Recipe

    def __init__(
        self,
        recipe: Recipe,
        net: ExpressionNet | ExpressionTeacher,
        folder: Path,
        train: Faces,
        teacher_labels: Tensor | None = None,
    ) -> None:
        self.faces, self.target = train, class_targets(recipe, train, teacher_labels)
        super().__init__(recipe, net, folder, len(train.label))

    def run(self, public: Faces, clean: Tensor) -> nn.Module:
        """Train to the end; the log says what the network makes of `public` and of its rows `clean`."""
        self.public, self.clean = public, clean
        return self.train()

    def loss(self, rows: Tensor) -> Tensor:
        recipe = self.recipe
        target, votes = self.target[rows], self.faces.votes[rows]
        x = augment(to_input(self.faces.image[rows]))
        if recipe.mixup > 0:  # Zhang et al., ICLR 2018
            keep = float(torch.distributions.Beta(recipe.mixup, recipe.mixup).sample())
            other = torch.randperm(len(rows))
            x, target, votes = (keep * v + (1 - keep) * v[other] for v in (x, target, votes))
        x, target, votes = x.to(self.device), target.to(self.device), votes.to(self.device)
        x = x.contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, torch.bfloat16):
            logits, vote_logits = self.net.both_heads(x)
        loss = functional.cross_entropy(logits.float(), target)
        vote_loss: Tensor = -(votes * vote_logits.float().log_softmax(1)).sum(1).mean()
        return loss + recipe.vote_weight * vote_loss

    def measure(self, net: nn.Module, is_last: bool) -> None:
        n = len(self.faces.image)
        measure_on_faces(net, self.faces.image[:: 1 if is_last else max(1, n // N_LOGGED)])

    def figures(self, net: nn.Module) -> dict[str, float]:
        probability = predict(net, self.public.image)
        return {
            "public_top1": round(accuracy(probability, self.public.label), 4),
            "clean_top1": round(accuracy(probability[self.clean], self.public.label[self.clean]), 4),
            "disgust_recall": round(recall(probability, self.public.label)["disgust"], 3),
        }


def class_targets(recipe: Recipe, train: Faces, teacher_labels: Tensor | None) -> Tensor:
    """Return what the class head learns, (N, 7): smoothed labels, mixed with the teachers' answers if there are any."""
    target = functional.one_hot(train.label, len(CLASSES)).float()
    target = target * (1 - recipe.label_smoothing) + recipe.label_smoothing / len(CLASSES)
    if teacher_labels is None:
        return target
    return (1 - recipe.teacher_share) * target + recipe.teacher_share * teacher_labels
