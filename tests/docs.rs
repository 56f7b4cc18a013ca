//! The documents say what the code does: every test, fault and file that they name exists, no link is dead, and tables and the
//! first screen of the README stay readable.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use carpack_testkit::workspace_root;

/// README's promise and the state it is in stand within so many lines: one screen.
const SCREEN: usize = 40;
/// More characters than this in a cell of a table cannot be read.
const LONGEST_CELL: usize = 200;
/// What ends so names a file: by its path from the root, or by its name alone.
const ENDINGS: [&str; 5] = ["rs", "toml", "md", "yaml", "txt"];

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
fn every_fault_that_the_rules_of_money_name_is_seeded_and_breaks_that_rule() {
    let root = workspace_root();
    let page = read(&root.join("docs/money.md"));
    let seeded = read(&root.join("tests/mutants/mutants.toml"));
    let mut rule = "";
    let mut named = 0_usize;
    let mut wrong = Vec::new();
    for line in page.lines() {
        if let Some((number, _)) = line.strip_prefix("## ").and_then(|heading| heading.split_once(". ")) {
            rule = number;
        }
        let Some((fault, _)) = line.strip_prefix("- Fault: `").and_then(|rest| rest.split_once('`')) else { continue };
        named = named.saturating_add(1);
        if !seeded.contains(&format!("name = \"{fault}\"\nrule = {rule}\n")) {
            wrong.push(format!("rule {rule}: {fault}"));
        }
    }
    assert!(named > 40, "{named}");
    assert!(wrong.is_empty(), "named in docs/money.md, and not seeded for this rule: {wrong:#?}");
}

#[test]
fn every_file_of_rules_is_named_by_a_rule_of_money() {
    let root = workspace_root();
    let page = read(&root.join("docs/money.md"));
    let folder = "crates/core/src/rules";
    // What rules are made of is no rule.
    let no_rules = ["mod.rs", "case.rs", "obstacle.rs"];
    let names =
        files(&root.join(folder), "rs").into_iter().filter(|file| !no_rules.iter().any(|name| file.ends_with(name)));
    let names = names.map(|file| format!("`{folder}/{}`", file.file_name().unwrap().to_string_lossy()));
    let missing: Vec<_> = names.filter(|name| !page.contains(name)).collect();
    assert!(missing.is_empty(), "in no rule of docs/money.md: {missing:?}");
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

#[test]
fn every_file_that_the_documents_and_the_seeded_faults_name_exists() {
    let root = workspace_root();
    let mut names = BTreeSet::new();
    for page in ["docs/money.md", "docs/safety.md", "docs/findings.md", "CONTRIBUTING.md"] {
        names.extend(paths(&root, &read(&root.join(page))).into_iter().map(|path| (page, path)));
    }
    let faults = "tests/mutants/mutants.toml";
    let toml = read(&root.join(faults));
    let changed = toml.lines().filter_map(|line| line.strip_prefix("file = \"")?.strip_suffix('"'));
    names.extend(changed.map(|path| (faults, path.to_owned())));
    assert!(names.len() > 40, "{names:?}");
    let mut known = BTreeSet::new();
    for folder in ["crates", "src", "tests", "docs", "charts", "examples"] {
        let found = ENDINGS.iter().flat_map(|ending| files(&root.join(folder), ending));
        known.extend(found.filter_map(|file| Some(file.file_name()?.to_string_lossy().into_owned())));
    }
    let exists = |path: &str| root.join(path).exists() || root.join("src").join(path).exists() || known.contains(path);
    let missing: Vec<_> = names.iter().filter(|(_, path)| !exists(path)).collect();
    assert!(missing.is_empty(), "named, and no file: {missing:#?}");
}

#[test]
fn no_cell_of_a_table_is_too_long_to_be_read() {
    let root = workspace_root();
    // docs/api.md is generated: its cells are as long as the docs of the fields.
    let mut pages: Vec<_> =
        files(&root.join("docs"), "md").into_iter().filter(|page| !page.ends_with("api.md")).collect();
    pages.push(root.join("README.md"));
    let mut long = Vec::new();
    for page in &pages {
        for row in read(page).lines().map(str::trim).filter(|line| line.starts_with('|')) {
            let cells = row.split('|').map(str::trim).filter(|cell| cell.chars().count() > LONGEST_CELL);
            long.extend(cells.map(|cell| format!("{}: {cell}", page.display())));
        }
    }
    assert!(long.is_empty(), "over {LONGEST_CELL} characters: {long:#?}");
}

#[test]
fn the_promise_and_the_state_of_the_project_stand_on_the_first_screen_of_the_readme() {
    let page = read(&workspace_root().join("README.md"));
    let line = |heading: &str| {
        let found = page.lines().position(|line| line == heading);
        found.unwrap_or_else(|| panic!("README.md has no heading {heading:?}"))
    };
    let state = line("## The state it is in");
    assert!(line("## What it promises") < state);
    let end = page.lines().skip(state.saturating_add(1)).position(|line| line.starts_with("## ")).unwrap();
    assert!(state.saturating_add(end) < SCREEN, "the state ends in line {}", state.saturating_add(end));
    assert!(page.lines().take(SCREEN).any(|line| line.contains("**Not proven: the real cloud.**")));
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

/// What a page names between backticks that begins with a folder of the root, or is a file.
fn paths(root: &Path, page: &str) -> BTreeSet<String> {
    let prose: String = page.split("```").step_by(2).collect();
    let spans: Vec<String> =
        prose.lines().flat_map(|line| line.split('`').skip(1).step_by(2)).map(str::to_owned).collect();
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
    let words = spans.iter().flat_map(|span| span.split_whitespace()).map(|word| word.trim_end_matches('/'));
    let is_path = |word: &&str| {
        let folder = word.split_once('/').is_some_and(|(first, _)| !first.is_empty() && root.join(first).is_dir());
        let file = Path::new(word).extension().is_some_and(|e| ENDINGS.iter().any(|ending| e == *ending));
        word.chars().all(plain) && (folder || file)
    };
    words.filter(is_path).map(str::to_owned).collect()
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
