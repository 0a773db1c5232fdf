//! How one certificate of the PC hangs together, as a picture and as a table.

use inkan_model::chain::Chain;
use inkan_model::{CertificateFacts, Fingerprint, Timestamp};

use super::Observed;
use crate::door::SignedIn;
use crate::fault::Fault;
use crate::figure::{ChainBox, Svg, draw_chain};
use crate::state::State;
use crate::words::{Words, date_text, in_japan};

/// The chain of one certificate.
pub(crate) struct ChainView {
    pub(crate) name: String,
    pub(crate) wide: Svg,
    pub(crate) tall: Svg,
    pub(crate) boxes: Vec<ChainBox>,
    pub(crate) complete: bool,
    pub(crate) sentence: String,
}

impl ChainView {
    /// The chain of the chosen certificate, else of the one that ends first; `None` when the PC has none.
    pub(super) async fn of(
        by: &SignedIn,
        observed: &Observed,
        chosen: Option<Fingerprint>,
    ) -> Result<Option<Self>, Fault> {
        let found = observed.installations.iter().find(|row| Some(row.certificate) == chosen);
        let Some(row) = found.or(observed.installations.first()) else { return Ok(None) };
        let chain = by.view.chain(observed.host.id, &row.facts).await?;
        Ok(Some(Self::draw(&row.facts, &chain, by.w, by.now)))
    }

    fn draw(leaf: &CertificateFacts, chain: &Chain<CertificateFacts>, w: Words, now: Timestamp) -> Self {
        let last = chain.links.last().unwrap_or(leaf);
        let mut boxes = Vec::new();
        if !chain.complete {
            boxes.push(ChainBox {
                name: last.issuer_common_name.clone(),
                role: w.say("host.chain.missing"),
                until: String::new(),
                state: State::Now,
                missing: true,
            });
        }
        for link in chain.links.iter().rev() {
            let role = if link.is_self_issued() { "host.chain.root" } else { "host.chain.intermediate" };
            boxes.push(chain_box(link, w.say(role), w, now));
        }
        boxes.push(chain_box(leaf, w.say("host.chain.leaf"), w, now));
        let label = w.fill("host.chain.label", &leaf.common_name);
        let issued = w.say("host.chain.issued");
        Self {
            name: leaf.common_name.clone(),
            wide: draw_chain(&boxes, &label, &issued, true),
            tall: draw_chain(&boxes, &label, &issued, false),
            complete: chain.complete,
            sentence: if chain.complete {
                w.say("host.chain.complete")
            } else {
                w.fill2("host.chain.missing_of", &last.common_name, &last.issuer_common_name)
            },
            boxes,
        }
    }
}

fn chain_box(facts: &CertificateFacts, role: String, w: Words, now: Timestamp) -> ChainBox {
    ChainBox {
        name: facts.common_name.clone(),
        role,
        until: format!("{} {}", date_text(in_japan(facts.not_after).date()), w.days_left(facts.not_after, now)),
        state: State::of_days(facts.not_after.days_from(now)),
        missing: false,
    }
}
