"""Writes regression.json: errors, correlation and agreement of seeded pairs and ratings.

Own script; values by NumPy 2.4.6, SciPy 1.17.1, scikit-learn 1.9.1, pingouin 0.7.0 (Python 3.11). The intervals of the
intraclass correlations, of Bland and Altman's limits and of Lin's coefficient are the papers' formulas, written here
with scipy.stats, since pingouin rounds its own.
"""
import json, os
import numpy as np, pandas as pd, pingouin, scipy, sklearn
from scipy import stats
from sklearn import metrics as m

here = os.path.dirname(os.path.abspath(__file__))


def ccc(p, r, level=0.95):
    n, s12 = len(p), np.mean((p - p.mean()) * (r - r.mean()))
    s1, s2, d = p.var(), r.var(), p.mean() - r.mean()
    c, rho = 2 * s12 / (s1 + s2 + d * d), s12 / np.sqrt(s1 * s2)
    u = d / (s1 * s2) ** 0.25
    var = ((1 - rho**2) * c**2 / ((1 - c**2) * rho**2) + 2 * c**3 * (1 - c) * u**2 / (rho * (1 - c**2) ** 2)
           - c**4 * u**4 / (2 * rho**2 * (1 - c**2) ** 2)) / (n - 2)
    h = stats.norm.ppf(0.5 + level / 2) * np.sqrt(var)
    return {"value": c, "interval": [np.tanh(np.arctanh(c) - h), np.tanh(np.arctanh(c) + h)]}


def bland_altman(p, r, agreement=0.95, level=0.9):
    d, n = p - r, len(p)
    b, s, z = d.mean(), d.std(ddof=1), stats.norm.ppf(0.5 + agreement / 2)
    t = stats.t.ppf(0.5 + level / 2, n - 1)
    h = t * s * np.sqrt(1 / n + z * z / (2 * (n - 1)))
    lo, up = b - z * s, b + z * s
    return {"bias": b, "bias_interval": [b - t * s / n**0.5, b + t * s / n**0.5], "sd": s, "limits": [lo, up],
            "lower_interval": [lo - h, lo + h], "upper_interval": [up - h, up + h]}


def icc(x, level=0.95):
    n, k = x.shape
    tab = pd.DataFrame({"s": np.repeat(np.arange(n), k), "r": np.tile(np.arange(k), n), "v": x.ravel()})
    found = pingouin.intraclass_corr(tab, "s", "r", "v")
    rows, cols, g = x.mean(1), x.mean(0), x.mean()
    msb, msj = k * np.sum((rows - g) ** 2) / (n - 1), n * np.sum((cols - g) ** 2) / (k - 1)
    mse = np.sum((x - rows[:, None] - cols[None] + g) ** 2) / ((n - 1) * (k - 1))
    msw = np.sum((x - rows[:, None]) ** 2) / (n * (k - 1))
    q = lambda a, b: stats.f.isf((1 - level) / 2, a, b)
    f1, f3 = msb / msw, msb / mse
    one = [f1 / q(n - 1, n * (k - 1)), f1 * q(n * (k - 1), n - 1)]
    three = [f3 / q(n - 1, (n - 1) * (k - 1)), f3 * q((n - 1) * (k - 1), n - 1)]
    c2 = (msb - mse) / (msb + (k - 1) * mse + k * (msj - mse) / n)
    fj = msj / mse
    w = n * (1 + (k - 1) * c2) - k * c2
    v = (k - 1) * (n - 1) * (k * c2 * fj + w) ** 2 / ((n - 1) * (k * c2 * fj) ** 2 + w**2)
    u, l, e = q(n - 1, v), q(v, n - 1), k * msj + (k * n - k - n) * mse
    two = [n * (msb - u * mse) / (u * e + n * msb), n * (l * msb - mse) / (e + n * l * msb)]
    single, mean = lambda f: (f - 1) / (f + k - 1), lambda f: 1 - 1 / f
    ci = [[single(f) for f in one], two, [single(f) for f in three], [mean(f) for f in one],
          [c * k / (1 + c * (k - 1)) for c in two], [mean(f) for f in three]]
    return [{"value": a, "f": f, "interval": i} for a, f, i in zip(found["ICC"].tolist(), found["F"].tolist(), ci)]


def case(name, p, r):
    p, r = np.asarray(p, float), np.asarray(r, float)
    out = {"mae": m.mean_absolute_error(r, p), "mse": m.mean_squared_error(r, p), "rmse": m.root_mean_squared_error(r, p),
           "r2": m.r2_score(r, p), "medae": m.median_absolute_error(r, p), "bias": float(np.mean(p - r)),
           "mape": m.mean_absolute_percentage_error(r, p), "pearson": stats.pearsonr(p, r).statistic,
           "spearman": stats.spearmanr(p, r).statistic, "kendall": stats.kendalltau(p, r).statistic,
           "ccc": ccc(p, r), "bland_altman": bland_altman(p, r)}
    return {"id": name, "predicted": p.tolist(), "reference": r.tolist(), "expected": out}


rng = np.random.default_rng(20261123)
r = rng.gamma(3, 10, 60)
pairs = [case("gamma_n60", r * rng.normal(1.05, 0.1, 60) + rng.normal(0, 2, 60), r),
         case("ties_n40", np.round(rng.normal(0, 2, 40)), np.round(rng.normal(0, 2, 40))),
         case("opposed_n7", [5.0, 4, 4, 3, 2, 1, 0], [0.5, 1, 2, 2, 3, 8, 9]),
         case("far_from_zero_n12", 1e6 + rng.normal(0, 1, 12), 1e6 + rng.normal(0, 1, 12))]
fleiss = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], float)
x = rng.normal(0, 2, (15, 1)) + rng.normal(0, 0.5, (1, 3)) + rng.normal(0, 1, (15, 3))
ratings = [{"id": "shrout_fleiss_1979", "ratings": fleiss.tolist(), "expected": icc(fleiss)},
           {"id": "random_15x3", "ratings": x.tolist(), "expected": icc(x)}]
versions = {p.__name__: p.__version__ for p in (np, scipy, sklearn, pingouin)}
json.dump({"meta": {"about": "see regression.py; ICC order 1,1 2,1 3,1 1,k 2,k 3,k", **versions}, "cases": pairs + ratings},
          open(os.path.join(here, "regression.json"), "w"))
