//! One full instance of every document: every optional field is there.

use chrono::{DateTime, Utc};
use fiel_schemas::assessment::{
    Assessment, Costs, EngineInfo, Estimate, PREDICATE_TYPE, PolicyInfo, Pooling, Quantile, STATEMENT_TYPE,
    SiteMetric, Statement, Subject,
};
use fiel_schemas::challenge::{
    Challenge, DataStatement, FailedCases, Interface, Limits, Phase, Port, PortKind, Quota, Ranking, Socket,
    Task,
};
use fiel_schemas::digest::{challenge_digest, sha256_hex};
use fiel_schemas::leaderboard::{Leaderboard, Row, RowStability, SiteRow, Stability};
use fiel_schemas::onnx::{
    Activation, Axes, Blend, ElementType, ImageInput, InputColumn, Layout, MaskOutput, OnnxManifest,
    OutputColumn, ScoreOutput, SpacingRange, TableInput, Window,
};
use fiel_schemas::reference_set::{FileDigest, ReferenceSet};
use fiel_schemas::run_order::RunOrder;
use fiel_schemas::submission::{Artifact, ArtifactKind, MediaType, Source, Submission};
use fiel_schemas::summary::{
    Agreement, Calibration, CalibrationBin, Confusion, ExactValue, Moments, PerSite, Replicates, ScoreCell,
    Scores, SiteEstimate, Summary, ValueCell,
};
use fiel_schemas::validate::Kind;
use serde_json::Value;
use std::collections::BTreeMap;

const RUN: &str = "0190b6e0-1111-7000-8000-000000000001";
const SUBMISSION: &str = "0190b6e0-1111-7000-8000-000000000002";

