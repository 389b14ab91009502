//! Images whose programs cannot start, or are not to be started.

use fiel_schemas::api::FailureReason;
use fiel_schemas::outcome::Outcome;
use serde_json::json;

use super::bench::{bench, case, hostile, image};
use super::engines::{Engine, on_every_engine};

fn a_program_that_cannot_start_is_told_in_the_platforms_words(engine: Engine) {
    let bench = engine.bench();
    let starts = [
        (
            json!({ "Entrypoint": ["/absent\u{1b}[1m"] }),
            "`/absent??1m` is not in the image, or its interpreter is not",
        ),
        (json!({ "Entrypoint": ["/etc"] }), "`/etc` may not be run by the image's user"),
        (json!({ "Entrypoint": ["/text"] }), "`/text` may not be run by the image's user"),
    ];
    for (start, reason) in starts {
        let prepared = bench.prepare(&hostile(&start));
        let result = bench.cases(&prepared, &engine.limits(), vec![case(&[])]).remove(0);
        assert_eq!((result.outcome, result.reason), (Outcome::Crashed, format!("would not start: {reason}")));
    }
    bench.assert_nothing_left("programs that cannot start");
}

on_every_engine!(a_program_that_cannot_start_is_told_in_the_platforms_words);

#[test]
fn a_label_that_is_not_understood_is_refused() {
    let bench = bench();
    for label in ["org.grand-challenge.api-method", "eu.fiel.dialect"] {
        let refusal = bench.try_prepare(&hostile(&json!({ "Labels": { label: "other" } }))).unwrap_err();
        assert_eq!(refusal.reason, FailureReason::ImageInvalid);
        assert!(refusal.message.contains(label), "{}", refusal.message);
    }
}

#[test]
fn an_image_with_a_file_where_a_folder_must_be_is_refused() {
    let bench = bench();
    let tar = crate::images::craft::Tar::default().file("output", b"x");
    let refusal = bench.try_prepare(&image(tar, &json!({ "Entrypoint": ["/x"] }), &json!({}))).unwrap_err();
    assert_eq!(refusal.reason, FailureReason::ImageInvalid, "{}", refusal.message);
}
