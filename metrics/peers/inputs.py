"""Makes the seeded inputs of the comparison: `inputs.py FOLDER`.

Masks are uint8, the last axis fastest; scores, times and results are float64, flags uint8; all without a header, so
that both sides read the same bytes. Files that exist are kept: remove the folder to make them anew.
"""

import sys
from pathlib import Path

import numpy as np
from scipy import ndimage

SHAPE = (512, 512, 300)
SPACING_MM = (0.8, 0.8, 2.5)
EXTENT_MM = np.array(SHAPE) * np.array(SPACING_MM)


def smooth_noise(rng, factor, sigma):
    """Noise of standard deviation 1 on a coarse grid, interpolated to the full one."""
    coarse = tuple(int(np.ceil(n / factor)) + 2 for n in SHAPE)
    noise = ndimage.gaussian_filter(rng.standard_normal(coarse).astype(np.float32), sigma)
    noise /= noise.std()
    return ndimage.zoom(noise, factor, order=1)[tuple(slice(n) for n in SHAPE)]


def organ():
    """An ellipsoid with bumps; the prediction has other bumps and a small false positive far away."""
    rng = np.random.default_rng(20240101)
    axes = [np.arange(n, dtype=np.float32) * s for n, s in zip(SHAPE, SPACING_MM)]
    x, y, z = np.meshgrid(*axes, indexing="ij", sparse=True)
    centre = EXTENT_MM / 2
    radius = np.sqrt(
        ((x - centre[0]) / 95) ** 2 + ((y - centre[1]) / 75) ** 2 + ((z - centre[2]) / 85) ** 2
    )
    field = (1 - radius) * 80
    bumps, error = smooth_noise(rng, 16, 1.2), smooth_noise(rng, 8, 1.0)
    reference = (field + 6 * bumps) > 0
    prediction = (field + 6 * bumps + 1.2 * error + 0.4) > 0
    prediction |= ((x - 60) ** 2 + (y - 330) ** 2 + (z - 600) ** 2) < 9**2
    return reference.astype(np.uint8), prediction.astype(np.uint8)


def ellipsoid(volume, centre, radii, spacing, label=1):
    """Sets the voxels of an ellipsoid."""
    radii = np.broadcast_to(radii, 3)
    low = [max(0, int((centre[i] - radii[i]) / spacing[i]) - 1) for i in range(3)]
    high = [min(volume.shape[i], int((centre[i] + radii[i]) / spacing[i]) + 2) for i in range(3)]
    axes = [np.arange(low[i], high[i]) * spacing[i] - centre[i] for i in range(3)]
    # A ball is compared in mm and an ellipsoid in radii: the two round differently at the border.
    if (radii == radii[0]).all():
        limit = radii[0] * radii[0]
    else:
        axes, limit = [axis / r for axis, r in zip(axes, radii)], 1
    a, b, c = np.meshgrid(*axes, indexing="ij", sparse=True)
    part = volume[tuple(slice(l, h) for l, h in zip(low, high))]
    part[(a**2 + b**2 + c**2) <= limit] = label


def spread():
    """Sixty lesions over the whole volume; one in ten is missed, one in ten is made up."""
    rng = np.random.default_rng(20240102)
    reference, prediction = np.zeros(SHAPE, np.uint8), np.zeros(SHAPE, np.uint8)
    for _ in range(60):
        centre, radius, kind = rng.uniform(0.04, 0.96, 3) * EXTENT_MM, rng.uniform(4, 20), rng.random()
        if kind < 0.9:
            ellipsoid(reference, centre, radius, SPACING_MM)
        if kind > 0.1:
            moved = centre + rng.normal(0, 1.5, 3)
            ellipsoid(prediction, moved, radius * rng.uniform(0.85, 1.15), SPACING_MM)
    return reference, prediction


def multi():
    """A hundred and four labels, one in each of the cells of a 5 x 5 x 5 grid."""
    rng = np.random.default_rng(20240103)
    reference, prediction = np.zeros(SHAPE, np.uint8), np.zeros(SHAPE, np.uint8)
    cells = [(i, j, k) for i in range(5) for j in range(5) for k in range(5)]
    rng.shuffle(cells)
    for label in range(1, 105):
        centre = (np.array(cells[label - 1]) + 0.5 + rng.uniform(-0.15, 0.15, 3)) / 5 * EXTENT_MM
        radii = rng.uniform(8, 52, 3)
        moved, scaled = centre + rng.normal(0, 1.0, 3), radii * rng.uniform(0.96, 1.04, 3)
        ellipsoid(reference, centre, radii, SPACING_MM, label)
        ellipsoid(prediction, moved, scaled, SPACING_MM, label)
    return reference, prediction


