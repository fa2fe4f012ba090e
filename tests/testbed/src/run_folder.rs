//! One folder for each run, below cargo's target folder: logs, keys, etcd's data. Talks to the file system.
//!
//! A run may end without a chance to clean up, and its logs are needed exactly then. So nothing is removed at the end: each new
//! run cleans up after the old ones, and keeps the logs of the latest few.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::error::{Error, Result};
use crate::random;

/// This many runs that have ended keep their logs.
const KEPT: usize = 8;
/// Below a run's folder: large data that is useless afterwards.
const SCRATCH: &str = "scratch";
const LOCK: &str = "lock";

/// The folder of a run that continues as long as this value lives.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    /// Held, so that other runs leave the folder alone; the system releases it when this process ends.
    _lock: File,
}

impl RunFolder {
    /// Creates a fresh folder, and cleans up after runs that have ended.
    pub fn create() -> Result<Self> {
        let runs = tools::target_folder()?.join("testbed");
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let path = runs.join(format!("{}-{}", now.as_millis(), random::hex::<3>()?));
        fs::create_dir_all(path.join(SCRATCH)).map_err(Error::io("create", &path))?;
        // Locked before it gets the name that other runs search for.
        let unnamed = path.join("lock.new");
        let lock = File::create(&unnamed).map_err(Error::io("create", &unnamed))?;
        lock.lock().map_err(Error::io("lock", &unnamed))?;
        fs::rename(&unnamed, path.join(LOCK)).map_err(Error::io("rename", &unnamed))?;
        clear_away(&runs)?;
        Ok(Self { path, _lock: lock })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A part of it that does not outlive the run for long.
    #[must_use]
    pub fn scratch(&self) -> PathBuf {
        self.path.join(SCRATCH)
    }
}

fn clear_away(runs: &Path) -> Result<()> {
    let mut ended: Vec<_> = fs::read_dir(runs)
        .map_err(Error::io("list", runs))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|run| File::open(run.join(LOCK)).is_ok_and(|lock| lock.try_lock().is_ok()))
        .collect();
    // The names begin with the time.
    ended.sort();
    for (newer, run) in ended.iter().rev().enumerate() {
        // Another run may clean up at the same moment: files that are gone already are ignored.
        let _ = fs::remove_dir_all(if newer < KEPT { run.join(SCRATCH) } else { run.clone() });
    }
    Ok(())
}
