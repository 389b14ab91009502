//! What the tests and intervals do at their edges, and their laws.

use fiel_kernels::inference::{
    Alternative, Confidence, Differences, HartungKnapp, Jackknife, PValues, RankedPairs, Replicates,
    Resamples, SignedRankMethod, SiteEstimates, Zeros, benjamini_hochberg, holm, mcnemar, midranks,
    normal_lower, normal_upper, normal_upper_quantile, poisson_weight, student_upper, student_upper_quantile,
};
use fiel_kernels::{InputError, Undefined};
use proptest::prelude::*;

fn on_threads<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool").install(work)
}

#[test]
fn replicates_are_the_same_bytes_for_any_number_of_threads() {
    let values: Vec<f64> = (0..333).map(|i| f64::from(i * 37 % 101) / 7.0).collect();
    for resamples in [Resamples::multinomial(9, 101, 111), Resamples::poisson(9, 101, 111)] {
        let resamples = resamples.expect("cases");
        let run = |threads| {
            on_threads(threads, || {
                let means = Replicates::of_means(&values, 3, &resamples).expect("finite");
                let first = Replicates::of_weights(&resamples, |w| Ok(f64::from(w[0])));
                let last = Replicates::of_cases(&resamples, |cases| Ok(cases.len() as f64));
                (means, first, last)
            })
        };
        let one = run(1);
        assert_eq!(one, run(2));
        assert_eq!(one, run(8));
    }
    let differences = Differences::new(values[..100].iter().map(|v| v - 6.0).collect()).expect("finite");
    let flips = |threads| on_threads(threads, || differences.sign_flip(Alternative::TwoSided, 500, 3));
    assert_eq!(flips(1), flips(2));
    assert_eq!(flips(1), flips(8));
}

#[test]
fn weights_are_functions_of_seed_replicate_and_position() {
    let resamples = Resamples::poisson(4, 7, 50).expect("cases");
    for replicate in 0..7 {
        for (case, weight) in resamples.weights(replicate).into_iter().enumerate() {
            assert_eq!(weight, poisson_weight(4, replicate as u64, case as u64));
        }
    }
    let more = Resamples::poisson(4, 9, 60).expect("cases");
    assert_eq!(more.weights(3)[..50], resamples.weights(3));
    assert_ne!(resamples.weights(3), resamples.weights(4));
    assert_ne!(resamples.weights(3), Resamples::poisson(5, 7, 50).expect("cases").weights(3));
    assert_eq!((more.replicates(), more.cases()), (9, 60));
}

#[test]
fn draws_are_spread_evenly() {
    let (replicates, cases) = (2_000, 300);
    let resamples = Resamples::multinomial(1, replicates, cases).expect("cases");
    let mut counts = vec![0u64; cases];
    let mut squares = 0.0;
    for replicate in 0..replicates {
        let weights = resamples.weights(replicate);
        assert_eq!(weights.iter().map(|&w| u64::from(w)).sum::<u64>(), cases as u64);
        for (count, weight) in counts.iter_mut().zip(weights) {
            *count += u64::from(weight);
            squares += (f64::from(weight) - 1.0).powi(2);
        }
    }
    // Each count is near 2,000 with a deviation of 45; the variance of a weight is 1 - 1/300.
    assert!(counts.iter().all(|count| (1_750..2_250).contains(count)), "{counts:?}");
    assert!((squares / (replicates * cases) as f64 - (1.0 - 1.0 / 300.0)).abs() < 0.01);
}

#[test]
fn bad_resamples_are_refused() {
    assert_eq!(Resamples::multinomial(0, 1, 0).unwrap_err(), InputError::Empty("the cases"));
    assert_eq!(Resamples::poisson(0, 0, 1).unwrap_err(), InputError::Empty("the replicates"));
    assert!(Resamples::poisson(0, 10_000_000, 1).is_ok());
    assert!(matches!(
        Resamples::poisson(0, 10_000_001, 1),
        Err(InputError::TooLarge { limit: 10_000_000, .. })
    ));
    assert!(matches!(Resamples::poisson(0, 1, 1 << 32), Err(InputError::TooLarge { what: "cases", .. })));
    assert!(Resamples::from_indices(3, &[]).is_err());
    assert!(Resamples::from_indices(3, &[vec![]]).is_err());
    assert!(matches!(Resamples::from_indices(3, &[vec![0], vec![0, 1]]), Err(InputError::Length { .. })));
    assert!(matches!(Resamples::from_indices(3, &[vec![2, 3]]), Err(InputError::Value { index: 1, .. })));
    assert!(Resamples::from_indices(1, &[vec![0; 255]]).is_ok());
    assert!(matches!(Resamples::from_indices(1, &[vec![0; 256]]), Err(InputError::TooLarge { .. })));
}

