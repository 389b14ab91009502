//! The leaderboard as CSV: one line per submission, the same numbers as the JSON document.

use fiel_schemas::assessment::{Estimate, Pooling};
use fiel_schemas::leaderboard::{Leaderboard, RowStability};
use fiel_schemas::outcome::Outcome;
use std::collections::BTreeSet;
use std::fmt::Write;

fn field(text: &str) -> String {
    // A leading sign would be read as a formula by a spreadsheet.
    let guarded =
        if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.into() };
    if guarded.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", guarded.replace('"', "\"\""))
    } else {
        guarded
    }
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(String::new, |v| v.to_string())
}

fn estimate(fields: &mut Vec<String>, found: Option<&Estimate>) {
    fields.push(number(found.and_then(|e| e.value)));
    fields.push(number(found.and_then(|e| e.ci95).map(|c| c[0])));
    fields.push(number(found.and_then(|e| e.ci95).map(|c| c[1])));
    fields.push(number(found.and_then(|e| e.bound)));
    let words = found.and_then(|e| e.pooling).map(|p| match p {
        Pooling::RandomEffects => "random-effects",
    });
    fields.push(words.unwrap_or_default().to_owned());
}

fn stability(fields: &mut Vec<String>, found: Option<&RowStability>) {
    let text = |value: Option<String>| value.unwrap_or_default();
    fields.push(text(found.map(|s| s.ranks[0].to_string())));
    fields.push(text(found.map(|s| s.ranks[1].to_string())));
    fields.push(number(found.map(|s| s.first)));
    fields.push(number(found.and_then(|s| s.lead).map(|l| l[0])));
    fields.push(number(found.and_then(|s| s.lead).map(|l| l[1])));
    fields.push(text(found.map(|s| s.group.to_string())));
}

/// The leaderboard as CSV with a header: identity, stability of the rank, pooled value, interval, bound and way of pooling
/// per metric, cases by outcome, then state and value of the primary metric per site.
pub fn to_csv(board: &Leaderboard) -> String {
    let rows = &board.leaderboard;
    let metrics: BTreeSet<&String> = rows.iter().flat_map(|r| r.metrics.keys()).collect();
    // The primary metric comes first.
    let ordered: Vec<&String> = metrics
        .iter()
        .filter(|m| **m == &board.primary_metric)
        .chain(metrics.iter().filter(|m| **m != &board.primary_metric))
        .copied()
        .collect();
    let sites: BTreeSet<&String> = rows.iter().flat_map(|r| r.sites.keys()).collect();
    let mut header: Vec<String> = [
        "rank",
        "mean_rank",
        "tied",
        "submission",
        "version",
        "participant",
        "submission_id",
        "artifact",
        "unranked",
    ]
    .map(String::from)
    .into();
    header
        .extend(["rank low", "rank high", "share first", "lead low", "lead high", "group"].map(String::from));
    for m in &ordered {
        header.extend([
            (*m).clone(),
            format!("{m} low"),
            format!("{m} high"),
            format!("{m} bound"),
            format!("{m} pooling"),
        ]);
    }
    header.extend(Outcome::ALL.iter().map(|o| format!("cases {}", o.as_str())));
    header.push("case_s_p50".into());
    for s in &sites {
        header.extend([format!("{s} state"), format!("{s} {}", board.primary_metric)]);
    }
    let mut csv = line(&header);
    for r in rows {
        let mut fields = vec![
            r.rank.map_or_else(String::new, |n| n.to_string()),
            r.mean_rank.map_or_else(String::new, |n| n.to_string()),
            r.tied.to_string(),
            r.submission.clone(),
            r.version.clone(),
            r.participant.clone(),
            r.submission_id.clone(),
            r.artifact.clone(),
            r.unranked.clone().unwrap_or_default(),
        ];
        let identity = fields.len();
        stability(&mut fields, r.stability.as_ref());
        for m in &ordered {
            estimate(&mut fields, r.metrics.get(*m));
        }
        fields.extend(Outcome::ALL.iter().map(|o| r.cases.get(o.as_str()).copied().unwrap_or(0).to_string()));
        fields.push(number(r.case_s_p50));
        for s in &sites {
            let site = r.sites.get(*s);
            fields.push(site.map_or_else(String::new, |x| x.state.clone()));
            fields
                .push(number(site.and_then(|x| x.metrics.get(&board.primary_metric)).and_then(|e| e.value)));
        }
        let _ = writeln!(csv, "{}", join(&fields, identity));
    }
    csv
}

/// Only texts that people chose are guarded; numbers keep their sign.
fn join(fields: &[String], identity: usize) -> String {
    fields
        .iter()
        .enumerate()
        .map(|(i, f)| if i < identity { field(f) } else { f.clone() })
        .collect::<Vec<_>>()
        .join(",")
}

fn line(fields: &[String]) -> String {
    fields.iter().map(|f| field(f)).collect::<Vec<_>>().join(",") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_a_spreadsheet_would_run_are_guarded() {
        assert_eq!(field("=1+1"), "'=1+1");
        assert_eq!(field("a,\"b\""), "\"a,\"\"b\"\"\"");
        assert_eq!(field("plain 1"), "plain 1");
    }
}
