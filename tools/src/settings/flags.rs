//! Settings from the command line: flags made from the table.

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{Arg, ArgMatches, Args, Command, Error, FromArgMatches};

use super::kind::{Kind, Value};
use super::table::{SETTINGS, Setting};
use super::{AllGiven, Given, Settings, Source};

/// What the command line alone can say, and why.
const FLAG_ONLY: [(&str, &str); 3] = [
    ("config", "the settings file is named with --config or FLORIN_CONFIG"),
    ("print_config", "it is the flag --print-config"),
    ("stop_with_stdin", "it is the flag --stop-with-stdin, for whoever starts the server"),
];

/// The settings that are given as flags, of `serve`, or of `format`, which has some of them.
#[derive(Clone, Debug)]
pub struct Flags<const FORMAT: bool> {
    given: AllGiven,
}

/// All settings.
pub type ServeFlags = Flags<false>;
/// What a directory is formatted with, and how its files are used.
pub type FormatFlags = Flags<true>;

impl<const FORMAT: bool> Flags<FORMAT> {
    fn settings() -> impl Iterator<Item = &'static Setting> {
        SETTINGS.into_iter().filter(|setting| !FORMAT || setting.is_for_format())
    }

    /// What is given.
    pub fn given(&self) -> &AllGiven {
        &self.given
    }
}

impl FormatFlags {
    /// The settings in force: `format` has no other source.
    pub fn in_force(&self) -> Settings {
        Settings::with([self.given.clone()])
    }
}

impl<const FORMAT: bool> Args for Flags<FORMAT> {
    fn augment_args(command: Command) -> Command {
        command.args(Self::settings().map(argument))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<const FORMAT: bool> FromArgMatches for Flags<FORMAT> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let given = Self::settings().filter_map(|setting| {
            let value = matches.get_one::<Value>(setting.key)?.clone();
            Some((setting.key, Given { value, source: Source::Flag }))
        });
        Ok(Self { given: given.collect() })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        self.given.extend(Self::from_arg_matches(matches)?.given);
        Ok(())
    }
}

fn argument(setting: &'static Setting) -> Arg {
    let argument = Arg::new(setting.key).value_name(setting.kind.placeholder()).help(help(setting));
    let argument = argument.value_parser(OsStringValueParser::new().try_map(|given| setting.kind.read(&given)));
    match setting.kind {
        _ if setting.is_argument() => argument.value_name(setting.flag()),
        // As a switch, or with a value, so that what a file turns on can be turned off.
        Kind::Switch => argument
            .long(setting.key.replace('_', "-"))
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true"),
        _ => argument.long(setting.key.replace('_', "-")).allow_negative_numbers(true),
    }
}

/// The sentence, the default and the bounds.
fn help(setting: &Setting) -> String {
    let kind = &setting.kind;
    let default = kind.show(&kind.default());
    match kind {
        Kind::Switch => setting.meaning.to_owned(),
        Kind::Path { .. } => format!("{} [default: {default}]", setting.meaning),
        _ => format!("{} [default: {default}] [{}]", setting.meaning, kind.bounds()),
    }
}

/// What to do about a name that only the command line knows.
pub fn advice_about(key: &str) -> Option<String> {
    let key = key.replace('-', "_").to_ascii_lowercase();
    let (_, advice) = FLAG_ONLY.iter().find(|(name, _)| *name == key)?;
    Some(format!("{advice}; remove it here"))
}
