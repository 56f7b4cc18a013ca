//! What packs and orders say of themselves, step by step: what people read while they wait for capacity, or for their
//! money.
//!
//! A diary holds every change of a status and every event, in their order. After a change of the words run the tests with
//! `INSTA_UPDATE=always`, and read the difference as a user would.

mod changes;
mod deletions;
mod purchases;
mod renewals;

use std::collections::BTreeMap;
use std::fmt::Write;

use carpack_core::Event;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::world::{SECOND, World, pack};

/// A world, and all that its pack and its orders have said.
struct Diary {
    world: World,
    text: String,
    /// The last status of each object: its values by their paths.
    known: BTreeMap<String, BTreeMap<String, String>>,
}

impl Diary {
    fn new(spec: Value) -> Self {
        Self { world: World::new(pack(spec)), text: String::new(), known: BTreeMap::new() }
    }

    /// So many steps, each of a sweep, a reconcile of the pack, and two of each order.
    fn run(&mut self, steps: usize, step: SignedDuration) -> &mut Self {
        for _ in 0..steps {
            self.world.advance(step);
            self.world.sweep();
            self.world.advance(SECOND);
            self.world.reconcile_pack();
            self.write_pack();
            for index in 0..self.world.orders.len() {
                self.reconcile_order(index);
                self.reconcile_order(index);
            }
        }
        self
    }

    fn reconcile_order(&mut self, index: usize) {
        self.world.reconcile_order(index);
        let order = &self.world.orders[index];
        let (name, status) = (order.metadata.name.clone().unwrap(), json!(order.status));
        self.write_status(&name, &status);
        for event in std::mem::take(&mut self.world.order_events) {
            self.write_event(&event);
        }
    }

    /// Somebody does something.
    fn then(&mut self, what: &str, act: impl FnOnce(&mut World)) -> &mut Self {
        writeln!(self.text, "\n-- {what}").unwrap();
        act(&mut self.world);
        self
    }

    fn write_pack(&mut self) {
        match &self.world.pack {
            Some(pack) => self.write_status("the pack", &json!(pack.status)),
            None => drop(self.known.remove("the pack").map(|_| self.text.push_str("\nthe pack is gone\n"))),
        }
        for event in std::mem::take(&mut self.world.events) {
            self.write_event(&event);
        }
        for change in self.world.changes.drain(..) {
            writeln!(self.text, "  in the cloud: {change:?}").unwrap();
        }
    }

    fn write_event(&mut self, event: &Event) {
        let kind = if event.warning { "Warning" } else { "Normal" };
        writeln!(self.text, "  {kind} event {}: {}", event.reason, event.message).unwrap();
    }

    /// Writes what has changed since the status was written last.
    fn write_status(&mut self, who: &str, status: &Value) {
        let mut now = BTreeMap::new();
        flatten("", status, &mut now);
        let before = self.known.insert(who.to_owned(), now.clone()).unwrap_or_default();
        let changed = now.iter().filter(|(path, value)| before.get(*path) != Some(value));
        let mut lines: Vec<String> = changed.map(|(path, value)| format!("  {path}: {value}")).collect();
        lines.extend(before.keys().filter(|path| !now.contains_key(*path)).map(|path| format!("  {path}: (none)")));
        if !lines.is_empty() {
            writeln!(self.text, "\n{} {who}\n{}", self.world.now.strftime("%m-%d %H:%M:%S"), lines.join("\n")).unwrap();
        }
    }

    /// Compares the diary with `snapshots/NAME.snap`.
    fn assert_snapshot(&self, name: &str) {
        let mut settings = insta::Settings::clone_current();
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| insta::assert_snapshot!(name, self.text.trim_start()));
    }
}

/// One line for each value; a condition is one value. Times of observation are left out.
fn flatten(path: &str, value: &Value, into: &mut BTreeMap<String, String>) {
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match value {
        Value::Object(fields) if fields.contains_key("reason") && fields.contains_key("type") => {
            let text = |key: &str| fields.get(key).and_then(Value::as_str).unwrap_or_default();
            into.insert(path.to_owned(), format!("{} {}: {}", text("status"), text("reason"), text("message")));
        }
        Value::Object(fields) => {
            let kept =
                fields.iter().filter(|(key, _)| !["lastObservedTime", "observedGeneration"].contains(&key.as_str()));
            kept.for_each(|(key, value)| flatten(&below(key), value, into));
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                let key = item.get("type").and_then(Value::as_str).map_or(index.to_string(), str::to_owned);
                flatten(&below(&key), item, into);
            }
        }
        Value::Null => {}
        Value::String(text) => drop(into.insert(path.to_owned(), text.clone())),
        other => drop(into.insert(path.to_owned(), other.to_string())),
    }
}
