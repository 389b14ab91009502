"""Peers for tables of cases: scores, survival times, results of many algorithms."""

import numpy as np
from registry import absent, peer

REPLICATES = 1000
BINS = 15
NORMAL_975 = 1.959963984540054


def wald(auc, variance):
    half = NORMAL_975 * variance**0.5
    return {"auc": auc, "low": auc - half, "high": auc + half}


# The area under the ROC curve with DeLong's interval


@peer("auc", "numpy by hand", distribution="numpy", note="sort each class, search")
def _(inputs):
    labels, scores = inputs.scores("1e7")
    positive = labels.astype(bool)

    def run():
        high, low = np.sort(scores[positive]), np.sort(scores[~positive])
        m, n = len(high), len(low)
        above = (np.searchsorted(low, high, "left") + np.searchsorted(low, high, "right")) / (2 * n)
        below = 1 - (np.searchsorted(high, low, "left") + np.searchsorted(high, low, "right")) / (2 * m)
        return wald(above.mean(), above.var(ddof=1) / m + below.var(ddof=1) / n)

    return run


@peer("auc", "scikit-learn", note="no interval")
def _(inputs):
    from sklearn.metrics import roc_auc_score

    labels, scores = inputs.scores("1e7")
    return lambda: {"auc": roc_auc_score(labels, scores)}


@peer("auc", "confidenceinterval", note="DeLong in float32")
def _(inputs):
    from confidenceinterval import roc_auc_score

    labels, scores = inputs.scores("1e7")
    labels = labels.astype(int)

    def run():
        auc, (low, high) = roc_auc_score(labels, scores)
        return {"auc": auc, "low": low, "high": high}

    return run


@peer("auc", "torchmetrics", note="no interval")
def _(inputs):
    import torch
    from registry import one_thread
    from torchmetrics.functional.classification import binary_auroc

    one_thread()
    labels, scores = inputs.scores("1e7")
    labels, scores = torch.from_numpy(labels).long(), torch.from_numpy(scores)
    return lambda: {"auc": float(binary_auroc(scores, labels, validate_args=False))}


absent("auc", "Yandex DeLong", "not on PyPI")

# A thousand bootstrap replicates of the area


@peer("auc-bootstrap", "numpy by hand", distribution="numpy", note="sort once, weigh")
def _(inputs):
    labels, scores = inputs.scores("1e5")

    def run():
        positive = labels[np.argsort(scores, kind="stable")].astype(bool)
        count, rng, areas = len(scores), np.random.default_rng(0), np.empty(REPLICATES)
        for replicate in range(REPLICATES):
            weights = np.bincount(rng.integers(0, count, count), minlength=count)
            high = weights * positive
            low = weights - high
            below = np.cumsum(low)
            areas[replicate] = (high * (below - 0.5 * low)).sum() / (high.sum() * below[-1])
        return {"low": np.percentile(areas, 2.5), "high": np.percentile(areas, 97.5)}

    return run


@peer("auc-bootstrap", "scikit-learn", note="a loop over resamples")
def _(inputs):
    from sklearn.metrics import roc_auc_score

    labels, scores = inputs.scores("1e5")

    def run():
        rng, areas = np.random.default_rng(0), []
        for _ in range(REPLICATES):
            drawn = rng.integers(0, len(scores), len(scores))
            areas.append(roc_auc_score(labels[drawn], scores[drawn]))
        return {"low": np.percentile(areas, 2.5), "high": np.percentile(areas, 97.5)}

    return run


@peer("auc-bootstrap", "confidenceinterval")
def _(inputs):
    from confidenceinterval.bootstrap import bootstrap_ci
    from sklearn.metrics import roc_auc_score

    labels, scores = inputs.scores("1e5")

    def run():
        settings = {"n_resamples": REPLICATES, "method": "bootstrap_percentile"}
        rng = np.random.default_rng(0)
        _, (low, high) = bootstrap_ci(labels, scores, roc_auc_score, random_state=rng, **settings)
        return {"low": low, "high": high}

    return run


# Calibration


@peer("calibration", "numpy by hand", distribution="numpy")
def _(inputs):
    labels, scores = inputs.scores("1e7")

    def run():
        bins = np.minimum((scores * BINS).astype(np.int64), BINS - 1)
        count, sums, events = (np.bincount(bins, w, BINS) for w in (None, scores, labels))
        used = count > 0
        gaps = np.abs(sums - events)[used]
        clipped = np.clip(scores, 1e-15, 1 - 1e-15)
        return {
            "ece": gaps.sum() / len(scores),
            "mce": (gaps / count[used]).max(),
            "brier": np.mean((scores - labels) ** 2),
            "log_loss": -np.mean(np.where(labels == 1, np.log(clipped), np.log1p(-clipped))),
        }

    return run


@peer("calibration", "scikit-learn", note="Brier, log loss, curve; no ECE")
def _(inputs):
    from sklearn.calibration import calibration_curve
    from sklearn.metrics import brier_score_loss, log_loss

    labels, scores = inputs.scores("1e7")

    def run():
        calibration_curve(labels, scores, n_bins=BINS)
        return {"brier": brier_score_loss(labels, scores), "log_loss": log_loss(labels, scores)}

    return run


