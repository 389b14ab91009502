//! Rankings of replicates whose every number can be worked out by hand.

use fiel_kernels::ranking::{MetricReplicates, ReplicatedRanking};
use fiel_kernels::{InputError, Undefined};

fn metric(full: &[f64], replicates: &[&[f64]]) -> MetricReplicates {
    MetricReplicates { full: full.to_vec(), replicates: replicates.iter().map(|row| row.to_vec()).collect() }
}

/// Three algorithms: the first two change places once in four replicates and tie once, the third is always the last.
fn errors() -> MetricReplicates {
    metric(&[0.1, 0.2, 0.4], &[&[0.1, 0.2, 0.4], &[0.3, 0.2, 0.5], &[0.1, 0.3, 0.4], &[0.25, 0.25, 0.75]])
}

#[test]
fn ranks_leads_and_groups_follow_from_the_replicates() {
    let ranking = ReplicatedRanking::new(&[errors()]).unwrap();
    assert_eq!(ranking.replicates(), 4);
    assert_eq!([0, 1, 2].map(|a| ranking.rank_range(a)), [[1, 2], [1, 2], [3, 3]]);
    assert_eq!([0, 1, 2].map(|a| ranking.share_first(a)), [0.75, 0.5, 0.0]);
    // Leads of the first over the second, in order: -0.1, 0, 0.1, 0.2; quantiles at 0.075 and 2.925 steps.
    let [low, high] = ranking.lead(0, 1);
    assert!((low - -0.0925).abs() < 1e-12 && (high - 0.1925).abs() < 1e-12, "{low} {high}");
    assert_eq!(ranking.groups(&[0, 1, 2]), [1, 1, 2]);
    // From the last on nobody is behind: a group's first decides, not the one above.
    assert_eq!(ranking.groups(&[2, 1, 0]), [1, 1, 1]);
    assert_eq!(ranking.groups(&[]), Vec::<u32>::new());
}

#[test]
fn a_lead_that_may_be_nothing_is_no_lead() {
    let tied = metric(&[1.0, 2.0], &[&[1.0, 1.0], &[1.0, 1.0]]);
    assert_eq!(ReplicatedRanking::new(&[tied]).unwrap().groups(&[0, 1]), [1, 1]);
}

#[test]
fn one_replicate_in_forty_is_left_out_at_each_end() {
    let mut rows = vec![vec![1.0, 2.0]; 39];
    rows.push(vec![2.0, 1.0]);
    let of = |rows: &[Vec<f64>]| {
        let metric = MetricReplicates { full: vec![1.0, 2.0], replicates: rows.to_vec() };
        ReplicatedRanking::new(&[metric]).unwrap().rank_range(0)
    };
    assert_eq!(of(&rows), [1, 1]);
    assert_eq!(of(&rows[1..]), [1, 2]);
}

#[test]
fn kendalls_tau_is_that_of_the_orders() {
    // Of three pairs one is turned in the second replicate (1/3) and one tied in the last (2 / sqrt(6)).
    let (mean, [low, high]) = ReplicatedRanking::new(&[errors()]).unwrap().kendall_tau().unwrap();
    let tied = 2.0 / 6.0_f64.sqrt();
    assert!((mean - (1.0 + 1.0 / 3.0 + 1.0 + tied) / 4.0).abs() < 1e-12);
    assert!((low - (1.0 / 3.0 + 0.075 * (tied - 1.0 / 3.0))).abs() < 1e-12 && high == 1.0, "{low} {high}");
    let constant = metric(&[1.0, 1.0], &[&[1.0, 2.0]]);
    assert_eq!(ReplicatedRanking::new(&[constant]).unwrap().kendall_tau(), Err(Undefined::Constant));
}

#[test]
fn several_metrics_order_by_the_mean_of_competition_ranks() {
    // Ranks 1, 2, 2 and 3, 1, 2; in the replicate 1, 1, 3 and 2, 3, 1.
    let first = metric(&[0.1, 0.2, 0.2], &[&[0.1, 0.1, 0.3]]);
    let second = metric(&[9.0, 7.0, 8.0], &[&[8.0, 9.0, 7.0]]);
    let ranking = ReplicatedRanking::new(&[first, second]).unwrap();
    // Means 1.5, 2, 2 in the replicate.
    assert_eq!(ranking.lead(0, 1), [0.5, 0.5]);
    assert_eq!(ranking.lead(1, 2), [0.0, 0.0]);
    assert_eq!([0, 1, 2].map(|a| ranking.rank_range(a)), [[1, 1], [2, 2], [2, 2]]);
    // Means 2, 1.5, 2 over all cases: the pairs (0, 1) and (1, 2) against (0, 1) and (0, 2): one turned, two tied once.
    let (tau, _) = ranking.kendall_tau().unwrap();
    assert!((tau - -0.5).abs() < 1e-12, "{tau}");
}

#[test]
fn lists_that_do_not_fit_are_refused() {
    let refused = |metrics: &[MetricReplicates]| ReplicatedRanking::new(metrics).unwrap_err();
    assert!(matches!(refused(&[]), InputError::Empty(_)));
    assert!(matches!(refused(&[metric(&[], &[&[]])]), InputError::Empty(_)));
    assert!(matches!(refused(&[metric(&[1.0], &[])]), InputError::Empty(_)));
    let short = metric(&[1.0, 2.0], &[&[1.0]]);
    assert!(matches!(refused(&[short]), InputError::Length { left_len: 1, right_len: 2, .. }));
    let fewer = metric(&[1.0, 2.0, 3.0], &[&[1.0, 2.0, 3.0]]);
    assert!(matches!(refused(&[errors(), fewer]), InputError::Length { left_len: 1, right_len: 4, .. }));
    let gap = metric(&[1.0, 2.0], &[&[1.0, f64::NAN]]);
    assert!(matches!(refused(&[gap]), InputError::Value { index: 1, .. }));
}
