//! The table of reasons in `docs/life-of-a-pack.md`, made from the docs of [`Reason`].

use std::fmt::Write;

use carpack_api::Reason;
use carpack_api::reason::Severity;

/// The lines between which the table stands.
const BEGIN: &str = "<!-- reasons: begin -->";
const END: &str = "<!-- reasons: end -->";

/// The page with the table in its place; none when the page has no place for it.
pub fn insert(page: &str) -> Option<String> {
    let (before, rest) = page.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    let mut text = format!(
        "{before}{BEGIN}\n<!-- Made by `make generate` from crates/api/src/reason.rs: change the docs there. -->\n"
    );
    table(&mut text).ok()?;
    Some(format!("{text}\n{END}{after}"))
}

fn table(text: &mut String) -> std::fmt::Result {
    for (group, reasons) in Reason::ALL {
        writeln!(text, "\n### {group}\n\n| reason | event | what it means, and what to do |\n| --- | --- | --- |")?;
        for reason in *reasons {
            let event = match reason.severity() {
                Severity::Normal => "Normal",
                Severity::Warning => "Warning",
            };
            writeln!(text, "| `{reason}` | {event} | {} |", reason.meaning())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_replaces_what_stands_in_its_place_and_nothing_else() {
        let page = format!("before\n{BEGIN}\nan old table\n{END}\nafter");
        let new = insert(&page).unwrap();
        assert!(new.starts_with("before\n") && new.ends_with("\nafter") && !new.contains("an old table"), "{new}");
        for reason in Reason::all() {
            assert_eq!(new.matches(&format!("| `{reason}` |")).count(), 1, "{reason}");
        }
        assert_eq!(insert(&new).unwrap(), new);
        assert_eq!(insert("a page without a place for it"), None);
    }
}
