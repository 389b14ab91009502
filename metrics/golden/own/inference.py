"""Writes inference.json: reference values for distributions, tests and random effects.

Run: python inference.py  (numpy 2.4.6, scipy 1.17.1, statsmodels 0.15.0, mpmath 1.3.0 or later)

mpmath (60 digits) is the authority for tails; SciPy for the tests; statsmodels for DerSimonian-Laird and
Hartung-Knapp (`combine_effects`). I2, prediction intervals and p of Q are computed here from their definitions.
"""
import json
import os

import mpmath as mp
import numpy as np
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.meta_analysis import combine_effects
from statsmodels.stats.multitest import multipletests

mp.mp.dps = 60
rng = np.random.default_rng(20260401)


def t_upper(t, df):
    t, df = mp.mpf(t), mp.mpf(df)
    scale = mp.gamma((df + 1) / 2) / mp.gamma(df / 2) / mp.sqrt(df * mp.pi)
    size = abs(t)
    density = lambda x: (1 + x * x / df) ** (-(df + 1) / 2)
    tail = scale * mp.quad(density, [size + mp.mpf(i) / 4 for i in range(60)] + [size + 100, mp.inf])
    return float(tail if t >= 0 else 1 - tail)


def tails():
    normal = [[z, float(mp.erfc(mp.mpf(z) / mp.sqrt(2)) / 2)] for z in
              [-8.0, -3.0, -0.5, 0.0, 0.1, 0.7, 1.0, 1.7, 2.0, 2.4, 2.5, 3.0, 4.2, 4.3, 6.0, 10.0, 20.0, 37.0]]
    student = [[t, df, t_upper(t, df)] for t in [-2.0, -0.3, 0.01, 0.5, 1.0, 2.0, 4.0, 12.0]
               for df in [1.0, 2.0, 3.0, 5.0, 10.0, 29.5, 100.0, 1000.0, 1e5]]
    chi = [[x, df, float(mp.gammainc(mp.mpf(df) / 2, mp.mpf(x) / 2, mp.inf, regularized=True))]
           for x in [0.001, 0.5, 1.0, 3.0, 10.0, 40.0, 120.0] for df in [1.0, 2.0, 3.0, 7.0, 20.0, 99.0]]
    quantile_z = [[p, float(mp.findroot(lambda z: mp.erfc(z / mp.sqrt(2)) / 2 - p, stats.norm.isf(p)))]
                  for p in [1e-12, 1e-6, 0.001, 0.01, 0.025, 0.05, 0.2, 0.45, 0.6, 0.9, 0.999]]
    quantile_t = [[p, df, float(stats.t.isf(p, df))] for p in [0.005, 0.025, 0.1, 0.4, 0.7]
                  for df in [1.0, 2.0, 4.0, 9.0, 60.0]]
    binomial = [[k, n, float(sum(mp.binomial(n, i) for i in range(k + 1)) / mp.mpf(2) ** n)]
                for k, n in [(0, 1), (0, 5), (2, 5), (5, 5), (3, 20), (40, 100), (480, 1000)]]
    return {"normal_upper": normal, "student_upper": student, "chi_squared_upper": chi,
            "normal_quantile": quantile_z, "student_quantile": quantile_t, "binomial": binomial}


def paired():
    cases = []
    for n, step, shift in [(6, 0, 0.02), (12, 0, 0.01), (12, 0.05, 0.05), (25, 0, 0.0), (25, 0.1, 0.03), (50, 0, 0.02),
                           (80, 0.02, 0.01)]:
        d = rng.normal(shift, 0.08, n)
        if step:
            d = np.round(d / step) * step
        case = {"d": d.tolist()}
        for alternative in ["greater", "less", "two-sided"]:
            t = stats.ttest_1samp(d, 0, alternative=alternative)
            row = {"t": float(t.statistic), "t_p": float(t.pvalue)}
            for zeros in ["wilcox", "pratt"]:
                for correction in [True, False]:
                    w = stats.wilcoxon(d, zero_method=zeros, correction=correction, alternative=alternative,
                                       method="asymptotic")
                    row[f"{zeros}_{'corrected' if correction else 'plain'}"] = float(w.pvalue)
            if not step and n <= 50:
                w = stats.wilcoxon(d, alternative=alternative, method="exact")
                row["exact"] = float(w.pvalue)
            if n <= 12:
                flips = stats.permutation_test((d,), np.mean, permutation_type="samples", n_resamples=np.inf,
                                               alternative=alternative)
                row["sign_flip"] = float(flips.pvalue)
            case[alternative] = row
        ci = stats.ttest_1samp(d, 0).confidence_interval(0.95)
        case["t_interval"] = [float(ci.low), float(ci.high)]
        cases.append(case)
    return cases


