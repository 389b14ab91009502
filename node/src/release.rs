//! Release: from a case table to a statement that may leave, through disclosure control, and its signature.

use crate::NodeError;
use crate::evaluate::Evaluation;
use crate::judge;
use crate::policy::Policy;
use crate::reference_set::LoadedReferenceSet;
use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use ed25519_dalek::SigningKey;
use fiel_metrics::{Draws, Options};
use fiel_schemas::api::FailureReason;
use fiel_schemas::assessment::{Assessment, PREDICATE_TYPE, STATEMENT_TYPE, SiteMetric, Statement, Subject};
use fiel_schemas::challenge::Challenge;
use fiel_schemas::digest;
use fiel_schemas::dsse::{self, Envelope};
use fiel_schemas::outcome::Outcome;
use fiel_schemas::run_order::RunOrder;
use fiel_schemas::validate::{self, Kind};
use std::collections::BTreeMap;

/// What a site's folder says about releases.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// What may be released.
    pub policy: &'a Policy,
    /// What bootstrap weights are drawn from.
    pub secret: &'a [u8; 32],
}

/// Builds the statement of a run, or refuses with `too-few-cases`.
pub fn statement(
    order: &RunOrder,
    set: &LoadedReferenceSet,
    evaluation: &Evaluation,
    terms: Terms<'_>,
    measured_at: DateTime<Utc>,
) -> Result<Statement, NodeError> {
    let policy = terms.policy;
    check_counts(&evaluation.cases, policy)?;
    let submission = &order.submission;
    let sha256 = submission.artifact.sha256.clone();
    Ok(Statement {
        statement_type: STATEMENT_TYPE.to_owned(),
        subject: vec![Subject {
            name: format!("{} {}", submission.tool, submission.version),
            digest: BTreeMap::from([("sha256".to_owned(), sha256)]),
        }],
        predicate_type: PREDICATE_TYPE.to_owned(),
        predicate: Assessment {
            run: order.run.clone(),
            submission: submission.id.clone(),
            challenge: order.challenge.id.clone(),
            challenge_version: order.challenge.version.clone(),
            challenge_digest: order.challenge_digest.clone(),
            site: order.site.clone(),
            reference_set: order.reference_set.clone(),
            reference_set_digest: set.digest.clone(),
            engine: evaluation.engine.clone(),
            metrics_version: fiel_metrics::VERSION.to_owned(),
            cases: evaluation.cases.clone(),
            metrics: summaries(&order.challenge, evaluation, &set.digest, terms)?,
            costs: evaluation.costs.clone(),
            policy: policy.info(),
            measured_at: measured_at.duration_round(TimeDelta::minutes(1)).unwrap_or(measured_at),
        },
    })
}

/// Summary and estimate of every metric of the challenge that is measured on answers (the others follow from costs), and
/// replicates of those it ranks by where the policy permits.
pub fn summaries(
    challenge: &Challenge,
    evaluation: &Evaluation,
    set_digest: &str,
    terms: Terms<'_>,
) -> Result<BTreeMap<String, SiteMetric>, NodeError> {
    let policy = terms.policy;
    let options = Options { min_cell: policy.min_cell, failed_cases: challenge.ranking.failed_cases };
    let draws = Draws::new(terms.secret, set_digest, policy.replicates, policy.min_cases);
    let ranking = &challenge.ranking;
    let mut metrics = BTreeMap::new();
    for id in challenge.metrics.iter().filter(|id| !judge::is_technical(id)) {
        let wrong = |e: fiel_metrics::MetricError| NodeError::Metric(format!("{id}: {e}"));
        let mut metric = fiel_metrics::assess(id, &evaluation.table, &options).map_err(wrong)?;
        if policy.replicates > 0 && (*id == ranking.metric || ranking.mean_rank_with.contains(id)) {
            metric.replicates =
                fiel_metrics::replicates(id, &evaluation.table, &options, &draws).map_err(wrong)?;
        }
        metrics.insert(id.clone(), metric);
    }
    Ok(metrics)
}

/// Disclosure control over the counts. An aggregate must describe at least `min_cases` answers; where a model gave no
/// valid answer at all, nothing of its answers can be read from the result, and the failure counts may leave.
fn check_counts(cases: &BTreeMap<String, u64>, policy: &Policy) -> Result<(), NodeError> {
    let total: u64 = cases.values().sum();
    let scored = cases.get(Outcome::Ok.as_str()).copied().unwrap_or(0);
    if total < policy.min_cases || (scored > 0 && scored < policy.min_cases) {
        return Err(NodeError::refused(
            FailureReason::TooFewCases,
            format!(
                "{scored} of {total} cases have a valid answer; the policy releases from {} on",
                policy.min_cases
            ),
        ));
    }
    Ok(())
}

/// The bytes that are signed: canonical JSON, checked once more against the schema.
pub(crate) fn payload(statement: &Statement) -> Result<Vec<u8>, NodeError> {
    let bytes = digest::canonical_json(statement);
    let again: Statement = validate::from_json(Kind::Statement, &bytes).map_err(|e| {
        NodeError::Metric(format!("the statement does not fit its schema and stays here: {e}"))
    })?;
    if again == *statement {
        Ok(bytes)
    } else {
        Err(NodeError::Metric(
            "the statement does not survive its own serialisation and stays here".to_owned(),
        ))
    }
}

/// Signs the bytes of a statement.
pub(crate) fn sign(payload: &[u8], key: &SigningKey) -> Envelope {
    dsse::sign(payload, key)
}

/// Whether a stored statement answers an order, so that it may be sent instead of measuring again.
pub(crate) fn answers(statement: &Statement, order: &RunOrder) -> bool {
    let p = &statement.predicate;
    let artifact = statement.subject.first().and_then(|s| s.digest.get("sha256"));
    p.run == order.run
        && p.site == order.site
        && p.submission == order.submission.id
        && p.challenge_digest == order.challenge_digest
        && p.reference_set == order.reference_set
        && p.reference_set_digest == order.reference_set_digest
        && artifact == Some(&order.submission.artifact.sha256)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_below_the_threshold_are_refused_and_total_failure_is_not() {
        let policy = Policy { min_cases: 10, ..Policy::default() };
        let counts =
            |ok: u64, crashed: u64| BTreeMap::from([("ok".to_owned(), ok), ("crashed".to_owned(), crashed)]);
        assert!(check_counts(&counts(10, 0), &policy).is_ok());
        assert!(check_counts(&counts(0, 10), &policy).is_ok());
        for (ok, crashed) in [(9, 0), (9, 100), (1, 50), (0, 9), (0, 0)] {
            let refused = check_counts(&counts(ok, crashed), &policy).unwrap_err();
            assert_eq!(refused.reason(), FailureReason::TooFewCases, "{ok} {crashed}");
        }
    }
}
