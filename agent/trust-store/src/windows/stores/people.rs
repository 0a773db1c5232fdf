//! The people of a Windows PC, by the names that Locations give them and by their profile's folder.

use super::accounts::Accounts;
use super::registry::Root;
use crate::files::{ListUsers, User};

/// Everybody with a profile on this PC, logged on or not.
#[derive(Debug, Default)]
pub(crate) struct People(Accounts);

impl ListUsers for People {
    fn list(&self) -> Vec<User> {
        let accounts = self.0.list(&Root::of_machine(), &Root::of_users());
        let people = accounts.into_iter().filter(|account| account.sid.is_person());
        people.filter_map(|account| Some(User { name: account.name, home: account.profile? })).collect()
    }
}
