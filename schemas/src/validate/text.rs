//! From text to a JSON value: strict about doubled keys and depth, and remembering lines.

use super::{DEPTH_MAX, Problem};
use saphyr::{Scalar, ScalarStyle};
use saphyr_parser::{Event, Marker, Parser, ScanError, Span};
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write as _;

/// A document as a value, with the line of every place where the source is YAML.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) value: Value,
    pub(super) lines: Lines,
}

/// Line of each JSON pointer.
#[derive(Debug, Default)]
pub(super) struct Lines(HashMap<String, usize>);

impl Lines {
    /// The line of a place, or of the nearest place around it.
    pub(super) fn find(&self, pointer: &str) -> Option<usize> {
        let mut place = pointer;
        loop {
            if let Some(line) = self.0.get(place) {
                return Some(*line);
            }
            place = &place[..place.rfind('/')?];
        }
    }
}

/// Appends a step to a JSON pointer (RFC 6901).
pub(super) fn step(pointer: &str, key: &str) -> String {
    format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"))
}

/// Whole numbers are kept as integers, so that `1.0` is accepted where JSON Schema and people accept it.
fn number(value: f64) -> Option<Value> {
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() < EXACT_MAX && !(value == 0.0 && value.is_sign_negative()) {
        #[expect(clippy::cast_possible_truncation, reason = "a whole number below 2^53 fits an i64")]
        return Some(Value::Number(Number::from(value as i64)));
    }
    Number::from_f64(value).map(Value::Number)
}

/// Parses JSON; the whole input is one value.
pub(super) fn parse_json(bytes: &[u8]) -> Result<Parsed, Problem> {
    let problem = |error: &serde_json::Error| {
        Problem::new("", error.to_string(), "well-formed JSON").at_line(error.line().max(1))
    };
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = Strict { depth: 0 }.deserialize(&mut deserializer).map_err(|error| problem(&error))?;
    deserializer.end().map_err(|error| problem(&error))?;
    Ok(Parsed { value, lines: Lines::default() })
}

/// A JSON value whose objects have no doubled keys and whose depth is bounded.
#[derive(Clone, Copy)]
struct Strict {
    depth: usize,
}

impl Strict {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth >= DEPTH_MAX {
            return Err(E::custom(format_args!("objects and lists nested more than {DEPTH_MAX} deep")));
        }
        Ok(Self { depth: self.depth + 1 })
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        number(value).ok_or_else(|| E::custom("a number that is not finite"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(inner)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            if map.contains_key(&key) {
                return Err(A::Error::custom(format_args!("the field {} twice", quoted(&key))));
            }
            map.insert(key, entries.next_value_seed(inner)?);
        }
        Ok(Value::Object(map))
    }
}

/// A text as it is shown in an error: shortened, without control characters.
pub(super) fn quoted(text: &str) -> String {
    const SHOWN_MAX: usize = 60;
    let mut out = String::from("`");
    for c in text.chars().take(SHOWN_MAX) {
        if c.is_control() {
            let _ = write!(out, "{}", c.escape_default());
        } else {
            out.push(c);
        }
    }
    if text.chars().nth(SHOWN_MAX).is_some() {
        out.push('…');
    }
    out.push('`');
    out
}

/// Parses one YAML document. Anchors' aliases, tags and doubled keys are refused.
pub(super) fn parse_yaml(source: &str) -> Result<Parsed, Problem> {
    let mut builder = Builder::default();
    for event in Parser::new_from_str(source) {
        let (event, span) = event.map_err(|error| syntax(&error))?;
        builder.on_event(event, span)?;
    }
    let value = builder
        .root
        .ok_or_else(|| Problem::new("", "an empty document", "a mapping of fields").at_line(1))?;
    Ok(Parsed { value, lines: builder.lines })
}

fn syntax(error: &ScanError) -> Problem {
    Problem::new("", format!("{} in column {}", error.info(), error.marker().col() + 1), "well-formed YAML")
        .at_line(error.marker().line())
        .hint("check the indentation, and quote texts that contain `: ` or ` #` or start with a special character")
}

/// A collection under construction.
enum Frame {
    List { pointer: String, items: Vec<Value> },
    Map { pointer: String, entries: Map<String, Value>, key: Option<String> },
}

/// Builds the value from the parser's events, so that depth is known before anything is nested.
#[derive(Default)]
struct Builder {
    stack: Vec<Frame>,
    lines: Lines,
    root: Option<Value>,
    documents: usize,
}