def lesions():
    """About 105 small lesions in 256^3 voxels of 1 mm."""
    rng = np.random.default_rng(20240104)
    reference, prediction = np.zeros((256,) * 3, np.uint8), np.zeros((256,) * 3, np.uint8)
    for _ in range(125):
        centre, radius, kind = rng.uniform(8, 248, 3), rng.uniform(2, 8), rng.random()
        if kind < 0.85:
            ellipsoid(reference, centre, radius, (1, 1, 1))
        if kind > 0.15:
            moved = centre + rng.normal(0, 0.8, 3)
            ellipsoid(prediction, moved, radius * rng.uniform(0.85, 1.15), (1, 1, 1))
    return reference, prediction


def scores(count):
    """Probabilities and labels: three in ten are positive, the classes one standard deviation apart."""
    rng = np.random.default_rng(7)
    labels = (rng.random(count) < 0.3).astype(np.int8)
    z = rng.standard_normal(count) + labels
    return 1 / (1 + np.exp(-(z - 0.5))), labels.astype(np.uint8)


def survival(count):
    """Times in days (with ties), events, risks to four decimals."""
    rng = np.random.default_rng(11)
    risks = rng.standard_normal(count)
    event, censoring = rng.exponential(np.exp(-0.8 * risks)), rng.exponential(1.5, count)
    times = np.ceil(np.minimum(event, censoring) * 365 * 3)
    return times, (event <= censoring).astype(np.uint8), np.round(risks, 4)


def leaderboard(algorithms=50, cases=1000):
    """Results between 0 and 1, cases x algorithms, higher is better."""
    rng = np.random.default_rng(13)
    skill = np.linspace(0.6, 0.9, algorithms) + rng.normal(0, 0.01, algorithms)
    difficulty = rng.normal(0, 0.08, cases)
    values = skill[None, :] + difficulty[:, None] + rng.normal(0, 0.06, (cases, algorithms))
    return np.round(np.clip(values, 0, 1), 4)


def save_segmentations(folder):
    for make in (organ, spread, multi, lesions):
        for side, mask in zip(("gt", "pr"), make()):
            mask.tofile(folder / f"{make.__name__}_{side}.u8")
            if make is organ:  # to show how cost grows: half of the volume, every second voxel
                mask[: SHAPE[0] // 2].tofile(folder / f"organ_lower_{side}.u8")
                np.ascontiguousarray(mask[::2, ::2, ::2]).tofile(folder / f"organ_coarse_{side}.u8")


def save_files(folder):
    import nibabel

    affine = np.diag([*SPACING_MM, 1.0])
    mask = np.fromfile(folder / "organ_gt.u8", np.uint8).reshape(SHAPE)
    nibabel.save(nibabel.Nifti1Image(mask, affine), folder / "organ_gt.nii.gz")
    labels = np.fromfile(folder / "multi_gt.u8", np.uint8).reshape(SHAPE)
    noise = np.random.default_rng(5).normal(0, 12, SHAPE).astype(np.int16)
    ct = labels.astype(np.int16) * 7 - 200 + noise
    nibabel.save(nibabel.Nifti1Image(ct, affine), folder / "ct.nii.gz")


def save_tables(folder):
    for name, count in (("1e5", 10**5), ("1e6", 10**6), ("1e7", 10**7)):
        values, labels = scores(count)
        values.tofile(folder / f"scores_{name}.f64")
        labels.tofile(folder / f"labels_{name}.u8")
    times, events, risks = survival(10**5)
    times.tofile(folder / "survival_times.f64")
    risks.tofile(folder / "survival_risks.f64")
    events.tofile(folder / "survival_events.u8")
    leaderboard().tofile(folder / "leaderboard.f64")


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / "complete").exists():
        return
    save_segmentations(folder)
    save_tables(folder)
    save_files(folder)
    (folder / "complete").touch()


if __name__ == "__main__":
    main()
