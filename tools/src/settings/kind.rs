//! What settings can be: their units and bounds, and their values as words, as TOML and in a message.

use std::ffi::OsStr;
use std::fmt;
use std::path::PathBuf;

use toml::de::DeValue;

use crate::size::Size;

/// What a count is when nothing is chosen, in every source.
const AUTO: &str = "auto";

/// What a setting can be. Whatever is outside its bounds is refused.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A file or a directory.
    Path {
        /// The default.
        default: &'static str,
    },
    /// A number of bytes.
    Bytes {
        /// The default.
        default: u64,
        /// At least.
        least: u64,
        /// At most.
        most: u64,
        /// What it must be a multiple of.
        step: u64,
    },
    /// A number of seconds.
    Seconds {
        /// The default.
        default: u64,
        /// At least.
        least: u64,
        /// At most.
        most: u64,
    },
    /// A number of things.
    Count {
        /// What is counted.
        unit: &'static str,
        /// The default.
        default: u64,
        /// At least.
        least: u64,
        /// At most.
        most: u64,
    },
    /// A number of things, or `auto`, which is the default.
    CountOrAuto {
        /// What is counted.
        unit: &'static str,
        /// At least.
        least: u64,
        /// At most.
        most: u64,
    },
    /// On or off, and off when nothing is chosen.
    Switch,
    /// Text that something else understands.
    Word {
        /// Its form in capitals.
        unit: &'static str,
        /// The default.
        default: &'static str,
        /// What it can be, in words.
        form: &'static str,
        /// Whether it is that.
        is_one: fn(&str) -> bool,
    },
}

/// The value of a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Of a [`Kind::Path`].
    Path(PathBuf),
    /// Of a number of whatever unit.
    Number(u64),
    /// Of a [`Kind::CountOrAuto`] that is not chosen.
    Auto,
    /// Of a [`Kind::Switch`].
    Switch(bool),
    /// Of a [`Kind::Word`].
    Word(String),
}

/// Why a value is refused: what it is, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    problem: String,
    instead: String,
}

impl Kind {
    /// The value when nothing is chosen.
    pub fn default(&self) -> Value {
        match *self {
            Self::Path { default } => Value::Path(PathBuf::from(default)),
            Self::Bytes { default, .. } | Self::Seconds { default, .. } | Self::Count { default, .. } => {
                Value::Number(default)
            }
            Self::CountOrAuto { .. } => Value::Auto,
            Self::Switch => Value::Switch(false),
            Self::Word { default, .. } => Value::Word(default.to_owned()),
        }
    }

