//! `carpack docs`: what is generated in the `docs` folder of the repository.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use super::{api_page, reasons};

/// Writes `api.md`, and the table of reasons in `life-of-a-pack.md`, into this folder.
pub fn write(dir: &Path) -> ExitCode {
    match try_write(dir) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // There is no log yet. When standard error is closed too, nobody can be told.
            let _ = writeln!(io::stderr(), "the generated docs cannot be written: {error}");
            ExitCode::FAILURE
        }
    }
}

fn try_write(dir: &Path) -> io::Result<()> {
    std::fs::write(dir.join("api.md"), api_page::page()?)?;
    let life = dir.join("life-of-a-pack.md");
    let page = reasons::insert(&std::fs::read_to_string(&life)?)
        .ok_or_else(|| io::Error::other(format!("{} has no place for the table of reasons", life.display())))?;
    std::fs::write(life, page)
}
