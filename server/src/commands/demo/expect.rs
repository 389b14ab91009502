//! What the demo must show, checked on the leaderboards.

use fiel_schemas::leaderboard::{Leaderboard, Row};
use fiel_schemas::outcome::Outcome;

/// Every expectation that the boards do not meet, in words. `images` are the baselines that are container images.
pub(super) fn unmet(boards: &[Leaderboard], images: &[(String, String)]) -> Vec<String> {
    let mut unmet = Vec::new();
    for (challenge, cases, check) in
        [("breast-fna", 400, breast_fna as Check), ("lesion-phantom", 52, lesion_phantom as Check)]
    {
        match boards.iter().find(|b| b.challenge == challenge) {
            Some(board) => {
                let mut seen = Seen { board, unmet: Vec::new() };
                check(&mut seen);
                let images = images.iter().filter(|(of, _)| of == challenge);
                images.for_each(|(_, name)| seen.complete(name, cases));
                unmet.append(&mut seen.unmet);
            }
            None => unmet.push(format!("there is no leaderboard of {challenge}")),
        }
    }
    unmet
}

type Check = fn(&mut Seen<'_>);

/// A board and what was missed on it.
struct Seen<'a> {
    board: &'a Leaderboard,
    unmet: Vec<String>,
}

fn breast_fna(seen: &mut Seen<'_>) {
    for name in ["constant", "threshold", "logistic", "logistic-wasi-nn", "boosted", "overconfident"] {
        seen.complete(name, 400);
    }
    seen.better("logistic", "threshold", "auc");
    seen.better("threshold", "constant", "auc");
    seen.same("overconfident", "logistic", "auc");
    seen.same("logistic-wasi-nn", "logistic", "auc");
    // Brier: a lower score is better.
    seen.better("overconfident", "logistic", "brier");
    seen.unranked("broken", 400);
    for kind in [Outcome::Crashed, Outcome::TimedOut, Outcome::MissingOutput, Outcome::InvalidOutput] {
        seen.counted("broken", kind);
    }
}

fn lesion_phantom(seen: &mut Seen<'_>) {
    for name in ["smooth-threshold", "threshold", "empty"] {
        seen.complete(name, 52);
    }
    seen.better("smooth-threshold", "threshold", "dice");
    seen.better("threshold", "empty", "dice");
    let undefined = seen.row("empty").and_then(|r| r.metrics.get("dice")).map_or(0, |e| e.undefined);
    seen.must(undefined > 0, || "empty: cases without a lesion should be counted as undefined".into());
}

impl<'a> Seen<'a> {
    fn must(&mut self, holds: bool, words: impl FnOnce() -> String) {
        if !holds {
            self.unmet.push(format!("{}: {}", self.board.challenge, words()));
        }
    }

    fn row(&self, name: &str) -> Option<&'a Row> {
        self.board.leaderboard.iter().find(|row| row.submission == name)
    }

    fn value(&self, name: &str, metric: &str) -> Option<f64> {
        self.row(name)?.metrics.get(metric)?.value
    }

    /// Every site reported, every case has a valid answer, and the row is ranked.
    fn complete(&mut self, name: &str, cases: u64) {
        let Some(row) = self.row(name) else { return self.must(false, || format!("{name} is missing")) };
        let ok = row.cases.get("ok").copied().unwrap_or(0);
        self.must(ok == cases, || format!("{name}: {ok} valid answers instead of {cases}"));
        self.must(row.rank.is_some(), || format!("{name} has no rank"));
        let reported = row.sites.values().filter(|site| site.state == "reported").count();
        self.must(reported == 3, || format!("{name}: {reported} of 3 sites reported"));
    }

    /// `first` has the larger value.
    fn better(&mut self, first: &str, second: &str, metric: &str) {
        let (a, b) = (self.value(first, metric), self.value(second, metric));
        let holds = matches!((a, b), (Some(a), Some(b)) if a > b);
        self.must(holds, || format!("{metric} of {first} ({a:?}) should lie above that of {second} ({b:?})"));
    }

    /// The values cannot be told apart within their bounds.
    fn same(&mut self, first: &str, second: &str, metric: &str) {
        let estimate = |name: &str| self.row(name).and_then(|row| row.metrics.get(metric));
        let apart = match (estimate(first), estimate(second)) {
            (Some(a), Some(b)) => {
                a.value.zip(b.value).zip(a.bound.zip(b.bound)).map(|((x, y), (c, d))| (x - y).abs() - c - d)
            }
            _ => None,
        };
        let holds = apart.is_some_and(|apart| apart <= 1e-12);
        self.must(holds, || {
            format!("{metric} of {first} and {second} should be the same within their bounds")
        });
    }

    /// Listed without a rank, with every case accounted for.
    fn unranked(&mut self, name: &str, cases: u64) {
        let Some(row) = self.row(name) else { return self.must(false, || format!("{name} is missing")) };
        self.must(row.rank.is_none(), || format!("{name} should have no rank"));
        let all: u64 = row.cases.values().sum();
        self.must(all == cases, || format!("{name}: {all} cases accounted for instead of {cases}"));
    }

    /// At least one case failed in this way.
    fn counted(&mut self, name: &str, kind: Outcome) {
        let count = self.row(name).and_then(|row| row.cases.get(kind.as_str())).copied().unwrap_or(0);
        self.must(count > 0, || format!("{name}: no case counted as {kind}"));
    }
}
