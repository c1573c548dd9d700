//! Wall clock times as RFC 3339, in UTC, to the nanosecond.

use florin_engine::model::Realtime;

#[cfg(test)]
mod tests;

const SECOND_NS: u64 = 1_000_000_000;
const DAY_SECONDS: u64 = 86_400;
/// Days of 400 years, after which the calendar repeats.
const ERA_DAYS: u64 = 146_097;
/// From the first of March of the year 0 to 1970.
const DAYS_BEFORE_1970: u64 = 719_468;

/// `2026-01-31T12:00:00.000000001Z`.
pub fn rfc3339(time: Realtime) -> String {
    let (seconds, nanoseconds) = (time.0 / SECOND_NS, time.0 % SECOND_NS);
    let (year, month, day) = date(seconds / DAY_SECONDS);
    let of_day = seconds % DAY_SECONDS;
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{nanoseconds:09}Z")
}

/// The same, with nothing for the time 0, which stands for "never".
pub fn rfc3339_unless_never(time: Realtime) -> Option<String> {
    (time != Realtime(0)).then(|| rfc3339(time))
}

/// Year, month and day. Years are counted from March, so that the leap day is the last of its year.
fn date(days_since_1970: u64) -> (u64, u64, u64) {
    let days = days_since_1970 + DAYS_BEFORE_1970;
    let (era, of_era) = (days / ERA_DAYS, days % ERA_DAYS);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}