@peer("calibration", "netcal", note="ECE only")
def _(inputs):
    from netcal.metrics import ECE

    labels, scores = inputs.scores("1e7")
    return lambda: {"ece": ECE(BINS).measure(scores, labels)}


@peer("calibration", "torchmetrics", note="ECE only")
def _(inputs):
    import torch
    from registry import one_thread
    from torchmetrics.functional.classification import binary_calibration_error

    one_thread()
    labels, scores = inputs.scores("1e7")
    labels, scores = torch.from_numpy(labels).long(), torch.from_numpy(scores)
    return lambda: {"ece": float(binary_calibration_error(scores, labels, n_bins=BINS, validate_args=False))}


@peer("calibration", "MONAI", distribution="monai", note="ECE only, in float32")
def _(inputs):
    import torch
    from monai.metrics import CalibrationErrorMetric
    from registry import one_thread

    one_thread()
    labels, scores = inputs.scores("1e7")
    labels, scores = torch.from_numpy(labels)[None, None], torch.from_numpy(scores)[None, None]

    def run():
        metric = CalibrationErrorMetric(num_bins=BINS)
        metric(y_pred=scores, y=labels)
        return {"ece": float(metric.aggregate())}

    return run


absent("calibration", "MetricsReloaded", "not on PyPI")

# Harrell's C


def survival(inputs):
    events = inputs.flags("survival_events").astype(bool)
    return inputs.numbers("survival_times"), events, inputs.numbers("survival_risks")


@peer("harrell", "lifelines")
def _(inputs):
    from lifelines.utils import concordance_index

    times, events, risks = survival(inputs)
    return lambda: {"c": concordance_index(times, -risks, events)}


@peer("harrell", "scikit-survival")
def _(inputs):
    from sksurv.metrics import concordance_index_censored

    times, events, risks = survival(inputs)
    return lambda: {"c": concordance_index_censored(events, times, risks)[0]}


# Rankings of 50 algorithms on 1,000 cases, 1,000 bootstrap replicates


def leaderboard(inputs):
    return inputs.numbers("leaderboard").reshape(1000, 50)


def mean_ranks(ranks):
    return {"mean_rank_first": ranks[:, 0].mean(), "mean_rank_last": ranks[:, -1].mean()}


def drawn_counts(cases):
    rng = np.random.default_rng(0)
    draws = (rng.integers(0, cases, cases) for _ in range(REPLICATES))
    return np.stack([np.bincount(d, minlength=cases) for d in draws]).astype(float)


@peer("rank-mean", "numpy by hand", distribution="numpy", note="matrix product of weights")
def _(inputs):
    from scipy.stats import rankdata

    values = leaderboard(inputs)

    def run():
        means = drawn_counts(len(values)) @ values / len(values)
        return mean_ranks(rankdata(-means, method="min", axis=1))

    return run


@peer("rank-rank", "numpy by hand", distribution="numpy", note="ranks once, matrix product of weights")
def _(inputs):
    from scipy.stats import rankdata

    values = leaderboard(inputs)

    def run():
        ranks = rankdata(-values, method="min", axis=1)
        return mean_ranks(rankdata(drawn_counts(len(values)) @ ranks, method="min", axis=1))

    return run


def with_pandas(inputs, rank_first):
    """Twenty replicates as challengeR does them: merge the drawn cases with the table, group by algorithm."""
    import pandas as pd

    values = leaderboard(inputs)
    cases, algorithms = values.shape
    table = pd.DataFrame(
        {
            "case": np.repeat(np.arange(cases), algorithms),
            "algorithm": np.tile(np.arange(algorithms), cases),
            "value": values.ravel(),
        }
    )

    def run():
        rng, ranks = np.random.default_rng(0), []
        for _ in range(20):
            drawn = pd.DataFrame({"case": rng.integers(0, cases, cases)}).merge(table, on="case")
            if rank_first:
                drawn["value"] = drawn.groupby("case").value.rank(ascending=False, method="min")
            means = drawn.groupby("algorithm").value.mean()
            ranks.append(means.rank(ascending=rank_first, method="min").to_numpy())
        return mean_ranks(np.array(ranks))

    return run


@peer("rank-mean", "pandas, as challengeR", distribution="pandas", factor=50, note="20 replicates, time x 50")
def _(inputs):
    return with_pandas(inputs, rank_first=False)


@peer(
    "rank-rank",
    "pandas, as challengeR",
    distribution="pandas",
    factor=50,
    note="20 replicates, time x 50; ranks drawn cases as one pool",
)
def _(inputs):
    return with_pandas(inputs, rank_first=True)


@peer("rank-test", "scipy", factor=1000, note="one matrix of 2,450 Wilcoxon tests, time x 1000")
def _(inputs):
    from scipy.stats import rankdata, wilcoxon

    values = leaderboard(inputs)
    algorithms = values.shape[1]
    settings = {"alternative": "greater", "zero_method": "wilcox", "correction": True, "method": "approx"}

    def run():
        beaten = np.zeros(algorithms)
        for i in range(algorithms):
            for j in range(algorithms):
                if i != j:
                    beaten[i] += wilcoxon(values[:, i], values[:, j], **settings).pvalue <= 0.05
        return {"full_rank_first": rankdata(-beaten, method="min")[0]}

    return run


absent("rank-mean", "challengeR", "an R package: R is not on this machine")
