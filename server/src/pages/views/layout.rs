//! The frame of every page: head, header, main, footer.

use askama::Template;

/// Who looks at a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Viewer {
    /// Account name.
    pub name: String,
    /// Token of forms, bound to the session.
    pub csrf: String,
}

/// What a page needs besides its main part.
#[derive(Debug, Clone, Default)]
pub struct Frame<'a> {
    /// Title of the page, without the site's name.
    pub title: &'a str,
    /// The signed-in person.
    pub viewer: Option<&'a Viewer>,
    /// Seconds after which the page reloads where scripts are off.
    pub refresh_s: Option<u32>,
    /// Whether the page follows a submission.
    pub live: bool,
    /// Wide pages use the whole window.
    pub wide: bool,
}

#[derive(Template)]
#[template(path = "layout.html")]
struct Layout<'a> {
    frame: &'a Frame<'a>,
    version: &'a str,
    main: &'a str,
}

/// A whole page around `main`, which is the rendering of a template and therefore already escaped.
pub fn page(frame: &Frame<'_>, main: &str) -> String {
    render(&Layout { frame, version: super::super::assets::version(), main })
}

/// Renders a template. Templates hold plain data, so that only a failing formatter could make this fail.
pub(crate) fn render(template: &impl Template) -> String {
    template.render().unwrap_or_else(|error| {
        tracing::error!(%error, "a template failed");
        String::from("<p>This part of the page could not be drawn. Tell the administrator.</p>")
    })
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage<'a> {
    status: u16,
    title: &'a str,
    detail: &'a str,
    code: &'a str,
}

/// A page that says what went wrong and what to do.
pub fn problem(status: u16, title: &str, detail: &str, code: &str, viewer: Option<&Viewer>) -> String {
    let main = render(&ProblemPage { status, title, detail, code });
    page(&Frame { title, viewer, ..Frame::default() }, &main)
}