#[test]
fn undefined_replicates_are_left_out_and_counted() {
    let resamples = Resamples::from_indices(2, &[vec![0, 0], vec![0, 1], vec![1, 1]]).expect("draws");
    let both =
        Replicates::of_weights(
            &resamples,
            |w| if w.contains(&0) { Err(Undefined::OneClass) } else { Ok(1.0) },
        );
    assert_eq!((both.values(), both.undefined()), (&[1.0][..], 2));
    let infinite = Replicates::of_weights(&resamples, |_| Ok(f64::INFINITY));
    assert_eq!((infinite.values().len(), infinite.undefined()), (0, 3));
    assert_eq!(infinite.percentile(Confidence::P95), Err(Undefined::TooFew));
    assert_eq!(infinite.standard_error(), Err(Undefined::TooFew));
    assert_eq!(
        infinite.bca(&Jackknife::of_mean(&[1.0, 2.0]).expect("two"), Confidence::P95),
        Err(Undefined::TooFew)
    );
    let single = Resamples::poisson(1, 1_000, 1).expect("a case");
    let means = Replicates::of_mean(&[0.7], &single).expect("finite");
    // A Poisson weight of the only case is zero with probability 0.37.
    assert!((300..440).contains(&means.undefined()), "{}", means.undefined());
    assert!(means.values().iter().all(|mean| (mean - 0.7).abs() < 1e-15));
}

#[test]
fn intervals_of_known_replicates() {
    let replicates = Replicates::new((0..=100).map(f64::from).collect(), 0).expect("finite");
    let ninety = Confidence::new(0.9).expect("a share");
    let [low, high] = replicates.percentile(ninety).expect("values");
    assert!((low - 5.0).abs() < 1e-12 && (high - 95.0).abs() < 1e-12);
    let [low, high] = replicates.basic(40.0, ninety).expect("values");
    assert!((low - -15.0).abs() < 1e-12 && (high - 75.0).abs() < 1e-12);
    assert!((replicates.standard_error().expect("values") - 858.5f64.sqrt()).abs() < 1e-12);
    let jackknife = |estimate, left_out: &[f64]| Jackknife::new(estimate, left_out.to_vec()).expect("finite");
    let outside = jackknife(-1.0, &[1.0, 2.0]);
    assert_eq!(replicates.bca(&outside, ninety), Err(Undefined::Constant));
    assert_eq!(replicates.bca(&jackknife(101.0, &[1.0, 2.0]), ninety), Err(Undefined::Constant));
    assert_eq!(replicates.bca(&jackknife(50.0, &[1.0, 1.0]), ninety), Err(Undefined::Constant));
    let symmetric = replicates.bca(&jackknife(50.0, &[1.0, 2.0, 3.0]), ninety).expect("varies");
    assert!(symmetric.z0.abs() < 1e-12 && symmetric.acceleration.abs() < 1e-12);
    assert!((symmetric.interval[0] - 5.0).abs() < 1e-9 && (symmetric.interval[1] - 95.0).abs() < 1e-9);
    let other = Replicates::new(vec![1.0], 4).expect("finite");
    assert!(replicates.minus(&other).is_err());
    assert_eq!(other.minus(&other).map(|d| (d.values().to_vec(), d.undefined())), Ok((vec![0.0], 4)));
    assert!(Replicates::new(vec![f64::NAN], 0).is_err());
    assert!([0.0, 1.0, f64::NAN].iter().all(|share| Confidence::new(*share).is_err()));
}

