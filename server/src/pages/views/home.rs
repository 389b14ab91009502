//! The list of challenges.

use super::layout::render;
use askama::Template;

/// A challenge as a card.
#[derive(Debug, Clone)]
pub struct Card {
    /// Challenge id.
    pub id: String,
    /// Title.
    pub title: String,
    /// Owner.
    pub community: String,
    /// One or two sentences.
    pub summary: String,
    /// Task in words.
    pub task: &'static str,
    /// Phase in words.
    pub phase: String,
    /// True while submissions are accepted.
    pub open: bool,
    /// Submissions on the board.
    pub submissions: usize,
    /// Sites with results.
    pub sites: usize,
    /// Best value so far, in words.
    pub best: Option<String>,
}

#[derive(Template)]
#[template(path = "home.html")]
struct Home<'a> {
    cards: &'a [Card],
}

/// The main part of the home page.
pub fn render_home(cards: &[Card]) -> String {
    render(&Home { cards })
}
