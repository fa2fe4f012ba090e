//! Where cargo puts what it builds. In: the running executable. Out: paths beside it. Talks to the file system.

use std::path::PathBuf;

use tools::profile_folder;

use crate::error::{Error, Result};

/// A binary of this workspace, of the same profile as the running one.
pub fn find(name: &str) -> Result<PathBuf> {
    let path = profile_folder()?.join(name);
    if path.is_file() { Ok(path) } else { Err(Error::NotBuilt(path)) }
}
