//! Words in the operator's language: texts of the locale files, numbers, and moments in Japan's time.
//!
//! A date never stands alone: whoever prints one prints the days that are left, or that have passed, beside it.

use std::fmt::Display;

use inkan_model::Timestamp;
use inkan_model::clinic::Prefecture;
use inkan_model::locale::{Bilingual, Locale};
use time::macros::offset;
use time::{Date, OffsetDateTime, Weekday};

/// Speaks one language.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Words(pub(crate) Locale);

impl Words {
    /// The language's tag, as in `lang="ja"`.
    pub(crate) fn tag(self) -> &'static str {
        self.0.tag()
    }

    pub(crate) fn is_japanese(self) -> bool {
        self.0 == Locale::Ja
    }

    /// The text under a key. A key that is missing shows itself; a test keeps that from happening.
    pub(crate) fn say(self, key: &str) -> String {
        crate::_rust_i18n_try_translate(self.tag(), key).map_or_else(|| key.to_owned(), std::borrow::Cow::into_owned)
    }

    /// The text under a key with `%{a}` filled in.
    pub(crate) fn fill(self, key: &str, a: impl Display) -> String {
        self.say(key).replace("%{a}", &a.to_string())
    }

    /// The text under a key with `%{a}` and `%{b}` filled in.
    pub(crate) fn fill2(self, key: &str, a: impl Display, b: impl Display) -> String {
        // In one pass from the left, so that a value which looks like a place is not filled again.
        let text = self.say(key);
        let (before, after) = text.split_once("%{b}").unwrap_or((&text, ""));
        let (a, b) = (a.to_string(), b.to_string());
        let tail = if text.contains("%{b}") { b.as_str() } else { "" };
        format!("{}{tail}{}", before.replace("%{a}", &a), after.replace("%{a}", &a))
    }

    /// The text under a key with the number `%{n}` filled in; English has another one, `…_one`, for a single thing.
    pub(crate) fn count(self, key: &str, n: impl Into<u64>) -> String {
        let n = n.into();
        let text = if n == 1 && self.0 == Locale::En { self.say(&format!("{key}_one")) } else { self.say(key) };
        text.replace("%{n}", &number(n))
    }

    /// The text in this language.
    pub(crate) fn of(self, text: &Bilingual) -> String {
        text.in_locale(self.0).to_owned()
    }

    /// A prefecture's name.
    pub(crate) fn prefecture(self, prefecture: Prefecture) -> String {
        if self.is_japanese() {
            return prefecture.short_name().to_owned();
        }
        let mut letters = prefecture.romaji().chars();
        letters.next().map_or_else(String::new, |first| format!("{}{}", first.to_ascii_uppercase(), letters.as_str()))
    }

    /// `2026-11-20 (金) 14:05`.
    pub(crate) fn date_time(self, at: Timestamp) -> String {
        let at = in_japan(at);
        format!("{} ({}) {:02}:{:02}", date_text(at.date()), self.weekday(at.weekday()), at.hour(), at.minute())
    }

    /// `2026-11-20 (金)`.
    pub(crate) fn date(self, at: Timestamp) -> String {
        let at = in_japan(at);
        format!("{} ({})", date_text(at.date()), self.weekday(at.weekday()))
    }

    /// `きょう 14:05`, `11-18 09:12`, and in other years `2025-11-18`: for a timeline, where the whole is a hover away.
    pub(crate) fn short_time(self, at: Timestamp, now: Timestamp) -> String {
        let (at, now) = (in_japan(at), in_japan(now));
        if at.date() == now.date() {
            return format!("{} {:02}:{:02}", self.say("time.today"), at.hour(), at.minute());
        }
        if at.year() == now.year() {
            return format!("{:02}-{:02} {:02}:{:02}", u8::from(at.month()), at.day(), at.hour(), at.minute());
        }
        date_text(at.date())
    }

    /// `あと12日`, `きょうまで`, `きのう切れました`, `9日前に切れました`.
    pub(crate) fn days_left(self, end: Timestamp, now: Timestamp) -> String {
        match end.days_from(now) {
            days @ 1.. => self.count("time.days_left", days.unsigned_abs()),
            0 => self.say("time.last_day"),
            -1 => self.say("time.ended_yesterday"),
            days => self.count("time.ended", days.unsigned_abs()),
        }
    }

    /// `たった今`, `5分前`, `3時間前`, `9日前`; and what lies ahead, `5分後`.
    pub(crate) fn ago(self, at: Timestamp, now: Timestamp) -> String {
        let seconds = now.since(at).whole_seconds();
        let size = seconds.unsigned_abs();
        match (seconds < 0, size) {
            (_, ..60) => self.say("time.just_now"),
            (false, 60..3_600) => self.count("time.minutes_ago", size / 60),
            (false, 3_600..86_400) => self.count("time.hours_ago", size / 3_600),
            (false, _) => self.count("time.days_ago", size / 86_400),
            (true, 60..3_600) => self.count("time.in_minutes", size / 60),
            (true, 3_600..86_400) => self.count("time.in_hours", size / 3_600),
            (true, _) => self.count("time.in_days", size / 86_400),
        }
    }

    fn weekday(self, day: Weekday) -> &'static str {
        let day = usize::from(day.number_days_from_monday());
        let days = match self.0 {
            Locale::Ja => ["月", "火", "水", "木", "金", "土", "日"],
            Locale::En => ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"],
        };
        days[day]
    }
}

