//! What is said of an id that is none: what the metric does take, or which metric may be meant.

use super::{MetricSpec, all};

/// Most metrics that are suggested: where more fit, none is near.
const MOST: usize = 4;

/// Longest text that ids are looked for near to, in bytes.
const LONGEST: usize = 64;

/// The conventions and the parameter of a metric, with an example.
pub(super) fn takes(spec: &MetricSpec) -> String {
    let mut parts = Vec::new();
    let of_convention = |(i, c): (usize, &super::Convention)| {
        format!("`{}.{}`{}", spec.id, c.name, if i == 0 { " (the default)" } else { "" })
    };
    let conventions: Vec<String> = spec.conventions.iter().enumerate().map(of_convention).collect();
    if !conventions.is_empty() {
        parts.push(format!("conventions: {}", conventions.join(", ")));
    }
    if let Some(p) = spec.parameter {
        let sign = if spec.id.contains('@') { '=' } else { '@' };
        // Half of what a fraction may be, one of everything else that has no default.
        let example = p.default.unwrap_or(if p.range.1 <= 1.0 { 0.5 } else { 1.0 });
        parts.push(format!("a parameter: `{}{sign}{example}` ({}, {})", spec.id, p.name, p.limits()));
    }
    if parts.is_empty() {
        return format!("`{}` takes neither convention nor parameter", spec.id);
    }
    format!("`{}` takes {}", spec.id, parts.join("; and "))
}

/// That a metric has no such convention, with metrics of a like id that have.
pub(super) fn no_convention(spec: &MetricSpec, name: &str) -> String {
    let others = all().filter(|m| m.id.ends_with(spec.id) && m.conventions.iter().any(|c| c.name == name));
    let others: Vec<String> = others.map(|m| format!("`{}.{name}` ({})", m.id, m.task.as_str())).collect();
    let others = if others.is_empty() { String::new() } else { format!(", unlike {}", others.join(", ")) };
    format!("there is no convention of that name{others}")
}

/// The question which metric is meant, in brackets; empty where no id is near.
pub(super) fn suggestion(base: &str) -> String {
    let near: Vec<String> = nearest(base).iter().map(|id| format!("`{id}`")).collect();
    if near.is_empty() { String::new() } else { format!(" (did you mean {}?)", near.join(" or ")) }
}

/// Ids like a text that is none: those equal but for case and signs; those whose texts name it; those that few changes
/// of letters lead to; those that begin so.
fn nearest(text: &str) -> Vec<String> {
    let wanted = letters(text);
    if wanted.len() < 2 || text.len() > LONGEST {
        return Vec::new();
    }
    let of_ids = |fits: &dyn Fn(&str) -> bool| -> Vec<String> {
        all().filter(|m| fits(&letters(m.id))).map(|m| m.id.to_owned()).collect()
    };
    let edits = match wanted.len() {
        0..=3 => 0,
        4..=6 => 1,
        _ => 2,
    };
    let begins = |id: &str| wanted.len() >= 3 && (id.starts_with(&wanted) || wanted.starts_with(id));
    let found = [
        of_ids(&|id| id == wanted),
        all()
            .filter(|m| letters(m.name) == wanted || letters(m.short) == wanted)
            .map(|m| m.id.to_owned())
            .collect(),
        all().filter_map(|m| named_by(m, &wanted)).collect(),
        of_ids(&|id| strsim::damerau_levenshtein(id, &wanted) <= edits),
        of_ids(&begins),
    ];
    found.into_iter().find(|ids| (1..=MOST).contains(&ids.len())).unwrap_or_default()
}

/// The metric's id, or the one with the convention, if a word of its texts is this.
fn named_by(spec: &MetricSpec, wanted: &str) -> Option<String> {
    let names = |text: &str| {
        let word = |c: char| !(c.is_alphanumeric() || c == '_' || c == '-');
        text.split(word).any(|w| letters(w) == wanted)
    };
    let convention = spec.conventions.iter().find(|c| names(c.definition));
    if let Some(convention) = convention {
        return Some(format!("{}.{}", spec.id, convention.name));
    }
    (names(spec.name) || names(spec.reference)).then(|| spec.id.to_owned())
}

/// Letters and digits alone, small: what two spellings of an id share.
fn letters(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn other_spellings_and_names_lead_to_the_id() {
        for (text, ids) in [
            ("AUC", &["auc"][..]),
            ("auroc", &["auc"]),
            ("roc_auc", &["auc"]),
            ("AUROC", &["auc"]),
            ("DSC", &["dice"]),
            ("jaccard", &["iou"]),
            ("ace", &["ece"]),
            ("HD-95", &["hd95"]),
            ("c_index", &["c_index_harrell", "c_index_uno"]),
            ("c_index_harrel", &["c_index_harrell"]),
            ("Brier score", &["brier"]),
            ("briar", &["brier"]),
            ("recall", &["sensitivity"]),
            ("f1 score", &["f1", "multiclass_f1"]),
            ("nothing_like_it", &[]),
            ("", &[]),
            ("the", &[]),
        ] {
            assert_eq!(nearest(text), ids, "{text}");
        }
        assert!(nearest(&"auc".repeat(100_000)).is_empty());
    }
}
