# SPDX-License-Identifier: Apache-2.0
"""The recipe of the expression network: FER2013 Training rows, dev set PublicTest."""

from __future__ import annotations

import copy
import json
import math
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.nets.expression import CLASSES, ExpressionNet


@dataclass(frozen=True)
class Recipe:
    """What a run depends on, besides the data; written into the log."""

    epochs: int = 60
    batch: int = 128
    learning_rate: float = 4e-3
    weight_decay: float = 0.05
    warmup_epochs: float = 3.0
    label_smoothing: float = 0.1
    vote_weight: float = 0.5
    mixup: float = 0.2
    distil_weight: float = 0.0
    ema_decay: float = 0.998
    seed: int = 0
    max_steps: int | None = None


@dataclass(frozen=True, eq=False)
class Faces:
    """`image` (N, 48, 48) uint8, `label` (N,) int64, `votes` (N, 10) float32 rows that sum to 1 (or 0: no votes)."""

    image: Tensor
    label: Tensor
    votes: Tensor


def load_faces(path: Path) -> tuple[Faces, Faces, Tensor]:
    """Return the Training rows, the PublicTest rows, and which PublicTest rows are `clean` (N,) bool."""
    with np.load(path) as file:
        image, label, usage = torch.from_numpy(file["X"]), torch.from_numpy(file["y"].astype(np.int64)), file["usage"]
        raw = np.clip(file["ferplus_votes"].astype(np.float32), 0, None)
        clean = torch.from_numpy(file["clean"][usage == 1])
    votes = torch.from_numpy(raw / np.maximum(raw.sum(axis=1, keepdims=True), 1))
    train, public = (Faces(image[usage == part], label[usage == part], votes[usage == part]) for part in (0, 1))
    return train, public, clean


def to_input(image: Tensor) -> Tensor:
    """Return (N, 1, 48, 48) float32 in -1..1 of (N, 48, 48) uint8."""
    return image.float().div(127.5).sub(1)[:, None]


def augment(x: Tensor) -> Tensor:
    """Flip, turn (15 degrees), scale (15 %), shift (12 %), light, and a grey patch: what a tracked box does."""
    n = len(x)
    angle, scale = (torch.rand(n) - 0.5) * 0.52, 1 + (torch.rand(n) - 0.5) * 0.3
    flip = (torch.rand(n) < 0.5).float() * 2 - 1
    affine = torch.zeros(n, 2, 3)
    affine[:, 0, 0], affine[:, 0, 1] = torch.cos(angle) * scale * flip, -torch.sin(angle) * scale
    affine[:, 1, 0], affine[:, 1, 1] = torch.sin(angle) * scale * flip, torch.cos(angle) * scale
    affine[:, :, 2] = (torch.rand(n, 2) - 0.5) * 0.24
    grid = functional.affine_grid(affine, list(x.shape), align_corners=False)
    x = functional.grid_sample(x, grid, padding_mode="border", align_corners=False)
    x = x * (1 + (torch.rand(n, 1, 1, 1) - 0.5) * 0.5) + (torch.rand(n, 1, 1, 1) - 0.5) * 0.4
    return erase(x.clamp(-1, 1))


def erase(x: Tensor, probability: float = 0.5) -> Tensor:
    """Put one grey rectangle of 6..20 px a side on some images (random erasing, Zhong et al. 2017)."""
    n, size = len(x), x.shape[-1]
    at = torch.arange(size)[None]
    low, length = torch.rand(2, n, 1) * size, 6 + torch.rand(2, n, 1) * 14
    rows = (at >= low[0] - length[0] / 2) & (at < low[0] + length[0] / 2)
    columns = (at >= low[1] - length[1] / 2) & (at < low[1] + length[1] / 2)
    hidden = rows[:, None, :, None] & columns[:, None, None, :] & (torch.rand(n, 1, 1, 1) < probability)
    return torch.where(hidden, torch.rand(n, 1, 1, 1) * 2 - 1, x)


def predict(net: ExpressionNet, image: Tensor) -> Tensor:
    """Return class probabilities (N, 7) of uint8 images (N, 48, 48); one pass each, no flip averaging."""
    net.eval()
    device = next(net.parameters()).device
    with torch.inference_mode():
        return torch.cat([net(to_input(part).to(device)).float().softmax(1).cpu() for part in image.split(512)])


def accuracy(probability: Tensor, label: Tensor) -> float:
    """Return the share of rows whose largest probability is at `label`, 0..1."""
    return float((probability.argmax(1) == label).float().mean())


def recall(probability: Tensor, label: Tensor) -> dict[str, float]:
    """Return, by class name, the share of its rows that were found, 0..1."""
    found = probability.argmax(1)
    return {name: float((found[label == k] == k).float().mean()) for k, name in enumerate(CLASSES)}


class Training:
    """One run of the recipe: resumable, its state in one checkpoint file, its history in one JSONL log."""

    def __init__(self, recipe: Recipe, folder: Path, train: Faces, teacher: ExpressionNet | None = None) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe, self.folder, self.train, self.teacher = recipe, folder, train, teacher
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.net = ExpressionNet().to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
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

    def run(self, public: Faces, clean: Tensor) -> ExpressionNet:
        """Train to the end; return the averaged network (exponential moving average of the weights)."""
        while self.epoch < self.recipe.epochs and not self._is_cut_short():
            start = time.perf_counter()
            loss = self._train_epoch()
            self.epoch += 1
            self._log(loss, time.perf_counter() - start, public, clean)
            self._save()
        return self.average

    def _train_epoch(self) -> float:
        order = torch.randperm(len(self.train.label))
        total = 0.0
        self.net.train()
        for k in range(self.steps_per_epoch):
            if self._is_cut_short():
                break
            total += self._train_step(order[k * self.recipe.batch : (k + 1) * self.recipe.batch])
        return total / self.steps_per_epoch

    def _train_step(self, rows: Tensor) -> float:
        recipe = self.recipe
        for group in self.optimizer.param_groups:
            group["lr"] = recipe.learning_rate * self._schedule()
        target = functional.one_hot(self.train.label[rows], len(CLASSES)).float()
        target = target * (1 - recipe.label_smoothing) + recipe.label_smoothing / len(CLASSES)
        votes = self.train.votes[rows]
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
        if self.teacher is not None and recipe.distil_weight > 0:
            loss = loss + recipe.distil_weight * self._distillation(x, logits.float())
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.net.parameters(), 5.0)
        self.optimizer.step()
        self.step += 1
        self._average()
        return float(loss.detach())

    def _distillation(self, x: Tensor, logits: Tensor) -> Tensor:
        """Cross-entropy with the teacher's softened classes, temperature 2 (Hinton et al. 2015)."""
        assert self.teacher is not None
        with torch.no_grad(), torch.autocast(self.device.type, torch.bfloat16):
            soft = (self.teacher(x).float() / 2).softmax(1)
        return 4 * functional.kl_div((logits / 2).log_softmax(1), soft, reduction="batchmean")

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
        probability = predict(self.average, public.image)
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
        print(json.dumps(row), flush=True)

    def _save(self) -> None:
        """Write the checkpoint beside the old one, then replace it: a crash leaves one that is whole."""
        state = {
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
        self.net.load_state_dict(state["net"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.epoch = state["step"], state["epoch"]
        torch.set_rng_state(state["random"].cpu())