/// A moment in Japan's time, which has no summer time.
pub(crate) fn in_japan(at: Timestamp) -> OffsetDateTime {
    at.to_utc().checked_to_offset(offset!(+9)).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// The day in Japan's calendar, counted from 1970-01-01.
pub(crate) fn day_in_japan(at: Timestamp) -> i32 {
    in_japan(at).date().to_julian_day() - EPOCH_JULIAN_DAY
}

/// The date of a day counted from 1970-01-01.
pub(crate) fn date_of_day(day: i32) -> Date {
    Date::from_julian_day(day.saturating_add(EPOCH_JULIAN_DAY)).unwrap_or(Date::MIN)
}

/// When a day counted from 1970-01-01 begins in Japan.
pub(crate) fn start_of_day(day: i32) -> Timestamp {
    Timestamp::from(date_of_day(day).midnight().assume_offset(offset!(+9)))
}

const EPOCH_JULIAN_DAY: i32 = 2_440_588;

/// `2026-11-20`.
pub(crate) fn date_text(date: Date) -> String {
    format!("{:04}-{:02}-{:02}", date.year(), u8::from(date.month()), date.day())
}

/// Reads `2026-11-20`, as a date field sends it, as a day counted from 1970-01-01.
pub(crate) fn parse_day(text: &str) -> Option<i32> {
    let format = time::macros::format_description!("[year]-[month]-[day]");
    Date::parse(text, format).ok().map(|date| date.to_julian_day() - EPOCH_JULIAN_DAY)
}

/// `1,187`.
pub(crate) fn number(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::Duration;

    const JA: Words = Words(Locale::Ja);
    const EN: Words = Words(Locale::En);
    /// 2026-11-20 05:05 UTC, a Friday; five past two in Japan.
    const NOW: Timestamp = Timestamp::from_unix_seconds(1_795_151_100);

    #[test]
    fn moments_are_shown_in_japans_time_with_the_weekday() {
        assert_eq!(JA.date_time(NOW), "2026-11-20 (金) 14:05");
        assert_eq!(EN.date(NOW.plus(Duration::hours(10))), "2026-11-21 (Sat)");
        assert_eq!(JA.short_time(NOW.minus(Duration::minutes(7)), NOW), "きょう 13:58");
        assert_eq!(JA.short_time(NOW.minus(Duration::days(2)), NOW), "11-18 14:05");
        assert_eq!(JA.short_time(NOW.minus(Duration::days(400)), NOW), "2025-10-16");
    }

    #[test]
    fn days_are_counted_as_a_clerk_says_them() {
        let left = |days| JA.days_left(NOW.plus(Duration::days(days)).plus(Duration::hours(1)), NOW);
        assert_eq!(
            [left(12), left(0), left(-1), left(-9)],
            ["あと12日", "きょうまで", "きのう切れました", "9日前に切れました"]
        );
        assert_eq!(EN.days_left(NOW.plus(Duration::hours(30)), NOW), "1 day left");
        assert_eq!(JA.ago(NOW.minus(Duration::hours(3)), NOW), "3時間前");
    }

    #[test]
    fn a_day_begins_at_midnight_in_japan() {
        let day = day_in_japan(NOW);
        assert_eq!(date_text(date_of_day(day)), "2026-11-20");
        assert_eq!(JA.date_time(start_of_day(day)), "2026-11-20 (金) 00:00");
        assert_eq!(parse_day("2026-11-20"), Some(day));
        assert_eq!(parse_day("20.11.2026"), None);
    }

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!([number(7), number(1_187), number(1_234_567)], ["7", "1,187", "1,234,567"]);
    }

    #[test]
    fn the_ends_of_time_do_not_panic() {
        for end in [i64::MIN, i64::MAX] {
            let end = Timestamp::from_unix_millis(end);
            let _ = (JA.date_time(end), JA.days_left(end, NOW), JA.ago(end, NOW), day_in_japan(end));
        }
    }

    #[test]
    fn a_value_that_looks_like_a_place_is_not_filled_again() {
        assert!(JA.fill2("host.chain.missing_of", "%{b}", "x").contains("%{b}"));
    }
}