#[test]
fn bad_values_are_refused() {
    let resamples = Resamples::multinomial(1, 10, 4).expect("cases");
    assert!(matches!(
        Replicates::of_mean(&[1.0; 3], &resamples),
        Err(InputError::Length { right_len: 4, .. })
    ));
    assert!(matches!(Replicates::of_means(&[], 0, &resamples), Err(InputError::Empty(_))));
    let nan = [1.0, 2.0, f64::NAN, 4.0];
    assert!(matches!(Replicates::of_mean(&nan, &resamples), Err(InputError::Value { index: 2, .. })));
    assert!(Jackknife::of_mean(&[1.0]).is_err() && Jackknife::of_mean(&nan).is_err());
    assert_eq!(Jackknife::of_cases(1, |_| Ok(1.0)), Err(Undefined::TooFew));
    assert_eq!(Jackknife::of_cases(2, |_| Ok(f64::NAN)), Err(Undefined::ZeroDenominator));
    let two = |kept: &[usize]| if kept.len() < 2 { Err(Undefined::NoPairs) } else { Ok(1.0) };
    assert_eq!(Jackknife::of_cases(2, two), Err(Undefined::NoPairs));
    assert!(Differences::new(vec![]).is_err() && Differences::new(nan.to_vec()).is_err());
    assert!(Differences::between(&[1.0], &[1.0, 2.0]).is_err());
    assert!(Differences::between(&[f64::MAX], &[f64::MIN]).is_err());
    assert!(Differences::between(&nan, &[0.0; 4]).is_err() && Differences::between(&[0.0; 4], &nan).is_err());
    assert!(PValues::new(&[Some(-0.1)]).is_err() && PValues::new(&[Some(f64::NAN)]).is_err());
    assert!(RankedPairs::new(&[1.0], &[1.0]).is_err() && RankedPairs::new(&[1.0, 2.0], &[1.0]).is_err());
    assert!(RankedPairs::new(&nan, &[0.0; 4]).is_err() && RankedPairs::new(&[0.0; 4], &nan).is_err());
    assert!(SiteEstimates::new(&[], &[]).is_err() && SiteEstimates::new(&[1.0], &[]).is_err());
    assert!(matches!(SiteEstimates::new(&[1.0], &[0.0]), Err(InputError::Value { index: 0, .. })));
    assert!(SiteEstimates::new(&nan, &[1.0; 4]).is_err() && SiteEstimates::new(&[1.0; 4], &nan).is_err());
    let one = Differences::new(vec![1.0]).expect("finite");
    assert!(one.sign_flip(Alternative::Less, 0, 0).is_err());
}

#[test]
fn tests_without_information_have_no_value() {
    let zeros = Differences::new(vec![0.0, 0.0]).expect("finite");
    for method in
        [SignedRankMethod::Auto, SignedRankMethod::Exact, SignedRankMethod::Normal { continuity: true }]
    {
        assert_eq!(zeros.signed_rank(Alternative::Less, Zeros::Drop, method), Err(Undefined::Constant));
        assert_eq!(zeros.signed_rank(Alternative::Less, Zeros::Pratt, method), Err(Undefined::Constant));
    }
    assert_eq!(zeros.paired_t(Alternative::Less), Err(Undefined::Constant));
    assert_eq!(zeros.sign_flip(Alternative::TwoSided, 9, 0).map(|t| t.p), Ok(1.0));
    let one = Differences::new(vec![0.1]).expect("finite");
    assert_eq!(one.paired_t(Alternative::Less), Err(Undefined::TooFew));
    let same = Differences::new(vec![0.1; 3]).expect("finite");
    assert_eq!(same.paired_t(Alternative::Less), Err(Undefined::Constant));
    assert_eq!(mcnemar(0, 0), Err(Undefined::NoPairs));
    let constant = RankedPairs::new(&[1.0, 1.0], &[1.0, 2.0]).expect("finite");
    assert_eq!(constant.spearman(), Err(Undefined::Constant));
    assert_eq!(constant.kendall().tau_b(), Err(Undefined::Constant));
    assert_eq!(constant.kendall().tau_c(), Err(Undefined::Constant));
    assert_eq!(constant.kendall().p(), Err(Undefined::Constant));
    let zero_rank = RankedPairs::new(&[0.0, 1.0], &[1.0, 2.0]).expect("finite");
    assert_eq!(zero_rank.weighted_footrule(), Err(Undefined::ZeroDenominator));
    let one_site = SiteEstimates::new(&[0.5], &[0.1]).expect("a site");
    assert_eq!(one_site.der_simonian_laird(), Err(Undefined::TooFew));
    let two_sites =
        SiteEstimates::new(&[0.5, 0.7], &[0.1, 0.1]).expect("sites").der_simonian_laird().expect("two");
    assert_eq!(two_sites.prediction_interval(Confidence::P95), Err(Undefined::TooFew));
    assert!(two_sites.hartung_knapp(HartungKnapp::Plain, Confidence::P95)[0] < 0.6);
}

