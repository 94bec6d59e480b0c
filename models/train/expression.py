# SPDX-License-Identifier: Apache-2.0
"""The recipe of the expression network: FER2013 Training rows, dev set PublicTest."""

from __future__ import annotations

import copy
import json
import math
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, distributed, nn
from torch.nn import functional

from device.errors import AppError
from models.lowbit.modules import Precision
from models.nets.expression import CLASSES, ExpressionNet
from models.nets.expression_teacher import ExpressionTeacher
from models.train.fer2013 import Faces, augment, to_input

N_LOGGED = 4000
"""Training pictures that measure the batch norms for a line of the log; at the end all do."""


class TrainingError(AppError):
    """A run that cannot go on."""


@dataclass(frozen=True)
class Recipe:
    """What a run depends on, besides the data; written into the log."""

    precision: Precision = Precision.FLOAT
    epochs: int = 60
    batch: int = 128
    learning_rate: float = 4e-3
    weight_decay: float = 0.05
    warmup_epochs: float = 3.0
    label_smoothing: float = 0.05
    vote_weight: float = 0.5
    teacher_share: float = 0.6
    mixup: float = 0.1
    dropout: float = 0.2
    ema_decay: float = 0.998
    seed: int = 0
    max_steps: int | None = None


RECIPES = {
    Precision.FLOAT: Recipe(),
    Precision.W1A2: Recipe(
        precision=Precision.W1A2, learning_rate=2e-3, weight_decay=0.0, warmup_epochs=1.0, mixup=0.1, dropout=0.1
    ),
}
"""A w1a2 network starts from the weights of its float twin and needs less to keep it from learning by heart."""


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


