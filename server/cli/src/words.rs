//! Words in ja and en, side by side, and how moments are written.

use clap::ValueEnum;
use inkan_model::locale::Locale;
use time::format_description::FormatItem;
use time::format_description::well_known::Rfc3339;
use time::macros::{format_description, offset};
use time::{OffsetDateTime, UtcOffset};

/// A language as it is typed.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Lang {
    Ja,
    En,
}

/// Everybody who reads these tables works in Japan.
const JAPAN: UtcOffset = offset!(+9);
const DAY: &[FormatItem<'_>] = format_description!("[year]-[month]-[day]");
const MINUTE: &[FormatItem<'_>] = format_description!("[year]-[month]-[day] [hour]:[minute]");
const SECOND: &[FormatItem<'_>] = format_description!("[hour]:[minute]:[second]");

/// The language: as asked for, else by the first variable that is set, else English.
pub(crate) fn locale_of(asked: Option<Lang>, variable: impl Fn(&str) -> Option<String>) -> Locale {
    match asked {
        Some(Lang::Ja) => Locale::Ja,
        Some(Lang::En) => Locale::En,
        None => {
            let set = |name: &&str| variable(name).filter(|value| !value.is_empty());
            let value = ["LC_ALL", "LC_MESSAGES", "LANG"].iter().find_map(set).unwrap_or_default();
            let tag = value.split('.').next().unwrap_or("");
            Locale::from_tag(tag).unwrap_or(Locale::En)
        }
    }
}

/// The word of the language.
pub(crate) const fn pick(locale: Locale, ja: &'static str, en: &'static str) -> &'static str {
    match locale {
        Locale::Ja => ja,
        Locale::En => en,
    }
}

fn written(moment: &str, format: &[FormatItem<'_>]) -> String {
    let parsed = OffsetDateTime::parse(moment, &Rfc3339).ok();
    let written = parsed.and_then(|moment| moment.to_offset(JAPAN).format(format).ok());
    written.unwrap_or_else(|| moment.to_owned())
}

/// The day of a moment, in Japan.
pub(crate) fn day(moment: &str) -> String {
    written(moment, DAY)
}

/// A moment to the minute, in Japan.
pub(crate) fn minute(moment: &str) -> String {
    written(moment, MINUTE)
}

/// The time of day of a moment, in Japan.
pub(crate) fn time_of_day(moment: &str) -> String {
    written(moment, SECOND)
}

/// How many days are left, as people say it.
pub(crate) fn days_left(locale: Locale, days: i64) -> String {
    match (locale, days) {
        (Locale::Ja, 1..) => format!("あと{days}日"),
        (Locale::Ja, 0) => "きょうまで".to_owned(),
        (Locale::Ja, _) => format!("{}日前に期限切れ", days.unsigned_abs()),
        (Locale::En, 1) => "1 day left".to_owned(),
        (Locale::En, 2..) => format!("{days} days left"),
        (Locale::En, 0) => "today".to_owned(),
        (Locale::En, -1) => "1 day past".to_owned(),
        (Locale::En, _) => format!("{} days past", days.unsigned_abs()),
    }
}

/// A name of the API in words; names that are not known stand for themselves.
pub(crate) fn in_words(locale: Locale, name: &str) -> &str {
    let words = match name {
        "now" => ("今すぐ", "now"),
        "soon" => ("早めに", "soon"),
        "watch" => ("様子見", "watch"),
        "well" => ("正常", "well"),
        "active" => ("稼働中", "active"),
        "report_only" => ("承認待ち", "to be approved"),
        "suspended" => ("停止中", "suspended"),
        "retired" => ("廃止", "retired"),
        "banned" => ("禁止", "banned"),
        "medical" => ("医科", "medical"),
        "dental" => ("歯科", "dental"),
        "pharmacy" => ("薬局", "pharmacy"),
        "nursing" => ("訪問看護", "nursing"),
        "open" => ("有効", "open"),
        "used_up" => ("使用済み", "used up"),
        "expired" => ("期限切れ", "expired"),
        "revoked" => ("取消済み", "revoked"),
        "present" => ("あり", "present"),
        "absent" => ("なし", "absent"),
        "not_expected" => ("不要", "not expected"),
        "unknown" => ("不明", "unknown"),
        "planned" => ("予定", "planned"),
        "directed" => ("端末へ指示", "directed"),
        "requested" => ("申請", "requested"),
        "issued" => ("発行", "issued"),
        "installed" => ("導入", "installed"),
        "proven" => ("動作確認", "proven"),
        "closed" => ("完了", "closed"),
        "needs_person" => ("人の作業待ち", "needs a person"),
        "failed" => ("失敗 (再試行待ち)", "failed, to be retried"),
        "abandoned" => ("取りやめ", "abandoned"),
        "owner" => ("管理者", "owner"),
        "operator" => ("担当者", "operator"),
        other => return other,
    };
    pick(locale, words.0, words.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_comes_from_the_first_variable_that_is_set() {
        let of = |pairs: &[(&str, &str)]| {
            locale_of(None, |name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
        };
        assert_eq!(of(&[("LANG", "ja_JP.UTF-8")]), Locale::Ja);
        assert_eq!(of(&[("LANG", "ja_JP.UTF-8"), ("LC_ALL", "en_GB.UTF-8")]), Locale::En);
        assert_eq!(of(&[("LANG", "C.UTF-8")]), Locale::En);
        assert_eq!(of(&[]), Locale::En);
        assert_eq!(locale_of(Some(Lang::Ja), |_| None), Locale::Ja);
    }

    #[test]
    fn moments_are_written_in_japans_time() {
        assert_eq!(minute("2026-12-01T15:05:00Z"), "2026-12-02 00:05");
        assert_eq!(day("2026-12-01T15:05:00Z"), "2026-12-02");
        assert_eq!(minute("not a moment"), "not a moment");
    }

    #[test]
    fn days_are_said_as_people_say_them() {
        assert_eq!(days_left(Locale::Ja, 12), "あと12日");
        assert_eq!(days_left(Locale::En, 1), "1 day left");
        assert_eq!(days_left(Locale::En, -9), "9 days past");
    }
}