    /// The unit, as the reference has it.
    pub fn unit(&self) -> &'static str {
        match *self {
            Self::Path { .. } => "path",
            Self::Bytes { .. } => "bytes",
            Self::Seconds { .. } => "seconds",
            Self::Count { unit, .. } | Self::CountOrAuto { unit, .. } => unit,
            Self::Switch => "switch",
            Self::Word { unit, .. } => unit,
        }
    }

    /// What stands for the value in the help of a flag.
    pub fn placeholder(&self) -> &'static str {
        match *self {
            Self::Path { .. } => "PATH",
            Self::Bytes { .. } => "SIZE",
            Self::Seconds { .. } => "SECONDS",
            Self::Count { .. } | Self::CountOrAuto { .. } => "N",
            Self::Switch => "true|false",
            Self::Word { unit, .. } => unit,
        }
    }

    /// The bounds in words.
    pub fn bounds(&self) -> String {
        match *self {
            Self::Path { .. } => "any but an empty one".to_owned(),
            Self::Bytes { least, most, step, .. } if step > 1 => {
                format!("{} to {}, a multiple of {}", Size(least), Size(most), Size(step))
            }
            Self::Bytes { least, most, .. } => format!("{} to {}", Size(least), Size(most)),
            Self::Seconds { least, most, .. } | Self::Count { least, most, .. } => format!("{least} to {most}"),
            Self::CountOrAuto { least, most, .. } => format!("{AUTO}, or {least} to {most}"),
            Self::Switch => "true or false".to_owned(),
            Self::Word { form, .. } => form.to_owned(),
        }
    }

    /// Reads what a flag or a variable says.
    pub fn read(&self, given: &OsStr) -> Result<Value, Refusal> {
        if let Self::Path { .. } = self {
            return self.path(PathBuf::from(given));
        }
        let text = given.to_str().ok_or_else(|| self.refuse("no text in UTF-8"))?;
        match *self {
            Self::Bytes { .. } => {
                let size = text.parse().map_err(|_| self.refuse("no size"))?;
                let Size(bytes) = size;
                self.number(bytes.into())
            }
            Self::CountOrAuto { .. } if text == AUTO => Ok(Value::Auto),
            Self::Seconds { .. } | Self::Count { .. } | Self::CountOrAuto { .. } => {
                self.number(text.parse().map_err(|_| self.refuse("no whole number"))?)
            }
            Self::Switch => {
                let value = text.parse().map_err(|_| self.refuse("neither true nor false"))?;
                Ok(Value::Switch(value))
            }
            Self::Word { .. } | Self::Path { .. } => self.word(text),
        }
    }

    /// Reads what a file says: numbers and switches as TOML has them, everything else in quotes.
    pub fn read_toml(&self, given: &DeValue<'_>) -> Result<Value, Refusal> {
        match (*self, given) {
            (Self::Switch, DeValue::Boolean(value)) => Ok(Value::Switch(*value)),
            (Self::Path { .. }, DeValue::String(text)) => self.path(PathBuf::from(&**text)),
            (Self::Bytes { .. } | Self::Word { .. }, DeValue::String(text)) => self.read(OsStr::new(&**text)),
            (Self::CountOrAuto { .. }, DeValue::String(text)) if text == AUTO => Ok(Value::Auto),
            (
                Self::Bytes { .. } | Self::Seconds { .. } | Self::Count { .. } | Self::CountOrAuto { .. },
                DeValue::Integer(number),
            ) => {
                let number = i128::from_str_radix(number.as_str(), number.radix());
                self.number(number.map_err(|_| self.refuse("no number that can be meant"))?)
            }
            (_, DeValue::String(text)) if text.is_empty() => Err(self.refuse("empty")),
            (Self::Seconds { .. } | Self::Count { .. } | Self::CountOrAuto { .. }, DeValue::String(_)) => {
                Err(self.refuse("text, not a number"))
            }
            (Self::Switch, DeValue::String(_)) => Err(self.refuse("text, not true or false")),
            (_, other) => Err(self.refuse(match other {
                DeValue::String(_) => "text",
                DeValue::Integer(_) => "a number",
                DeValue::Float(_) => "no whole number",
                DeValue::Boolean(_) => "true or false",
                DeValue::Datetime(_) => "a date or a time",
                DeValue::Array(_) => "a list",
                DeValue::Table(_) => "a table",
            })),
        }
    }

    fn path(&self, path: PathBuf) -> Result<Value, Refusal> {
        if path.as_os_str().is_empty() { Err(self.refuse("empty")) } else { Ok(Value::Path(path)) }
    }

    fn word(&self, text: &str) -> Result<Value, Refusal> {
        let Self::Word { is_one, unit, .. } = *self else { unreachable!("only words are read as such") };
        if is_one(text) {
            Ok(Value::Word(text.to_owned()))
        } else if text.is_empty() {
            Err(self.refuse("empty"))
        } else {
            Err(self.refuse(&format!("no {unit}")))
        }
    }

    fn number(&self, number: i128) -> Result<Value, Refusal> {
        let (least, most, step) = match *self {
            Self::Bytes { least, most, step, .. } => (least, most, step),
            Self::Seconds { least, most, .. }
            | Self::Count { least, most, .. }
            | Self::CountOrAuto { least, most, .. } => (least, most, 1),
            Self::Path { .. } | Self::Switch | Self::Word { .. } => unreachable!("this is no number"),
        };
        if number < i128::from(least) {
            return Err(self.refuse(&format!("less than {}", self.bound(least))));
        }
        match u64::try_from(number) {
            Ok(number) if number > most => Err(self.refuse(&format!("more than {}", self.bound(most)))),
            Ok(number) if number.is_multiple_of(step) => Ok(Value::Number(number)),
            Ok(_) => Err(self.refuse(&format!("no multiple of {}", self.bound(step)))),
            Err(_) => Err(self.refuse(&format!("more than {}", self.bound(most)))),
        }
    }

    /// A number with its unit.
    fn bound(&self, number: u64) -> String {
        match self {
            Self::Bytes { .. } => Size(number).to_string(),
            _ if number == 1 => format!("1 {}", self.unit().trim_end_matches('s')),
            _ => format!("{number} {}", self.unit()),
        }
    }

    fn refuse(&self, problem: &str) -> Refusal {
        let bounds = self.bounds();
        let instead = match *self {
            Self::Path { .. } => "a path".to_owned(),
            Self::Bytes { .. } => {
                format!("bytes (67108864) or a number with KiB, MiB or GiB (\"64MiB\" in a file), {bounds}")
            }
            Self::Seconds { .. } => format!("a whole number of seconds, {bounds}"),
            Self::Count { unit, .. } => format!("a whole number of {unit}, {bounds}"),
            Self::CountOrAuto { unit, least, most } => {
                format!("a whole number of {unit}, {least} to {most}, or {AUTO} (\"{AUTO}\" in a file)")
            }
            Self::Switch => bounds,
            Self::Word { default: "", .. } => bounds,
            Self::Word { default, .. } => format!("{bounds}, such as {default}"),
        };
        Refusal { problem: problem.to_owned(), instead }
    }

    /// A value as flags and variables take it, and as messages show it.
    pub fn show(&self, value: &Value) -> String {
        match value {
            Value::Path(path) => path.to_string_lossy().into_owned(),
            Value::Number(bytes) if matches!(self, Self::Bytes { .. }) => Size(*bytes).to_string(),
            Value::Number(number) => number.to_string(),
            Value::Auto => AUTO.to_owned(),
            Value::Switch(on) => on.to_string(),
            Value::Word(word) if word.is_empty() => "nothing".to_owned(),
            Value::Word(word) => word.clone(),
        }
    }

    /// A value as a file has it, or nothing for a path that is no text.
    pub fn toml(&self, value: &Value) -> Option<toml::Value> {
        Some(match value {
            Value::Path(path) => toml::Value::String(path.to_str()?.to_owned()),
            Value::Number(number) if !matches!(self, Self::Bytes { .. }) => {
                toml::Value::Integer(i64::try_from(*number).expect("bounds fit into 63 bits"))
            }
            Value::Word(word) => toml::Value::String(word.clone()),
            Value::Switch(on) => toml::Value::Boolean(*on),
            Value::Number(_) | Value::Auto => toml::Value::String(self.show(value)),
        })
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: write {}", self.problem, self.instead)
    }
}

impl std::error::Error for Refusal {}
