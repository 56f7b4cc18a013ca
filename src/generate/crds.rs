//! `carpack crd`: the CustomResourceDefinitions as YAML.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use carpack_api::custom_resource_definitions;

/// Prints the definitions, or writes one file for each into a directory.
pub fn write(dir: Option<&Path>) -> ExitCode {
    let done = match dir {
        Some(dir) => write_files(dir),
        None => print(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // There is no log yet. When standard error is closed too, nobody can be told.
            let _ = writeln!(io::stderr(), "the definitions cannot be written: {error}");
            ExitCode::FAILURE
        }
    }
}

fn print() -> io::Result<()> {
    let mut out = io::stdout().lock();
    for crd in custom_resource_definitions() {
        writeln!(out, "---\n{}", yaml(&crd)?.trim_end())?;
    }
    out.flush()
}

fn write_files(dir: &Path) -> io::Result<()> {
    std::fs::create_dir_all(dir)?;
    for crd in custom_resource_definitions() {
        let name = crd.metadata.name.clone().unwrap_or_default();
        std::fs::write(dir.join(format!("{name}.yaml")), format!("{}\n", yaml(&crd)?.trim_end()))?;
    }
    Ok(())
}

/// Through a JSON value, which sorts the keys: the order of fields in the types must not show.
fn yaml(crd: &impl serde::Serialize) -> io::Result<String> {
    let value = serde_json::to_value(crd).map_err(io::Error::other)?;
    serde_saphyr::to_string(&value).map_err(io::Error::other)
}
