//! What a site sends: assessment statements with their summaries.
#![no_main]

use fiel_schemas::assessment::Statement;
use fiel_schemas::validate::{Kind, from_json};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(statement) = from_json::<Statement>(Kind::Statement, bytes) {
        let written = serde_json::to_vec(&statement).expect("a statement serialises");
        let again = from_json::<Statement>(Kind::Statement, &written);
        assert_eq!(again.as_ref(), Ok(&statement), "what was accepted is accepted again and says the same");
    }
});
