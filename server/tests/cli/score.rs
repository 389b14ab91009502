//! `fiel score`.

use crate::{Ran, fiel_in, write};
use fiel_metrics::image::{Geometry, Volume, write_nifti_mask};
use std::fmt::Write as _;
use std::path::Path;

fn score(folder: &Path, args: &[&str]) -> Ran {
    fiel_in(folder, &[&["score"], args].concat())
}

const TABLE: &[&str] = &["classification", "--table", "t.csv", "--label", "y", "--score", "p"];

#[test]
fn classification_gives_the_documented_object() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    write(folder.path(), "t.csv", "case_id,y,p\na,1,0.9\nb,0,0.2\nc,1,0.4\nd,0,0.4\n");
    let ran = score(folder.path(), &[TABLE, &["--json"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.all());
    let answer = ran.json();
    assert_eq!(answer["task"], "classification");
    assert_eq!(answer["n"], 4);
    // Pairs: 0.9 beats both negatives, 0.4 beats 0.2 and ties with 0.4: 3.5 of 4.
    assert_eq!(answer["metrics"]["auc"]["value"], 0.875);
    let brier = answer["metrics"]["brier"]["value"].as_f64().expect("defined");
    assert!((brier - (0.01 + 0.04 + 0.36 + 0.16) / 4.0).abs() < 1e-15, "{brier}");
    assert_eq!(answer["metrics"]["auc"]["unit"], "1");
    assert_eq!(answer["metrics"]["auc"]["undefined"], 0);
    assert_eq!(answer["cases"][0]["case"], "a");
    assert!(answer["cases"][0]["brier"].is_number());
    let text = score(folder.path(), TABLE);
    assert!(text.out.contains("0.8750"), "{}", text.all());
}

#[test]
fn one_class_only_is_undefined_and_counted_never_zero() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    write(folder.path(), "t.csv", "y,p\n1,0.9\n1,0.2\n");
    let answer = score(folder.path(), &[TABLE, &["--json"]].concat()).json();
    assert!(answer["metrics"]["auc"]["value"].is_null(), "{answer}");
    assert!(answer["metrics"]["auc"]["undefined"].as_u64() > Some(0), "{answer}");
    assert!(answer["metrics"]["brier"]["value"].is_number());
}

#[test]
fn one_class_of_several_is_scored_from_probabilities_or_from_decisions() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    write(
        folder.path(),
        "t.csv",
        "y,p_a,p_b,p_c\na,0.8,0.1,0.1\nb,0.2,0.7,0.1\nc,0.1,0.3,0.6\nb,0.5,0.4,0.1\n",
    );
    let task = ["multiclass", "--table", "t.csv", "--label", "y"];
    let ran = score(folder.path(), &[&task[..], &["--scores", "p_", "--json"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.all());
    let answer = ran.json();
    assert_eq!((&answer["task"], &answer["n"]), (&"multiclass".into(), &4.into()));
    assert_eq!(answer["metrics"]["multiclass_accuracy"]["value"], 0.75);
    // a: 1 of 1 above the rest; b: both above; c: above all.
    assert_eq!(answer["metrics"]["multiclass_auc"]["value"], 1.0);
    assert!(answer["cases"][3]["multiclass_brier"].as_f64() > Some(0.6));
    write(folder.path(), "t.csv", "y,z\n1,1\n2,3\n3,3\n");
    let decided =
        score(folder.path(), &[&task[..], &["--decision", "z", "--metrics", "multiclass_kappa"]].concat());
    // Two of three agree, a third by chance twice over nine: (2/3 - 3/9) / (1 - 3/9).
    assert!(decided.code == 0 && decided.out.contains("0.5000"), "{}", decided.all());
    assert_eq!(score(folder.path(), &task).code, 2, "neither probabilities nor decisions");
}

#[test]
fn a_value_that_is_no_probability_is_refused_with_its_row() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for bad in ["7", "-0.1", "NaN", "1e999", ""] {
        write(folder.path(), "t.csv", format!("y,p\n1,0.9\n0,{bad}\n"));
        let ran = score(folder.path(), TABLE);
        assert_eq!(ran.code, 1, "{bad}: {}", ran.all());
        assert!(ran.err.contains("row 2") && ran.out.is_empty(), "{bad}: {}", ran.all());
    }
    write(folder.path(), "t.csv", "y,q\n1,0.9\n");
    let ran = score(folder.path(), TABLE);
    assert!(ran.code == 1 && ran.err.contains("`p`"), "{}", ran.all());
    let ran = score(folder.path(), &["classification", "--table", "no.csv", "--label", "y", "--score", "p"]);
    assert!(ran.code == 1 && ran.err.contains("no.csv"), "{}", ran.all());
}