impl Builder {
    fn on_event(&mut self, event: Event<'_>, span: Span) -> Result<(), Problem> {
        let at = span.start;
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err(Problem::new("", "a second document", "one document").at_line(at.line()));
                }
            }
            Event::Alias(_) => {
                return Err(Problem::new(self.place(), "an alias (`*name`)", "the value itself")
                    .at_line(at.line())
                    .hint("write the value out where it is used"));
            }
            Event::Scalar(text, style, _, tag) => self.on_scalar(text, style, tag.is_some(), at)?,
            Event::SequenceStart(_, tag) => {
                let pointer = self.open(tag.is_some(), at)?;
                self.stack.push(Frame::List { pointer, items: Vec::new() });
            }
            Event::MappingStart(_, tag) => {
                let pointer = self.open(tag.is_some(), at)?;
                self.stack.push(Frame::Map { pointer, entries: Map::new(), key: None });
            }
            Event::SequenceEnd | Event::MappingEnd => match self.stack.pop() {
                Some(Frame::List { items, .. }) => self.insert(Value::Array(items)),
                Some(Frame::Map { entries, .. }) => self.insert(Value::Object(entries)),
                None => {}
            },
            _ => {}
        }
        Ok(())
    }

    /// Pointer of the value that comes next.
    fn place(&self) -> String {
        match self.stack.last() {
            None => String::new(),
            Some(Frame::List { pointer, items }) => format!("{pointer}/{}", items.len()),
            Some(Frame::Map { pointer, key: None, .. }) => pointer.clone(),
            Some(Frame::Map { pointer, key: Some(key), .. }) => step(pointer, key),
        }
    }

    fn open(&mut self, tagged: bool, at: Marker) -> Result<String, Problem> {
        let pointer = self.place();
        if let Some(Frame::Map { key: None, .. }) = self.stack.last() {
            return Err(Problem::new(pointer, "a list or mapping as a key", "a text key").at_line(at.line()));
        }
        if tagged {
            return Err(Problem::new(pointer, "a tag (`!name`)", "no tag").at_line(at.line()));
        }
        if self.stack.len() >= DEPTH_MAX {
            return Err(
                Problem::new("", "deep nesting", format!("at most {DEPTH_MAX} levels")).at_line(at.line())
            );
        }
        self.note(&pointer, at);
        Ok(pointer)
    }

    /// A key has already given its value a line, which is where a reader looks.
    fn note(&mut self, pointer: &str, at: Marker) {
        if !self.lines.0.contains_key(pointer) {
            self.lines.0.insert(pointer.to_owned(), at.line());
        }
    }

    fn on_scalar(
        &mut self,
        text: Cow<'_, str>,
        style: ScalarStyle,
        tagged: bool,
        at: Marker,
    ) -> Result<(), Problem> {
        let place = self.place();
        if let Some(Frame::Map { pointer, entries, key: key @ None }) = self.stack.last_mut() {
            let inner = step(pointer, &text);
            if entries.contains_key(&*text) {
                let first = self.lines.find(&inner).unwrap_or_default();
                return Err(Problem::new(
                    inner,
                    "the same field again",
                    format!("it once (first in line {first})"),
                )
                .at_line(at.line()));
            }
            self.lines.0.insert(inner, at.line());
            *key = Some(text.into_owned());
            return Ok(());
        }
        let refuse = |found: String| {
            let hint = "put the value in quotes if it is a text";
            Problem::new(place.clone(), found, "a text, a finite number, true, false or null")
                .at_line(at.line())
                .hint(hint)
        };
        if tagged {
            return Err(refuse("a tag (`!name`)".into()));
        }
        let shown = quoted(&text);
        let scalar = Scalar::parse_from_cow_and_metadata(Cow::Owned(text.into_owned()), style, None);
        let value = match scalar {
            Some(Scalar::Null) => Value::Null,
            Some(Scalar::Boolean(value)) => Value::Bool(value),
            Some(Scalar::Integer(value)) => value.into(),
            Some(Scalar::FloatingPoint(value)) => number(value.into_inner()).ok_or_else(|| refuse(shown))?,
            Some(Scalar::String(value)) => Value::String(value.into_owned()),
            None => return Err(refuse(shown)),
        };
        self.note(&place, at);
        self.insert(value);
        Ok(())
    }

    fn insert(&mut self, value: Value) {
        match self.stack.last_mut() {
            None => self.root = Some(value),
            Some(Frame::List { items, .. }) => items.push(value),
            Some(Frame::Map { entries, key, .. }) => {
                if let Some(key) = key.take() {
                    entries.insert(key, value);
                }
            }
        }
    }
}
