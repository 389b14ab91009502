//! What is said of ids that are none.

use fiel_metrics::registry::MetricId;

#[track_caller]
fn refused(id: &str, parts: &[&str]) {
    let text = MetricId::parse(id).map(|m| m.full()).unwrap_err().to_string();
    for part in parts {
        assert!(text.contains(part), "{id}: {text}");
    }
}

#[test]
fn a_wrong_form_of_a_metric_that_exists_says_what_it_takes() {
    let hd95 = "conventions: `hd95.max_directed` (the default), `hd95.pooled`, `hd95.surfel`";
    refused("hd95@90", &["`hd95@90`: it takes no parameter", hd95]);
    refused("hd95.foo@90", &["there is no convention of that name", hd95]);
    for id in ["auc@2", "hd@95", "brier@1", "auc@"] {
        let bare = id.split('@').next().unwrap();
        let takes = format!("`{bare}` takes neither convention nor parameter");
        refused(id, &["it takes no parameter", &takes]);
    }
    let bins = "a parameter: `ece@15` (bins, a whole number from 1 to 1000)";
    refused("ece.foo", &["no convention of that name", "`ece.left_closed` (the default)", bins]);
    refused("kappa.linear", &["unlike `multiclass_kappa.linear` (multiclass)", "`kappa@0.5`"]);
    refused("sensitivity@specificity=2", &["operating point must be a number from 0 to 1"]);
    refused("sensitivity@specificity.best=0.9", &["`sensitivity@specificity=0.95`"]);
    refused("pq@2", &["smallest IoU of a match must be a number from 0 to 1"]);
    refused("pq.foo", &["`pq@0.5`"]);
    refused("td_auc@-1", &["time must be a number of at least 0"]);
    refused("c_index_uno@0", &["tau must be a number above 0"]);
}

#[test]
fn an_unknown_metric_leads_to_the_nearest() {
    refused("AUC", &["there is no metric `AUC` (did you mean `auc`?); `fiel metrics` lists"]);
    refused("ECE.equal_mass", &["did you mean `ece`?"]);
    for (id, nearest) in
        [("auroc", "auc"), ("roc_auc", "auc"), ("dsc", "dice"), ("ace", "ece"), ("dicee", "dice")]
    {
        refused(id, &[&format!("did you mean `{nearest}`?"), "`fiel metrics` lists"]);
    }
    refused("c_index", &["did you mean `c_index_harrell` or `c_index_uno`?"]);
    let text = MetricId::parse("quite_something_else").unwrap_err().to_string();
    assert!(!text.contains("did you mean"), "{text}");
}
