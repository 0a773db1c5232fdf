//! A registry in memory, with names that are the same in any case.

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::{EditRegistry, Hive, KeyPath, Registry, Value};

type Values = BTreeMap<String, (String, Value)>;

/// A registry in memory.
#[derive(Default)]
pub(crate) struct FakeRegistry {
    keys: Mutex<BTreeMap<(Hive, String), Values>>,
    refuses: Mutex<bool>,
}

impl FakeRegistry {
    pub(crate) fn with(self, key: &KeyPath, name: &str, value: Value) -> Self {
        self.set(key, name, &value).unwrap();
        self
    }

    /// Every access is denied from now on.
    pub(crate) fn refuse(&self) {
        *self.refuses.lock().unwrap() = true;
    }

    fn check(&self) -> std::io::Result<()> {
        if *self.refuses.lock().unwrap() { Err(std::io::ErrorKind::PermissionDenied.into()) } else { Ok(()) }
    }

    fn children(&self, hive: Hive, above: &str) -> Vec<String> {
        let keys = self.keys.lock().unwrap();
        let mut names: Vec<_> = keys
            .keys()
            .filter(|(of, _)| *of == hive)
            .filter_map(|(_, path)| path.strip_prefix(above))
            .filter_map(|rest| rest.split('\\').next().map(str::to_owned))
            .filter(|name| !name.is_empty())
            .collect();
        names.dedup();
        names
    }
}

fn place(key: &KeyPath) -> (Hive, String) {
    (key.hive, key.path.to_lowercase())
}

impl Registry for FakeRegistry {
    fn find(&self, key: &KeyPath, name: &str) -> std::io::Result<Option<Value>> {
        self.check()?;
        let keys = self.keys.lock().unwrap();
        Ok(keys.get(&place(key)).and_then(|values| values.get(&name.to_lowercase())).map(|(_, value)| value.clone()))
    }

    fn list_keys(&self, key: &KeyPath) -> std::io::Result<Vec<String>> {
        self.check()?;
        Ok(self.children(key.hive, &format!("{}\\", key.path.to_lowercase())))
    }

    fn list_values(&self, key: &KeyPath) -> std::io::Result<Vec<(String, Value)>> {
        self.check()?;
        let keys = self.keys.lock().unwrap();
        Ok(keys.get(&place(key)).into_iter().flat_map(|values| values.values().cloned()).collect())
    }

    fn list_roots(&self, hive: Hive) -> std::io::Result<Vec<String>> {
        self.check()?;
        Ok(self.children(hive, "").into_iter().map(|name| name.to_uppercase()).collect())
    }
}

impl EditRegistry for FakeRegistry {
    fn set(&self, key: &KeyPath, name: &str, value: &Value) -> std::io::Result<()> {
        self.check()?;
        let mut keys = self.keys.lock().unwrap();
        let values = keys.entry(place(key)).or_default();
        values.insert(name.to_lowercase(), (name.to_owned(), value.clone()));
        Ok(())
    }

    fn remove(&self, key: &KeyPath, name: &str) -> std::io::Result<()> {
        self.check()?;
        if let Some(values) = self.keys.lock().unwrap().get_mut(&place(key)) {
            values.remove(&name.to_lowercase());
        }
        Ok(())
    }
}
