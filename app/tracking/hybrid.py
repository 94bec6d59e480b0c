# SPDX-License-Identifier: Apache-2.0
"""SORT in every frame, and a look at people only where boxes alone leave a doubt about who is who.

Beside the overlap of boxes it counts which way a track goes (app.tracking.heading). A doubt is a box that two tracks
are about equally near to or the other way round, a match after a gap, and a new box where somebody was lost who can
have reached it (app.tracking.motion_gate). Only these boxes are embedded, and the people they may be, within a budget;
similarity then counts in the assignment too, refuses what cannot be, and gives a new box the number of the lost person
it shows. Of everybody else only the newest picture is kept, to be embedded if it is ever asked for. Each of these
decisions keeps its reasons (app.tracking.why). Lost people are remembered longer than SORT does, but found again by
their looks only.

Without pictures there is nothing to compare, and the tracks are those of `Sort` to the last bit. Appearance beside
SORT in every frame: Wojke et al., "Simple Online and Realtime Tracking with a Deep Association Metric", 2017
(arXiv:1703.07402); this is that with most of the embedding left out.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from app.tracking.assignment import Float64, Index, assign
from app.tracking.doubt import Ask, close_races, hidden_shares
from app.tracking.gallery import Embedder, Gallery, Likeness, scalar_product, snapshot_of
from app.tracking.heading import Headings
from app.tracking.motion_gate import motion_distances
from app.tracking.person import HybridSettings, Person
from app.tracking.sort import Sort, SortSettings
from app.tracking.why import Candidate, Decision, Place, Why
from models.results import Detections, Float32, Image, Tracks

Bools = NDArray[np.bool_]


class Hybrid(Sort):
    """Tracker of one stream. Without `embedder`, or for frames without `show`, it is `Sort`. One thread at a time."""

    def __init__(
        self,
        settings: SortSettings | None = None,
        hybrid: HybridSettings | None = None,
        embedder: Embedder | None = None,
        likeness: Likeness = scalar_product,
    ) -> None:
        super().__init__(settings)
        self.use = hybrid or HybridSettings()
        self.n_embedded = 0
        """Boxes embedded so far."""
        self._embedder, self._likeness = embedder, likeness
        self._image: Image | None = None
        self._people: dict[int, Person] = {}  # by the serial of the track
        self._tokens = self.use.burst
        self._frame_ns = 0
        self._vectors: dict[bytes, Float32] = {}  # of this frame, by the box
        self._refused: dict[bytes, Candidate] = {}  # the lost person that a new box was most like, by the box
        self._headings = Headings(self.use.heading_s)
        self._places: dict[int, tuple[Place, int, Place]] = {}  # a track's own, serial and place of the next best

    def show(self, image: Image) -> None:
        """Give the picture (H, W, 3) RGB of the next `update`; it is not kept beyond that."""
        self._image = image

    def update(self, detections: Detections, t_ns: int) -> Tracks:
        """As `Sort.update`; numbers of lost people may come back."""
        self._frame_ns = t_ns
        self._vectors, self._refused, self._places = {}, {}, {}
        self._tokens = min(self.use.burst, self._tokens + self.use.budget)
        try:
            return super().update(detections, t_ns)
        finally:
            self._image = None

    def move(self, last_to_next: Float64) -> None:
        """As `Sort.move`."""
        super().move(last_to_next)
        self._headings.move(last_to_next)

    def whys(self, tracks: Tracks) -> tuple[Why, ...]:
        """Return why each of `tracks`, as the last call gave them, has its number; in their order."""
        serials = dict(zip(self._book["track_id"].tolist(), self._book["serial"].tolist(), strict=True))
        return tuple(self._why(number, serials[number]) for number in tracks.track_id.tolist())

    @property
    def n_known(self) -> int:
        """Tracks remembered, lost ones too."""
        return len(self._people)

    @property
    def n_bytes(self) -> int:
        """Memory of all galleries."""
        return sum(person.gallery.n_bytes for person in self._people.values())

    # What is remembered.

    def _is_remembered(self) -> Bools:
        """Keep people with a number for longer than SORT, where they can be known again, but not too many."""
        young = super()._is_remembered()
        if self._embedder is None:
            return young
        age_ns = self._clock_ns - self._book["seen_ns"]
        lost = np.flatnonzero(~young & (self._book["track_id"] > 0) & (age_ns <= self.use.lost_s * 1e9))
        young[lost[age_ns[lost].argsort(kind="stable")][: self.use.most_lost]] = True
        return young

    def _forget(self, keep: Bools) -> None:
        for serial in self._book["serial"][~keep].tolist():
            self._people.pop(serial)
        self._headings.keep(keep)
        super()._forget(keep)

    def _begin(self, xyxy: Float64, score: Float64, source: Index) -> None:
        n_before = len(self._book)
        super()._begin(xyxy, score, source)
        self._headings.add(xyxy, self._clock_ns * 1e-9)
        for serial, box in zip(self._book["serial"][n_before:].tolist(), xyxy, strict=True):
            person = self._people[serial] = Person(
                Gallery(self.use.n_vectors, self._likeness), decided_ns=self._frame_ns
            )
            person.runner_up = self._refused.get(box.tobytes())
            person.is_judged = person.runner_up is not None
            self._remember(person, box)

    def _correct(self, rows: Index, xyxy: Float64, score: Float64, source: Index) -> None:
        super()._correct(rows, xyxy, score, source)
        self._headings.see(rows, xyxy, self._clock_ns * 1e-9)
        for row, box in zip(rows.tolist(), xyxy, strict=True):
            self._remember(self._person(row), box)

    def _remember(self, person: Person, box: Float64) -> None:
        """Keep how a person looks in this frame: the vector where there is one, else the picture."""
        vector = self._vectors.get(box.tobytes())
        person.gallery.forget(self._clock_ns - round(self.use.gallery_s * 1e9))
        if vector is not None:
            person.gallery.add(vector, self._clock_ns)
        elif self._image is not None and self._embedder is not None:
            picture = snapshot_of(self._image, box, self._clock_ns)
            if picture is not None:
                person.gallery.keep(picture)

    def _person(self, row: int) -> Person:
        return self._people[int(self._book["serial"][row])]

    # Who is who.

    def _overlaps(self, xyxy: Float64) -> Float64:
        overlap = super()._overlaps(xyxy)
        overlap[~super()._is_remembered()] = 0.0  # whom SORT would have given up is not found by place
        return overlap

    def _match_sure(self, overlap: Float64, possible: Bools, xyxy: Float64, sure: Bools) -> tuple[Index, Index]:
        similarity = np.full(overlap.shape, np.nan)
        distance = np.full(overlap.shape, np.inf)
        ahead = np.full(overlap.shape, np.nan)
        if self._embedder is None or self._image is None:
            rows, columns = assign(overlap, possible)
        else:
            ahead = self._headings.agreement(xyxy, self.use.clear_width * self._widths())
            near = np.where(possible, overlap, 0.0)
            lost = self._lost_nearby(near, xyxy, sure, distance)
            self._look(self._asks(near, lost), near, xyxy, similarity)
            rows, columns = self._assign(overlap + self.use.heading * ahead, possible, similarity)
            rows, columns = self._found_again(rows, columns, np.where(lost, similarity, np.nan), distance, xyxy)
        self._note(rows, columns, overlap, ahead, similarity, distance)
        return rows, columns

    def _widths(self) -> Float64:
        """Return the widths (N,) of the tracks in px."""
        widths: Float64 = np.sqrt(self._filters.mean[:, 2] * self._filters.mean[:, 3])
        return widths

    def _lost_nearby(self, near: Float64, xyxy: Float64, sure: Bools, distance: Float64) -> Bools:
        """Return which lost people (N, M) a box may show that is nobody's or that of a track without a number.

        Writes the Mahalanobis distances of these pairs into `distance`.
        """
        book = self._book
        lost = np.flatnonzero((book["detection"] < 0) & (book["track_id"] > 0))
        is_stranger = np.array([not p.is_judged for p in map(self._person, range(len(book)))]) & (book["track_id"] == 0)
        is_new = sure & ((near.max(axis=0) == 0.0) | is_stranger[near.argmax(axis=0)])
        is_new &= hidden_shares(xyxy, xyxy) < self.use.covered
        new, out = np.flatnonzero(is_new), np.zeros(near.shape, bool)
        if len(lost) and len(new):
            missed_s = (self._clock_ns - book["seen_ns"]) * 1e-9
            distance[:, new] = motion_distances(self._filters, missed_s, xyxy[new])
            distance[book["detection"] >= 0] = np.inf
            nearest = distance[np.ix_(lost, new)].argsort(axis=0, kind="stable")[: self.use.most_compared]
            out[lost[nearest], new[None]] = True
            out &= np.isfinite(distance)
        return out

    def _asks(self, near: Float64, lost: Bools) -> list[Ask]:
        """Return the boxes in doubt with the tracks they may be, the most urgent first."""
        missed = self._clock_ns - self._book["seen_ns"] > self.use.missed_s * 1e9
        urgency = close_races(near, self.use.close_race)
        urgency[(near[missed] > 0.0).any(axis=0)] = 0.0
        urgency[lost.any(axis=0)] = -1.0
        if self.use.is_thorough:
            urgency = np.minimum(urgency, 1.0)
        candidates = (near > 0.0) | lost
        order = np.argsort(urgency, kind="stable")
        return [Ask(int(k), np.flatnonzero(candidates[:, k])) for k in order if np.isfinite(urgency[k])]

    def _look(self, asks: list[Ask], near: Float64, xyxy: Float64, similarity: Float64) -> None:
        """Embed what the budget allows and write similarities (N, M) where both sides are known."""
        asked = {ask.column for ask in asks}
        for ask in asks:
            people = [(row, self._person(row)) for row in ask.rows.tolist()]
            people = [(row, person) for row, person in people if person.gallery.is_useful]
            if not people and not self.use.is_thorough:
                continue
            rivals = np.flatnonzero((near[ask.rows] > 0.0).any(axis=0)).tolist()  # the other boxes of the same tracks
            columns = [ask.column, *(k for k in rivals if k != ask.column and k in asked)]
            columns = [k for k in columns if xyxy[k].tobytes() not in self._vectors]
            if self._afford(columns, [person for _, person in people], xyxy):
                for row, person in people:
                    for k in {ask.column, *rivals}:
                        vector = self._vectors.get(xyxy[k].tobytes())
                        if vector is not None:
                            similarity[row, k] = person.gallery.similarity(vector)

    def _afford(self, columns: list[int], people: list[Person], xyxy: Float64) -> bool:
        """Embed boxes and the people they are compared with, if the budget reaches."""
        embedder, image = self._embedder, self._image
        if embedder is None or image is None:
            return False
        fresh_ns = self._clock_ns - round(self.use.fresh_s * 1e9)
        stale = [person for person in people if person.gallery.is_stale(fresh_ns)]
        cost = len(columns) + len(stale)
        if cost > self._tokens:
            return False
        self._tokens -= cost
        self.n_embedded += cost
        for person in stale:
            person.gallery.embed(embedder)
        if columns:
            vectors = embedder(image, xyxy[columns].astype(np.float32))
            self._vectors |= {xyxy[k].tobytes(): vector for k, vector in zip(columns, vectors, strict=True)}
        return True

    def _assign(self, place: Float64, possible: Bools, similarity: Float64) -> tuple[Index, Index]:
        """Assign by place and similarity; what was not looked at counts as neither like nor unlike."""
        use = self.use
        known = np.where(np.isnan(similarity), use.neutral_similarity, similarity)
        affinity = np.maximum(place + use.weight * (known - use.neutral_similarity), 1e-6)
        return assign(affinity, possible & (known >= use.reject_similarity))

    def _found_again(
        self, rows: Index, columns: Index, similarity: Float64, distance: Float64, xyxy: Float64
    ) -> tuple[Index, Index]:
        """Give boxes to the lost people they show, before tracks that have no number yet."""
        likeness = np.nan_to_num(similarity)
        compared = np.flatnonzero(~np.isnan(similarity).all(axis=0))
        likeness[rows[self._book["track_id"][rows] > 0]] = 0.0
        likeness[:, columns[self._book["track_id"][rows] > 0]] = 0.0
        again, where = assign(likeness, likeness >= self.use.take_similarity)
        for k in compared.tolist():
            best = int(np.nanargmax(similarity[:, k]))
            self._refused[xyxy[k].tobytes()] = self._candidate(best, similarity[best, k], distance[best, k], None)
        for row, k in zip(rows.tolist(), columns.tolist(), strict=True):
            if xyxy[k].tobytes() in self._refused and not self._book["track_id"][row]:
                self._person(row).is_judged, self._person(row).runner_up = True, self._refused[xyxy[k].tobytes()]
        stays = ~np.isin(columns, where)
        return np.concatenate([rows[stays], again]), np.concatenate([columns[stays], where])

    # Reasons.

    def _candidate(self, row: int, appearance: float, motion: float, place: Place | None) -> Candidate:
        return Candidate(
            int(self._book["track_id"][row]),
            None if np.isnan(appearance) else round(float(appearance), 4),
            round(float(motion), 3) if np.isfinite(motion) else None,
            *(place or ()),
        )

    def _note(
        self,
        rows: Index,
        columns: Index,
        overlap: Float64,
        ahead: Float64,
        similarity: Float64,
        distance: Float64,
    ) -> None:
        """Keep why each of the matched tracks got its box, with the next best track."""
        serials = self._book["serial"].tolist()
        for row, k in zip(rows.tolist(), columns.tolist(), strict=True):
            others = np.where(
                overlap[:, k] > 0.0, overlap[:, k] + self.use.heading * np.nan_to_num(ahead[:, k]), -np.inf
            )
            others[row] = -np.inf
            rival = int(others.argmax())
            own = Place.of(overlap[row, k], ahead[row, k])
            self._places[serials[row]] = (
                own,
                serials[rival] if np.isfinite(others[rival]) else 0,
                Place.of(overlap[rival, k], ahead[rival, k]),
            )
            if np.isnan(similarity[row, k]):
                continue
            worth = np.where(np.isnan(similarity[:, k]), -1.0, similarity[:, k])
            worth[row] = -1.0
            other = int(worth.argmax())
            winner = self._candidate(row, similarity[row, k], distance[row, k], own)
            second_place = Place.of(overlap[other, k], ahead[other, k])
            second = self._candidate(other, worth[other], distance[other, k], second_place)
            decision: Decision = "found_again" if own.overlap == 0.0 else "appearance"
            runner_up = second if worth[other] >= 0.0 else None
            if decision == "found_again" or self._person(row).decision != "found_again" or runner_up is not None:
                self._person(row).decide(decision, self._frame_ns, winner, runner_up)

    def _why(self, number: int, serial: int) -> Why:
        """Return the last decision with the places of this frame."""
        person = self._people[serial]
        winner, runner_up = person.winner or Candidate(number), person.runner_up
        winner = replace(winner, track_id=number, overlap=None, heading=None)
        if runner_up is not None and person.decided_ns != self._frame_ns:
            runner_up = replace(runner_up, overlap=None, heading=None)
        if serial in self._places:
            own, rival, rival_place = self._places[serial]
            winner = replace(winner, **own._asdict())
            numbers = dict(zip(self._book["serial"].tolist(), self._book["track_id"].tolist(), strict=True))
            other = numbers.get(rival, 0)
            if other and (runner_up is None or runner_up.track_id == other):
                runner_up = replace(runner_up or Candidate(other), **rival_place._asdict())
        return Why(number, person.decision, person.decided_ns, winner, runner_up)
