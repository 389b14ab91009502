//! Sentinel colours and the classes they stand for.

use plotters::style::RGBColor;

/// Text of axes.
pub(super) const INK: RGBColor = RGBColor(1, 0, 100);
/// Grid lines.
pub(super) const GRID: RGBColor = RGBColor(1, 0, 101);
/// Axis lines.
pub(super) const AXIS: RGBColor = RGBColor(1, 0, 102);
/// The line of a model without information, or of perfect calibration.
pub(super) const REFERENCE: RGBColor = RGBColor(1, 0, 103);

/// Colour of the series at `index`.
pub(super) fn series(index: usize) -> RGBColor {
    let index = u8::try_from(index % super::SERIES_MAX).unwrap_or(0);
    RGBColor(1, 0, index + 1)
}

/// Style of a figure that is opened or saved by itself; the same colours as the page's style sheet.
pub const STANDALONE_STYLE: &str = include_str!("../../../web/static/plot.css");

/// Replaces sentinel colours by classes and gives the figure a role, a title and a description.
pub(super) fn apply(svg: &str, id: &str, title: &str, description: &str) -> String {
    let mut out = svg.to_owned();
    let roles = [(INK, "ink"), (GRID, "grid"), (AXIS, "axis"), (REFERENCE, "reference")];
    for (colour, name) in roles {
        out = replace_colour(&out, colour, name);
    }
    for index in 0..super::SERIES_MAX {
        out = replace_colour(&out, series(index), &format!("series-{}", index + 1));
    }
    let size = out.find("viewBox").map_or(0, |at| at);
    let rest = out.split_off(size);
    let (attributes, body) = rest.split_once('>').unwrap_or((rest.as_str(), ""));
    format!(
        "<svg class=\"plot\" role=\"img\" aria-labelledby=\"{id}-title {id}-desc\" {attributes}>\n\
         <title id=\"{id}-title\">{}</title>\n<desc id=\"{id}-desc\">{}</desc>{body}",
        escape(title),
        escape(description),
    )
}

fn replace_colour(svg: &str, colour: RGBColor, name: &str) -> String {
    let code = format!("#{:02X}{:02X}{:02X}", colour.0, colour.1, colour.2);
    svg.replace(&format!("stroke=\"{code}\""), &format!("class=\"plot-stroke plot-{name}\""))
        .replace(&format!("fill=\"{code}\""), &format!("class=\"plot-fill plot-{name}\""))
}

/// A themed figure as a file of its own: size and style inside.
pub fn standalone(svg: &str) -> String {
    let style = format!("<style>{STANDALONE_STYLE}</style>\n<title ");
    svg.replacen("<svg ", "<svg width=\"720\" height=\"640\" ", 1).replacen("<title ", &style, 1)
}

/// Text as XML character data.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
