//! The core's port to the deployment's own authority.

use std::sync::Arc;

use inkan_core::ports::{AuthorityError, IdentityAuthority, IdentityOrder, VerifiedIdentity};
use inkan_issuance::identity_ca::{AgentCa, IssuedIdentity, verify_identity};
use inkan_model::identity::{AgentIdentity, TrustDomain};

/// Signs and verifies identities of this deployment.
pub(crate) struct DeploymentAuthority {
    trust_domain: TrustDomain,
    agent_ca: Arc<AgentCa>,
}

/// An identity of a deployment with another name.
#[derive(Debug, thiserror::Error)]
#[error("the identity belongs to {found}")]
struct OtherDeployment {
    found: TrustDomain,
}

impl DeploymentAuthority {
    pub(crate) fn new(trust_domain: TrustDomain, agent_ca: Arc<AgentCa>) -> Self {
        Self { trust_domain, agent_ca }
    }
}

impl IdentityAuthority for DeploymentAuthority {
    fn issue_identity(&self, order: &IdentityOrder) -> Result<Vec<Vec<u8>>, AuthorityError> {
        let IdentityOrder { vendor, host, spki, serial, not_before, not_after } = order;
        let identity = AgentIdentity { deployment: self.trust_domain.clone(), vendor: *vendor, host: *host };
        let leaf = self
            .agent_ca
            .issue_agent(&identity, spki, *serial, *not_before, *not_after)
            .map_err(|cause| AuthorityError { step: "issue an identity", cause: Box::new(cause) })?;
        Ok(vec![leaf, self.agent_ca.certificate().to_vec()])
    }

    fn verify_identity(&self, leaf: &[u8]) -> Result<VerifiedIdentity, AuthorityError> {
        let step = "verify an identity";
        let refuse = |cause: Box<dyn std::error::Error + Send + Sync>| AuthorityError { step, cause };
        let IssuedIdentity { identity, serial, spki_der, not_before: _, not_after } =
            verify_identity(leaf, self.agent_ca.certificate()).map_err(|cause| refuse(Box::new(cause)))?;
        let AgentIdentity { deployment, vendor, host } = identity;
        if deployment != self.trust_domain {
            return Err(refuse(Box::new(OtherDeployment { found: deployment })));
        }
        Ok(VerifiedIdentity { vendor, host, serial, spki: spki_der, not_after })
    }
}
