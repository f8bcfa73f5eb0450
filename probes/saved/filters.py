"""How far the filters of a first convolution are from white noise: statistics with an exactly known null.

Null: the entries of a filter, in each input channel for itself, are in random order. Neighbours then have a known mean
and variance of their product (Moran's I under randomisation: Moran 1950; Cliff and Ord 1981), and so have entries of
two channels at one place.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..artifacts import Array, Floats


@dataclass(frozen=True, slots=True)
class Noise:
    """Per filter, in standard deviations of the null: likeness of neighbours and likeness of channels.

    NaN where a filter does not vary; the second also where there is one channel.
    """

    neighbours: Floats
    channels: Floats


def against_noise(filters: Array) -> Noise:
    """(filters, channels, height, width) against noise; kernels of 2 x 2 entries or more."""
    count, channels, height, width = filters.shape
    z = filters.astype(np.float64)
    z = z - z.mean((2, 3), keepdims=True)
    energy = (z**2).sum((2, 3))
    with np.errstate(divide="ignore", invalid="ignore"):
        return Noise(_neighbours(z, energy), _channels(z.reshape(count, channels, -1), energy, height * width))


def _neighbours(z: Floats, energy: Floats) -> Floats:
    height, width = z.shape[2:]
    n = height * width
    products = (z[:, :, 1:] * z[:, :, :-1]).sum((2, 3)) + (z[:, :, :, 1:] * z[:, :, :, :-1]).sum((2, 3))
    pairs = (height - 1) * width + height * (width - 1)
    degree = np.full((height, width), 4)
    for edge in (degree[0], degree[-1], degree[:, 0], degree[:, -1]):
        edge -= 1
    s0, s1, s2 = 2.0 * pairs, 4.0 * pairs, 4.0 * float((degree**2).sum())
    kurtosis = n * (z**4).sum((2, 3)) / energy**2
    moments = n * ((n * n - 3 * n + 3) * s1 - n * s2 + 3 * s0**2)
    moments = moments - kurtosis * ((n * n - n) * s1 - 2 * n * s2 + 6 * s0**2)
    variance = moments / ((n - 1) * (n - 2) * (n - 3) * s0**2) - 1 / (n - 1) ** 2
    excess = 2 * n / s0 * products + energy / (n - 1)  # energy x (Moran's I - its mean)
    found: Floats = np.nansum(excess, 1) / np.sqrt(np.nansum(energy**2 * variance, 1))
    return found


def _channels(z: Floats, energy: Floats, n: int) -> Floats:
    products = ((z.sum(1) ** 2).sum(1) - energy.sum(1)) / 2
    variance = ((energy.sum(1) ** 2 - (energy**2).sum(1)) / 2) / (n - 1)
    found: Floats = np.where(variance > 0, products / np.sqrt(variance), np.nan)
    return found


def strongest(kernel: Array) -> tuple[Floats, float]:
    """(channels, height, width) as the one grey picture that keeps most of it, and the share of the energy kept.

    The picture is the projection on the strongest direction over the channels: brightness for a grey filter, the
    difference of two colours for one of opponent colours.
    """
    flat = kernel.reshape(kernel.shape[0], -1).astype(np.float64)
    energy = float((flat**2).sum())
    if energy == 0:
        return np.zeros(kernel.shape[1:]), 1.0
    left, sizes, _ = np.linalg.svd(flat, full_matrices=False)
    direction = left[:, 0] * (-1 if left[:, 0].sum() < 0 else 1)
    picture: Floats = (direction @ flat).reshape(kernel.shape[1:])
    return picture, float(sizes[0] ** 2 / energy)
