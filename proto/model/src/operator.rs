//! People who work at a vendor, and what they may do.

use serde::{Deserialize, Serialize};

use crate::id::{OperatorId, VendorId};
use crate::locale::Locale;

/// What an operator may do. Later roles (viewer, clinic viewer, auditor) join this list.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything, including other operators.
    Owner,
    /// The daily work: clinics, tokens, hosts, renewals.
    Operator,
}

impl Role {
    /// The role as stored.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Owner => "owner",
        }
    }

    /// Reads a role's name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Owner, Self::Operator].into_iter().find(|role| role.name() == name)
    }

    /// Whether this role may do `what`.
    pub const fn may(self, what: Permission) -> bool {
        match (self, what) {
            (Self::Owner, _)
            | (Self::Operator, Permission::ReadFleet | Permission::ChangeFleet | Permission::RequestRenewal) => true,
            (Self::Operator, Permission::ManageOperators) => false,
        }
    }
}

/// Something that not everybody may do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Permission {
    /// See clinics, hosts and certificates.
    ReadFleet,
    /// Change clinics, make join tokens, approve and retire hosts.
    ChangeFleet,
    /// Ask for a renewal.
    RequestRenewal,
    /// Create and remove operators.
    ManageOperators,
}

/// A person who works at a vendor.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Operator {
    /// Which one.
    pub id: OperatorId,
    /// Where they work.
    pub vendor: VendorId,
    /// Mail address, with which they log in; lower case.
    pub mail: String,
    /// Name to show.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Their language.
    pub locale: Locale,
}

/// An IT vendor: the tenant.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Vendor {
    /// Which one.
    pub id: VendorId,
    /// Its name.
    pub name: String,
}
