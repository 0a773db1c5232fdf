//! Time-based one-time codes (RFC 6238: SHA-1, 6 digits, 30 seconds, which every authenticator app knows).

use inkan_model::Timestamp;
use ring::hmac;

/// Bytes of a seed (RFC 4226 §4, R6).
pub const SEED_BYTES: usize = 20;
const STEP_SECONDS: i64 = 30;

/// The step that a moment falls into.
pub fn step_at(now: Timestamp) -> u64 {
    u64::try_from(now.as_unix_seconds() / STEP_SECONDS).unwrap_or(0)
}

/// The code of one step (RFC 4226 §5.3).
pub fn code_of(seed: &[u8], step: u64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, seed);
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let tag = tag.as_ref();
    let offset = usize::from(tag[19] & 0x0f);
    let word = u32::from_be_bytes([tag[offset], tag[offset + 1], tag[offset + 2], tag[offset + 3]]) & 0x7fff_ffff;
    format!("{:06}", word % 1_000_000)
}

/// The step whose code this is: the current one, or one next to it for clocks that differ by less than 30 seconds.
pub fn find_step(seed: &[u8], code: &str, now: Timestamp) -> Option<u64> {
    use subtle::ConstantTimeEq as _;
    let typed: String = code.chars().filter(char::is_ascii_digit).take(7).collect();
    let current = step_at(now);
    let fits = |step: &u64| bool::from(code_of(seed, *step).as_bytes().ct_eq(typed.as_bytes()));
    [current, current.saturating_sub(1), current + 1].into_iter().find(fits)
}

/// The seed as people type it, and as an authenticator app reads it (the otpauth URI).
pub fn describe_seed(seed: &[u8], mail: &str) -> (String, String) {
    let text = data_encoding::BASE32_NOPAD.encode(seed);
    let mail: String = mail.chars().filter(|c| c.is_ascii_alphanumeric() || "@.-_+".contains(*c)).collect();
    let mail = mail.replace('@', "%40").replace('+', "%2B");
    let uri = format!("otpauth://totp/inkan:{mail}?secret={text}&issuer=inkan&algorithm=SHA1&digits=6&period=30");
    (text, uri)
}

/// Reads a seed as people type it.
pub fn parse_seed(text: &str) -> Option<Vec<u8>> {
    let digits: String = text.chars().filter(|c| !c.is_whitespace()).map(|c| c.to_ascii_uppercase()).take(64).collect();
    data_encoding::BASE32_NOPAD.decode(digits.as_bytes()).ok().filter(|seed| seed.len() == SEED_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The test vectors of RFC 6238, appendix B, last six digits.
    #[test]
    fn codes_are_those_of_rfc_6238() {
        let seed = b"12345678901234567890";
        for (seconds, code) in [(59, "287082"), (1_111_111_109, "081804"), (20_000_000_000, "353130")] {
            assert_eq!(code_of(seed, step_at(Timestamp::from_unix_seconds(seconds))), code);
        }
    }

    #[test]
    fn the_neighbouring_steps_are_accepted_and_no_others() {
        let seed = [7; SEED_BYTES];
        let now = Timestamp::from_unix_seconds(1_790_000_000);
        let current = step_at(now);
        for step in [current - 1, current, current + 1] {
            assert_eq!(find_step(&seed, &code_of(&seed, step), now), Some(step));
        }
        assert_eq!(find_step(&seed, &code_of(&seed, current + 2), now), None);
    }

    #[test]
    fn a_seed_reads_back_from_its_text() {
        let seed = [9; SEED_BYTES];
        assert_eq!(parse_seed(&describe_seed(&seed, "a@b.example").0), Some(seed.to_vec()));
    }
}
