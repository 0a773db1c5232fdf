//! Values as they are typed: which PC, which certificate, how long.

use std::time::Duration;

use inkan_model::HostId;

/// A PC as an operator names it.
#[derive(Clone, Debug)]
pub(crate) enum HostName {
    Id(HostId),
    Name(String),
}

impl std::str::FromStr for HostName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if text.is_empty() {
            return Err("the identifier or the name of a PC is expected");
        }
        Ok(text.parse().map_or_else(|_| Self::Name(text.to_owned()), Self::Id))
    }
}

/// The first digits of a certificate's SHA-256, 8 to 64 of them.
#[derive(Clone, Debug)]
pub(crate) struct CertificateName(String);

impl CertificateName {
    pub(crate) fn digits(&self) -> &str {
        &self.0
    }

    pub(crate) fn is_whole(&self) -> bool {
        self.0.len() == 64
    }
}

impl std::str::FromStr for CertificateName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits: String = text.chars().filter(|c| *c != ':').map(|c| c.to_ascii_lowercase()).collect();
        if !(8..=64).contains(&digits.len()) || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err("8 to 64 hexadecimal digits of the certificate's SHA-256 are expected");
        }
        Ok(Self(digits))
    }
}

/// Reads 90d, 12w or plain days.
pub(crate) fn parse_days(text: &str) -> Result<u16, &'static str> {
    let (number, days) = match text.strip_suffix('w') {
        Some(weeks) => (weeks, 7),
        None => (text.strip_suffix('d').unwrap_or(text), 1),
    };
    let number: u16 = number.parse().map_err(|_| "a time such as 90d or 12w is expected")?;
    number.checked_mul(days).filter(|days| *days <= 3_650).ok_or("ten years are the most")
}

/// Reads 500ms, 90s, 30m or 2h.
pub(crate) fn parse_wait(text: &str) -> Result<Duration, &'static str> {
    let units = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];
    let unit = units.iter().find(|(suffix, _)| text.strip_suffix(suffix).is_some_and(ends_in_digit));
    let (suffix, millis) = unit.ok_or("a time such as 90s or 30m is expected")?;
    let number: u64 = text.trim_end_matches(suffix).parse().map_err(|_| "a time such as 90s or 30m is expected")?;
    let wait = number.checked_mul(*millis).map(Duration::from_millis);
    wait.filter(|wait| (Duration::from_millis(1)..=Duration::from_hours(7 * 24)).contains(wait))
        .ok_or("1ms to a week are possible")
}

fn ends_in_digit(text: &str) -> bool {
    text.bytes().last().is_some_and(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_their_unit() {
        assert_eq!(parse_days("90d"), Ok(90));
        assert_eq!(parse_days("12w"), Ok(84));
        assert_eq!(parse_days("7"), Ok(7));
        assert!(parse_days("soon").is_err() && parse_days("600w").is_err());
        assert_eq!(parse_wait("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_wait("30m"), Ok(Duration::from_mins(30)));
        assert!(parse_wait("30").is_err() && parse_wait("ms").is_err() && parse_wait("0s").is_err());
    }

    #[test]
    fn a_certificate_is_named_by_at_least_eight_digits() {
        assert_eq!("3F:A9:2C:10".parse::<CertificateName>().unwrap().digits(), "3fa92c10");
        assert!("3fa92c1".parse::<CertificateName>().is_err());
        assert!("not hexadecimal".parse::<CertificateName>().is_err());
    }
}
