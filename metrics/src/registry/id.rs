//! Ids of metrics: `base`, `base.convention`, `base@parameter`, `base.convention@parameter`.

use super::{Convention, MetricSpec, all, near};
use crate::error::MetricError;
use std::fmt;

/// A metric with its convention and parameter settled.
///
/// ```
/// use fiel_metrics::registry::MetricId;
///
/// let id = MetricId::parse("nsd.surfel@2")?;
/// assert_eq!((id.spec.id, id.convention(), id.parameter), ("nsd", Some("surfel"), Some(2.0)));
/// assert_eq!(id.full(), "nsd.surfel@2/1");
/// assert_eq!(MetricId::parse("hd95")?.full(), "hd95.max_directed/1");
/// assert!(MetricId::parse("nsd@-1").unwrap_err().to_string().contains("tolerance"));
/// # Ok::<(), fiel_metrics::MetricError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MetricId {
    /// What it is.
    pub spec: &'static MetricSpec,
    /// The definition chosen, where there are several.
    pub definition: Option<&'static Convention>,
    /// The parameter, where it takes one.
    pub parameter: Option<f64>,
}

impl MetricId {
    /// Reads an id: a bare one means the default convention and parameter.
    ///
    /// # Errors
    /// [`MetricError::UnknownMetric`] for a metric that does not exist, with those that may be meant;
    /// [`MetricError::Form`] for a convention that it does not have, or a parameter where it takes none, with what it
    /// does take; [`MetricError::Parameter`] for a parameter outside its range, with that range.
    ///
    /// ```
    /// use fiel_metrics::registry::MetricId;
    ///
    /// let hd95 = MetricId::parse("hd95.pooled")?;
    /// assert_eq!((hd95.spec.unit, hd95.convention(), hd95.parameter), ("mm", Some("pooled"), None));
    /// assert_eq!(MetricId::parse("sensitivity@specificity=0.9")?.parameter, Some(0.9));
    /// let refused = MetricId::parse("hd95.median").unwrap_err().to_string();
    /// assert!(refused.contains("`hd95.pooled`"), "{refused}");
    /// let refused = MetricId::parse("AUROC").unwrap_err().to_string();
    /// assert!(refused.contains("did you mean `auc`"), "{refused}");
    /// let refused = MetricId::parse("ece@1.5").unwrap_err().to_string();
    /// assert!(refused.contains("a whole number"), "{refused}");
    /// # Ok::<(), fiel_metrics::MetricError>(())
    /// ```
    pub fn parse(id: &str) -> Result<Self, MetricError> {
        let (head, value) = match id.split_once('@') {
            // `sensitivity@specificity=0.95` is the metric `sensitivity@specificity` at 0.95.
            Some((head, rest)) => match rest.split_once('=') {
                Some((name, value)) => (format!("{head}@{name}"), Some(value)),
                None if all().any(|m| m.id == id) => (id.to_owned(), None),
                None => (head.to_owned(), Some(rest)),
            },
            None => (id.to_owned(), None),
        };
        let (base, convention) = match head.split_once('.') {
            Some((base, convention)) => (base, Some(convention)),
            None => (head.as_str(), None),
        };
        let spec = all().find(|m| m.id == base).ok_or_else(|| MetricError::UnknownMetric {
            id: id.to_owned(),
            nearest: near::suggestion(base),
        })?;
        let refused =
            |problem: String| MetricError::Form { id: id.to_owned(), problem, takes: near::takes(spec) };
        let definition = match convention {
            None => spec.conventions.first(),
            Some(name) => Some(
                (spec.conventions.iter().find(|c| c.name == name))
                    .ok_or_else(|| refused(near::no_convention(spec, name)))?,
            ),
        };
        let parameter = match (spec.parameter, value) {
            (None, None) => None,
            (None, Some(_)) => return Err(refused("it takes no parameter".to_owned())),
            (Some(p), None) => p.default,
            (Some(p), Some(text)) => {
                let value = text.parse::<f64>().ok().filter(|v| (p.range.0..=p.range.1).contains(v));
                let value = value.filter(|v| !p.is_integer || v.fract() == 0.0);
                Some(value.ok_or_else(|| MetricError::Parameter {
                    id: id.to_owned(),
                    name: p.name,
                    limits: p.limits(),
                })?)
            }
        };
        Ok(Self { spec, definition, parameter })
    }

