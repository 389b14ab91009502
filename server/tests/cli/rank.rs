//! `fiel rank`: which columns and values it takes.

use crate::{Ran, fiel_in, write};
use std::path::Path;

fn rank(folder: &Path, metrics: &[&str]) -> Ran {
    let mut args = vec!["rank", "--table", "r.csv", "--bootstrap", "0"];
    args.extend(metrics.iter().flat_map(|metric| ["--metric", metric]));
    fiel_in(folder, &args)
}

#[test]
fn values_outside_the_range_of_the_registry_are_refused_with_their_row() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let table = "case,algorithm,dice,hd95,log_loss,net_benefit,bias\n";
    write(folder.path(), "r.csv", format!("{table}a,x,0.5,3,0.1,-7,-9\na,y,1.7,-2,-1,1.5,9\n"));
    for (metric, said) in [
        ("dice", "row 2: `dice` is 1.7, but the metric is from 0 to 1; write `dice:higher`"),
        ("hd95", "row 2: `hd95` is -2.0, but the metric is at least 0; write `hd95:lower`"),
        ("log_loss", "`log_loss` is -1.0, but the metric is at least 0"),
        ("net_benefit", "`net_benefit` is 1.5, but the metric is at most 1"),
    ] {
        let ran = rank(folder.path(), &[metric]);
        assert!(ran.code == 1 && ran.err.contains(said), "{}", ran.all());
    }
    assert_eq!(rank(folder.path(), &["bias"]).code, 0, "open at both ends");
    // What single precision makes of 1, and another unit by its direction.
    write(folder.path(), "r.csv", "case,algorithm,dice,hd95\na,x,1.0000001,3\na,y,0.5,4\n");
    assert_eq!(rank(folder.path(), &["dice", "hd95"]).code, 0);
    write(folder.path(), "r.csv", "case,algorithm,dice\na,x,91\na,y,85\n");
    let ran = rank(folder.path(), &["dice:higher"]);
    assert!(ran.code == 0 && ran.out.starts_with("2 algorithms, 1 case\n"), "{}", ran.all());
}

#[test]
fn a_metric_given_twice_or_against_the_registry_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    write(folder.path(), "r.csv", "case,algorithm,dice,hd95,bias\na,x,0.5,3,0\nb,x,0.6,3,1\n");
    for (metrics, said) in [
        (&["dice", "dice"][..], "`dice` is given twice"),
        (&["dice", "hd95", "dice:higher"], "`dice` is given twice"),
        (&["dice:lower"], "the registry says of `dice` that higher is better"),
        (&["hd95:higher"], "the registry says of `hd95` that lower is better"),
        (&["bias:higher"], "the registry says of `bias` that nearer to 0 is better"),
        (&["dice:near=0.5"], "higher is better"),
    ] {
        let ran = rank(folder.path(), metrics);
        assert!(ran.code == 2 && ran.out.is_empty() && ran.err.contains(said), "{metrics:?}: {}", ran.all());
    }
    let ran = rank(folder.path(), &["dice:higher", "hd95:lower", "bias:near=0"]);
    assert!(ran.code == 0 && ran.out.starts_with("1 algorithm, 2 cases\n"), "{}", ran.all());
}
