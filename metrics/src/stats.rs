//! Small statistics: quantiles, intervals for proportions, a seeded generator.

use fiel_kernels::inference::student_upper_quantile;

/// Two-sided 95 % quantile of the normal distribution.
pub(crate) const Z: f64 = 1.959_963_984_540_054;

/// 97.5 % quantile of Student's t with `df` degrees of freedom.
pub(crate) fn student_t_975(df: u64) -> f64 {
    student_upper_quantile(0.025, df as f64)
}

/// Wilson's 95 % interval of `hits` in `n`; the whole range for no cases.
pub(crate) fn wilson(hits: u64, n: u64) -> [f64; 2] {
    if n == 0 {
        return [0.0, 1.0];
    }
    let (n, p) = (n as f64, hits as f64 / n as f64);
    let z2 = Z * Z;
    let centre = (p + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = Z / (1.0 + z2 / n) * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
    [(centre - half).clamp(0.0, p), (centre + half).clamp(p, 1.0)]
}

/// The 95 % interval of the ratio of two proportions, each as hits and cases, on the scale of logarithms (Katz et al. 1978,
/// <https://doi.org/10.2307/2530610>); none where either has no hits, since the ratio has no logarithm then.
pub(crate) fn risk_ratio([a, n]: [u64; 2], [b, m]: [u64; 2]) -> Option<[f64; 2]> {
    if a == 0 || b == 0 {
        return None;
    }
    let [a, n, b, m] = [a, n, b, m].map(|count| count as f64);
    let (centre, spread) = ((a * m / (b * n)).ln(), (1.0 / a - 1.0 / n + 1.0 / b - 1.0 / m).sqrt());
    Some([(centre - Z * spread).exp(), (centre + Z * spread).exp()])
}

/// SplitMix64: small, seeded, the same everywhere.
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in [0, 1).
    fn uniform(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A Poisson variate: how often `mean` cases enter one bootstrap sample.
    pub(crate) fn poisson(&mut self, mean: u64) -> f64 {
        if mean == 0 {
            return 0.0;
        }
        let mean = mean as f64;
        if mean > 60.0 {
            let (u, v) = (1.0 - self.uniform(), self.uniform());
            let normal = (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos();
            return (mean + mean.sqrt() * normal).round().max(0.0);
        }
        let (mut k, mut p, u) = (0.0, (-mean).exp(), self.uniform());
        let mut total = p;
        while u > total && k < 1000.0 {
            k += 1.0;
            p *= mean / k;
            total += p;
        }
        k
    }
}

/// Percentile interval of bootstrap replicates, widened so that it holds `value`; `None` for too few.
pub(crate) fn percentile_interval(mut replicates: Vec<f64>, value: f64) -> Option<[f64; 2]> {
    if replicates.len() < 100 {
        return None;
    }
    replicates.sort_unstable_by(f64::total_cmp);
    let at = |q: f64| {
        let position = q * (replicates.len() - 1) as f64;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "q lies in [0, 1]")]
        let (low, part) = (position.floor() as usize, position.fract());
        let high = (low + 1).min(replicates.len() - 1);
        replicates[low] + part * (replicates[high] - replicates[low])
    };
    Some([at(0.025).min(value), at(0.975).max(value)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn student_quantiles_agree_with_published_tables() {
        for (df, expected) in [
            (1, 12.706_204_736),
            (2, 4.302_652_730),
            (5, 2.570_581_836),
            (30, 2.042_272_456),
            (1000, 1.962_339_081),
        ] {
            let found = student_t_975(df);
            assert!((found - expected).abs() < 1e-8, "{df}: {found}");
        }
    }

    #[test]
    fn intervals_of_ratios_agree_with_statsmodels() {
        // statsmodels 0.15.0, confint_proportions_2indep(20, 30, 180, 2000, method="log", compare="ratio").
        let [low, high] = risk_ratio([20, 30], [180, 2000]).unwrap();
        assert!((low - 5.548_968_085_889_807).abs() < 1e-12 && (high - 9.888_268_169_867_382).abs() < 1e-12);
        assert_eq!(risk_ratio([0, 30], [180, 2000]), None);
        assert_eq!(risk_ratio([20, 30], [0, 2000]), None);
    }

    #[test]
    #[expect(clippy::float_cmp, reason = "the ends 0 and 1 are set, not computed")]
    fn wilson_intervals_agree_with_published_values() {
        assert_eq!(wilson(0, 0), [0.0, 1.0]);
        let [low, high] = wilson(0, 10);
        assert!(low == 0.0 && (high - 0.277_532_799_862_889).abs() < 1e-12, "{high}");
        let [low, high] = wilson(81, 263);
        // Newcombe 1998, doi:10.1002/(SICI)1097-0258(19980430)17:8<857::AID-SIM777>3.0.CO;2-E, to four places.
        assert!((low - 0.2553).abs() < 5e-5 && (high - 0.3662).abs() < 5e-5, "{low} {high}");
    }
}
