"""What light, lens, sensor and compression do to a scene."""

from __future__ import annotations

import cv2
import numpy as np

from models.synthetic.textures import Picture, Plane, normal, smooth


def shoot(rng: np.random.Generator, picture: Picture, difficulty: float) -> Picture:
    """Photograph a scene.

    Args:
        rng: Source of every choice.
        picture: The scene, BGR.
        difficulty: How bad it may get, 0 to 1.
    """
    picture = _blur(rng, picture, difficulty)
    light = _light(rng, picture.shape[0], picture.shape[1], difficulty)
    cast = 1 + 0.12 * (rng.random(3) * 2 - 1)
    # Contrast and brightness after exposure; low contrast looks like haze on the lens.
    contrast = 1 - 0.6 * difficulty * rng.beta(1, 2)
    haze = (1 - contrast) * rng.uniform(60, 170)
    gain = cv2.merge([light * np.float32(c * contrast) for c in cast])
    level = 1 + 14 * difficulty * rng.beta(1.2, 3)
    noise = normal(rng, picture.shape)
    image = cv2.multiply(picture, gain, dtype=cv2.CV_32F)
    image = cv2.scaleAdd(noise, float(level), image)
    shot: Picture = cv2.add(image, (haze, haze, haze, 0), dtype=cv2.CV_8U)
    if rng.random() < 0.5 * difficulty + 0.1:
        quality = int(rng.integers(round(85 - 70 * difficulty), 91))
        _, coded = cv2.imencode(".jpg", shot, [cv2.IMWRITE_JPEG_QUALITY, quality])
        shot = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)
    return shot


def _blur(rng: np.random.Generator, picture: Picture, difficulty: float) -> Picture:
    """Defocus (a disc), motion (a line), or the softness every lens has."""
    scale = picture.shape[1] / 640
    choice = rng.random()
    blurred: Picture
    if choice < 0.35 * (0.5 + difficulty):
        radius = scale * (0.6 + 3.4 * difficulty * rng.beta(1.2, 2.5))
        blurred = cv2.filter2D(picture, -1, _disc(radius))
    elif choice < 0.6 * (0.5 + difficulty):
        length = scale * (1.5 + 14 * difficulty * rng.beta(1.2, 2.5))
        blurred = cv2.filter2D(picture, -1, _line(length, rng.uniform(0, np.pi)))
    else:
        blurred = cv2.GaussianBlur(picture, (0, 0), scale * rng.uniform(0.3, 0.7))
    return blurred


def _disc(radius: float) -> Plane:
    reach = int(np.ceil(radius))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float32)
    kernel: Plane = np.clip(radius + 0.5 - np.hypot(x, y), 0, 1).astype(np.float32)
    kernel /= kernel.sum()
    return kernel


def _line(length: float, angle: float) -> Plane:
    reach = int(np.ceil(length / 2))
    kernel: Plane = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    # Samples spread by bilinear weights: an anti-aliased line.
    for t in np.linspace(-length / 2, length / 2, 4 * reach + 1):
        x, y = reach + t * np.cos(angle), reach + t * np.sin(angle)
        x0, y0 = int(np.floor(x)), int(np.floor(y))
        for dy in (0, 1):
            for dx in (0, 1):
                weight = (1 - abs(x - x0 - dx)) * (1 - abs(y - y0 - dy))
                if 0 <= y0 + dy <= 2 * reach and 0 <= x0 + dx <= 2 * reach:
                    kernel[y0 + dy, x0 + dx] += weight
    kernel /= kernel.sum()
    return kernel


def _light(rng: np.random.Generator, height: int, width: int, difficulty: float) -> Plane:
    """Uneven light, shadows with soft edges, highlights: what the scene is multiplied by."""
    uneven = 0.15 + 0.6 * difficulty * rng.random()
    light = np.float32(rng.uniform(0.75, 1.15)) * (
        1 + np.float32(uneven) * (smooth(rng, height, width, 1.5) - 0.5)
    )
    if rng.random() < 0.2 + 0.4 * difficulty:
        shadow = np.zeros((height // 4, width // 4), np.float32)
        points = rng.random((int(rng.integers(3, 6)), 2)) * 1.6 - 0.3
        hull = cv2.convexHull((points * (width // 4, height // 4)).astype(np.int32))
        cv2.fillConvexPoly(shadow, hull, 1.0)
        soft = int(rng.integers(1, 14)) * 2 + 1
        shadow = cv2.resize(cv2.blur(shadow, (soft, soft)), (width, height))
        light = light * (1 - np.float32(rng.uniform(0.2, 0.3 + 0.5 * difficulty)) * shadow)
    if rng.random() < 0.3 * difficulty:
        y, x = np.mgrid[0 : height // 4, 0 : width // 4].astype(np.float32)
        cx, cy = rng.random(2) * (width // 4, height // 4)
        size = np.float32(rng.uniform(0.03, 0.12) * width / 4)
        spot = np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * size**2)).astype(np.float32)
        light = light + np.float32(rng.uniform(0.3, 1.2)) * cv2.resize(spot, (width, height))
    return light.astype(np.float32)