def adjusted():
    p = [0.001, 0.013, 0.02, 0.02, 0.2, 0.04, 0.7, 0.0004, 1.0, 0.03]
    return {"p": p, "holm": multipletests(p, method="holm")[1].tolist(),
            "bh": multipletests(p, method="fdr_bh")[1].tolist()}


def discordant():
    rows = []
    for b, c in [(10, 2), (3, 3), (0, 7), (45, 60), (1, 0)]:
        table = [[20, b], [c, 30]]
        rows.append({"b": b, "c": c, "exact": float(mcnemar(table, exact=True).pvalue),
                     "plain": [float(v) for v in vars(mcnemar(table, exact=False, correction=False)).values()
                               if isinstance(v, (float, np.floating))],
                     "corrected": [float(v) for v in vars(mcnemar(table, exact=False, correction=True)).values()
                                   if isinstance(v, (float, np.floating))]})
    return rows


def correlations():
    rows = []
    for n, classes in [(8, 0), (30, 0), (33, 0), (40, 0), (40, 5), (100, 12)]:
        a = rng.normal(size=n)
        b = 0.6 * a + rng.normal(size=n)
        if classes:
            a, b = np.floor(a * classes / 4), np.floor(b * classes / 3)
        k = stats.kendalltau(a, b)
        rows.append({"a": a.tolist(), "b": b.tolist(), "tau_b": float(k.statistic), "p": float(k.pvalue),
                     "tau_c": float(stats.kendalltau(a, b, variant="c").statistic),
                     "rho": float(stats.spearmanr(a, b).statistic)})
    return rows


def effects():
    rows = []
    for k, spread in [(2, 0.05), (3, 0.0), (5, 0.04), (8, 0.1), (20, 0.02)]:
        v = rng.uniform(0.0002, 0.004, k)
        y = 0.8 + rng.normal(0, spread, k) + rng.normal(0, np.sqrt(v) * (0.2 if spread == 0 else 1))
        r = combine_effects(y, v, method_re="dl")
        df = k - 1
        row = {"y": y.tolist(), "v": v.tolist(), "q": float(r.q), "q_p": float(stats.chi2.sf(r.q, df)),
               "i2": float(max(0.0, (r.q - df) / r.q)), "tau2": float(max(r.tau2, 0.0)),
               "common": float(r.mean_effect_fe), "common_se": float(r.sd_eff_w_fe)}
        if r.tau2 > 0:
            row.update(estimate=float(r.mean_effect_re), se=float(r.sd_eff_w_re), hk_se=float(r.sd_eff_w_re_hksj))
        else:
            # statsmodels goes on with a negative variance; DerSimonian and Laird take 0.
            scale = np.sum((y - r.mean_effect_fe) ** 2 / v) / df
            row.update(estimate=row["common"], se=row["common_se"], hk_se=float(row["common_se"] * np.sqrt(scale)))
        t = stats.t.isf(0.025, df)
        row["interval"] = [row["estimate"] - stats.norm.isf(0.025) * row["se"],
                           row["estimate"] + stats.norm.isf(0.025) * row["se"]]
        row["hk_interval"] = [row["estimate"] - t * row["hk_se"], row["estimate"] + t * row["hk_se"]]
        if k > 2:
            half = stats.t.isf(0.025, k - 2) * np.sqrt(row["tau2"] + row["se"] ** 2)
            row["prediction"] = [row["estimate"] - half, row["estimate"] + half]
        rows.append(json.loads(json.dumps(row, default=float)))
    return rows


cases = [{"id": "tails", **tails()}, {"id": "paired", "rows": paired()}, {"id": "adjusted", **adjusted()},
         {"id": "mcnemar", "rows": discordant()}, {"id": "correlation", "rows": correlations()},
         {"id": "random_effects", "rows": effects()}]
path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "inference.json")
with open(path, "w") as file:
    json.dump({"meta": {"about": "see inference.py"}, "cases": cases}, file, separators=(",", ":"))
    file.write("\n")
