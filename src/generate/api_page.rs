//! The text of `docs/api.md`, made from the types in `crates/api`.

use std::fmt::Write;
use std::io;

use carpack_api::custom_resource_definitions;
use serde_json::Value;

const HEAD: &str = "# API reference

<!-- Made by `make generate` from crates/api: change the types, not this file. -->

Group `carpack.io`, version `v1alpha1`. What the objects are for and how they work together stands in
[concepts.md](concepts.md). A field is optional unless it is marked **required**.
";

/// The text of the page.
///
/// # Errors
/// When a definition cannot be written as JSON.
pub fn page() -> io::Result<String> {
    let mut page = HEAD.to_owned();
    for crd in custom_resource_definitions() {
        describe(&mut page, &serde_json::to_value(crd)?).map_err(io::Error::other)?;
    }
    Ok(page)
}

fn describe(page: &mut String, crd: &Value) -> std::fmt::Result {
    let names = &crd["spec"]["names"];
    let version = &crd["spec"]["versions"][0];
    let schema = &version["schema"]["openAPIV3Schema"];
    let (spec, status) = (&schema["properties"]["spec"], &schema["properties"]["status"]);
    writeln!(page, "\n## {}\n", text(&names["kind"]))?;
    writeln!(page, "{}\n", text(&spec["description"]))?;
    let short: Vec<String> = items(&names["shortNames"]).iter().map(|name| format!("`{}`", text(name))).collect();
    writeln!(page, "`kubectl get {}`, short {}.\n", text(&names["plural"]), short.join(", "))?;
    writeln!(page, "### spec\n")?;
    table(page, spec)?;
    writeln!(page, "\n### status\n")?;
    table(page, status)?;
    columns(page, version)?;
    let mut rules = Vec::new();
    find_rules(&mut rules, schema, "");
    if !rules.is_empty() {
        writeln!(page, "\n### What the API server refuses\n")?;
        for (path, message) in rules {
            writeln!(page, "- `{path}`: {message}")?;
        }
    }
    Ok(())
}

fn table(page: &mut String, schema: &Value) -> std::fmt::Result {
    writeln!(page, "| field | type | |\n| --- | --- | --- |")?;
    rows(page, schema, "")
}

fn rows(page: &mut String, schema: &Value, prefix: &str) -> std::fmt::Result {
    let Some(properties) = schema["properties"].as_object() else { return Ok(()) };
    // Conditions are the same everywhere: Kubernetes documents them.
    let is_condition = properties.contains_key("lastTransitionTime");
    for (name, field) in properties.iter().filter(|_| !is_condition) {
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        let required = items(&schema["required"]).iter().any(|required| required == name);
        let required = if required { "**required** " } else { "" };
        let words = [&field["description"], &field["items"]["description"]].map(text);
        let words = words.iter().find(|words| !words.is_empty()).cloned().unwrap_or_default();
        let limits = limits(field);
        // Each paragraph is a line of its own in the cell.
        let words = words.replace("\n\n", "<br>").replace('\n', " ");
        writeln!(page, "| `{path}` | {} | {required}{words}{limits} |", kind(field))?;
        rows(page, field, &path)?;
        rows(page, &field["items"], &format!("{path}[]"))?;
    }
    Ok(())
}

fn kind(field: &Value) -> String {
    let values: Vec<String> =
        items(&field["enum"]).iter().filter(|v| !v.is_null()).map(|v| format!("`{}`", text(v))).collect();
    if !values.is_empty() {
        return values.join(", ");
    }
    match (field["type"].as_str(), field["format"].as_str()) {
        (_, Some("date-time")) => "time".to_owned(),
        (Some("array"), _) => format!("list of {}", kind(&field["items"])),
        (Some("object"), _) if field["additionalProperties"].is_object() => {
            format!("map of {}", kind(&field["additionalProperties"]))
        }
        (Some(kind), _) => kind.to_owned(),
        (None, _) => String::new(),
    }
}

fn limits(field: &Value) -> String {
    let mut limits = Vec::new();
    match (field["minimum"].as_f64(), field["maximum"].as_f64()) {
        (Some(min), Some(max)) => limits.push(format!("{min} to {max}")),
        (Some(min), None) => limits.push(format!("at least {min}")),
        (None, Some(max)) => limits.push(format!("at most {max}")),
        (None, None) => {}
    }
    if let Some(most) = field["maxLength"].as_u64() {
        limits.push(format!("at most {most} characters"));
    }
    if let Some(most) = field["maxItems"].as_u64() {
        limits.push(format!("at most {most} entries"));
    }
    if let Some(pattern) = field["pattern"].as_str() {
        limits.push(format!("`{}`", pattern.replace('|', "\\|")));
    }
    if !field["default"].is_null() {
        limits.push(format!(
            "default `{}`",
            field["default"].as_str().map_or_else(|| field["default"].to_string(), str::to_owned)
        ));
    }
    if limits.is_empty() { String::new() } else { format!(" ({})", limits.join("; ")) }
}

fn columns(page: &mut String, version: &Value) -> std::fmt::Result {
    writeln!(page, "\n### Columns of kubectl get\n\n| column | from | |\n| --- | --- | --- |")?;
    for column in items(&version["additionalPrinterColumns"]) {
        let wide = if column["priority"].as_i64() == Some(1) { " (with `-o wide`)" } else { "" };
        let (path, words) = (text(&column["jsonPath"]).replace('|', "\\|"), text(&column["description"]));
        writeln!(page, "| {} | `{path}` | {words}{wide} |", text(&column["name"]).to_uppercase())?;
    }
    Ok(())
}

fn find_rules(rules: &mut Vec<(String, String)>, schema: &Value, path: &str) {
    for rule in items(&schema["x-kubernetes-validations"]) {
        let at = format!("{path}{}", rule["fieldPath"].as_str().unwrap_or_default());
        let at = at.trim_start_matches('.').to_owned();
        rules.push((if at.is_empty() { "the object".to_owned() } else { at }, text(&rule["message"])));
    }
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        find_rules(rules, field, &format!("{path}.{name}"));
    }
    if schema["items"].is_object() {
        find_rules(rules, &schema["items"], &format!("{path}[]"));
    }
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
