//! Times one workload of the comparison with other packages (`metrics/peers`): reads the seeded inputs that
//! `metrics/peers/inputs.py` made, runs the workload several times and prints one line of JSON.
//!
//! `workloads FOLDER NAME [REPEATS]` or `workloads --list`. Threads: `RAYON_NUM_THREADS`, one if it is not set.

mod cases;
mod files;
mod inputs;
mod measure;
mod volumes;

use inputs::Inputs;
use measure::Measured;
use std::error::Error;
use std::process::ExitCode;

/// What a workload returns: names and values that are set beside those of the other packages.
type Values = Vec<(&'static str, f64)>;

/// Reads the inputs of a workload, then measures it.
type Workload = fn(&Inputs, usize) -> Result<Measured, Box<dyn Error>>;

/// Every workload by name.
const WORKLOADS: [(&str, Workload); 22] = [
    ("dice-iou", |i, n| volumes::dice_iou(i, n, "organ")),
    ("dice-iou-half", |i, n| volumes::dice_iou(i, n, "organ_lower")),
    ("dice-104", volumes::dice_104),
    ("distances-organ", |i, n| volumes::distances(i, n, "organ")),
    ("distances-organ-coarse", |i, n| volumes::distances(i, n, "organ_coarse")),
    ("distances-spread", |i, n| volumes::distances(i, n, "spread")),
    ("surfels-organ", |i, n| volumes::surfels(i, n, "organ")),
    ("surfels-spread", |i, n| volumes::surfels(i, n, "spread")),
    ("distances-104", volumes::distances_104),
    ("boundary-iou", volumes::boundary_iou),
    ("panoptic", volumes::panoptic),
    ("auc", |i, n| cases::auc(i, n, "1e7")),
    ("auc-1e6", |i, n| cases::auc(i, n, "1e6")),
    ("auc-bootstrap", cases::auc_bootstrap),
    ("calibration", cases::calibration),
    ("harrell", cases::harrell),
    ("rank-mean", |i, n| cases::ranking(i, n, cases::MEAN)),
    ("rank-rank", |i, n| cases::ranking(i, n, cases::RANK)),
    ("rank-test", |i, n| cases::ranking(i, n, cases::TEST)),
    ("read-mask", files::mask),
    ("read-mask-runs", files::mask_runs),
    ("read-ct", files::ct),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|a| a == "--list") {
        for (name, _) in WORKLOADS {
            println!("{name}");
        }
        return ExitCode::SUCCESS;
    }
    match run(&arguments) {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("workloads: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<String, Box<dyn Error>> {
    let [folder, name, rest @ ..] = arguments else {
        return Err("usage: workloads FOLDER NAME [REPEATS] | workloads --list".into());
    };
    let repeats = rest.first().map_or(Ok(5), |text| text.parse())?;
    let (_, workload) =
        WORKLOADS.iter().find(|(known, _)| known == name).ok_or_else(|| format!("no workload {name}"))?;
    let threads = std::env::var("RAYON_NUM_THREADS").map_or(Ok(1), |text| text.parse())?;
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global()?;
    let measured = workload(&Inputs::new(folder), repeats)?;
    Ok(measured.to_json(name, threads).to_string())
}
