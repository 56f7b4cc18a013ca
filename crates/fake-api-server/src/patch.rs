//! JSON merge patch (RFC 7396).

use serde_json::{Map, Value};

/// Applies a patch.
pub(crate) fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Some(target) = target.as_object_mut() else { return };
    for (name, value) in patch {
        if value.is_null() {
            target.remove(name);
        } else {
            merge(target.entry(name).or_insert(Value::Null), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_null_removes_an_object_is_merged_and_a_list_is_replaced() {
        let mut target = json!({"a": {"b": 1, "c": 2}, "list": [1, 2], "gone": true});
        merge(&mut target, &json!({"a": {"b": null, "d": 3}, "list": [3], "gone": null, "absent": null}));
        assert_eq!(target, json!({"a": {"c": 2, "d": 3}, "list": [3]}));
    }
}
