//! What a PC is, line by line.

use inkan_core::assess::is_clock_wrong;
use inkan_core::ports::HostDetail;
use inkan_model::Timestamp;

use crate::link::Link;
use crate::words::Words;

/// One line.
pub(crate) struct Fact {
    pub(crate) word: String,
    pub(crate) text: String,
    pub(crate) href: Option<Link>,
    /// A code beside the text.
    pub(crate) code: Option<String>,
    /// Whether something about it is wrong.
    pub(crate) wrong: bool,
}

impl Fact {
    fn plain(word: String, text: String) -> Self {
        Self { word, text, href: None, code: None, wrong: false }
    }
}

pub(super) fn facts(host: &HostDetail, w: Words, now: Timestamp) -> Vec<Fact> {
    let HostDetail { clinic, facts, enrolled_at, clock_offset_ms, reported_at, identity_not_after, .. } = host;
    let plain = |word: &str, text: String| Fact::plain(w.say(word), text);
    let identity = format!("{} {}", w.date(*identity_not_after), w.days_left(*identity_not_after, now));
    let lines = vec![
        Fact {
            href: Some(Link::to("/hosts").with("clinic", clinic.id)),
            code: Some(clinic.profile.code.to_string()),
            ..plain("fact.clinic", clinic.profile.name.clone())
        },
        plain("fact.contact", clinic.profile.contact.clone().unwrap_or_default()),
        plain("fact.phone", clinic.profile.phone.clone().unwrap_or_default()),
        plain("fact.os", facts.os_in_words()),
        plain("fact.model", facts.model.clone().unwrap_or_default()),
        plain("fact.hardware", hardware(host, w)),
        plain("fact.users", facts.users.join(&w.say("fact.separator"))),
        plain("fact.agent", facts.agent_version.clone()),
        Fact { wrong: is_clock_wrong(*clock_offset_ms), ..plain("fact.clock", clock(*clock_offset_ms, w)) },
        plain("fact.reported", reported_at.map_or_else(|| w.say("fact.not_yet"), |at| w.date_time(at))),
        plain("fact.enrolled", w.date_time(*enrolled_at)),
        Fact { wrong: *identity_not_after < now, ..plain("fact.identity", identity) },
    ];
    lines.into_iter().filter(|line| !line.text.is_empty()).collect()
}

fn hardware(host: &HostDetail, w: Words) -> String {
    let facts = &host.facts;
    let memory = facts.memory_mib.div_ceil(1_024);
    let parts = [
        facts.architecture.clone(),
        if facts.cores > 0 { w.count("fact.cores", facts.cores) } else { String::new() },
        if memory > 0 { format!("{memory} GiB") } else { String::new() },
    ];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · ")
}

/// `ずれ 0.4 秒`.
fn clock(offset_ms: i64, w: Words) -> String {
    let size = offset_ms.unsigned_abs();
    if size < 60_000 {
        return w.fill("fact.clock_seconds", format!("{}.{}", size / 1_000, size % 1_000 / 100));
    }
    let key = if offset_ms > 0 { "fact.clock_ahead" } else { "fact.clock_behind" };
    w.count(key, size / 60_000)
}
