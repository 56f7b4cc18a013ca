//! The documents say what the code does: every reason is explained, every test they name exists, no link is dead.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use carpack_testkit::workspace_root;

/// Words in PascalCase that are no reasons: values of a person's annotation, error codes of the cloud.
const NO_REASONS: [&str; 4] = ["NotExecuted", "Executed", "OperationDenied", "UnauthorizedOperation"];

#[test]
fn every_reason_is_explained() {
    let page = read(&workspace_root().join("docs/life-of-a-pack.md"));
    let mut missing = BTreeSet::new();
    for folder in ["crates/core/src/pack", "crates/core/src/order"] {
        for file in files(&workspace_root().join(folder), "rs") {
            let words = quoted(&read(&file));
            missing.extend(words.into_iter().filter(|word| is_reason(word) && !page.contains(&format!("`{word}`"))));
        }
    }
    for file in ["src/account/connection.rs", "src/account/health.rs"] {
        let words = quoted(&read(&workspace_root().join(file)));
        missing.extend(words.into_iter().filter(|word| is_reason(word) && !word.starts_with("Describe")));
    }
    missing.retain(|word| !page.contains(&format!("`{word}`")));
    assert!(missing.is_empty(), "not in docs/life-of-a-pack.md: {missing:?}");
}

#[test]
fn every_test_that_the_rules_of_money_name_exists() {
    let root = workspace_root();
    let mut code = String::new();
    for folder in ["crates/core", "crates/cloud/src", "tests", "src"] {
        files(&root.join(folder), "rs").iter().for_each(|file| code.push_str(&read(file)));
    }
    let page = read(&root.join("docs/money.md"));
    let names =
        page.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|word| word.matches('_').count() >= 4);
    let names: BTreeSet<&str> = names.collect();
    assert!(names.len() > 20, "{names:?}");
    let missing: Vec<_> = names.iter().filter(|name| !code.contains(&format!("fn {name}("))).collect();
    assert!(missing.is_empty(), "named in docs/money.md, and no test: {missing:?}");
}

#[test]
fn every_link_between_the_documents_leads_somewhere() {
    let root = workspace_root();
    let mut pages = files(&root.join("docs"), "md");
    pages.extend(["README.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(|page| root.join(page)));
    let mut dead = Vec::new();
    for page in &pages {
        let text = without_code(&read(page));
        for link in text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link) {
            let (target, anchor) = link.split_once('#').unwrap_or((link, ""));
            if link.contains("://") {
                continue;
            }
            let target = if target.is_empty() { page.clone() } else { page.parent().unwrap_or(page).join(target) };
            if !target.exists() || !(anchor.is_empty() || anchors(&read(&target)).contains(anchor)) {
                dead.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(dead.is_empty(), "{dead:#?}");
}

/// The anchors that headings get.
fn anchors(page: &str) -> BTreeSet<String> {
    let headings = page.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches(['#', ' ']));
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    headings.map(|heading| heading.to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-")).collect()
}

/// Without what stands between backticks.
fn without_code(page: &str) -> String {
    page.split('`').step_by(2).collect()
}

/// Texts between double quotes, before the tests of a file begin.
fn quoted(code: &str) -> BTreeSet<String> {
    let code = code.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.flat_map(|line| line.split('"').skip(1).step_by(2)).map(str::to_owned).collect()
}

fn is_reason(word: &str) -> bool {
    let pascal = word.starts_with(|c: char| c.is_ascii_uppercase()) && word.chars().all(|c| c.is_ascii_alphanumeric());
    pascal && word.chars().any(|c| c.is_ascii_lowercase()) && !NO_REASONS.contains(&word)
}

/// The files of a folder and of the folders in it.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            found.extend(files(&entry, ending));
        } else if entry.extension().is_some_and(|e| e == ending) {
            found.push(entry);
        }
    }
    found
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn the_image_is_built_with_the_workspaces_own_rust() {
    let root = workspace_root();
    let toolchain = read(&root.join("rust-toolchain.toml"));
    let version = toolchain.split('"').nth(1).unwrap();
    assert!(
        read(&root.join("Dockerfile")).contains(&format!("/rust:{version}-")),
        "the Dockerfile is not from rust:{version}"
    );
}