fn mask(path: &Path, voxels: &[usize]) {
    let shape = [4, 4, 2];
    let mut data = vec![0_u8; 32];
    for &i in voxels {
        data[i] = 1;
    }
    let direction = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0];
    let geometry =
        Geometry { shape, spacing_mm: [1.0, 1.0, 5.0], origin_mm: [0.0; 3], direction, plane: false };
    fs_err::create_dir_all(path.parent().expect("a folder")).expect("the folder can be made");
    write_nifti_mask(path, &Volume { geometry, data }).expect("the mask can be written");
}

#[test]
fn segmentation_pairs_files_by_name_and_counts_empty_masks() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = |name: &str| folder.path().join(name);
    mask(&at("truth/a.nii.gz"), &[0, 1, 2, 3]);
    mask(&at("guess/a.nii.gz"), &[2, 3, 4, 5]);
    mask(&at("truth/b.nii.gz"), &[]);
    mask(&at("guess/b.nii.gz"), &[]);
    let args = ["segmentation", "--reference", "truth", "--prediction", "guess", "--json"];
    let ran = score(folder.path(), &args);
    assert_eq!(ran.code, 0, "{}", ran.all());
    let answer = ran.json();
    assert_eq!(answer["n"], 2);
    assert_eq!(answer["metrics"]["dice"]["value"], 0.5);
    assert_eq!(answer["metrics"]["dice"]["undefined"], 1);
    assert_eq!(answer["metrics"]["volume_error_ml"]["unit"], "mL");
    assert!(answer["cases"][1]["dice"].is_null());
    fs_err::remove_file(at("guess/b.nii.gz")).expect("the mask was there");
    let ran = score(folder.path(), &args);
    assert!(ran.code == 1 && ran.err.contains("b.nii.gz"), "{}", ran.all());
}

#[test]
fn metrics_are_chosen_by_id_and_strata_by_column() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let rows = "y,p,site\n1,0.9,north\n0,0.2,north\n1,0.4,south\n0,0.4,south\n";
    write(folder.path(), "t.csv", rows);
    let ran = score(
        folder.path(),
        &[TABLE, &["--metrics", "auc,f1@0.3,ece.right_closed", "--by", "site", "--json"]].concat(),
    );
    assert_eq!(ran.code, 0, "{}", ran.all());
    let answer = ran.json();
    assert_eq!(answer["metrics"].as_object().map(serde_json::Map::len), Some(3));
    assert_eq!(answer["metrics"]["f1@0.3"]["id"], "f1@0.3/1");
    assert_eq!(answer["by"]["groups"]["south"]["metrics"]["auc"]["value"], 0.5);
    assert_eq!(answer["by"]["gaps"]["auc"]["worst"], "south");
    let csv = score(
        folder.path(),
        &[TABLE, &["--metrics", "auc", "--by", "site", "--csv", "--ci", "off"]].concat(),
    );
    assert!(csv.out.contains("north,auc,auc/1,1,,,1,0,2"), "{}", csv.all());
    let ran = score(folder.path(), &[TABLE, &["--metrics", "dice"]].concat());
    assert!(ran.code == 2 && ran.err.contains("segmentation"), "{}", ran.all());
    let ran = score(folder.path(), &[TABLE, &["--metrics", "auc.best"]].concat());
    assert!(ran.code == 2 && ran.err.contains("auc.best"), "{}", ran.all());
    let parquet = [TABLE, &["--metrics", "brier", "--parquet", "cases.parquet"]].concat();
    assert_eq!(score(folder.path(), &parquet).code, 0);
    let column = fiel_metrics::table::read_f64_column(&folder.path().join("cases.parquet"), "brier");
    assert_eq!(column.expect("readable").len(), 4);
}

