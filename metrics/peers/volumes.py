"""Peers for segmentations: overlap, distances between surfaces, boundary IoU, panoptic quality.

Packages are imported where they are used, so that each process loads only its own.
"""

import numpy as np
from registry import SPACING_MM, absent, peer

LABELS = range(1, 105)
TOLERANCE_MM = 1.0
BOUNDARY_VOXELS = 2
NOT_ON_PYPI = "not on PyPI"


def mean_of(dice):
    return {"mean": np.mean(dice), "min": min(dice), "first": dice[0]}


def tensor(mask):
    import torch
    from registry import one_thread

    one_thread()
    return torch.from_numpy(mask)[None, None]


def image(mask):
    """The mask as an image of SimpleITK, whose first axis runs fastest, with our axes as they are."""
    import SimpleITK
    from registry import one_thread

    one_thread()
    made = SimpleITK.GetImageFromArray(mask)
    made.SetSpacing(SPACING_MM[::-1])
    return made


# Dice and IoU of two masks


@peer("dice-iou", "numpy by hand", distribution="numpy")
def _(inputs):
    reference, prediction = inputs.pair("organ")

    def run():
        a, b = reference > 0, prediction > 0
        both, size = np.count_nonzero(a & b), np.count_nonzero(a) + np.count_nonzero(b)
        return {"dice": 2 * both / size, "iou": both / (size - both)}

    return run


@peer("dice-iou", "MedPy")
def _(inputs):
    from medpy.metric import binary

    reference, prediction = inputs.pair("organ")
    return lambda: {"dice": binary.dc(prediction, reference), "iou": binary.jc(prediction, reference)}


@peer("dice-iou", "MONAI", distribution="monai")
def _(inputs):
    from monai.metrics import compute_dice, compute_iou

    reference, prediction = (tensor(m).bool() for m in inputs.pair("organ"))
    return lambda: {
        "dice": float(compute_dice(prediction, reference)),
        "iou": float(compute_iou(prediction, reference)),
    }


@peer("dice-iou", "SimpleITK", distribution="simpleitk")
def _(inputs):
    import SimpleITK

    reference, prediction = (image(m) for m in inputs.pair("organ"))

    def run():
        overlap = SimpleITK.LabelOverlapMeasuresImageFilter()
        overlap.Execute(reference, prediction)
        return {"dice": overlap.GetDiceCoefficient(1), "iou": overlap.GetJaccardCoefficient(1)}

    return run


@peer("dice-iou", "surface-distance", note="Dice only")
def _(inputs):
    import surface_distance

    reference, prediction = (m > 0 for m in inputs.pair("organ"))
    return lambda: {"dice": surface_distance.compute_dice_coefficient(reference, prediction)}


@peer("dice-iou", "torchmetrics")
def _(inputs):
    from torchmetrics.functional.classification import binary_f1_score, binary_jaccard_index

    reference, prediction = (tensor(m)[0, 0] for m in inputs.pair("organ"))
    return lambda: {
        "dice": float(binary_f1_score(prediction, reference)),
        "iou": float(binary_jaccard_index(prediction, reference)),
    }


@peer("dice-iou", "scikit-learn")
def _(inputs):
    from sklearn.metrics import f1_score, jaccard_score

    reference, prediction = (m.ravel() for m in inputs.pair("organ"))
    return lambda: {"dice": f1_score(reference, prediction), "iou": jaccard_score(reference, prediction)}


absent("dice-iou", "MetricsReloaded", NOT_ON_PYPI)

# Dice of 104 labels


@peer("dice-104", "numpy by hand", distribution="numpy", note="joint bincount")
def _(inputs):
    reference, prediction = inputs.pair("multi")
    n = len(LABELS) + 1

    def run():
        pairs = reference.ravel().astype(np.intp) * n + prediction.ravel()
        table = np.bincount(pairs, minlength=n * n).reshape(n, n)
        return mean_of((2 * np.diag(table) / (table.sum(0) + table.sum(1)))[1:])

    return run