fn time() -> DateTime<Utc> {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

fn digest(of: &str) -> String {
    sha256_hex(of.as_bytes())
}

fn map<T: Clone>(entries: &[(&str, T)]) -> BTreeMap<String, T> {
    entries.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect()
}

fn port(name: &str, path: &str, columns: &[&str]) -> Port {
    Port {
        name: name.into(),
        kind: PortKind::Table,
        path: path.into(),
        columns: columns.iter().map(|&column| column.into()).collect(),
        description: "A table.".into(),
        socket: Some(Socket {
            slug: format!("{name}-on-grand-challenge"),
            kind: Some("Anything".into()),
            relative_path: Some(format!("{name}.json")),
        }),
    }
}

pub(crate) fn challenge() -> Challenge {
    Challenge {
        schema: "fiel/challenge/v1".into(),
        id: "breast-fna".into(),
        version: "1.0.0".into(),
        title: "Breast mass".into(),
        community: "fiel".into(),
        summary: "Estimate a probability.".into(),
        task: Task::Classification,
        interface: Interface {
            inputs: vec![port("features", "case.csv", &["mean_radius", "mean_texture"])],
            outputs: vec![port("prediction", "prediction.csv", &["probability"])],
            batch: 8,
        },
        metrics: vec!["auc".into(), "sensitivity@specificity=0.95".into(), "ece@15".into()],
        ranking: Ranking {
            metric: "auc".into(),
            mean_rank_with: vec!["ece@15".into()],
            failed_cases: FailedCases::Exclude,
            max_failed_fraction: 0.05,
        },
        limits: Limits { memory_mib: 256, case_ms: 2000, output_mib: 1, artifact_mib: 16 },
        accepts: vec![ArtifactKind::Wasm, ArtifactKind::Predictions],
        phases: vec![Phase {
            id: "open".into(),
            title: "Open phase".into(),
            opens: time(),
            closes: Some(time() + chrono::Duration::days(30)),
            public_inputs: true,
            quota: Quota { submissions: 20, days: 1 },
        }],
        data: DataStatement {
            description: "569 patients.".into(),
            licence: "CC BY 4.0".into(),
            attribution: "Wolberg et al., 1995".into(),
        },
    }
}

pub(crate) fn reference_set() -> ReferenceSet {
    ReferenceSet {
        schema: "fiel/reference-set/v1".into(),
        id: "held-out".into(),
        challenge: "breast-fna".into(),
        task: Task::Classification,
        table: "cases.csv".into(),
        truth: "malignant".into(),
        files: vec![
            FileDigest { path: "cases.csv".into(), sha256: digest("cases"), size: 10 },
            FileDigest { path: "images/c1.nii.gz".into(), sha256: digest("image"), size: 0 },
        ],
    }
}

pub(crate) fn submission() -> Submission {
    Submission {
        schema: "fiel/submission/v1".into(),
        id: SUBMISSION.into(),
        challenge: "breast-fna".into(),
        phase: "open".into(),
        tool: "Logistic regression".into(),
        version: "1.0".into(),
        description: "Thirty weights.".into(),
        participant: "ana@example.eu".into(),
        artifact: Artifact {
            media_type: MediaType::ImageManifest,
            sha256: digest("manifest"),
            size: 4096,
            source: Some(Source {
                registry: "registry.example.org:5000".into(),
                repository: "group/tool".into(),
            }),
        },
        submitted_at: time(),
    }
}

pub(crate) fn run_order() -> RunOrder {
    RunOrder {
        schema: "fiel/run-order/v1".into(),
        run: RUN.into(),
        site: "site-a".into(),
        reference_set: "held-out".into(),
        reference_set_digest: digest("set"),
        fence: 3,
        attempt: 1,
        lease_until: time(),
        challenge: challenge(),
        challenge_digest: challenge_digest(&challenge()),
        submission: submission(),
    }
}

pub(crate) fn estimate() -> Estimate {
    let quantile = Quantile { value: 0.875, low: 0.75, high: 1.0, rank_error: 0.03125 };
    Estimate {
        value: Some(0.875),
        ci95: Some([0.75, 0.9375]),
        bound: Some(0.0),
        n: 220,
        undefined: 0,
        pooling: Some(Pooling::RandomEffects),
        quartiles: Some([quantile; 3]),
    }
}

fn summaries() -> Vec<(&'static str, Summary)> {
    let exact = ExactValue { value: Some(0.875), ci95: Some([0.75, 0.9375]) };
    let cell = ScoreCell { first: 3, last: 4, pos: 2, neg: 18, tie: Some("0123456789abcdef".into()) };
    let bin = CalibrationBin { n: 20, pos: 2, sum_p: "12345678901234567890123".into(), slack: 0.5 };
    let moments = Moments {
        n: 220,
        undefined: 1,
        sum: "-4722366482869645213696".into(),
        sum_sq: "0".into(),
        cells: vec![ValueCell { first: -3, last: 4, n: 220 }],
    };
    let sum = String::from("-4722366482869645213696");
    let agreement = Agreement {
        n: 220,
        undefined: 1,
        sum_p: sum.clone(),
        sum_r: sum.clone(),
        sum_pp: sum.clone(),
        sum_rr: sum.clone(),
        sum_pr: sum,
    };
    let site = SiteEstimate { value: 0.875, variance: Some(0.0625), n: 220 };
    let per_site = PerSite { sites: vec![site], undefined: 1, undefined_cases: 12 };
    let scores = Scores {
        pos: 2,
        neg: 18,
        u2_within: 60,
        u2_within_certain: 58,
        open_within: 2,
        one_class: 0,
        cells: vec![cell],
        exact: Some(exact.clone()),
    };
    vec![
        ("auc", Summary::Scores(scores)),
        ("brier", Summary::Moments(moments)),
        ("ccc", Summary::Agreement(agreement)),
        ("ici", Summary::PerSite(per_site)),
        ("f1@0.5", Summary::Confusion(Confusion { tp: 1, fp: 2, r#fn: 3, tn: 4, suppressed: 5 })),
        ("ece@15", Summary::Calibration(Calibration { bins: vec![bin], suppressed: 3, exact: Some(exact) })),
    ]
}

pub(crate) fn statement() -> Statement {
    let metrics: Vec<_> = summaries()
        .into_iter()
        .map(|(id, summary)| {
            let replicates = Some(Replicates { sums: vec![-8192, 17], weights: vec![219, 0] });
            (id, SiteMetric { estimate: estimate(), summary, replicates })
        })
        .collect();
    Statement {
        statement_type: STATEMENT_TYPE.into(),
        subject: vec![Subject {
            name: "Logistic regression 1.0".into(),
            digest: map(&[("sha256", digest("wasm"))]),
        }],
        predicate_type: PREDICATE_TYPE.into(),
        predicate: Assessment {
            run: RUN.into(),
            submission: SUBMISSION.into(),
            challenge: "breast-fna".into(),
            challenge_version: "1.0.0".into(),
            challenge_digest: digest("challenge"),
            site: "site-a".into(),
            reference_set: "held-out".into(),
            reference_set_digest: digest("set"),
            engine: EngineInfo {
                name: "wasmtime".into(),
                version: "48.0.0".into(),
                config_digest: digest("config"),
                confinement: vec!["landlock".into(), "seccomp".into()],
                hardware: Some("x86_64, 2 cores".into()),
            },
            metrics_version: "0.1.0".into(),
            cases: map(&[("ok", 219), ("timed-out", 1)]),
            metrics: map(&metrics),
            costs: Costs {
                load_s: 0.25,
                case_s_p50: 0.001,
                case_s_p95: 0.002,
                fuel: Some(1_000_000),
                cpu_s: Some(0.5),
                memory_mib_peak: Some(12.5),
                output_mib: Some(0.25),
            },
            policy: PolicyInfo {
                min_cases: 10,
                min_cell: 3,
                digest: digest("policy"),
                approved_by: "automatic".into(),
            },
            measured_at: time(),
        },
    }
}

pub(crate) fn leaderboard() -> Leaderboard {
    let site = SiteRow {
        state: "reported".into(),
        metrics: map(&[("auc", estimate())]),
        cases: map(&[("ok", 219)]),
        statement: Some(digest("envelope")),
        reference_set_digest: Some(digest("set")),
        engine: Some("wasmtime 48.0.0".into()),
        metrics_version: Some("0.1.0".into()),
    };
    let row = Row {
        rank: Some(1),
        mean_rank: Some(1.5),
        unranked: Some("too many failed cases".into()),
        tied: false,
        stability: Some(RowStability { ranks: [1, 2], first: 0.75, lead: Some([-0.125, 0.25]), group: 1 }),
        submission: "Logistic regression".into(),
        version: "1.0".into(),
        submission_id: SUBMISSION.into(),
        participant: "ana".into(),
        artifact: digest("wasm"),
        metrics: map(&[("auc", estimate())]),
        sites: map(&[("site-a", site)]),
        cases: map(&[("ok", 219), ("crashed", 1)]),
        case_s_p50: Some(0.001),
    };
    Leaderboard {
        schema: "fiel/leaderboard/v1".into(),
        challenge: "breast-fna".into(),
        challenge_version: "1.0.0".into(),
        challenge_digest: digest("challenge"),
        phase: "open".into(),
        primary_metric: "auc".into(),
        updated_at: Some(time()),
        stability: Some(Stability {
            replicates: 200,
            submissions: 1,
            kendall_tau: 0.875,
            kendall_tau_ci95: [0.75, 1.0],
        }),
        leaderboard: vec![row],
    }
}

/// The full instance of a kind, serialised.
pub(crate) fn full(kind: Kind) -> Value {
    let value = match kind {
        Kind::Challenge => serde_json::to_value(challenge()),
        Kind::ReferenceSet => serde_json::to_value(reference_set()),
        Kind::Submission => serde_json::to_value(submission()),
        Kind::RunOrder => serde_json::to_value(run_order()),
        Kind::Statement => serde_json::to_value(statement()),
        Kind::Leaderboard => serde_json::to_value(leaderboard()),
        Kind::OnnxManifest => serde_json::to_value(onnx_manifest()),
    };
    value.unwrap()
}

pub(crate) fn onnx_manifest() -> OnnxManifest {
    OnnxManifest {
        schema: "fiel/onnx-manifest/v1".into(),
        images: vec![ImageInput {
            port: "ct".into(),
            tensor: "image".into(),
            dtype: ElementType::F32,
            clip: Some([-200.0, 300.0]),
            mean: 50.0,
            std: 250.0,
            spacing_mm: Some(SpacingRange { min: [0.5, 0.5, 1.0], max: [1.0, 1.0, 3.5] }),
        }],
        tables: vec![TableInput {
            port: "features".into(),
            tensor: "features".into(),
            dtype: ElementType::I64,
            columns: vec![InputColumn { name: "age".into(), mean: 60.0, std: 10.0 }],
        }],
        window: Some(Window {
            layout: Layout::Ncdhw,
            axes: Axes::Zyx,
            patch: [32, 64, 64],
            overlap: [8, 16, 16],
            blend: Blend::Gaussian,
            pad: 0.0,
        }),
        masks: vec![MaskOutput {
            port: "lesions".into(),
            tensor: "logits".into(),
            activation: Activation::Sigmoid,
            channel: 0,
            threshold: Some(0.5),
        }],
        scores: vec![ScoreOutput {
            port: "prediction".into(),
            tensor: "risk".into(),
            activation: Activation::Softmax,
            columns: vec![OutputColumn { name: "probability".into(), index: 1 }],
        }],
    }
}
