# SPDX-License-Identifier: Apache-2.0
"""What is known of a tracked person beside his place, and the settings of when people are looked at."""

from __future__ import annotations

import math
from dataclasses import dataclass

from app.tracking.gallery import Gallery
from app.tracking.why import Candidate, Decision


@dataclass(frozen=True)
class HybridSettings:
    """When people are looked at and what is believed. Similarities are scalar products of unit vectors.

    Chosen on TUD-Campus and TUD-Stadtmitte with twenty small random changes of their boxes: single runs over so few
    frames say little. The similarities are those of `models.appearance`.
    """

    budget: float = 0.45
    """Embeddings a frame, on average; inf = as many as asked for."""
    burst: float = 3.0
    """Embeddings that may be saved up: a doubt between two people takes two to four."""
    is_thorough: bool = False
    """Whether every box of every frame is embedded (with `budget` inf), as in DeepSORT: what a budget is judged by."""
    close_race: float = 0.02
    """Two tracks for a box, or two boxes for a track, whose overlaps differ by less are a doubt."""
    missed_s: float = 0.2
    """So is a match with a track that was not found for longer."""
    heading: float = 0.3
    """Overlap that it is worth to lie straight ahead of a track, and that it costs to lie behind it."""
    heading_s: float = 0.3
    """How long the way of a track is remembered (`app.tracking.heading`)."""
    clear_width: float = 0.12
    """A track, or a step, shorter than this part of a person's width has less of a direction."""
    covered: float = 0.3
    """A new box of which those in front hide more is not compared with lost people."""
    lost_s: float = 10.0
    """A lost person is remembered for so long."""
    most_lost: int = 32
    """So many lost people are remembered; the longest lost is forgotten first."""
    most_compared: int = 5
    """With so many lost people a new box is compared at most, those nearest to where they are expected."""
    n_vectors: int = 4
    """Vectors kept of each person; of pictures only the newest one is."""
    gallery_s: float = 30.0
    """No vector of a person who is followed is older: light and side change."""
    fresh_s: float = 1.6
    """A person's newest picture is embedded before he is compared, unless a vector is not older than this."""
    weight: float = 3.0
    """Overlap that similarity is worth."""
    neutral_similarity: float = 0.85
    """Counts neither for nor against; a half hidden person is often no more like himself."""
    reject_similarity: float = 0.8
    """Below, a box is not this person, wherever it is."""
    take_similarity: float = 0.94
    """From here on a new box is the lost person it is compared with."""

    def __post_init__(self) -> None:
        for name in (
            "budget",
            "burst",
            "lost_s",
            "gallery_s",
            "fresh_s",
            "missed_s",
            "weight",
            "heading",
            "clear_width",
        ):
            if not getattr(self, name) >= 0.0:
                raise ValueError(f"HybridSettings.{name}: expected 0 or more, got {getattr(self, name)}")
        for name in ("most_lost", "most_compared", "n_vectors"):
            if not getattr(self, name) >= 1:
                raise ValueError(f"HybridSettings.{name}: expected 1 or more, got {getattr(self, name)}")
        if not 0.0 < self.heading_s < math.inf:
            raise ValueError(f"HybridSettings.heading_s: expected a finite time above 0, got {self.heading_s}")
        if not self.reject_similarity < self.neutral_similarity <= self.take_similarity:
            raise ValueError("HybridSettings: expected reject_similarity < neutral_similarity <= take_similarity")


@dataclass(eq=False)
class Person:
    """The looks of a track, and what gave it its number."""

    gallery: Gallery
    decision: Decision = "new"
    decided_ns: int = 0
    winner: Candidate | None = None
    runner_up: Candidate | None = None
    is_judged: bool = False  # was compared with the lost people while it had no number

    def decide(self, decision: Decision, t_ns: int, winner: Candidate, runner_up: Candidate | None) -> None:
        """Keep what gave the number, and why."""
        self.decision, self.decided_ns, self.winner, self.runner_up = decision, t_ns, winner, runner_up
