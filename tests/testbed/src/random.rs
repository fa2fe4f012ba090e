//! Names and secrets that cannot be guessed. Out: hexadecimal text. Reads the system's random source.

use std::fs::File;
use std::io::Read;

use crate::error::{Error, Result};

/// Twice `N` hexadecimal digits.
pub(crate) fn hex<const N: usize>() -> Result<String> {
    let source = "/dev/urandom".as_ref();
    let mut bytes = [0; N];
    File::open(source).and_then(|mut file| file.read_exact(&mut bytes)).map_err(Error::io("read", source))?;
    Ok(bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}")))
}
