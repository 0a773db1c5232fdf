//! The fleet in figures, from rollups: the overview, expiries by day, prefectures.

use axum::Json;
use axum::extract::State;
use inkan_core::Core;
use inkan_core::ports::{self, PrefectureRow};
use inkan_model::Timestamp;
use serde::{Deserialize, Serialize};
use time::Date;
use time::macros::format_description;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::caller::Caller;
use super::extract::{NoFilter, Params, parsed};
use super::problem::{Answer, Problem};
use super::values::{PageOf, Prefecture, UrgencyWord, Word};

/// Days of the histogram when nobody says otherwise, and at most.
const USUAL_DAYS: u16 = 90;
const MOST_DAYS: u16 = 400;
/// Japan is nine hours ahead of UTC, all year.
const JAPAN_AHEAD_SECONDS: i64 = 9 * 3_600;
/// The Julian day of 1970-01-01.
const EPOCH_JULIAN_DAY: i32 = 2_440_588;

pub(super) fn routes() -> OpenApiRouter<Core> {
    OpenApiRouter::new().routes(routes!(show_overview)).routes(routes!(show_expiry)).routes(routes!(list_prefectures))
}

/// The figures of the overview.
#[derive(Serialize, ToSchema)]
pub(super) struct Overview {
    /// Clinics.
    clinics: u64,
    /// PCs that are not retired.
    hosts: u64,
    /// PCs that wait for an operator's approval.
    report_only: u64,
    /// Certificates past their last moment.
    expired: u64,
    /// Certificates that end within 7 days.
    within_7: u64,
    /// Certificates that end within 30 days, those within 7 included.
    within_30: u64,
    /// Renewals that wait for a person or have failed.
    renewals_stuck: u64,
    /// Renewals under way.
    renewals_live: u64,
    /// PCs not heard of for 7 days or more.
    silent: u64,
    /// PCs with a finding of urgency `now`.
    hosts_now: u64,
    /// PCs without any finding.
    hosts_well: u64,
}

/// Show the overview
#[utoipa::path(
    get, path = "/overview", tag = "figures", operation_id = "show_overview",
    responses((status = 200, description = "The figures", body = Overview)),
)]
async fn show_overview(
    State(core): State<Core>,
    caller: Caller,
    Params(NoFilter {}): Params<NoFilter>,
) -> Answer<Json<Overview>> {
    let ports::Overview {
        clinics,
        hosts,
        report_only,
        expired,
        within_7,
        within_30,
        renewals_stuck,
        renewals_live,
        silent,
        hosts_now,
        hosts_well,
    } = core.view(&caller.operator)?.overview(core.now()).await?;
    Ok(Json(Overview {
        clinics,
        hosts,
        report_only,
        expired,
        within_7,
        within_30,
        renewals_stuck,
        renewals_live,
        silent,
        hosts_now,
        hosts_well,
    }))
}

/// Which days are wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Days {
    /// The first day, such as 2026-11-20; today when absent.
    #[serde(default, deserialize_with = "parsed")]
    #[param(value_type = Option<String>, format = Date)]
    first_day: Option<Day>,
    /// How many days, 1 to 400; 90 when absent.
    #[serde(default, deserialize_with = "parsed")]
    #[param(value_type = Option<u16>, minimum = 1, maximum = 400)]
    days: Option<u16>,
}

/// How many certificates expire on each day.
#[derive(Serialize, ToSchema)]
pub(super) struct Expiry {
    /// The first day, in Japan's calendar.
    #[schema(value_type = String, format = Date)]
    first_day: Day,
    /// How many days were looked at.
    days: u16,
    /// Days with expiries, in order; days without any are left out.
    items: Vec<ExpiryDay>,
}

/// A day with expiries.
#[derive(Serialize, ToSchema)]
pub(super) struct ExpiryDay {
    /// The day, in Japan's calendar.
    #[schema(value_type = String, format = Date)]
    day: Day,
    /// Installations that end on it.
    installations: u64,
}

/// A day of Japan's calendar, counted from 1970-01-01; travels as `2026-11-20`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Day(i32);

impl Day {
    fn of(now: Timestamp) -> Self {
        let days = (now.as_unix_seconds() + JAPAN_AHEAD_SECONDS).div_euclid(86_400);
        Self(i32::try_from(days).unwrap_or(0))
    }

    fn date(self) -> Option<Date> {
        Date::from_julian_day(EPOCH_JULIAN_DAY.checked_add(self.0)?).ok()
    }
}

impl std::str::FromStr for Day {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let date = Date::parse(text, format_description!("[year]-[month]-[day]"));
        date.map(|date| Self(date.to_julian_day() - EPOCH_JULIAN_DAY))
            .map_err(|_| "a day such as 2026-11-20 is expected")
    }
}

impl Serialize for Day {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Year, month and day of a date print as RFC 3339 has them.
        self.date().map(|date| date.to_string()).serialize(serializer)
    }
}

/// Show expiries by day
#[utoipa::path(
    get, path = "/expiry", tag = "figures", operation_id = "show_expiry", params(Days),
    responses((status = 200, description = "Expiries by day", body = Expiry)),
)]
async fn show_expiry(
    State(core): State<Core>,
    caller: Caller,
    Params(Days { first_day, days }): Params<Days>,
) -> Answer<Json<Expiry>> {
    let days = days.unwrap_or(USUAL_DAYS);
    if !(1..=MOST_DAYS).contains(&days) {
        return Err(Problem::invalid("days", format!("1 to {MOST_DAYS} are possible")));
    }
    let first_day = first_day.unwrap_or_else(|| Day::of(core.now()));
    let found = core.view(&caller.operator)?.expiry_days(first_day.0, days).await?;
    let told = |ports::ExpiryDay { day, installations }| ExpiryDay { day: Day(day), installations };
    Ok(Json(Expiry { first_day, days, items: found.into_iter().map(told).collect() }))
}

/// A prefecture in numbers.
#[derive(Serialize, ToSchema)]
pub(super) struct PrefectureItem {
    /// Which.
    prefecture: Prefecture,
    /// Clinics there.
    clinics: u64,
    /// The worst urgency of an open finding there.
    worst: Option<UrgencyWord>,
}

/// List prefectures
#[utoipa::path(
    get, path = "/prefectures", tag = "figures", operation_id = "list_prefectures",
    responses((status = 200, description = "Prefectures with clinics", body = PageOf<PrefectureItem>)),
)]
async fn list_prefectures(
    State(core): State<Core>,
    caller: Caller,
    Params(NoFilter {}): Params<NoFilter>,
) -> Answer<Json<PageOf<PrefectureItem>>> {
    let rows = core.view(&caller.operator)?.prefectures().await?;
    let told = |PrefectureRow { prefecture, clinics, worst }| PrefectureItem {
        prefecture: prefecture.into(),
        clinics,
        worst: worst.map(Word),
    };
    Ok(Json(PageOf::whole(rows.into_iter().map(told).collect())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_at_midnight_in_japan() {
        let before = Timestamp::from_unix_seconds(1_795_100_400 - 1);
        let after = Timestamp::from_unix_seconds(1_795_100_400);
        assert_eq!(Day::of(before).0 + 1, Day::of(after).0);
        assert_eq!("1970-01-02".parse(), Ok(Day(1)));
        assert_eq!(serde_json::to_string(&Day(1)).unwrap(), "\"1970-01-02\"");
        assert!("yesterday".parse::<Day>().is_err());
    }
}
