//! The case table of a run, what it cost, and its digest. It stays at the site.

use crate::NodeError;
use crate::cases::CasePlan;
use crate::judge::{Judge, Row};
use fiel_schemas::assessment::Costs;
use polars::prelude::{Column, DataFrame, DataType, NamedFrom as _, Series};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

/// The table, one row per case in the order of the set, and the cases by outcome.
pub(crate) fn build(
    judge: &Judge<'_>,
    plan: &CasePlan,
    case_ids: &[&str],
    rows: &[Row],
) -> Result<(DataFrame, BTreeMap<String, u64>), NodeError> {
    let mut cases = BTreeMap::new();
    let mut outcomes = Vec::with_capacity(rows.len());
    for row in rows {
        let outcome = row.outcome.ok_or_else(|| NodeError::Task("the sandbox left a case out".to_owned()))?;
        *cases.entry(outcome.as_str().to_owned()).or_insert(0) += 1;
        outcomes.push(outcome.as_str());
    }
    let mut columns = vec![
        Column::from(Series::new("case_id".into(), case_ids)),
        Column::from(Series::new("outcome".into(), outcomes)),
    ];
    let number = |name: &str, value: &dyn Fn(&Row) -> Option<f64>| {
        let values: Vec<Option<f64>> = rows.iter().map(|r| value(r).filter(|v| v.is_finite())).collect();
        Column::from(Series::new(name.into(), values))
    };
    if judge.is_score {
        let labels: Vec<i32> = judge.truth.iter().map(|t| i32::from(*t == "1")).collect();
        columns.push(Column::from(Series::new("label".into(), labels)));
        columns.push(number("score", &|r| r.score));
    } else {
        for (i, id) in judge.measured.iter().enumerate() {
            let value = |r: &Row| r.segmentation.as_ref()?.values.get(i)?.ok();
            columns.push(number(id, &value));
        }
        columns.push(number("reference_ml", &|r| r.segmentation.as_ref().map(|s| s.reference_ml)));
        columns.push(number("prediction_ml", &|r| r.segmentation.as_ref().map(|s| s.prediction_ml)));
        columns.push(number("diagonal_mm", &|r| r.segmentation.as_ref().map(|s| s.diagonal_mm)));
    }
    columns.push(number("seconds", &|r| Some(r.seconds)));
    columns.push(Column::from(Series::new("pseudonym".into(), plan.names.as_slice())));
    let reasons: Vec<&str> = rows.iter().map(|r| r.reason.as_str()).collect();
    columns.push(Column::from(Series::new("reason".into(), reasons)));
    Ok((DataFrame::new(rows.len(), columns)?, cases))
}

/// Median and 95th percentile (nearest rank) of the seconds per case; three significant digits, so that a clock
/// reading carries no more than people can use.
pub(crate) fn costs(rows: &[Row], load_s: f64) -> Costs {
    let mut seconds: Vec<f64> = rows.iter().map(|r| r.seconds).collect();
    seconds.sort_by(f64::total_cmp);
    let rank =
        |percent: usize| seconds.get((seconds.len() * percent).div_ceil(100).saturating_sub(1)).copied();
    let fuel = rows.iter().filter_map(|r| r.usage.fuel).reduce(u64::saturating_add);
    let total = |value: &dyn Fn(&Row) -> Option<f64>| rows.iter().filter_map(value).reduce(|a, b| a + b);
    Costs {
        load_s: three_digits(load_s),
        case_s_p50: three_digits(rank(50).unwrap_or(0.0)),
        case_s_p95: three_digits(rank(95).unwrap_or(0.0)),
        fuel,
        cpu_s: total(&|r| r.usage.cpu_s).map(three_digits),
        memory_mib_peak: rows
            .iter()
            .filter_map(|r| r.usage.memory_bytes_peak)
            .max()
            .map(|b| three_digits(mebibytes(b))),
        output_mib: Some(three_digits(mebibytes(rows.iter().map(|r| r.usage.output_bytes).sum()))),
    }
}

/// Bytes in MiB; counts stay far below 2^53.
fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

fn three_digits(value: f64) -> f64 {
    format!("{:.2e}", value.max(0.0)).parse().unwrap_or(0.0)
}

/// Columns that differ from run to run, or say in words what others say already.
const NOT_MEASURED: [&str; 3] = ["seconds", "pseudonym", "reason"];

/// SHA-256 over names and values of the columns that were measured, row by row of each.
pub(crate) fn digest(table: &DataFrame) -> Result<String, NodeError> {
    let mut hash = Sha256::new();
    let mut field = |bytes: Option<&[u8]>| match bytes {
        // A length before each value: no two tables are written the same way.
        Some(bytes) => {
            hash.update((bytes.len() as u64 + 1).to_le_bytes());
            hash.update(bytes);
        }
        None => hash.update(0_u64.to_le_bytes()),
    };
    for column in table.columns().iter().filter(|c| !NOT_MEASURED.contains(&c.name().as_str())) {
        field(Some(column.name().as_bytes()));
        match column.dtype() {
            DataType::String => column.str()?.iter().for_each(|v| field(v.map(str::as_bytes))),
            DataType::Int32 => {
                column.i32()?.iter().for_each(|v| field(v.map(i32::to_le_bytes).as_ref().map(|v| &v[..])));
            }
            _ => column.f64()?.iter().for_each(|v| field(v.map(f64::to_le_bytes).as_ref().map(|v| &v[..]))),
        }
    }
    Ok(fiel_schemas::digest::to_hex(&hash.finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_are_nearest_rank_with_three_digits() {
        let rows: Vec<Row> =
            (1..=20).map(|i| Row { seconds: f64::from(i) + 0.123_456, ..Row::default() }).collect();
        let costs = costs(&rows, 0.012_345_6);
        assert!((costs.load_s - 0.0123).abs() < 1e-12);
        assert!((costs.case_s_p50 - 10.1).abs() < 1e-12);
        assert!((costs.case_s_p95 - 19.1).abs() < 1e-12);
        assert_eq!(costs.fuel, None);
    }

    #[test]
    fn the_digest_sees_every_measured_value_and_no_time() {
        let table = |score: Option<f64>, seconds: f64, outcome: &str| {
            let columns = vec![
                Column::from(Series::new("case_id".into(), ["a", "b"])),
                Column::from(Series::new("outcome".into(), ["ok", outcome])),
                Column::from(Series::new("label".into(), [0, 1])),
                Column::from(Series::new("score".into(), [score, None])),
                Column::from(Series::new("seconds".into(), [seconds, 1.0])),
            ];
            digest(&DataFrame::new(2, columns).unwrap()).unwrap()
        };
        let base = table(Some(0.5), 1.0, "ok");
        assert_eq!(base, table(Some(0.5), 2.0, "ok"));
        for other in [
            table(Some(0.5 + f64::EPSILON), 1.0, "ok"),
            table(None, 1.0, "ok"),
            table(Some(0.5), 1.0, "crashed"),
        ] {
            assert_ne!(base, other);
        }
    }
}