#[test]
fn what_is_best_inside_its_range_is_ranked_by_its_distance_from_there() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let rows = "case,algorithm,calibration_slope,bias,dose\n\
                a,far,1.9,0.5,60\na,near,1.01,0.01,71\na,below,0.5,-0.9,80\n\
                b,far,1.8,0.6,58\nb,near,1.02,0.02,70\nb,below,0.4,-0.8,82\n";
    write(folder.path(), "r.csv", rows);
    let metrics = ["--metric", "calibration_slope", "--metric", "bias", "--metric", "dose:near=70"];
    let base = [&["rank", "--table", "r.csv", "--bootstrap", "20"][..], &metrics].concat();
    let ran = fiel_in(folder.path(), &[&base[..], &["--json"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.all());
    let answer = ran.json();
    assert_eq!(answer["algorithms"], serde_json::json!(["below", "far", "near"]));
    for (metric, target, ranks) in
        [("calibration_slope", 1.0, [2, 3, 1]), ("bias", 0.0, [3, 2, 1]), ("dose:near=70", 70.0, [2, 2, 1])]
    {
        let name = metric.split(':').next().expect("a name");
        let found = &answer["metrics"][name];
        assert_eq!(found["nearest_to"], serde_json::json!(target), "{metric}");
        assert_eq!(found["methods"]["mean-then-rank"]["ranks"], serde_json::json!(ranks), "{metric}");
    }
    let shown = fiel_in(folder.path(), &base);
    assert!(shown.out.contains("bias, distance from 0, lower is better"), "{}", shown.all());
    for (wrong, why) in [("bias:near=x", "`x` is no number"), ("bias:best", "nor `near=` with a number")] {
        let ran = fiel_in(folder.path(), &["rank", "--table", "r.csv", "--metric", wrong]);
        assert!(ran.code == 2 && ran.err.contains(why), "{}", ran.all());
    }
}

#[test]
fn algorithms_are_ranked_from_a_table() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut text = "case,algorithm,dice,time\n".to_owned();
    for case in 0..20 {
        let dice = 0.7 + 0.01 * f64::from(case % 5);
        writeln!(text, "k{case},good,{},9\nk{case},poor,{dice},3", dice + 0.1).expect("a string takes it");
    }
    write(folder.path(), "r.csv", &text);
    let base = ["rank", "--table", "r.csv", "--metric", "dice", "--metric", "time:lower"];
    let ran = fiel_in(folder.path(), &[&base[..], &["--json"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.all());
    let answer = ran.json();
    assert_eq!(answer["algorithms"], serde_json::json!(["good", "poor"]));
    for method in
        ["mean-then-rank", "median-then-rank", "rank-then-mean", "rank-then-median", "test-then-rank"]
    {
        let ranking = &answer["metrics"]["dice"]["methods"][method];
        assert_eq!(ranking["ranks"], serde_json::json!([1, 2]), "{method}");
        assert_eq!(ranking["stability"]["distribution"][0][0], 1000, "{method}");
    }
    assert_eq!(answer["metrics"]["time"]["methods"]["mean-then-rank"]["ranks"], serde_json::json!([2, 1]));
    assert_eq!(answer["overall"]["grand_challenge"]["mean"], serde_json::json!([1, 1]));
    let shown = fiel_in(folder.path(), &base);
    assert!(shown.out.contains("1 [1, 1]") && shown.out.contains("Grand Challenge"), "{}", shown.all());
    let ran = fiel_in(folder.path(), &["rank", "--table", "r.csv", "--metric", "time"]);
    assert!(ran.code == 2 && ran.err.contains("time:lower"), "{}", ran.all());
    write(folder.path(), "r.csv", "case,algorithm,dice\na,x,0.5\na,x,0.6\n");
    let ran = fiel_in(folder.path(), &["rank", "--table", "r.csv", "--metric", "dice"]);
    assert!(ran.code == 1 && ran.err.contains("row 2"), "{}", ran.all());
}

/// A mask of 4 x 4 x 2 voxels as NumPy writes it, its list of voxels being the first axis fastest.
fn npy(path: &Path, voxels: &[usize], fortran: bool) {
    let order = if fortran { "True" } else { "False" };
    let mut header = format!("{{'descr': '|u1', 'fortran_order': {order}, 'shape': (4, 4, 2), }}");
    while (10 + header.len() + 1) % 64 > 0 {
        header.push(' ');
    }
    header.push('\n');
    let mut data = [0_u8; 32];
    for &i in voxels {
        let [x, y, z] = [i % 4, i / 4 % 4, i / 16];
        data[if fortran { i } else { (x * 4 + y) * 2 + z }] = 1;
    }
    let length = u16::try_from(header.len()).expect("a short header").to_le_bytes();
    let bytes = [&b"\x93NUMPY\x01\x00"[..], &length, header.as_bytes(), &data].concat();
    fs_err::create_dir_all(path.parent().expect("a folder")).expect("the folder can be made");
    fs_err::write(path, bytes).expect("the array can be written");
}

#[test]
fn numpy_masks_score_as_their_nifti_twins_once_their_spacing_is_given() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = |name: &str| folder.path().join(name);
    let (truth, guess) = ([0, 1, 2, 3, 20], [2, 3, 20]);
    mask(&at("nifti/truth/a.nii"), &truth);
    mask(&at("nifti/guess/a.nii"), &guess);
    for (name, fortran) in [("c", false), ("fortran", true)] {
        npy(&at(&format!("{name}/truth/a.npy")), &truth, fortran);
        npy(&at(&format!("{name}/guess/a.npy")), &guess, fortran);
    }
    let run = |name: &str, more: &[&str]| {
        let (truth, guess) = (format!("{name}/truth"), format!("{name}/guess"));
        score(
            folder.path(),
            &[&["segmentation", "--reference", &truth, "--prediction", &guess, "--json"], more].concat(),
        )
    };
    let nifti = run("nifti", &[]);
    assert_eq!(nifti.code, 0, "{}", nifti.all());
    for name in ["c", "fortran"] {
        let numpy = run(name, &["--spacing", "1,1,5"]);
        assert_eq!((numpy.code, &numpy.out), (0, &nifti.out), "{name}: {}", numpy.all());
        let without = run(name, &[]);
        assert!(without.code == 1 && without.err.contains("--spacing X,Y,Z"), "{}", without.all());
    }
    assert_ne!(run("c", &["--spacing", "5,1,1"]).out, nifti.out, "the axes have an order");
    let twice = run("nifti", &["--spacing", "1,1,5"]);
    assert!(
        twice.code == 1 && twice.err.contains("a.nii") && twice.err.contains("--spacing"),
        "{}",
        twice.all()
    );
    // A name that tells no format hides none.
    for name in ["truth", "guess"] {
        let (from, to) = (at(&format!("nifti/{name}/a.nii")), at(&format!("{name}.img")));
        fs_err::copy(from, to).expect("the mask can be copied");
    }
    let files = ["segmentation", "--reference", "truth.img", "--prediction", "guess.img"];
    assert_eq!(score(folder.path(), &files).code, 0);
    let hidden = score(folder.path(), &[&files[..], &["--spacing", "1,1,5"]].concat());
    let expected = "truth.img is no NumPy array and tells its own spacing; leave `--spacing` out";
    assert!(hidden.code == 1 && hidden.err.contains(expected), "{}", hidden.all());
    for bad in ["0,1,1", "1", "1,1,1,1", "1,x,1", "1,-1", "NaN,1"] {
        assert_eq!(run("c", &["--spacing", bad]).code, 2, "{bad}");
    }
}

#[test]
fn what_is_usual_fits_the_findings_and_a_comparison_is_never_left_out() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    write(folder.path(), "nodules.csv", "image,x,y,z,diameter_mm\na,0,0,0,8\nb,5,5,5,6\n");
    write(folder.path(), "marks.csv", "image,x,y,z,score\na,1,0,0,0.9\nb,50,0,0,0.8\n");
    let points = ["detection", "--reference", "nodules.csv", "--prediction", "marks.csv", "--json"];
    let ran = score(folder.path(), &points);
    assert_eq!(ran.code, 0, "{}", ran.all());
    assert!(ran.json()["metrics"]["cpm"]["value"].is_number(), "{}", ran.all());
    write(folder.path(), "t.csv", "y,p,q\n1,0.9,0.8\n0,0.2,0.3\n1,0.4,0.1\n0,0.4,0.5\n");
    let ran = score(folder.path(), &[TABLE, &["--compare", "q", "--csv"]].concat());
    assert!(ran.code == 2 && ran.err.contains("--compare") && ran.err.contains("--csv"), "{}", ran.all());
}