#[test]
fn the_signed_rank_test_turns_normal_above_fifty_cases() {
    let list = |n: u32| {
        Differences::new((1..=n).map(|i| f64::from(i) * if i % 3 == 0 { -1.0 } else { 1.0 }).collect())
    };
    let p = |n, method| {
        let test = list(n).expect("finite").signed_rank(Alternative::Greater, Zeros::Drop, method);
        test.expect("not all zero").p
    };
    let normal = SignedRankMethod::Normal { continuity: true };
    assert_eq!(p(50, SignedRankMethod::Auto), p(50, SignedRankMethod::Exact));
    assert_eq!(p(51, SignedRankMethod::Auto), p(51, normal));
    assert_ne!(p(50, SignedRankMethod::Auto), p(50, normal));
    let tied = Differences::new(vec![1.0, 1.0, 2.0]).expect("finite");
    let greater = |method| tied.signed_rank(Alternative::Greater, Zeros::Drop, method).expect("not zero").p;
    assert_eq!(greater(SignedRankMethod::Auto), greater(normal));
    assert_eq!(greater(SignedRankMethod::Exact), 0.125);
    let zero = Differences::new(vec![0.0, 1.0, 2.0]).expect("finite");
    let test = zero.signed_rank(Alternative::Greater, Zeros::Pratt, normal).expect("not all zero");
    assert_eq!((test.positive, test.negative, test.counted), (5.0, 0.0, 2));
}

#[test]
fn pairs_tied_in_both_lists_are_neither_concordant_nor_discordant() {
    let count = |a: &[f64], b: &[f64]| {
        let kendall = RankedPairs::new(a, b).expect("finite").kendall();
        (kendall.concordant, kendall.discordant, kendall.pairs)
    };
    assert_eq!(count(&[1.0, 1.0], &[1.0, 1.0]), (0, 0, 1));
    assert_eq!(count(&[1.0, 1.0, 1.0, 2.0], &[3.0, 3.0, 3.0, 1.0]), (0, 3, 6));
    assert_eq!(count(&[0.0, -0.0, 2.0], &[-0.0, 0.0, 1.0]), (2, 0, 3));
}

#[test]
fn corrections_keep_order_and_stop_at_one() {
    let p = PValues::new(&[Some(0.9), Some(0.5), None, Some(0.0)]).expect("p-values");
    assert_eq!(holm(&p), [Some(1.0), Some(1.0), None, Some(0.0)]);
    assert_eq!(benjamini_hochberg(&p), [Some(0.9), Some(0.75), None, Some(0.0)]);
}

#[test]
fn ends_of_the_distributions() {
    assert_eq!((normal_upper(f64::INFINITY), normal_upper(f64::NEG_INFINITY)), (0.0, 1.0));
    assert_eq!((normal_upper_quantile(0.0), normal_upper_quantile(1.0)), (f64::INFINITY, f64::NEG_INFINITY));
    assert_eq!(normal_upper_quantile(0.5).abs() < 1e-15, true);
    assert_eq!((student_upper(1e200, 3.0), student_upper(-1e200, 3.0)), (0.0, 1.0));
    assert_eq!(student_upper(1.3, f64::INFINITY), normal_upper(1.3));
    assert_eq!(student_upper_quantile(0.0, 3.0), f64::INFINITY);
    assert!((student_upper_quantile(0.975, 3.0) + student_upper_quantile(0.025, 3.0)).abs() < 1e-12);
    assert_eq!(midranks(&[-0.0, 0.0, -1.0]), [2.5, 2.5, 1.0]);
}

