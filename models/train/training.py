# SPDX-License-Identifier: Apache-2.0
"""A training run of any network: resumable, its state in one checkpoint file, its history in one JSONL log."""

from __future__ import annotations

import copy
import json
import math
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, distributed, nn

from device.errors import AppError
from models.lowbit.modules import Block, Precision


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
    final_rate: float = 0.0
    clip_norm: float = 5.0
    ema_decay: float = 0.998
    seed: int = 0
    max_steps: int | None = None


class Training(ABC):
    """A run over `n_rows` rows of data; what a row is, its loss and the figures of the log are a subclass's.

    Under `torchrun` every process takes its share of each batch and the gradients are averaged; rank 0 writes.
    """

    def __init__(self, recipe: Recipe, net: nn.Module, folder: Path, n_rows: int) -> None:
        self.rank, self.world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
        self.recipe, self.folder, self.n_rows = recipe, folder, n_rows
        self.device = training_device()
        self.net = net.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = copy.deepcopy(self.net)
        self.optimizer = torch.optim.AdamW(
            self.net.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay
        )
        self.steps_per_epoch = n_rows // recipe.batch
        self.step, self.epoch = 0, 0
        folder.mkdir(parents=True, exist_ok=True)
        self.checkpoint = folder / "checkpoint.pt"
        if self.checkpoint.exists():
            self._resume()

    @abstractmethod
    def loss(self, rows: Tensor) -> Tensor:
        """Return the loss of rows (B,) of the data, in training mode."""

    @abstractmethod
    def measure(self, net: nn.Module, is_last: bool) -> None:
        """Measure the batch norms of `net` anew: roughly for a line of the log, on all that is wanted at the end."""

    @abstractmethod
    def figures(self, net: nn.Module) -> dict[str, float]:
        """Return what a line of the log says of a measured network."""

    def train(self) -> nn.Module:
        """Train to the end; return the averaged network (exponential moving average of the weights), norms measured."""
        while self.epoch < self.recipe.epochs and not self._is_cut_short():
            start = time.perf_counter()
            loss = self._train_epoch()
            self.epoch += 1
            if self.rank == 0:
                self._log(loss, time.perf_counter() - start)
                self._save()
        self.measure(self.average, is_last=True)
        return self.average

    def _train_epoch(self) -> float:
        order = torch.randperm(self.n_rows)
        total = 0.0
        self.net.train()
        for k in range(self.steps_per_epoch):
            if self._is_cut_short():
                break
            rows = order[k * self.recipe.batch : (k + 1) * self.recipe.batch]
            total += self._train_step(rows[self.rank :: self.world])
        return total / self.steps_per_epoch

    def _train_step(self, rows: Tensor) -> float:
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.learning_rate * self._schedule()
        loss = self.loss(rows)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise TrainingError(
                f"the loss became {value} in step {self.step} of epoch {self.epoch + 1}, expected a finite number; "
                f"{self.checkpoint} holds the state before this epoch: lower the learning rate and start again"
            )
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self._share_gradients()
        nn.utils.clip_grad_norm_(self.net.parameters(), self.recipe.clip_norm)
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
        """Linear warm-up, then half a cosine to the recipe's share `final_rate` of the learning rate."""
        warmup = self.recipe.warmup_epochs * self.steps_per_epoch
        total = self.recipe.epochs * self.steps_per_epoch
        if self.step < warmup:
            return (self.step + 1) / warmup
        falling = 0.5 * (1 + math.cos(math.pi * (self.step - warmup) / max(1, total - warmup)))
        return self.recipe.final_rate + (1 - self.recipe.final_rate) * falling

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

    def _log(self, loss: float, seconds: float) -> None:
        measured = copy.deepcopy(self.average)
        self.measure(measured, is_last=False)
        row = {"epoch": self.epoch, "loss": round(loss, 4), **self.figures(measured), "seconds": round(seconds, 1)}
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


def measure_norms(net: nn.Module, inputs: Iterable[Tensor]) -> None:
    """Measure the batch norms' mean and variance anew on batches of inputs; leaves `net` in eval mode.

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
        for batch in inputs:
            net(batch.to(device))
    net.eval()
    for norm in norms:
        norm.momentum = 0.1


@torch.no_grad()
def unit_activations(blocks: Sequence[Block]) -> None:
    """Scale what leaves each batch norm to a mean variance of 1, which the 2-bit codes are made for.

    Weight decay leaves float networks with a fraction of that: nearly all codes would be 0 and 1. The next batch norm
    takes the factor out again, so that nothing else changes once its figures are measured anew.
    """
    for block in blocks:
        factor = block.norm.weight.square().mean().rsqrt()
        block.norm.weight *= factor
        block.norm.bias *= factor


def summary_of(weights: Path) -> dict[str, Any]:
    """Return network, recipe, start and accuracy of the run that made `weights`."""
    summary = json.loads((weights.parent / "summary.json").read_text())
    return {key: summary[key] for key in ("net", "shape", "recipe", "start", "public_top1", "epe_px") if key in summary}


def training_device() -> torch.device:
    """Return this process's GPU when there is one, else the CPU."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
