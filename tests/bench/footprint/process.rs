//! What Linux tells of a running process.

use anyhow::{Context as _, Result};

/// Clock ticks of a second: the same for every program on Linux.
const TICKS: f64 = 100.0;

/// A running process.
pub(crate) struct Watched(u32);

impl Watched {
    pub(crate) const fn new(id: u32) -> Self {
        Self(id)
    }

    /// Seconds of the processor that it and its threads have used, those that ended among them.
    pub(crate) fn processor_seconds(&self) -> Result<f64> {
        let text = self.read("stat")?;
        // The name stands in parentheses and may hold anything; utime and stime are the 12th and 13th after it.
        let (_, fields) = text.rsplit_once(')').context("not the stat of a process")?;
        let ticks: Vec<f64> =
            fields.split_whitespace().skip(11).take(2).filter_map(|field| field.parse().ok()).collect();
        anyhow::ensure!(ticks.len() == 2, "not the stat of a process: {text}");
        Ok(ticks.iter().sum::<f64>() / TICKS)
    }

    /// Bytes of memory that it has now.
    pub(crate) fn memory(&self) -> Result<u64> {
        self.status("VmRSS:")
    }

    /// Bytes of memory that are its alone: without the program itself and its libraries, which are read anew when needed.
    pub(crate) fn own_memory(&self) -> Result<u64> {
        self.status("RssAnon:")
    }

    /// Bytes of memory that it had at most.
    pub(crate) fn most_memory(&self) -> Result<u64> {
        self.status("VmHWM:")
    }

    /// Lets [`Self::most_memory`] begin anew.
    pub(crate) fn forget_most_memory(&self) -> Result<()> {
        std::fs::write(format!("/proc/{}/clear_refs", self.0), "5").context("could not reset the process's high mark")
    }

    fn status(&self, field: &str) -> Result<u64> {
        let text = self.read("status")?;
        let line = text.lines().find_map(|line| line.strip_prefix(field)).context("no such field")?;
        let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().context("not a number")?;
        Ok(kilobytes * 1_024)
    }

    fn read(&self, file: &str) -> Result<String> {
        let path = format!("/proc/{}/{file}", self.0);
        std::fs::read_to_string(&path).with_context(|| format!("could not read {path}"))
    }
}