@peer("dice-104", "SimpleITK", distribution="simpleitk")
def _(inputs):
    import SimpleITK

    reference, prediction = (image(m) for m in inputs.pair("multi"))

    def run():
        overlap = SimpleITK.LabelOverlapMeasuresImageFilter()
        overlap.Execute(reference, prediction)
        return mean_of([overlap.GetDiceCoefficient(label) for label in LABELS])

    return run


@peer("dice-104", "torchmetrics", note="confusion matrix")
def _(inputs):
    from torchmetrics.functional.classification import multiclass_confusion_matrix

    reference, prediction = (tensor(m)[0, 0].long() for m in inputs.pair("multi"))

    def run():
        n = len(LABELS) + 1
        table = multiclass_confusion_matrix(prediction, reference, num_classes=n, validate_args=False).numpy()
        return mean_of((2 * np.diag(table) / (table.sum(0) + table.sum(1)))[1:])

    return run


@peer("dice-104", "surface-distance", note="label by label")
def _(inputs):
    import surface_distance

    reference, prediction = inputs.pair("multi")
    dice = surface_distance.compute_dice_coefficient
    return lambda: mean_of([dice(reference == label, prediction == label) for label in LABELS])


@peer("dice-104", "MONAI", distribution="monai", factor=10.4, note="10 labels measured, time x 10.4")
def _(inputs):
    from monai.metrics import compute_dice

    reference, prediction = (tensor(m) for m in inputs.pair("multi"))

    def run():
        first = float(compute_dice(prediction == 1, reference == 1))
        for label in range(2, 11):
            compute_dice(prediction == label, reference == label)
        return {"first": first}

    return run


# Distances between two surfaces


def crop(a, b):
    """The part of both masks that holds foreground, and one voxel around."""
    either, box = a | b, []
    for axis in range(3):
        others = tuple(i for i in range(3) if i != axis)
        found = np.flatnonzero(either.any(axis=others))
        box.append(slice(max(0, found[0] - 1), found[-1] + 2))
    return a[tuple(box)], b[tuple(box)]


def border(mask):
    from scipy.ndimage import binary_erosion

    return mask ^ binary_erosion(mask)


def measures(forth, back):
    close = (forth <= TOLERANCE_MM).sum() + (back <= TOLERANCE_MM).sum()
    count = forth.size + back.size
    return {
        "hd": max(forth.max(), back.max()),
        "hd95": max(np.percentile(forth, 95), np.percentile(back, 95)),
        "assd": (forth.sum() + back.sum()) / count,
        "masd": (forth.mean() + back.mean()) / 2,
        "nsd": close / count,
    }


