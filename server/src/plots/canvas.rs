//! The unit square with its axes, shared by the figures.

use super::PlotError;
use super::theme::{AXIS, GRID, INK, REFERENCE};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;

/// Plotters rounds to whole units; drawing four times as large keeps steps of a curve apart.
pub(super) const SCALE: u32 = 4;
const SIZE: (u32, u32) = (540 * SCALE, 480 * SCALE);

/// Chart context of the unit square.
pub(super) type Unit<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// Labels of the axes.
pub(super) struct Axes {
    pub(super) x: &'static str,
    pub(super) y: &'static str,
}

/// Draws the unit square with its diagonal, then lets `draw` add to it.
pub(super) fn unit_square(
    axes: &Axes,
    draw: impl FnOnce(&mut Unit<'_, '_>) -> Result<(), PlotError>,
) -> Result<String, PlotError> {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        let mut chart = ChartBuilder::on(&root)
            .margin(14 * SCALE)
            .x_label_area_size(50 * SCALE)
            .y_label_area_size(58 * SCALE)
            .build_cartesian_2d(0.0..1.0, 0.0..1.0)
            .map_err(PlotError::new)?;
        let label = ("sans-serif", 17 * SCALE).into_font().color(&INK);
        chart
            .configure_mesh()
            .disable_x_mesh()
            .disable_y_mesh()
            .x_desc(axes.x)
            .y_desc(axes.y)
            .x_labels(6)
            .y_labels(6)
            .x_label_formatter(&|v| format!("{v:.1}"))
            .y_label_formatter(&|v| format!("{v:.1}"))
            .axis_style(AXIS.stroke_width(SCALE))
            .label_style(label.clone())
            .axis_desc_style(label)
            .draw()
            .map_err(PlotError::new)?;
        for tick in 1..=5 {
            let at = f64::from(tick) / 5.0;
            line(&mut chart, vec![(0.0, at), (1.0, at)], GRID.stroke_width(SCALE))?;
            line(&mut chart, vec![(at, 0.0), (at, 1.0)], GRID.stroke_width(SCALE))?;
        }
        line(&mut chart, vec![(0.0, 0.0), (1.0, 1.0)], REFERENCE.stroke_width(SCALE + 2))?;
        draw(&mut chart)?;
        root.present().map_err(PlotError::new)?;
    }
    Ok(svg)
}

/// Adds a line through `points`.
pub(super) fn line(
    chart: &mut Unit<'_, '_>,
    points: Vec<(f64, f64)>,
    style: ShapeStyle,
) -> Result<(), PlotError> {
    chart.draw_series(std::iter::once(PathElement::new(points, style))).map_err(PlotError::new)?;
    Ok(())
}
