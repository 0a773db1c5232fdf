//! What the installer hands over: one text, because a deferred action gets one property.

use zeroize::Zeroizing;

/// Between the parts; none of them may hold it, and no Windows path can.
const BETWEEN: char = '|';

/// An enrolment, as the installer's property says it.
pub(crate) struct Order {
    /// The agent's program.
    pub(crate) program: String,
    /// Where to enrol.
    pub(crate) server: String,
    /// The pin of the deployment's authority.
    pub(crate) pin: String,
    /// The join token.
    pub(crate) token: Zeroizing<String>,
}

impl Order {
    /// Reads `program|server|pin|token`; `None` when it is something else.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(BETWEEN).map(str::trim).filter(|part| !part.is_empty());
        let (program, server, pin, token) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        parts.next().is_none().then(|| Self {
            program: program.to_owned(),
            server: server.to_owned(),
            pin: pin.to_owned(),
            token: Zeroizing::new(token.to_owned()),
        })
    }

    /// What the program is started with. The token is not among it.
    pub(crate) fn arguments(&self) -> [&str; 7] {
        ["enroll", "--server", &self.server, "--ca-pin", &self.pin, "--token-file", "-"]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_no_argument() {
        let order =
            Order::parse(r"C:\Program Files\inkan\inkan-agent.exe|https://a.test:8444|sha256:00|TOKEN").unwrap();
        assert_eq!(order.program, r"C:\Program Files\inkan\inkan-agent.exe");
        assert_eq!(order.token.as_str(), "TOKEN");
        assert!(!order.arguments().iter().any(|argument| argument.contains("TOKEN")));
        assert_eq!(order.arguments()[..3], ["enroll", "--server", "https://a.test:8444"]);
    }

    #[test]
    fn a_part_that_is_missing_or_one_too_many_is_refused() {
        for text in ["", "a|b|c", "a|b||d", "a|b|c|d|e", "a b c d"] {
            assert!(Order::parse(text).is_none(), "{text}");
        }
    }
}