def distances_of(name):
    """Registers the peers of the five distances of one input."""
    workload = f"distances-{name}"

    @peer(workload, "scipy by hand", distribution="scipy", note="crop, border, k-d tree")
    def _(inputs):
        from scipy.spatial import cKDTree

        a, b = (m > 0 for m in inputs.pair(name))

        def run():
            points = [np.argwhere(border(m)) * np.array(SPACING_MM) for m in crop(a, b)]
            trees = [cKDTree(p, leafsize=32) for p in points]
            return measures(trees[1].query(points[0])[0], trees[0].query(points[1])[0])

        return run

    @peer(workload, "edt by hand", distribution="edt", note="crop, border, distance transform")
    def _(inputs):
        import edt

        a, b = (m > 0 for m in inputs.pair(name))

        def run():
            left, right = (border(m) for m in crop(a, b))
            to_left, to_right = (
                edt.edt(np.ascontiguousarray(~m), anisotropy=SPACING_MM, parallel=1) for m in (left, right)
            )
            return measures(to_right[left].astype(float), to_left[right].astype(float))

        return run

    @peer(workload, "surface-distance", ours=f"surfels-{name}", note="surfel-weighted; ours by that convention")
    def _(inputs):
        import surface_distance as sd

        a, b = (m > 0 for m in inputs.pair(name))

        def run():
            found = sd.compute_surface_distances(a, b, SPACING_MM)
            forth, back = sd.compute_average_surface_distance(found)
            return {
                "hd": sd.compute_robust_hausdorff(found, 100),
                "hd95": sd.compute_robust_hausdorff(found, 95),
                "nsd": sd.compute_surface_dice_at_tolerance(found, TOLERANCE_MM),
                "mean_forth": forth,
                "mean_back": back,
            }

        return run

    @peer(workload, "MONAI", distribution="monai", note="HD95, ASSD, NSD; no HD, no MASD")
    def _(inputs):
        from monai import metrics

        a, b = (tensor(m).bool() for m in inputs.pair(name))
        common = {"include_background": True, "spacing": SPACING_MM}

        def run():
            hd95 = metrics.compute_hausdorff_distance(b, a, percentile=95, **common)
            assd = metrics.compute_average_surface_distance(b, a, symmetric=True, **common)
            nsd = metrics.compute_surface_dice(b, a, [TOLERANCE_MM], **common)
            return {"hd95": float(hd95), "assd": float(assd), "nsd": float(nsd)}

        return run

    @peer(workload, "MedPy", note="pooled HD95, ASSD; no NSD")
    def _(inputs):
        from medpy.metric import binary

        a, b = inputs.pair(name)
        return lambda: {
            "hd95_pooled": binary.hd95(b, a, SPACING_MM),
            "assd": binary.assd(b, a, SPACING_MM),
        }

    @peer(workload, "panoptica", note="its functions for a mask: pooled HD95, mean of means, NSD")
    def _(inputs):
        from panoptica import metrics

        a, b = inputs.pair(name)
        return lambda: {
            "hd95_pooled": metrics._compute_hausdorff_distance95(a, b, SPACING_MM),
            "masd": metrics._average_symmetric_surface_distance(a, b, SPACING_MM),
            "nsd_mean_of_fractions": metrics._compute_normalized_surface_dice(a, b, SPACING_MM, threshold=TOLERANCE_MM),
        }

    absent(workload, "MetricsReloaded", NOT_ON_PYPI)


distances_of("organ")
distances_of("spread")

# HD95 and NSD of 104 labels


@peer("distances-104", "edt by hand", distribution="edt", note="boxes, border, distance transform")
def _(inputs):
    import edt
    from scipy.ndimage import find_objects

    reference, prediction = inputs.pair("multi")

    def run():
        each = []
        for label, left, right in zip(LABELS, find_objects(reference, 104), find_objects(prediction, 104)):
            box = tuple(
                slice(max(0, min(a.start, b.start) - 1), max(a.stop, b.stop) + 1) for a, b in zip(left, right)
            )
            a, b = (border(m[box] == label) for m in (reference, prediction))
            to_a, to_b = (edt.edt(np.ascontiguousarray(~m), anisotropy=SPACING_MM, parallel=1) for m in (a, b))
            each.append(measures(to_b[a].astype(float), to_a[b].astype(float)))
        return {
            "hd95_mean": np.mean([m["hd95"] for m in each]),
            "nsd_mean": np.mean([m["nsd"] for m in each]),
        }

    return run


@peer("distances-104", "surface-distance", factor=5.2, note="20 labels measured, time x 5.2; surfel-weighted")
def _(inputs):
    import surface_distance as sd

    reference, prediction = inputs.pair("multi")

    def run():
        hd95, nsd = [], []
        for label in range(1, 21):
            found = sd.compute_surface_distances(reference == label, prediction == label, SPACING_MM)
            hd95.append(sd.compute_robust_hausdorff(found, 95))
            nsd.append(sd.compute_surface_dice_at_tolerance(found, TOLERANCE_MM))
        return {"hd95_mean_20_surfel": np.mean(hd95), "nsd_mean_20_surfel": np.mean(nsd)}

    return run