proptest! {
    #[test]
    fn sign_flips_agree_with_counting_every_pattern(d in prop::collection::vec(-20i32..20, 1..11)) {
        let d: Vec<f64> = d.into_iter().map(f64::from).collect();
        let observed: f64 = d.iter().sum();
        let sums: Vec<f64> = (0..1u32 << d.len())
            .map(|signs| d.iter().enumerate().map(|(i, d)| if signs >> i & 1 == 1 { -d } else { *d }).sum())
            .collect();
        let share = |f: &dyn Fn(f64) -> bool| sums.iter().filter(|s| f(**s)).count() as f64 / sums.len() as f64;
        let differences = Differences::new(d).expect("finite");
        let p = |alternative| differences.sign_flip(alternative, 1, 0).expect("a flip").p;
        prop_assert!((p(Alternative::Greater) - share(&|s| s >= observed)).abs() < 1e-12);
        prop_assert!((p(Alternative::Less) - share(&|s| s <= observed)).abs() < 1e-12);
        prop_assert!((p(Alternative::TwoSided) - share(&|s| s.abs() >= observed.abs())).abs() < 1e-12);
    }

    #[test]
    fn the_exact_signed_rank_test_agrees_with_counting_every_pattern(
        d in prop::sample::subsequence((1..=12).collect::<Vec<i32>>(), 1..9), signs in 0u32..256,
    ) {
        let d: Vec<f64> =
            d.into_iter().enumerate().map(|(i, d)| if signs >> i & 1 == 1 { f64::from(-d) } else { f64::from(d) }).collect();
        let n = d.len();
        let differences = Differences::new(d).expect("finite");
        let test = |a| differences.signed_rank(a, Zeros::Drop, SignedRankMethod::Auto).expect("not zero");
        let observed = test(Alternative::Greater).positive;
        let sums: Vec<f64> = (0..1usize << n)
            .map(|s| (0..n).filter(|i| s >> i & 1 == 1).map(|i| (i + 1) as f64).sum()).collect();
        let share = |f: &dyn Fn(f64) -> bool| sums.iter().filter(|s| f(**s)).count() as f64 / sums.len() as f64;
        prop_assert!((test(Alternative::Greater).p - share(&|s| s >= observed)).abs() < 1e-12);
        prop_assert!((test(Alternative::Less).p - share(&|s| s <= observed)).abs() < 1e-12);
        prop_assert_eq!(test(Alternative::Less).negative, (n * (n + 1) / 2) as f64 - observed);
    }

    #[test]
    fn kendall_agrees_with_counting_every_pair(
        pairs in prop::collection::vec((0i32..6, 0i32..6), 2..30),
    ) {
        let (a, b): (Vec<f64>, Vec<f64>) = pairs.iter().map(|(a, b)| (f64::from(*a), f64::from(*b))).unzip();
        let (mut concordant, mut discordant) = (0, 0);
        for i in 0..a.len() {
            for j in 0..i {
                let order = (a[i] - a[j]) * (b[i] - b[j]);
                concordant += u64::from(order > 0.0);
                discordant += u64::from(order < 0.0);
            }
        }
        let found = RankedPairs::new(&a, &b).expect("pairs").kendall();
        prop_assert_eq!((found.concordant, found.discordant), (concordant, discordant));
        let swapped = RankedPairs::new(&b, &a).expect("pairs").kendall();
        prop_assert_eq!(found.tau_b(), swapped.tau_b());
        let turned: Vec<f64> = b.iter().map(|b| -b).collect();
        let turned = RankedPairs::new(&a, &turned).expect("pairs").kendall();
        prop_assert_eq!(found.tau_a(), -turned.tau_a());
    }

    #[test]
    fn mirrored_differences_mirror_the_tests(d in prop::collection::vec(-9i32..9, 2..40)) {
        let d: Vec<f64> = d.into_iter().map(f64::from).collect();
        let mirrored = Differences::new(d.iter().map(|d| -d).collect()).expect("finite");
        let d = Differences::new(d).expect("finite");
        for method in [SignedRankMethod::Auto, SignedRankMethod::Normal { continuity: false }] {
            for zeros in [Zeros::Drop, Zeros::Pratt] {
                let (a, b) = (
                    d.signed_rank(Alternative::Greater, zeros, method),
                    mirrored.signed_rank(Alternative::Less, zeros, method),
                );
                match (a, b) {
                    (Ok(a), Ok(b)) => prop_assert!((a.p - b.p).abs() < 1e-12),
                    (a, b) => prop_assert_eq!(a.map(|t| t.p), b.map(|t| t.p)),
                }
            }
        }
    }

    #[test]
    fn quantiles_undo_tails(p in 1e-10f64..1.0, df in 1f64..200.0) {
        prop_assert!((normal_upper(normal_upper_quantile(p)) - p).abs() < 1e-13);
        prop_assert!((student_upper(student_upper_quantile(p, df), df) - p).abs() < 1e-12);
        prop_assert!((normal_lower(-1.3 * p) - normal_upper(1.3 * p)).abs() < 1e-15);
    }
}
