//! Reads every store of this PC: which Locations there are, and what each one holds.
//!
//! A store may hang (a home directory on a server that is off), panic or lie about its size. Each Location is therefore
//! read on a thread of its own, against a deadline of its own, and what went wrong is part of the result. A thread that
//! does not come back cannot be ended; it is left alone, and its Location is not read again until it is done.

mod limit;
pub mod report;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use inkan_model::limits;
use inkan_model::store::{Location, ReadError, ReadErrorKind, Snapshot, StoreSet};
use inkan_model::{Certificate, Clock, Fingerprint};
use inkan_trust_store::files::{Directories, Users};
use inkan_trust_store::java::JavaKeystores;
use inkan_trust_store::{Keyring, Reading, StoreBackend, system_backends};

use self::limit::bounded;
use crate::settings::AgentSettings;

/// Locations that are read at once.
const AT_ONCE: usize = 4;

/// What one scan of the whole PC saw.
#[derive(Clone, Debug, Default)]
pub struct Scan {
    /// Each Location once, sorted.
    pub snapshots: Vec<Snapshot>,
    /// Every certificate that was read.
    pub certificates: BTreeMap<Fingerprint, Certificate>,
}

/// Scans the stores of this PC.
pub struct Scanner {
    backends: Vec<Backend>,
    deadline: Duration,
    clock: Arc<dyn Clock>,
    /// Locations whose reading has not come back.
    under_way: Arc<Mutex<BTreeSet<Location>>>,
}

struct Backend {
    store: Arc<dyn StoreBackend>,
    discovery: Arc<Mutex<Discovery>>,
}

/// What is known about the Locations of one backend.
#[derive(Default)]
struct Discovery {
    under_way: bool,
    known: Vec<Location>,
}

/// The stores that the settings and the operating system name.
pub fn backends(settings: &AgentSettings) -> Vec<Arc<dyn StoreBackend>> {
    let directories = Directories::new(settings.directories.clone())
        .with_user_directories(settings.user_directories.clone(), Users::of_system())
        .with_password_files(settings.pkcs12_password_files.clone());
    let java = JavaKeystores::of_system()
        .with_keystores(settings.java_keystores.clone())
        .with_password_files(settings.java_password_files.clone());
    let mut backends = system_backends();
    backends.push(Arc::new(java));
    backends.push(Arc::new(directories));
    backends
}

/// The way to change certificates at a Location, where there is one.
pub fn find_keyring<'b>(backends: &'b [Arc<dyn StoreBackend>], location: &Location) -> Option<&'b dyn Keyring> {
    backends.iter().find_map(|store| store.keyring().filter(|_| store.discover().contains(location)))
}

impl Scanner {
    /// Takes the stores, and how long reading one Location may take.
    pub fn new(backends: Vec<Arc<dyn StoreBackend>>, deadline: Duration, clock: Arc<dyn Clock>) -> Self {
        let backend = |store| Backend { store, discovery: Arc::default() };
        Self { backends: backends.into_iter().map(backend).collect(), deadline, clock, under_way: Arc::default() }
    }

    /// Reads everything. Blocks until each Location has answered or had its time.
    pub fn scan(&self) -> Scan {
        let jobs = self.discover();
        let readings = self.read_all(&jobs);
        let mut scan = Scan::default();
        for (Job { location, .. }, reading) in jobs.into_iter().zip(readings) {
            let Reading { entries, certificates, errors } = bounded(reading);
            let set = StoreSet::new(entries);
            scan.certificates.extend(certificates.into_iter().map(|c| (c.fingerprint, c)));
            scan.snapshots.push(Snapshot { location, scanned_at: self.clock.now(), set, errors });
        }
        scan
    }

    /// Each Location once, sorted, with the store that it belongs to.
    fn discover(&self) -> Vec<Job> {
        let mut jobs = BTreeMap::new();
        for backend in &self.backends {
            for location in backend.discover(self.deadline) {
                jobs.entry(location).or_insert_with(|| Arc::clone(&backend.store));
            }
        }
        if jobs.len() > limits::LOCATIONS {
            tracing::warn!(found = jobs.len(), limit = limits::LOCATIONS, "more locations than are read");
        }
        jobs.into_iter().take(limits::LOCATIONS).map(|(location, store)| Job { location, store }).collect()
    }

