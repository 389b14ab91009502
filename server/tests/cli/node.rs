//! `fiel node`, as far as it needs no hub.

use crate::{fiel_in, write};

#[test]
fn a_folder_of_cases_becomes_a_sealed_reference_set_once() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    write(folder.path(), "cohort/cases.csv", "case_id,feature,malignant\na,0.5,1\nb,0.25,0\n");
    let import = ["node", "import-set", "cohort", "--data", "site"];
    let ran = fiel_in(folder.path(), &import);
    assert_eq!(ran.code, 2, "what it serves must be said: {}", ran.all());
    let full = [&import[..], &["--challenge", "breast-fna", "--truth", "malignant"]].concat();
    let ran = fiel_in(folder.path(), &full);
    assert_eq!(ran.code, 0, "{}", ran.all());
    assert!(ran.out.contains("cohort for breast-fna: 2 cases"), "{}", ran.all());
    assert!(folder.path().join("site/reference-sets/cohort/reference-set.json").exists());
    let again = fiel_in(folder.path(), &full);
    assert!(again.code == 1 && again.err.contains("exists already"), "{}", again.all());
    let left: Vec<_> =
        fs_err::read_dir(folder.path().join("site/reference-sets")).expect("the folder").collect();
    assert_eq!(left.len(), 1, "nothing half-imported is left");
}

#[test]
fn a_changed_file_is_not_imported() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let public = concat!(env!("CARGO_MANIFEST_DIR"), "/../challenges/breast-fna/public");
    for name in ["cases.csv", "reference-set.json"] {
        write(
            folder.path(),
            &format!("set/{name}"),
            fs_err::read(format!("{public}/{name}")).expect("it is there"),
        );
    }
    let args = ["node", "import-set", "set", "--data", "site"];
    let table = folder.path().join("set/cases.csv");
    let good = fs_err::read_to_string(&table).expect("a table");
    fs_err::write(&table, good.replace("17.99", "17.98")).expect("it can be written");
    let ran = fiel_in(folder.path(), &args);
    assert!(ran.code == 1 && ran.err.contains("cases.csv"), "{}", ran.all());
    fs_err::write(&table, good).expect("it can be written");
    let ran = fiel_in(folder.path(), &args);
    assert!(ran.code == 0 && ran.out.contains("169 cases"), "{}", ran.all());
}

#[test]
fn a_node_that_was_never_enrolled_says_so() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for action in ["run", "status"] {
        let ran = fiel_in(folder.path(), &["node", action, "--data", "site"]);
        assert_eq!(ran.code, 1, "{}", ran.all());
        assert!(ran.err.contains("not enrolled") && ran.err.contains("fiel node enrol"), "{}", ran.all());
    }
    let ran = fiel_in(folder.path(), &["node", "pending", "--data", "nowhere"]);
    assert!(ran.code == 1 && ran.err.contains("nowhere"), "{}", ran.all());
}