def measure_norms(net: nn.Module, image: Tensor, batch: int = 256) -> None:
    """Measure the batch norms' mean and variance anew on uint8 pictures (N, 48, 48) as they are.

    The running figures of training are those of varied and mixed pictures and of weights that moved on since (averaging
    binary weights even flips some): PublicTest gained 0.9 points in float and 1.7 in w1a2. "Precise" batch norm, Wu and
    Johnson 2021, arXiv:2105.07576; for averaged weights Izmailov et al. 2018, arXiv:1803.05407.
    """
    norms = [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean over all batches
    device = next(net.parameters()).device
    net.train()
    with torch.no_grad():
        for part in image.split(batch):
            net(to_input(part).to(device))
    net.eval()
    for norm in norms:
        norm.momentum = 0.1


@torch.no_grad()
def unit_activations(net: ExpressionNet) -> None:
    """Scale what leaves each batch norm to a mean variance of 1, which the 2-bit codes are made for.

    Weight decay leaves float networks with a fraction of that: nearly all codes would be 0 and 1. The next batch norm
    takes the factor out again, so that nothing else changes once its figures are measured anew.
    """
    for block in net.features:
        factor = block.norm.weight.square().mean().rsqrt()
        block.norm.weight *= factor
        block.norm.bias *= factor


class Training:
    """One run of the recipe: resumable, its state in one checkpoint file, its history in one JSONL log.

    Under `torchrun` every process takes its share of each batch and the gradients are averaged; rank 0 writes.
    """

    def __init__(
        self,
        recipe: Recipe,
        net: ExpressionNet | ExpressionTeacher,
        folder: Path,
        train: Faces,
        teacher_labels: Tensor | None = None,
    ) -> None:
        self.rank, self.world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
        self.recipe, self.folder, self.train = recipe, folder, train
        self.target = class_targets(recipe, train, teacher_labels)
        self.device = training_device()
        self.net = net.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = copy.deepcopy(self.net)
        self.optimizer = torch.optim.AdamW(
            self.net.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay
        )
        self.steps_per_epoch = len(train.label) // recipe.batch
        self.step, self.epoch = 0, 0
        folder.mkdir(parents=True, exist_ok=True)
        self.checkpoint = folder / "checkpoint.pt"
        if self.checkpoint.exists():
            self._resume()

    def run(self, public: Faces, clean: Tensor) -> nn.Module:
        """Train to the end; return the averaged network (exponential moving average of the weights), norms measured."""
        while self.epoch < self.recipe.epochs and not self._is_cut_short():
            start = time.perf_counter()
            loss = self._train_epoch()
            self.epoch += 1
            if self.rank == 0:
                self._log(loss, time.perf_counter() - start, public, clean)
                self._save()
        measure_norms(self.average, self.train.image)
        return self.average

    def _train_epoch(self) -> float:
        order = torch.randperm(len(self.train.label))
        total = 0.0
        self.net.train()
        for k in range(self.steps_per_epoch):
            if self._is_cut_short():
                break
            rows = order[k * self.recipe.batch : (k + 1) * self.recipe.batch]
            total += self._train_step(rows[self.rank :: self.world])
        return total / self.steps_per_epoch

    def _train_step(self, rows: Tensor) -> float:
        recipe = self.recipe
        for group in self.optimizer.param_groups:
            group["lr"] = recipe.learning_rate * self._schedule()
        target, votes = self.target[rows], self.train.votes[rows]
        x = augment(to_input(self.train.image[rows]))
        if recipe.mixup > 0:  # Zhang et al., ICLR 2018
            keep = float(torch.distributions.Beta(recipe.mixup, recipe.mixup).sample())
            other = torch.randperm(len(rows))
            x, target, votes = (keep * v + (1 - keep) * v[other] for v in (x, target, votes))
        x, target, votes = x.to(self.device), target.to(self.device), votes.to(self.device)
        x = x.contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, torch.bfloat16):
            logits, vote_logits = self.net.both_heads(x)
        loss = functional.cross_entropy(logits.float(), target)
        loss = loss - recipe.vote_weight * (votes * vote_logits.float().log_softmax(1)).sum(1).mean()
        value = float(loss.detach())
        if not math.isfinite(value):
            raise TrainingError(
                f"the loss became {value} in step {self.step} of epoch {self.epoch + 1}, expected a finite number; "
                f"{self.checkpoint} holds the state before this epoch: lower the learning rate and start again"
            )
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self._share_gradients()
        nn.utils.clip_grad_norm_(self.net.parameters(), 5.0)
        self.optimizer.step()
        self.step += 1
        self._average()
        return value

    def _share_gradients(self) -> None:
        if self.world > 1:
            for parameter in self.net.parameters():
                if parameter.grad is not None:
                    distributed.all_reduce(parameter.grad)
                    parameter.grad /= self.world

    def _schedule(self) -> float:
        """Linear warm-up, then half a cosine to zero."""
        warmup = self.recipe.warmup_epochs * self.steps_per_epoch
        total = self.recipe.epochs * self.steps_per_epoch
        if self.step < warmup:
            return (self.step + 1) / warmup
        return 0.5 * (1 + math.cos(math.pi * (self.step - warmup) / max(1, total - warmup)))

    @torch.no_grad()
    def _average(self) -> None:
        decay = min(self.recipe.ema_decay, (1 + self.step) / (10 + self.step))
        for mean, value in zip(self.average.state_dict().values(), self.net.state_dict().values(), strict=True):
            if mean.is_floating_point():
                mean.lerp_(value, 1 - decay)
            else:
                mean.copy_(value)

    def _is_cut_short(self) -> bool:
        return self.recipe.max_steps is not None and self.step >= self.recipe.max_steps

    def _log(self, loss: float, seconds: float, public: Faces, clean: Tensor) -> None:
        measured = copy.deepcopy(self.average)
        measure_norms(measured, self.train.image[:: max(1, len(self.train.image) // N_LOGGED)])
        probability = predict(measured, public.image)
        row = {
            "epoch": self.epoch,
            "loss": round(loss, 4),
            "public_top1": round(accuracy(probability, public.label), 4),
            "clean_top1": round(accuracy(probability[clean], public.label[clean]), 4),
            "disgust_recall": round(recall(probability, public.label)["disgust"], 3),
            "seconds": round(seconds, 1),
        }
        with (self.folder / "log.jsonl").open("a") as file:
            file.write(json.dumps(row) + "\n")
        left = (self.recipe.epochs - self.epoch) * seconds / 60
        print(json.dumps(row), f"{left:.0f} min left", flush=True)

    def _save(self) -> None:
        """Write the checkpoint beside the old one, then replace it: a crash leaves one that is whole."""
        state = {
            "recipe": json.dumps(asdict(self.recipe)),
            "net": self.net.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "epoch": self.epoch,
            "random": torch.get_rng_state(),
        }
        new = self.checkpoint.with_suffix(".new")
        torch.save(state, new)
        new.replace(self.checkpoint)

    def _resume(self) -> None:
        state = torch.load(self.checkpoint, map_location=self.device, weights_only=True)
        made, wanted = json.loads(state["recipe"]), json.loads(json.dumps(asdict(self.recipe)))
        differs = [name for name in wanted if name != "max_steps" and made.get(name) != wanted[name]]
        if differs:
            found = ", ".join(f"{name} {made.get(name)} instead of {wanted[name]}" for name in differs)
            raise TrainingError(f"{self.checkpoint} was made with {found}; name another folder, or the same recipe")
        self.net.load_state_dict(state["net"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.epoch = state["step"], state["epoch"]
        torch.set_rng_state(state["random"].cpu())


def class_targets(recipe: Recipe, train: Faces, teacher_labels: Tensor | None) -> Tensor:
    """Return what the class head learns, (N, 7): smoothed labels, mixed with the teachers' answers if there are any."""
    target = functional.one_hot(train.label, len(CLASSES)).float()
    target = target * (1 - recipe.label_smoothing) + recipe.label_smoothing / len(CLASSES)
    if teacher_labels is None:
        return target
    return (1 - recipe.teacher_share) * target + recipe.teacher_share * teacher_labels


def training_device() -> torch.device:
    """Return this process's GPU when there is one, else the CPU."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
