//! States, outcomes and reasons of failure in plain words. All come from closed lists, none from a model.

/// An outcome of a case, in words that follow a number.
pub fn outcome(kind: &str) -> &'static str {
    match kind {
        "ok" => "measured",
        "crashed" => "crashed",
        "timed-out" => "timed out",
        "out-of-memory" => "out of memory",
        "invalid-output" => "invalid",
        "missing-output" => "missing",
        "refused" => "refused",
        _ => "failed in another way",
    }
}

/// A run's state in a word or two.
pub fn state(state: &str) -> &'static str {
    match state {
        "queued" => "Waiting for the site",
        "leased" | "running" => "Running",
        "awaiting-release" => "Waiting for approval at the site",
        "reported" => "Reported",
        "failed" => "Failed",
        "refused" => "Refused by the site",
        "cancelled" => "Cancelled",
        "done" => "Done",
        _ => "Unknown",
    }
}

/// Why a run failed, and what its submitter can do about it. `is_elsewhere`: the image is in another registry.
pub fn run_failure(reason: &str, is_elsewhere: bool) -> &'static str {
    match reason {
        "artifact-invalid" => {
            "The artifact is not a model that this engine runs. “fiel try” says what is wrong with it."
        }
        "image-invalid" => {
            "The container image could not be unpacked: it is damaged, or holds what a site refuses. “fiel try” says \
             what and where."
        }
        "start-failed" => {
            "The model did not start, or did not become ready in time. “fiel try” shows what it printed."
        }
        "engine-unavailable" => {
            "The site has no engine for this kind of model, or not with the protections that its policy demands. \
             Submit a WebAssembly or ONNX model, or ask the site."
        }
        "import-refused" => {
            "The module imports something that is not offered; only WASI preview 1 is. “fiel try” names the import."
        }
        "compile-limit" => {
            "Compiling the module took longer or more memory than allowed. Make the module smaller."
        }
        "digest-mismatch" if is_elsewhere => {
            "What the registry sent does not have the size and digest that were submitted. Refer to the image again, or \
             push it to this hub."
        }
        "digest-mismatch" => {
            "The bytes that reached the site do not have the digest of the artifact. Submit it again."
        }
        "pull-failed" => {
            "The registry does not have the image, or does not give it to everybody. Make the repository public, or push \
             the image to this hub."
        }
        "policy-refused" if is_elsewhere => {
            "The site's policy, or a person at the site, refused the run. A site runs images of another registry only \
             where its policy lists that registry. Push the image to this hub, or ask the site to list the registry."
        }
        "policy-refused" => {
            "The site's policy, or a person at the site, refused the run. Ask the organisers."
        }
        "too-few-cases" => "Too few cases were measured for the site to release anything about them.",
        "reference-set-missing" => {
            "The site does not have this version of its reference set. The organisers have to offer it again."
        }
        "site-error" => {
            "Something failed at the site, not in the model. The run was tried again without success."
        }
        _ => "The run ended without a result, for a reason this hub does not know.",
    }
}

/// Why a row has no rank. The leaderboard's own words are shown where they are not a code.
pub fn unranked(reason: &str) -> String {
    match reason {
        "too-many-failures" => "too many cases failed to be ranked".into(),
        "incomplete" | "sites-missing" => "not every site has reported yet".into(),
        "undefined" => "the ranking metric is undefined".into(),
        "failed" => "no site could measure it".into(),
        other => other.to_owned(),
    }
}

/// True where a state will not change again.
pub fn has_ended(state: &str) -> bool {
    matches!(state, "reported" | "failed" | "refused" | "cancelled" | "done")
}

/// What an outcome means, and what to look at.
pub fn outcome_advice(kind: &str) -> &'static str {
    match kind {
        "crashed" => "The model ended with a trap or an exit status other than 0 on this case.",
        "timed-out" => "The model was still running at the challenge's time limit for one case.",
        "out-of-memory" => "The model asked for more memory than the challenge allows.",
        "invalid-output" => {
            "The answer could not be read or breaks the interface: a value out of range or not a number, a row for \
             another case, a mask on another grid."
        }
        "missing-output" => "The model ended well but did not write the file the interface asks for.",
        "refused" => "The case was not run, because the module or the site refused.",
        _ => "The case has no valid answer.",
    }
}
