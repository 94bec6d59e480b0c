# SPDX-License-Identifier: Apache-2.0
"""Drawn people: heads with expressions and torsos, each a picture with soft edges that the scene moves about.

The proportions were tuned until a detector trained on photographs found the faces.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from app.sources.canvas import Canvas, Sprite, colour, step
from models.results import Float32

# Half the face's width in face units.
FACE_HALF_WIDTH = 0.76
# What a face detector calls the face, from the middle of the forehead to the chin: an ellipse.
BOX_CENTRE_V = 0.22
BOX_HALF_UV = (0.74, 0.76)
HEAD_HALF_UV = (1.15, 1.5)
TORSO_HALF_WIDTH = 1.75
TORSO_TOP_V = 0.3


@dataclass(frozen=True)
class Expression:
    """What the mouth, brows and eyes do, in face units; smile > 0: corners up, frown > 0 (rad): brows down."""

    smile: float = 0.0
    open: float = 0.0
    brow_raise: float = 0.0
    frown: float = 0.0
    eye_open: float = 1.0


EXPRESSIONS = (
    Expression(smile=0.025),
    Expression(smile=0.10, open=0.035, eye_open=0.85),
    Expression(open=0.13, brow_raise=0.09, eye_open=1.35),
    Expression(smile=-0.08, brow_raise=0.03, frown=-0.3, eye_open=0.8),
    Expression(smile=-0.04, brow_raise=-0.05, frown=0.35, eye_open=0.9),
)


@dataclass(frozen=True, eq=False)
class Look:
    """What a person looks like; colours are RGB 0..255."""

    skin: Float32
    hair: Float32
    shirt: Float32
    iris: Float32
    hairline_v: float
    is_long_haired: bool
    jaw: float  # how much the face narrows to the chin

    @staticmethod
    def draw_lot(rng: np.random.Generator) -> Look:
        """Return a random person."""
        skins = [(226, 178, 150), (204, 152, 120), (236, 192, 166), (172, 120, 90), (214, 164, 134), (130, 88, 66)]
        hairs = [(40, 28, 22), (70, 46, 30), (24, 20, 20), (110, 78, 46), (58, 40, 34)]
        return Look(
            skin=np.array(skins[rng.integers(len(skins))], np.float32) + rng.uniform(-8, 8, 3).astype(np.float32),
            hair=np.array(hairs[rng.integers(len(hairs))], np.float32),
            shirt=(rng.uniform(40, 170) + rng.uniform(-30, 30, 3)).astype(np.float32),
            iris=rng.uniform((25, 20, 15), (80, 70, 70)).astype(np.float32),
            hairline_v=float(rng.uniform(-0.72, -0.58)),
            is_long_haired=bool(rng.random() < 0.4),
            jaw=float(rng.uniform(0.10, 0.2)),
        )


def draw_heads(look: Look, unit_px: float, rng: np.random.Generator) -> tuple[Sprite, ...]:
    """Return one head, hair and ears and a shaded face, in each of `EXPRESSIONS`; all of the same shape."""
    canvas = Canvas.blank(-0.1, HEAD_HALF_UV, unit_px)
    grain = _grain(canvas.alpha.shape, unit_px, rng)
    _draw_back_hair(canvas, look, grain)
    _draw_skin(canvas, look, grain)
    _draw_nose(canvas.window((0, 0.15), (0.3, 0.45)), look)
    return tuple(_draw_expression(canvas.copy(), look, grain, expression).sprite() for expression in EXPRESSIONS)


def _draw_expression(canvas: Canvas, look: Look, grain: Float32, expression: Expression) -> Canvas:
    for side in (-1, 1):
        _draw_eye(canvas.window((side * 0.34, -0.15), (0.34, 0.36)), look, expression, side)
    _draw_mouth(canvas.window((0, 0.62), (0.45, 0.32)), look, expression)
    _draw_front_hair(canvas, look, grain)
    return canvas


def _grain(shape: tuple[int, ...], unit_px: float, rng: np.random.Generator) -> Float32:
    """Return smooth noise of standard deviation about 1, drawn out vertically as strands are."""
    white = rng.standard_normal(shape).astype(np.float32)
    noise = cv2.GaussianBlur(white, (0, 0), sigmaX=0.012 * unit_px + 0.3, sigmaY=0.12 * unit_px + 0.3)
    return np.asarray(noise / (noise.std() + 1e-6), np.float32)


def _draw_back_hair(canvas: Canvas, look: Look, grain: Float32) -> None:
    strands = np.asarray(look.hair * (1 + 0.22 * grain[..., None]), np.float32)
    canvas.paint(strands, canvas.ellipse((0, -0.28), (0.92, 0.95), 0.03))
    if look.is_long_haired:
        beside_neck = 1 - canvas.ellipse((0, 1.1), (0.52, 0.55), 0.15)
        canvas.paint(strands * 0.8, beside_neck * canvas.ellipse((0, 0.25), (0.98, 1.05), 0.05))


def _draw_skin(canvas: Canvas, look: Look, grain: Float32) -> None:
    for side in (-1, 1):
        canvas.paint(look.skin * 0.78, canvas.ellipse((side * 0.78, 0.02), (0.11, 0.2), 0.1))
        canvas.tint(0.7, canvas.ellipse((side * 0.79, 0.02), (0.05, 0.12), 0.4))
    half_width = FACE_HALF_WIDTH * (1 - look.jaw * np.clip(canvas.v, 0, 1.2) ** 2)
    radius = np.hypot(canvas.u / half_width, canvas.v)
    depth = np.sqrt(np.clip(1 - 0.92 * np.clip(radius, 0, 1) ** 2, 0, 1))
    # Light from the upper left, as from a window: n . l of the ellipsoid's normal, with a high ambient part.
    light = 0.52 + 0.55 * np.clip(-0.30 * canvas.u - 0.25 * canvas.v + 0.9 * depth, 0, 1.2)
    skin = np.asarray(look.skin * light[..., None] + 1.2 * grain[..., None], np.float32)
    canvas.paint(skin, step(radius, 1.0, 0.025))
    for side in (-1, 1):
        rosy = canvas.ellipse((side * 0.42, 0.28), (0.26, 0.2), 0.8)
        canvas.tint(colour(1.05, 0.97, 0.97), rosy)
        canvas.tint(0.9, canvas.ellipse((side * 0.3, 0.42), (0.035, 0.2), 0.9, tilt=-side * 0.45))
    canvas.tint(1.06, canvas.ellipse((0, -0.42), (0.42, 0.2), 0.9))
    canvas.tint(1.05, canvas.ellipse((0, 0.84), (0.16, 0.09), 0.9))
    canvas.tint(0.82, canvas.ellipse((0, 0.72), (0.2, 0.045), 0.9))


def _draw_eye(canvas: Canvas, look: Look, expression: Expression, side: int) -> None:
    at_u, at_v, opened = side * 0.32, -0.08, 0.062 * expression.eye_open
    canvas.tint(0.72, canvas.ellipse((at_u * 0.95, at_v - 0.04), (0.24, 0.16), 0.75))
    canvas.tint(0.9, canvas.ellipse((at_u, at_v + 0.12), (0.16, 0.03), 0.9))
    canvas.paint(look.hair * 0.5, canvas.ellipse((at_u, at_v - 0.018), (0.155, opened + 0.02), 0.14))
    white = canvas.ellipse((at_u, at_v + 0.008), (0.14, opened), 0.12)
    canvas.paint(colour(222, 214, 208), white)
    canvas.tint(0.75, white * canvas.ellipse((at_u, at_v - opened), (0.16, opened * 0.8), 0.5))
    iris_uv = (at_u, at_v - 0.002)
    canvas.paint(look.iris, white * canvas.ellipse(iris_uv, (0.068, 0.068), 0.12))
    canvas.paint(colour(12, 10, 10), white * canvas.ellipse(iris_uv, (0.034, 0.034), 0.2))
    canvas.paint(colour(250, 250, 250), white * 0.8 * canvas.ellipse((at_u - 0.02, at_v - 0.025), (0.014, 0.014), 0.4))
    bend = 0.5 * ((canvas.u - np.float32(at_u)) / 0.2) ** 2 * 0.07
    brow_v = at_v - 0.21 - expression.brow_raise
    tilted = canvas.ellipse((at_u, brow_v), (0.21, 0.04), 0.35, tilt=side * (0.06 - expression.frown))
    canvas.paint(look.hair * 0.9, 0.85 * tilted * np.exp(-2 * bend))


def _draw_nose(canvas: Canvas, look: Look) -> None:
    canvas.tint(1.10, canvas.ellipse((-0.01, 0.08), (0.055, 0.26), 0.8))
    canvas.tint(0.86, canvas.ellipse((0.1, 0.14), (0.05, 0.24), 0.9, tilt=-0.12))
    canvas.tint(0.93, canvas.ellipse((-0.1, 0.14), (0.04, 0.24), 0.9, tilt=0.12))
    canvas.tint(1.10, canvas.ellipse((-0.01, 0.28), (0.09, 0.07), 0.8))
    for side in (-1, 1):
        canvas.tint(0.84, canvas.ellipse((side * 0.15, 0.31), (0.045, 0.06), 0.7))
        canvas.paint(look.skin * 0.28, canvas.ellipse((side * 0.072, 0.355), (0.042, 0.02), 0.5))
    canvas.tint(0.8, canvas.ellipse((0.01, 0.39), (0.14, 0.035), 0.8))


def _draw_mouth(canvas: Canvas, look: Look, expression: Expression) -> None:
    half = 0.26 + 0.6 * max(expression.smile, 0) - 0.5 * max(expression.open - 0.05, 0)
    across = np.clip(1 - (canvas.u / np.float32(half)) ** 2, 0, None)
    taper = np.sqrt(across)
    # The line between the lips: a parabola whose ends rise with a smile.
    off = canvas.v - 0.57 - np.float32(expression.smile) * (across - 0.5) - 0.5 * np.float32(expression.open)
    inside = step(np.abs(canvas.u), half, 0.02)
    lip = look.skin * colour(0.74, 0.5, 0.5)
    gape = expression.open * taper
    upper = step(np.abs(off + gape + 0.03 * taper) - 0.036 * taper, 0.0, 0.012) * inside
    lower = step(np.abs(off - gape - 0.042 * taper) - 0.048 * taper, 0.0, 0.012) * inside
    canvas.paint(lip * 0.82, upper)
    canvas.paint(lip, lower)
    canvas.tint(1.15, lower * canvas.ellipse((-0.03, 0.63 + 1.5 * expression.open), (0.1, 0.03), 0.9))
    slit = step(np.abs(off) - gape, 0.0, 0.014) * inside
    canvas.paint(colour(52, 22, 22), slit)
    if expression.open > 0:
        teeth = step(np.abs(off + gape * 0.45) - gape * 0.5, 0.0, 0.012) * inside
        canvas.paint(colour(226, 220, 208), slit * teeth * step(np.abs(canvas.u), half * 0.8, 0.05))


def _draw_front_hair(canvas: Canvas, look: Look, grain: Float32) -> None:
    strands = look.hair * (1.1 + 0.25 * grain[..., None])
    hairline = np.float32(look.hairline_v) + 0.45 * canvas.u**2 * np.sign(canvas.u + 0.2) * 0.5 + 0.28 * canvas.u**2
    above = step(canvas.v - hairline + 0.01 * grain, 0.0, 0.035)
    canvas.paint(strands, above * canvas.ellipse((0, -0.28), (0.9, 0.93), 0.03))
    canvas.tint(1.25, above * canvas.ellipse((-0.3, -0.9), (0.4, 0.2), 0.9))


def draw_torso(look: Look, unit_px: float, bottom_v: float, rng: np.random.Generator) -> Sprite:
    """Return neck, shoulders and a shirt with folds down to `bottom_v`, for a head that stands at the origin."""
    half_uv = (TORSO_HALF_WIDTH + 0.2, (bottom_v - TORSO_TOP_V) / 2)
    canvas = Canvas.blank((bottom_v + TORSO_TOP_V) / 2, half_uv, unit_px)
    folds = cv2.GaussianBlur(rng.standard_normal(canvas.alpha.shape).astype(np.float32), (0, 0), 0.12 * unit_px + 0.3)
    shade = 1.05 - 0.09 * canvas.u + 0.09 * folds / (folds.std() + 1e-6)
    across, above = np.abs(canvas.u) / TORSO_HALF_WIDTH, np.clip(3.5 - canvas.v, 0, None) / 2.15
    canvas.paint(np.asarray(look.shirt * shade[..., None], np.float32), step(np.cbrt(across**3 + above**3), 1.0, 0.03))
    neck = step(np.abs(canvas.u), 0.42, 0.04) * step(canvas.v, 1.45, 0.1)
    canvas.paint(look.skin * (0.72 - 0.1 * canvas.u[..., None]), neck)
    canvas.paint(look.skin * 0.8, canvas.ellipse((0, 1.42), (0.46, 0.3), 0.08))
    canvas.tint(0.7, canvas.ellipse((0.05, 0.95), (0.5, 0.35), 0.7))
    return canvas.sprite()