    /// Name of the convention, where there are several.
    ///
    /// ```
    /// use fiel_metrics::registry::MetricId;
    /// assert_eq!(MetricId::parse("hd95")?.convention(), Some("max_directed"));
    /// assert_eq!(MetricId::parse("dice")?.convention(), None);
    /// # Ok::<(), fiel_metrics::MetricError>(())
    /// ```
    pub fn convention(&self) -> Option<&'static str> {
        self.definition.map(|c| c.name)
    }

    /// Whether the convention of this name is the one chosen.
    ///
    /// ```
    /// use fiel_metrics::registry::MetricId;
    /// let hd95 = MetricId::parse("hd95.pooled")?;
    /// assert!(hd95.is("pooled") && !hd95.is("max_directed"));
    /// # Ok::<(), fiel_metrics::MetricError>(())
    /// ```
    pub fn is(&self, convention: &str) -> bool {
        self.convention() == Some(convention)
    }

    /// Heading of a column: the short name, with the parameter where it is not understood. The convention is left
    /// out.
    ///
    /// ```
    /// use fiel_metrics::registry::MetricId;
    /// assert_eq!(MetricId::parse("nsd.surfel@2")?.heading(), "NSD 2 mm");
    /// assert_eq!(MetricId::parse("dice")?.heading(), "Dice");
    /// # Ok::<(), fiel_metrics::MetricError>(())
    /// ```
    pub fn heading(&self) -> String {
        match (self.spec.parameter, self.parameter) {
            (Some(p), Some(value)) if !p.unit.is_empty() => format!("{} {value} {}", self.spec.short, p.unit),
            (Some(p), Some(value))
                if self.spec.id.contains('@') || p.default.map(f64::to_bits) != Some(value.to_bits()) =>
            {
                format!("{} {value}", self.spec.short)
            }
            _ => self.spec.short.to_owned(),
        }
    }

    /// Name for people, with convention and parameter.
    ///
    /// ```
    /// use fiel_metrics::registry::MetricId;
    /// assert_eq!(MetricId::parse("dice")?.name(), "Dice similarity");
    /// assert!(MetricId::parse("nsd.surfel@2")?.name().ends_with("(surfel, tolerance 2 mm)"));
    /// # Ok::<(), fiel_metrics::MetricError>(())
    /// ```
    pub fn name(&self) -> String {
        let mut details: Vec<String> =
            self.definition.map(|c| c.name.replace('_', " ")).into_iter().collect();
        if let (Some(p), Some(value)) = (self.spec.parameter, self.parameter) {
            details.push(format!("{} {value} {}", p.name, p.unit).trim_end().to_owned());
        }
        if details.is_empty() {
            return self.spec.name.to_owned();
        }
        format!("{} ({})", self.spec.name, details.join(", "))
    }

    /// Id with convention, parameter and version: what a value says of itself for good.
    ///
    /// ```
    /// use fiel_metrics::registry::MetricId;
    /// assert_eq!(MetricId::parse("nsd@2.0")?.full(), "nsd.voxel@2/1");
    /// assert_eq!(MetricId::parse("sensitivity@specificity")?.full(), "sensitivity@specificity=0.95/1");
    /// # Ok::<(), fiel_metrics::MetricError>(())
    /// ```
    pub fn full(&self) -> String {
        format!("{self}/{}", self.spec.version)
    }
}

impl fmt::Display for MetricId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.spec.id)?;
        if let Some(convention) = self.convention() {
            write!(f, ".{convention}")?;
        }
        match self.parameter {
            Some(value) if self.spec.id.contains('@') => write!(f, "={value}"),
            Some(value) => write!(f, "@{value}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::MetricId;

    #[track_caller]
    fn check(id: &str, full: &str) {
        assert_eq!(MetricId::parse(id).map(|m| m.full()).ok().as_deref(), Some(full), "{id}");
    }

    #[test]
    fn ids_name_convention_parameter_and_version() {
        check("dice", "dice/1");
        check("hd95", "hd95.max_directed/1");
        check("hd95.pooled", "hd95.pooled/1");
        check("nsd@1.0", "nsd.voxel@1/1");
        check("nsd.surfel@0.5", "nsd.surfel@0.5/1");
        check("ece.equal_mass@20", "ece.equal_mass@20/1");
        check("sensitivity@specificity=0.9", "sensitivity@specificity=0.9/1");
        check("sensitivity@specificity", "sensitivity@specificity=0.95/1");
        check("sensitivity@0.3", "sensitivity@0.3/1");
        check("c_index_uno", "c_index_uno/1");
        check("c_index_uno@365", "c_index_uno@365/1");
        check("pq", "pq/1");
        check("pq@0.5", "pq@0.5/1");
    }

    #[test]
    fn what_is_not_an_id_is_refused() {
        for id in [
            "",
            "dicee",
            "dice.pooled",
            "dice@1",
            "hd95.mean",
            "ece@0",
            "ece@1.5",
            "nsd@x",
            "nsd@nan",
            "f1@2",
            "c_index_uno@0",
            "c_index_uno@inf",
            "pq@1.5",
        ] {
            assert!(MetricId::parse(id).is_err(), "{id}");
        }
    }
}
