//! How far a long command has come, on standard error if that is a terminal.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::size::grouped;

/// Things between two updates: a terminal shows no more, and each costs a look at the clock.
const STEP_COUNT: u64 = 256;

/// A bar, or nothing at all where nobody looks at a terminal.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    what: &'static str,
}

impl Progress {
    /// Of `total`, or without a known end.
    pub fn new(total: Option<u64>, what: &'static str) -> Self {
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr());
        let template = match total {
            Some(_) => "{wide_bar} {percent:>3}%  {msg}",
            None => "{spinner} {msg}",
        };
        // The templates are constants of this function; without one the bar has its own look.
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self { bar, what }
    }

    /// Shows how far it is: `position` of the total, and how many things that is.
    pub fn show(&self, position: u64, count: u64) {
        if count.is_multiple_of(STEP_COUNT) && !self.bar.is_hidden() {
            self.bar.set_message(format!("{} {}", grouped(count), self.what));
            self.bar.set_position(position);
        }
    }

    /// Says a line beside the bar.
    pub fn interrupt(&self, say: impl FnOnce()) {
        self.bar.suspend(say);
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