@peer("distances-104", "MONAI", distribution="monai", factor=5.2, note="20 labels measured, time x 5.2")
def _(inputs):
    from monai import metrics

    reference, prediction = (tensor(m) for m in inputs.pair("multi"))
    common = {"include_background": True, "spacing": SPACING_MM}

    def run():
        hd95, nsd = [], []
        for label in range(1, 21):
            a, b = reference == label, prediction == label
            hd95.append(float(metrics.compute_hausdorff_distance(b, a, percentile=95, **common)))
            nsd.append(float(metrics.compute_surface_dice(b, a, [TOLERANCE_MM], **common)))
        return {"hd95_mean_20": np.mean(hd95), "nsd_mean_20": np.mean(nsd)}

    return run


# Boundary IoU


@peer("boundary-iou", "scipy by hand", distribution="scipy", note="crop, distance transform of each mask")
def _(inputs):
    from scipy.ndimage import distance_transform_edt

    a, b = (m > 0 for m in inputs.pair("organ"))

    def band(mask):
        return mask & (distance_transform_edt(~border(mask)) < BOUNDARY_VOXELS)

    def run():
        left, right = (band(m) for m in crop(a, b))
        return {"boundary_iou": np.count_nonzero(left & right) / np.count_nonzero(left | right)}

    return run


absent("boundary-iou", "MetricsReloaded", NOT_ON_PYPI)

# Panoptic quality

LESIONS = (256, 256, 256)


@peer("panoptic", "cc3d by hand", distribution="connected-components-3d", note="components, joint counts")
def _(inputs):
    import cc3d

    reference, prediction = inputs.pair("lesions", LESIONS)

    def run():
        a, n = cc3d.connected_components(reference, connectivity=26, return_N=True)
        b, m = cc3d.connected_components(prediction, connectivity=26, return_N=True)
        sizes_a, sizes_b = (np.bincount(x.ravel(), minlength=k + 1) for x, k in ((a, n), (b, m)))
        both = (a > 0) & (b > 0)
        pairs = np.bincount(a[both].astype(np.int64) * (m + 1) + b[both], minlength=(n + 1) * (m + 1))
        joint = pairs.reshape(n + 1, m + 1)[1:, 1:]
        iou = joint / (sizes_a[1:, None] + sizes_b[None, 1:] - joint)
        matched = iou[iou > 0.5]
        tp = len(matched)
        sq, rq = matched.mean(), tp / (tp + 0.5 * (n - tp) + 0.5 * (m - tp))
        return {"pq": sq * rq, "sq": sq, "rq": rq, "tp": tp, "fp": m - tp, "fn": n - tp}

    return run


def panoptica(inputs, names):
    import panoptica as p

    reference, prediction = inputs.pair("lesions", LESIONS)
    evaluator = p.Panoptica_Evaluator(
        expected_input=p.InputType.SEMANTIC,
        instance_approximator=p.ConnectedComponentsInstanceApproximator(),
        instance_matcher=p.NaiveThresholdMatching(),
        instance_metrics=[p.Metric[name] for name in names],
        verbose=False,
    )

    def values(result):
        found = next(iter(result.values()))
        return {"pq": found.pq, "sq": found.sq, "rq": found.rq, "tp": found.tp, "fp": found.fp, "fn": found.fn}

    # The quantities are computed when they are asked for.
    return lambda: values(evaluator.evaluate(prediction, reference))


@peer("panoptic", "panoptica", note="IoU and Dice")
def _(inputs):
    return panoptica(inputs, ["DSC", "IOU"])


@peer("panoptic", "panoptica, its defaults", distribution="panoptica", note="with ASSD")
def _(inputs):
    return panoptica(inputs, ["DSC", "IOU", "ASSD", "RVD"])


absent("panoptic", "MONAI", "not run: it needs more than 18 GB for this input")
