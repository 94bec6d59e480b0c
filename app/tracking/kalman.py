# SPDX-License-Identifier: Apache-2.0
"""Constant-velocity Kalman filters of all tracks at once, on the state of SORT.

State, one row a track: [cx, cy, s, r, vx, vy, vs] = box centre in px, area in px^2, aspect (width / height), and
the velocities of the first three per unit of time; the unit is the caller's. Measured: [cx, cy, s, r].
Source of the state: Bewley et al., "Simple Online and Realtime Tracking", 2016 (arXiv:1602.00763), section 3.2;
of the equations: Kalman, "A New Approach to Linear Filtering and Prediction Problems", 1960.

Transition and measurement touch each of cx, cy, s only together with its own velocity, r alone, and every noise
matrix here is diagonal. A covariance that starts diagonal then keeps three 2x2 blocks and one 1x1 block for ever, so
the (7, 7) matrix is stored as its ten entries that are not zero and the matrix equations become the closed forms
below. This is exact, not an approximation.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]

N_STATE = 7
N_MEASURED = 4
N_VELOCITY = 3


class KalmanFilters:
    """N independent filters; rows are tracks, in the order they were added."""

    def __init__(self) -> None:
        self.mean: Float64 = np.zeros((0, N_STATE))
        """(N, 7) state."""
        self.var: Float64 = np.zeros((0, N_STATE))
        """(N, 7) diagonal of the covariance."""
        self.cov: Float64 = np.zeros((0, N_VELOCITY))
        """(N, 3) covariances of cx-vx, cy-vy, s-vs."""

    def __len__(self) -> int:
        return len(self.mean)

    @property
    def covariance(self) -> Float64:
        """The full covariance, (N, 7, 7)."""
        full = np.zeros((len(self), N_STATE, N_STATE))
        diagonal, first = np.arange(N_STATE), np.arange(N_VELOCITY)
        full[:, diagonal, diagonal] = self.var
        full[:, first, first + N_MEASURED] = self.cov
        full[:, first + N_MEASURED, first] = self.cov
        return full

    def add(self, measured: Float64, var: Float64) -> None:
        """Start one filter for each row of `measured` (M, 4), at rest, with variances `var` (7,) or (M, 7)."""
        mean = np.zeros((len(measured), N_STATE))
        mean[:, :N_MEASURED] = measured
        self.mean = np.concatenate([self.mean, mean])
        self.var = np.concatenate([self.var, np.broadcast_to(var, mean.shape)])
        self.cov = np.concatenate([self.cov, np.zeros((len(measured), N_VELOCITY))])

    def keep(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> None:
        """Drop all filters but `rows`."""
        self.mean, self.var, self.cov = self.mean[rows], self.var[rows], self.cov[rows]

    def predict(self, dt: float, noise: Float64) -> None:
        """Move all filters on by `dt`: x <- F x, P <- F P F' + diag(noise), with `noise` (7,) or (N, 7).

        With position p and velocity v of one pair: var p += 2 dt cov + dt^2 var v, cov += dt var v.
        """
        mean, var, cov = self.mean, self.var, self.cov
        moved = dt * var[:, N_MEASURED:]
        mean[:, :N_VELOCITY] += dt * mean[:, N_MEASURED:]
        var[:, :N_VELOCITY] += dt * (2.0 * cov + moved)
        cov += moved
        var += noise

    def move(self, matrix: Float64) -> None:
        """Follow a camera: `matrix` (2, 3) = [A t] takes px of the picture before to px of this one.

        Aharon et al., "BoT-SORT", 2022 (arXiv:2206.14651), section 3.2, on this state: centre <- A centre + t, its
        velocity <- A v, area and its velocity times det A, aspect as it is (boxes stay upright); P <- B P B' with
        the same B. Turning keeps P in its blocks where x and y have equal variances, as SORT's noises leave them;
        where they have not, their new covariance is left out and the blocks stay positive definite. The identity
        changes nothing, not a bit.
        """
        mean, var, cov = self.mean, self.var, self.cov
        linear, grown = matrix[:, :2], float(np.linalg.det(matrix[:, :2]))
        mean[:, :2] = mean[:, :2] @ linear.T + matrix[:, 2]
        mean[:, N_MEASURED : N_MEASURED + 2] = mean[:, N_MEASURED : N_MEASURED + 2] @ linear.T
        mean[:, [2, 6]] *= grown
        squared = np.square(linear).T
        var[:, :2] = var[:, :2] @ squared
        var[:, N_MEASURED : N_MEASURED + 2] = var[:, N_MEASURED : N_MEASURED + 2] @ squared
        cov[:, :2] = cov[:, :2] @ squared
        var[:, [2, 6]] *= grown**2
        cov[:, 2] *= grown**2

    def update(self, rows: NDArray[np.intp], measured: Float64, noise: Float64) -> None:
        """Correct the filters `rows` (M,) by `measured` (M, 4) with variances `noise` (4,) or (M, 4).

        With S = var p + noise and residual y of one component: p += var p / S y, v += cov / S y,
        var p *= noise / S, var v -= cov^2 / S, cov *= noise / S. `rows` holds no row twice.
        """
        mean, var, cov = self.mean[rows], self.var[rows], self.cov[rows]
        inverse = 1.0 / (var[:, :N_MEASURED] + noise)
        residual = (measured - mean[:, :N_MEASURED]) * inverse
        kept = noise * inverse
        mean[:, :N_MEASURED] += var[:, :N_MEASURED] * residual
        mean[:, N_MEASURED:] += cov * residual[:, :N_VELOCITY]
        var[:, :N_MEASURED] *= kept
        var[:, N_MEASURED:] -= cov * cov * inverse[:, :N_VELOCITY]
        self.mean[rows], self.var[rows], self.cov[rows] = mean, var, cov * kept[:, :N_VELOCITY]
