//! `carpack crd`: the CustomResourceDefinitions as YAML.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use carpack_api::custom_resource_definitions;

use crate::cli::CrdArgs;

/// Prints the definitions, or writes one file for each.
pub fn write(args: &CrdArgs) -> ExitCode {
    let done = match &args.dir {
        Some(dir) => write_files(dir),
        None => print(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // There is no log yet; when even standard error is closed there is nobody to tell.
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

/// By way of a JSON value, so that keys stand in one order whatever the types do.
fn yaml(crd: &impl serde::Serialize) -> io::Result<String> {
    let value = serde_json::to_value(crd).map_err(io::Error::other)?;
    serde_saphyr::to_string(&value).map_err(io::Error::other)
}