    /// One reading for each job, in the same order.
    fn read_all(&self, jobs: &[Job]) -> Vec<Reading> {
        let (sender, receiver) = mpsc::channel();
        let mut readings: Vec<Option<Reading>> = jobs.iter().map(|_| None).collect();
        let mut waiting: VecDeque<(usize, &Job)> = jobs.iter().enumerate().collect();
        let mut running: BTreeMap<usize, Instant> = BTreeMap::new();
        loop {
            while running.len() < AT_ONCE
                && let Some((number, job)) = waiting.pop_front()
            {
                match self.start(number, job, &sender) {
                    Ok(()) => drop(running.insert(number, Instant::now() + self.deadline)),
                    Err(error) => settle(&mut readings, number, failed(error)),
                }
            }
            let Some(next) = running.values().min().copied() else { break };
            match receiver.recv_timeout(next.saturating_duration_since(Instant::now())) {
                Ok((number, reading)) => {
                    if running.remove(&number).is_some() {
                        settle(&mut readings, number, reading);
                    }
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    let now = Instant::now();
                    for (number, _) in running.extract_if(.., |_, deadline| *deadline <= now) {
                        settle(&mut readings, number, failed(self.timed_out()));
                    }
                }
            }
        }
        readings.into_iter().map(Option::unwrap_or_default).collect()
    }

    /// Begins to read a Location, unless its last reading has not come back.
    fn start(&self, number: usize, job: &Job, sender: &mpsc::Sender<(usize, Reading)>) -> Result<(), ReadError> {
        let Job { location, store } = job.clone();
        if !lock(&self.under_way).insert(location.clone()) {
            return Err(error(ReadErrorKind::TimedOut, "its last reading has not come back".to_owned()));
        }
        let (sender, under_way) = (sender.clone(), Arc::clone(&self.under_way));
        let read = move || {
            let reading = catch_unwind(AssertUnwindSafe(|| store.read(&location)));
            lock(&under_way).remove(&location);
            // Nobody listens any more to a reading that comes back late.
            let _late = sender.send((number, reading.unwrap_or_else(|panic| failed(panicked(panic.as_ref())))));
        };
        spawn("read-store", read).map_err(|refusal| {
            lock(&self.under_way).remove(&job.location);
            error(ReadErrorKind::Other, format!("no thread to read it: {refusal}"))
        })
    }

    fn timed_out(&self) -> ReadError {
        let seconds = self.deadline.as_secs_f32();
        error(ReadErrorKind::TimedOut, format!("no answer within {seconds} seconds"))
    }
}

#[derive(Clone)]
struct Job {
    location: Location,
    store: Arc<dyn StoreBackend>,
}

impl Backend {
    /// The Locations now; those known before when the store does not say in time, so that none seems to be gone.
    fn discover(&self, deadline: Duration) -> Vec<Location> {
        {
            let mut discovery = lock(&self.discovery);
            if discovery.under_way {
                return discovery.known.clone();
            }
            discovery.under_way = true;
        }
        let (sender, receiver) = mpsc::channel();
        let (store, discovery) = (Arc::clone(&self.store), Arc::clone(&self.discovery));
        let discover = move || {
            let found = catch_unwind(AssertUnwindSafe(|| store.discover()));
            let mut discovery = lock(&discovery);
            discovery.under_way = false;
            discovery.known = found.unwrap_or_else(|_| std::mem::take(&mut discovery.known));
            let _late = sender.send(());
        };
        match spawn("discover-stores", discover) {
            Ok(()) if receiver.recv_timeout(deadline).is_ok() => {}
            Ok(()) => tracing::warn!("a store did not say in time where it is"),
            Err(error) => {
                lock(&self.discovery).under_way = false;
                tracing::warn!(%error, "no thread to look for stores");
            }
        }
        lock(&self.discovery).known.clone()
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    thread::Builder::new().name(name.to_owned()).spawn(work).map(drop)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn settle(readings: &mut [Option<Reading>], number: usize, reading: Reading) {
    if let Some(place) = readings.get_mut(number) {
        *place = Some(reading);
    }
}

fn error(kind: ReadErrorKind, detail: String) -> ReadError {
    ReadError { kind, item: String::new(), detail }
}

fn failed(error: ReadError) -> Reading {
    Reading { errors: vec![error], ..Reading::default() }
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> ReadError {
    let words = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    error(ReadErrorKind::Other, format!("reading it panicked: {}", words.unwrap_or("without words")))
}

#[cfg(test)]
mod tests;
