//! Sign-in and submission forms.

use super::layout::render;
use askama::Template;

#[derive(Template)]
#[template(path = "login.html")]
struct Login<'a> {
    name: &'a str,
    next: &'a str,
    error: Option<&'a str>,
}

/// The main part of the sign-in page.
pub fn render_login(name: &str, next: &str, error: Option<&str>) -> String {
    render(&Login { name, next, error })
}

/// What a person wrote into the submission form, and what is wrong with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SubmitForm {
    /// Tool name.
    pub tool: String,
    /// Tool version.
    pub version: String,
    /// Markdown.
    pub description: String,
    /// Key that makes sending twice safe.
    pub key: String,
    /// Beside the file.
    pub artifact_error: Option<String>,
    /// Beside the tool's name.
    pub tool_error: Option<String>,
    /// Beside the version.
    pub version_error: Option<String>,
    /// Beside the description.
    pub description_error: Option<String>,
    /// Above the form.
    pub error: Option<String>,
}

impl SubmitForm {
    /// Limits of the submission document, checked before anything is stored.
    pub fn check(&mut self) -> bool {
        let length = |text: &str| text.trim().chars().count();
        if !(1..=80).contains(&length(&self.tool)) {
            self.tool_error = Some("Give the tool a name of 1 to 80 characters.".into());
        }
        if !(1..=40).contains(&length(&self.version)) {
            self.version_error = Some("Give a version of 1 to 40 characters, for instance 1.0.0.".into());
        }
        if self.description.chars().count() > 4000 {
            self.description_error = Some("Shorten the description to at most 4,000 characters.".into());
        }
        self.is_fine()
    }

    /// True where nothing is wrong.
    pub fn is_fine(&self) -> bool {
        self.problems() == 0
    }

    /// Number of problems.
    pub fn problems(&self) -> usize {
        [&self.artifact_error, &self.tool_error, &self.version_error, &self.description_error, &self.error]
            .iter()
            .filter(|e| e.is_some())
            .count()
    }
}

/// What the submission form says about the challenge.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SubmitFacts {
    /// Challenge id.
    pub challenge: String,
    /// Challenge title.
    pub title: String,
    /// Open phase and its dates; `None` where none is open.
    pub phase: Option<String>,
    /// Quota in words.
    pub quota: String,
    /// Submissions left.
    pub left: Option<u64>,
    /// Kinds of files that may be chosen.
    pub kinds: String,
    /// Largest artifact, MiB.
    pub artifact_mib: u64,
}

#[derive(Template)]
#[template(path = "submit.html")]
struct Submit<'a> {
    csrf: &'a str,
    facts: &'a SubmitFacts,
    form: &'a SubmitForm,
}

/// The main part of the submission form.
pub fn render_submit(csrf: &str, facts: &SubmitFacts, form: &SubmitForm) -> String {
    render(&Submit { csrf, facts, form })
}
