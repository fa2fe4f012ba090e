//! Where cargo puts what it builds. In: the running executable. Out: paths beside it. Talks to the file system.

use std::path::PathBuf;

use crate::error::{Error, Result};

/// A binary of this workspace, of the same profile as the running one.
pub fn find(name: &str) -> Result<PathBuf> {
    let path = profile_folder()?.join(name);
    if path.is_file() { Ok(path) } else { Err(Error::NotBuilt(path)) }
}

/// Cargo's target folder: for files that outlive one run but not `cargo clean`.
pub(crate) fn target_folder() -> Result<PathBuf> {
    let mut folder = profile_folder()?;
    folder.pop();
    Ok(folder)
}

/// `target/debug` for `target/debug/testbed`, and also for `target/debug/deps/<test>` and `target/debug/examples/<example>`.
fn profile_folder() -> Result<PathBuf> {
    let mut folder = std::env::current_exe().map_err(Error::io("find", "the running executable".as_ref()))?;
    folder.pop();
    if folder.ends_with("deps") || folder.ends_with("examples") {
        folder.pop();
    }
    Ok(folder)
}
